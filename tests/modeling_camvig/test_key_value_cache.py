"""Memory for all keys and values at once: the same, bit for bit, as transformers' cache that grows."""

import pytest
import torch
from transformers import AutoConfig
from transformers.cache_utils import DynamicCache

from camvig.modeling_camvig import generation
from camvig.modeling_camvig.key_value_cache import PreallocatedLayer, key_value_cache


@pytest.mark.parametrize("attention", ["sdpa", "camvig_matmul"])
def test_the_same_video_as_with_a_cache_that_grows(build_transformer, draw_ids, monkeypatch, attention):
    model, ids = build_transformer(align_camera=True), draw_ids(3)
    del ids["video_ids"]
    model.set_attn_implementation(attention)

    def video():
        return model.generate_video(**ids, guidance_scale=1.5, generator=torch.Generator().manual_seed(5))

    preallocated = video()
    monkeypatch.setattr(generation, "key_value_cache", lambda config, length: DynamicCache(config=config))
    assert torch.equal(preallocated, video())


def test_the_memory_is_exactly_that_of_a_whole_video(build_transformer, draw_ids, monkeypatch):
    model, ids = build_transformer(), draw_ids(1)
    del ids["video_ids"]
    made = []
    monkeypatch.setattr(generation, "key_value_cache", lambda *a: made.append(key_value_cache(*a)) or made[-1])
    model.generate_video(**ids)
    for layer in made[0].layers:
        assert layer.get_seq_length() == layer.length == layer.all_keys.shape[2] == model.cost().sequence_tokens


def test_keys_that_were_given_stay_as_more_come():
    layer = PreallocatedLayer(5)
    first, second = torch.randn(2, 3, 3, 4), torch.randn(2, 3, 2, 4)
    layer.update(first, -first)
    keys, values = layer.update(second, -second)
    assert torch.equal(keys, torch.cat([first, second], 2)) and torch.equal(values, -keys)
    with pytest.raises(RuntimeError):  # no sixth
        layer.update(second, second)


def test_samples_that_were_given_stay_as_they_are_selected():
    layer, rows = PreallocatedLayer(5), torch.tensor([1, 0, 1])
    first, second = torch.randn(2, 3, 3, 4), torch.randn(3, 3, 2, 4)
    layer.update(first, -first)
    layer.batch_select_indices(rows)
    keys, values = layer.update(second, -second)
    assert torch.equal(keys, torch.cat([first[rows], second], 2)) and torch.equal(values, -keys)


def test_layers_with_a_sliding_window_stay_those_of_transformers():
    config = AutoConfig.for_model(
        "qwen3", num_hidden_layers=2, use_sliding_window=True, sliding_window=3, max_window_layers=1
    )
    kinds = [type(layer) for layer in key_value_cache(config, 9).layers]
    assert kinds[0] is PreallocatedLayer and kinds[1] is not PreallocatedLayer
