"""The model's own cost: its formula against torch's count of the products that are really computed, to the last FLOP."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, DynamicCache

from camvig.modeling_camvig.configuration_camvig import CamViGConfig
from camvig.modeling_camvig.matmul_attention import MATMUL_ATTENTION
from camvig.modeling_camvig.modeling_camvig import CamViGForConditionalGeneration

ATTENTIONS = ["eager", "sdpa", MATMUL_ATTENTION]


def counted_flops(function) -> int:
    """What torch counts; "sdpa" by its plain products, because the count has no entry for its CPU kernel."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"decoder": "llama", "align_camera": True},
        {"copy_features": False, "camera_feature_size": 0},
        {"visual_factors": [64]},
        {"visual_factors": [4, 2, 8]},
        {"picture_feature_size": 8, "picture_feature_blocks": 1},
    ],
    ids=["qwen3", "llama, aligned", "bare", "one factor", "three factors", "picture features"],
)
def test_flops_are_those_that_torch_counts(build_transformer, draw_ids, attention, changes):
    model, ids = build_transformer(**changes).train(), draw_ids(2)
    model.set_attn_implementation(attention)
    cost = model.cost()
    assert counted_flops(lambda: model(**ids)) == 2 * cost.forward_flops
    assert counted_flops(lambda: model(**ids).loss.backward()) == 2 * cost.training_flops


@pytest.mark.parametrize("attention", ["sdpa", MATMUL_ATTENTION])
def test_flops_of_a_model_of_some_size(attention):
    """The geometry of the shipped checkpoint: 392 tokens, 5 M parameters in the decoder, grouped keys."""
    text_config = {
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
    }
    config = CamViGConfig(text_config=text_config, latent_size=8, camera_frames=17, camera_feature_size=32)
    model = CamViGForConditionalGeneration(config)
    model.set_attn_implementation(attention)
    ids = {"image_ids": torch.zeros(1, 64, dtype=torch.long), "video_ids": torch.zeros(1, 256, dtype=torch.long)}
    cost = model.cost()
    assert cost.sequence_tokens == 5 + 68 + 64 + 255
    assert counted_flops(lambda: model(**ids, return_logits=False).loss.backward()) == cost.training_flops
    dense = 6 * sum(p.numel() for p in model.decoder.parameters() if p.ndim == 2) * cost.sequence_tokens
    assert dense < cost.training_flops < 1.4 * dense  # the rule of thumb, 6 x weights x tokens


def test_skipping_hidden_pairs_is_cheaper(build_transformer):
    model = build_transformer()
    whole = model.cost()
    model.set_attn_implementation(MATMUL_ATTENTION)
    length, prefix = whole.sequence_tokens, model.prefix_length
    hidden_pairs = prefix * (length - prefix)  # what a prefix query would score of the video
    assert whole.forward_flops - model.cost().forward_flops == 2 * 4 * 2 * 16 * hidden_pairs


@pytest.mark.parametrize("changes", [{}, {"align_camera": True}, {"copy_features": False}, {"picture_feature_size": 8}])
def test_flops_of_writing_a_video(build_transformer, draw_ids, changes):
    model, ids = build_transformer(**changes), draw_ids(2)
    model.set_attn_implementation(MATMUL_ATTENTION)
    counted = counted_flops(lambda: model.generate_video(ids["image_ids"], ids["camera_ids"], temperature=0))
    assert counted == 2 * model.cost().generation_flops


def test_adapters_spare_the_gradients_of_frozen_weights(build_transformer, draw_ids):
    model, ids = build_transformer().train(), draw_ids(2)
    full = model.cost()
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    cost = model.cost()
    assert counted_flops(lambda: adapted(**ids).loss.backward()) == 2 * cost.training_flops
    assert full.forward_flops < cost.forward_flops
    assert cost.parameters > full.parameters > 4 * cost.trainable_parameters > 0
    adapters = cost.parameters - full.parameters
    assert cost.trainable_parameters == adapters
    assert cost.training_state_bytes == 4 * (cost.parameters + 3 * adapters)


def test_bytes_of_training_are_those_that_adamw_holds(build_transformer, draw_ids):
    model = build_transformer().train()
    optimizer = torch.optim.AdamW(model.parameters())
    model(**draw_ids()).loss.backward()
    optimizer.step()
    held = [*model.parameters(), *(parameter.grad for parameter in model.parameters())]
    held += [moment for state in optimizer.state.values() for moment in (state["exp_avg"], state["exp_avg_sq"])]
    assert model.cost().training_state_bytes == sum(tensor.numel() * tensor.element_size() for tensor in held)
    assert model.cost().parameter_bytes == 4 * model.num_parameters() == 4 * model.cost().parameters


@pytest.mark.parametrize("decoder", ["qwen3", "llama"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_of_the_cache_are_those_of_a_whole_video(build_transformer, draw_ids, decoder, dtype):
    model = build_transformer(decoder).to(dtype)
    cost, cache = model.cost(), DynamicCache(config=model.decoder.config)
    inputs = torch.randn(1, cost.sequence_tokens, 32, dtype=dtype)
    model.decoder(inputs_embeds=inputs, past_key_values=cache, use_cache=True)
    tensors = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    assert cost.cache_bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    read = [*model.decoder.parameters(), *model.head.parameters()]
    assert cost.read_bytes_per_token == cost.cache_bytes + sum(p.numel() for p in read) * dtype.itemsize


def test_a_decoder_of_experts_is_refused():
    """Its experts are no linear maps, and not every token passes through each: a count would be wrong without a word."""
    text_config = AutoConfig.for_model(
        "qwen3_moe",
        hidden_size=16,
        intermediate_size=16,
        moe_intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        num_experts=4,
        num_experts_per_tok=2,
    )
    model = CamViGForConditionalGeneration(CamViGConfig(text_config=text_config, latent_size=2, camera_frames=5))
    with pytest.raises(ValueError, match=r"expected a decoder whose matrices are linear maps, got .*experts"):
        model.cost()
