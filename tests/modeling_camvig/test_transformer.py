"""The transformer: mask, loss, heads, alignment in time, saving, and that every parameter is trained."""

from __future__ import annotations

import copy

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from transformers import AutoModel

from camvig.modeling_camvig import embeddings
from camvig.modeling_camvig.configuration_camvig import CamViGConfig
from camvig.modeling_camvig.embeddings import join_factors, latent_frame_of_camera_tokens, split_factors
from camvig.modeling_camvig.matmul_attention import MATMUL_ATTENTION
from camvig.modeling_camvig.modeling_camvig import CamViGForConditionalGeneration


def test_a_sequence_sees_its_whole_prefix_and_the_video_so_far(build_transformer, draw_ids):
    """By gradients through the decoder: position i depends on position j exactly where j <= i or j is in the prefix."""
    model = build_transformer()
    seen = {}

    def keep_inputs(module, arguments, keywords):
        seen["inputs"] = keywords["inputs_embeds"].detach().requires_grad_()
        return arguments, {**keywords, "inputs_embeds": seen["inputs"]}

    def keep_outputs(module, arguments, output):
        seen["outputs"] = output.last_hidden_state

    model.decoder.register_forward_pre_hook(keep_inputs, with_kwargs=True)
    model.decoder.register_forward_hook(keep_outputs)
    model(**draw_ids(1))
    length = seen["inputs"].shape[1]
    assert model.prefix_length == 5 + 18 + 4 and length == model.prefix_length + 7
    for position in range(length):
        (gradient,) = torch.autograd.grad(seen["outputs"][0, position].sum(), seen["inputs"], retain_graph=True)
        depends = gradient[0].abs().sum(-1) > 0
        visible = max(position + 1, model.prefix_length)
        assert depends[:visible].all() and not depends[visible:].any()


@pytest.mark.parametrize("align_camera", [False, True])
def test_a_video_token_depends_on_those_before_it_on_the_image_and_on_the_camera(
    build_transformer, draw_ids, align_camera
):
    model = build_transformer(align_camera=align_camera)
    embedded = {}
    for name in ("image_embedding", "video_embedding", "camera_embedding"):

        def keep(module, arguments, output, name=name):
            embedded[name] = output

        getattr(model, name).register_forward_hook(keep)
    logits = model(**draw_ids(2)).logits
    for token in range(8):
        total = sum(factor[:, token].square().sum() for factor in logits)
        image, video, camera = (
            gradient.abs().sum(-1) > 0
            for gradient in torch.autograd.grad(
                total, [embedded[f"{name}_embedding"] for name in ("image", "video", "camera")], retain_graph=True
            )
        )
        assert image.all() and camera.all()
        assert video[:, :token].all() and not video[:, token:].any()


def test_the_loss_is_the_cross_entropy_of_video_tokens_alone(build_transformer, draw_ids):
    model, ids = build_transformer(), draw_ids()
    output = model(**ids)
    expected = torch.zeros(3, 8)
    for logits, part in zip(output.logits, split_factors(ids["video_ids"], [8, 8]), strict=True):
        assert logits.shape == (3, 8, 8)
        expected -= logits.log_softmax(-1).gather(-1, part[..., None])[..., 0]
    torch.testing.assert_close(output.per_token_loss, expected)
    torch.testing.assert_close(output.loss, expected.mean())
    assert output.per_factor_loss.shape == (3, 8, 2)
    first = torch.nn.functional.cross_entropy(output.logits[0].flatten(0, 1), ids["video_ids"].flatten() % 8)
    torch.testing.assert_close(output.per_factor_loss[..., 0].mean(), first)


def test_the_loss_in_chunks_is_the_same_and_has_the_same_gradient(build_transformer, draw_ids, monkeypatch):
    model, ids = build_transformer(), draw_ids()
    whole = model(**ids, return_logits=False)
    whole.loss.backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    monkeypatch.setattr(embeddings, "MAX_LOGITS", 5 * 8)
    chunked = model(**ids, return_logits=False)
    chunked.loss.backward()
    assert whole.logits is None
    torch.testing.assert_close(chunked.per_token_loss, whole.per_token_loss)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])


@pytest.mark.parametrize("factors", [[64], [8, 8], [4, 2, 8]])
def test_probabilities_over_the_joint_vocabulary_sum_to_one(build_transformer, factors):
    model = build_transformer(visual_factors=factors)
    every_id = torch.arange(64)
    assert torch.equal(join_factors(split_factors(every_id, factors), factors), every_id)
    nats = model.head.loss(torch.randn(1, 1, 32).expand(1, 64, 32), every_id[None]).sum(-1)
    torch.testing.assert_close((-nats).exp().sum(), torch.tensor(1.0))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"decoder": "llama"},
        {"align_camera": True},
        {"copy_features": False, "camera_feature_size": 0},
        {"camera_kind": "dct", "camera_levels": 1, "camera_codebook_size": 10, "camera_frames": 18},
    ],
)
@pytest.mark.parametrize("missing", ["some", "none", "all"])
def test_every_parameter_gets_a_gradient(build_transformer, draw_ids, changes, missing):
    """None is left out of the graph (data-parallel training would wait for it), whichever cameras are missing."""
    model, ids = build_transformer(**changes).train(), draw_ids()
    if missing == "none":
        ids["camera_is_missing"] = None
    if missing == "all":
        ids["camera_ids"] = ids["camera_is_missing"] = None
    model(**ids).loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert not [name for name, gradient in gradients.items() if gradient is None]
    if missing == "some":
        assert not [name for name, gradient in gradients.items() if not gradient.any()]


def test_a_missing_camera_hides_the_camera_ids(build_transformer, draw_ids):
    model, ids = build_transformer(align_camera=True), draw_ids()
    before = model(**ids).per_token_loss
    ids["camera_ids"] = ids["camera_ids"].roll(1, dims=0) // 5 * 5
    after = model(**ids).per_token_loss
    assert torch.equal(before[1], after[1]) and not torch.isclose(before[0], after[0]).any()
    ids["camera_ids"][1] = -1
    assert torch.equal(model(**ids).per_token_loss, after)
    everything_missing = model(ids["image_ids"], ids["video_ids"]).per_token_loss
    torch.testing.assert_close(everything_missing[1], after[1])


def test_camera_tokens_share_the_time_of_their_latent_frame():
    one_a_pose = CamViGConfig(text_config={"hidden_size": 8}, camera_frames=17)
    assert latent_frame_of_camera_tokens(one_a_pose) == [0] + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    of_paper = latent_frame_of_camera_tokens(CamViGConfig(text_config={"hidden_size": 8}))
    assert len(of_paper) == 106 and of_paper == sorted(of_paper) and of_paper.count(0) == 6
    assert [of_paper.count(latent) for latent in (1, 2, 3, 4)] == [25, 25, 25, 25]


def test_bins_have_the_time_of_their_pose_and_cosines_none():
    text_config = {"hidden_size": 8}
    uniform = CamViGConfig(text_config=text_config, camera_kind="uniform", camera_levels=1, camera_frames=114)
    of_bins = latent_frame_of_camera_tokens(uniform)
    assert of_bins is not None and of_bins == [0, 0] + [1] * 28 + [2] * 28 + [3] * 28 + [4] * 28
    dct = CamViGConfig(text_config=text_config, camera_kind="dct", camera_levels=1, camera_frames=3)
    assert latent_frame_of_camera_tokens(dct) is None


def test_alignment_takes_the_bins_of_a_latent_frame(build_transformer):
    changes = {"camera_kind": "uniform", "camera_levels": 1, "camera_codebook_size": 10, "camera_frames": 2 + 7 * 8}
    model = build_transformer(align_camera=True, **changes)
    camera = torch.randn(2, 58, 32)
    expected = torch.stack([camera[:, 2:30].mean(1), camera[:, 30:].mean(1)], dim=1)
    torch.testing.assert_close(model.video_context._camera_of_latent_frames(camera), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_kind": "audio"}, "expected camera_kind 'codec', 'dct', 'uniform', 'spectrum', got 'audio'"),
        ({"camera_kind": "dct"}, "expected camera_levels 1 with camera_kind 'dct', got 4"),
        ({"camera_kind": "dct", "camera_levels": 1, "align_camera": True}, "whose tokens have no time"),
        ({"camera_kind": "uniform", "camera_levels": 1}, "expected camera_frames 114 for 17 poses"),
    ],
)
def test_camera_kinds_that_cannot_be_are_refused(changes, message):
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        CamViGConfig(text_config={"hidden_size": 8}, **changes)


def test_alignment_averages_over_a_latent_frame_and_sums_over_levels(build_transformer):
    model = build_transformer(align_camera=True)
    camera = torch.randn(2, 18, 32)
    by_level = camera.view(2, 2, 9, 32)
    expected = torch.stack([by_level[:, :, 1:5].mean(2).sum(1), by_level[:, :, 5:9].mean(2).sum(1)], dim=1)
    torch.testing.assert_close(model.video_context._camera_of_latent_frames(camera), expected)


@pytest.mark.parametrize("attention", ["eager", MATMUL_ATTENTION])
@pytest.mark.parametrize("decoder", ["qwen3", "llama"])
def test_all_attentions_agree(build_transformer, draw_ids, attention, decoder):
    model, ids = build_transformer(decoder), draw_ids()
    assert model.decoder.config._attn_implementation == "sdpa"
    expected = model(**ids).logits
    model.set_attn_implementation(attention)
    for logits, other in zip(model(**ids).logits, expected, strict=True):
        torch.testing.assert_close(logits, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager", MATMUL_ATTENTION])
def test_bfloat16_autocast_stays_near_float32(build_transformer, draw_ids, attention):
    model, ids = build_transformer(), draw_ids()
    expected = model(**ids).loss
    model.set_attn_implementation(attention)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**ids).loss
    assert loss.dtype == torch.float32 and abs(loss - expected) < 0.02


@pytest.mark.parametrize("decoder", ["qwen3", "llama"])
def test_saving_and_loading_gives_identical_logits(build_transformer, draw_ids, tmp_path, decoder):
    model, ids = build_transformer(decoder, align_camera=True), draw_ids()
    model.save_pretrained(tmp_path)
    loaded, report = CamViGForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert type(loaded.config.text_config) is type(model.config.text_config)
    assert _without_traces_of_loading(loaded.config) == _without_traces_of_loading(model.config)
    assert torch.equal(loaded.camera_embedding.features, model.camera_embedding.features)
    for logits, expected in zip(loaded(**ids).logits, model(**ids).logits, strict=True):
        assert torch.equal(logits, expected)
    loaded = AutoModel.from_pretrained(tmp_path, dtype=torch.bfloat16, attn_implementation=MATMUL_ATTENTION)
    assert loaded.dtype == torch.bfloat16 and loaded.decoder.config._attn_implementation == MATMUL_ATTENTION
    assert abs(loaded(**ids).loss - model(**ids).loss) < 0.05


def _without_traces_of_loading(config: CamViGConfig) -> dict:
    settings = {name: value for name, value in config.to_dict().items() if name not in ("_name_or_path", "dtype")}
    del settings["text_config"]["dtype"]
    return settings


def test_models_do_not_share_the_configuration_they_were_built_from(build_transformer):
    model = build_transformer()
    config = copy.deepcopy(model.config)
    first, second = CamViGForConditionalGeneration(config), CamViGForConditionalGeneration(config)
    first.set_attn_implementation("eager")
    assert second.decoder.config._attn_implementation == "sdpa"
    assert first.config.text_config is not second.config.text_config


def test_camera_features_keep_their_relative_sizes(build_transformer):
    model = build_transformer()
    vectors = torch.randn(10, 3) * 7
    model.set_camera_features(vectors)
    features = model.camera_embedding.features
    torch.testing.assert_close(features.square().mean(), torch.tensor(1.0))
    torch.testing.assert_close(features / features[0, 0], vectors / vectors[0, 0])
    with pytest.raises(ValueError, match=r"expected code vectors \[10, 3\], got \[10, 4\]"):
        model.set_camera_features(torch.randn(10, 4))
    with pytest.raises(ValueError, match="finite"):
        model.set_camera_features(torch.zeros(10, 3))
    with pytest.raises(ValueError, match="camera_feature_size > 0"):
        build_transformer(camera_feature_size=0).set_camera_features(vectors)


def test_a_few_steps_learn_a_batch_by_heart(build_transformer, draw_ids):
    model, ids = build_transformer().train(), draw_ids(4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = model(**ids, return_logits=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert 3.5 < losses[0] < 5.0 and losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_ids": torch.full((3, 4), 64)}, "expected image_ids in 0..63, got 64..64"),
        ({"video_ids": torch.full((3, 8), -1)}, "expected video_ids in 0..63, got -1..-1"),
        ({"image_ids": torch.zeros(3, 5, dtype=torch.long)}, r"expected image_ids \[B, 4\], got \[3, 5\]"),
        ({"video_ids": torch.zeros(3, 0, dtype=torch.long)}, r"expected video_ids \[B, 8\], got \[3, 0\]"),
        ({"video_ids": torch.zeros(2, 8, dtype=torch.long)}, r"as many videos as images \(3\), got 2"),
        ({"image_ids": torch.zeros(3, 4)}, "expected image_ids of an integer type, got torch.float32"),
        ({"camera_ids": torch.zeros(3, 18, dtype=torch.long)}, "less 5 a level, in 0..4, got -5..0"),
        ({"camera_ids": torch.zeros(3, 17, dtype=torch.long)}, r"expected camera_ids \[3, 18\], got \[3, 17\]"),
        ({"camera_ids": None}, "expected camera_ids for the samples whose camera is not missing"),
        ({"camera_is_missing": torch.zeros(3)}, r"of type bool \[3\], got torch.float32 \[3\]"),
    ],
)
def test_wrong_inputs_are_refused_in_one_line(build_transformer, draw_ids, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        build_transformer()(**{**draw_ids(), **changes})
    assert "\n" not in str(error.value)


def test_a_decoder_with_sliding_windows_is_refused():
    text_config = {"hidden_size": 8, "num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]}
    with pytest.raises(ValueError, match="full attention in every layer"):
        CamViGForConditionalGeneration(CamViGConfig(text_config=text_config))
