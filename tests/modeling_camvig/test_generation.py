"""Sampling: equal to the slow, obvious way, batch equal to single runs, guidance, reproducibility, bad arguments."""

from __future__ import annotations

import math

import pytest
import torch

from camvig.modeling_camvig.generation import FactorSampler, choose, distinct_prefixes


@pytest.fixture(scope="module")
def transformer(build_transformer):
    """With larger weights in the head, so that no two choices are nearly as probable."""
    return sharpen(build_transformer(align_camera=True))


@torch.no_grad()
def sharpen(model):
    for linear in model.head.to_logits:
        linear.weight.mul_(8)
    return model


@torch.no_grad()
def greedy_by_full_passes(model, image_ids, camera_ids, camera_is_missing, guidance_scale=1.0):
    """Every factor of every token from two passes over the whole sequence; later tokens are anything."""
    video_ids = torch.zeros(len(image_ids), model.config.num_video_tokens, dtype=torch.long)
    nothing = torch.ones_like(camera_is_missing)
    for token in range(video_ids.shape[1]):
        for number in range(len(model.config.visual_factors)):
            given = model(image_ids, video_ids, camera_ids, camera_is_missing).logits[number][:, token]
            missing = model(image_ids, video_ids, camera_ids, nothing).logits[number][:, token]
            guided = missing + guidance_scale * (given - missing)
            video_ids[:, token] += guided.argmax(-1) * math.prod(model.config.visual_factors[:number])
    return video_ids


@pytest.mark.parametrize("guidance_scale", [1.0, 2.5, 0.0])
def test_greedy_decoding_equals_full_passes(transformer, draw_ids, guidance_scale):
    ids = draw_ids(4)
    del ids["video_ids"]
    expected = greedy_by_full_passes(transformer, **ids, guidance_scale=guidance_scale)
    video = transformer.generate_video(**ids, temperature=0, guidance_scale=guidance_scale)
    assert video.shape == (4, 3, 2, 2)
    assert torch.equal(video[:, 0].flatten(1), ids["image_ids"])
    assert torch.equal(video[:, 1:].flatten(1), expected)
    assert len(set(expected.flatten().tolist())) > 8, "the model always says the same"


@pytest.mark.parametrize("changes", [{"decoder": "llama"}, {"visual_factors": [64]}, {"visual_factors": [4, 2, 8]}])
def test_greedy_decoding_equals_full_passes_in_other_configurations(build_transformer, draw_ids, changes):
    model, ids = sharpen(build_transformer(**changes, copy_features="visual_factors" in changes)), draw_ids(2)
    del ids["video_ids"]
    video = model.generate_video(**ids, temperature=0)
    assert torch.equal(video[:, 1:].flatten(1), greedy_by_full_passes(model, **ids))


@pytest.mark.parametrize("guidance_scale", [1.0, 2.5])
@pytest.mark.parametrize("attention", ["sdpa", "camvig_matmul"])
def test_greedy_decoding_equals_full_passes_where_paths_are_padded(
    build_transformer, draw_ids, attention, guidance_scale
):
    settings = {"camera_kind": "dct", "camera_levels": 1, "camera_codebook_size": 6, "camera_feature_size": 0}
    model, ids = sharpen(build_transformer(**settings)), draw_ids(3)
    del ids["video_ids"]
    ids["camera_ids"] = ids["camera_ids"][:, :9].masked_fill(torch.arange(9) >= torch.tensor([[7], [4], [2]]), 5)
    expected = greedy_by_full_passes(model, **ids, guidance_scale=guidance_scale)
    model.set_attn_implementation(attention)
    video = model.generate_video(**ids, temperature=0, guidance_scale=guidance_scale)
    assert torch.equal(video[:, 1:].flatten(1), expected)


@pytest.mark.parametrize("attention", ["eager", "camvig_matmul"])
def test_greedy_decoding_is_the_same_with_every_attention(build_transformer, draw_ids, attention):
    model, ids = sharpen(build_transformer()), draw_ids()
    del ids["video_ids"]
    expected = model.generate_video(**ids, temperature=0)
    model.set_attn_implementation(attention)
    assert torch.equal(model.generate_video(**ids, temperature=0), expected)


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0])
def test_a_batch_gives_what_its_single_runs_give(transformer, draw_ids, guidance_scale):
    ids = draw_ids(3)
    del ids["video_ids"]
    settings = {"temperature": 0.8, "top_k": 6, "top_p": 0.9, "guidance_scale": guidance_scale}
    generators = [torch.Generator().manual_seed(seed) for seed in (5, 6, 7)]
    batch = transformer.generate_video(**ids, generator=generators, **settings)
    for row, seed in enumerate((5, 6, 7)):
        single = {name: value[row : row + 1] for name, value in ids.items()}
        generator = torch.Generator().manual_seed(seed)
        assert torch.equal(transformer.generate_video(**single, generator=generator, **settings)[0], batch[row])


def test_a_seed_decides_the_video(transformer, draw_ids):
    image_ids, camera_ids = draw_ids()["image_ids"], draw_ids()["camera_ids"]
    first, again, other = (
        transformer.generate_video(image_ids.view(3, 2, 2), camera_ids, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_no_guidance_and_no_camera_need_no_second_branch(transformer, draw_ids, monkeypatch):
    ids = draw_ids()
    image_ids, camera_ids = ids["image_ids"], ids["camera_ids"]
    batch_sizes = []
    embed_prefix = transformer.embed_prefix
    monkeypatch.setattr(transformer, "embed_prefix", lambda *ids: batch_sizes.append(len(ids[0])) or embed_prefix(*ids))
    plain = transformer.generate_video(image_ids, camera_ids, temperature=0)
    assert torch.equal(transformer.generate_video(image_ids, camera_ids, temperature=0, guidance_scale=1), plain)
    nothing = transformer.generate_video(image_ids, temperature=0)
    for scale in (0, 3):
        assert torch.equal(transformer.generate_video(image_ids, temperature=0, guidance_scale=scale), nothing)
    assert torch.equal(transformer.generate_video(image_ids, camera_ids, temperature=0, guidance_scale=0), nothing)
    assert batch_sizes == [3] * 6
    transformer.generate_video(image_ids, camera_ids, temperature=0, guidance_scale=2)
    assert batch_sizes[-1] == 6


def test_sampling_follows_the_warped_probabilities():
    logits = torch.tensor([0.0, 1.0, 2.0, 3.0]).expand(4000, 4)
    sampler = FactorSampler(torch.Generator().manual_seed(0), temperature=0.5, top_k=3, top_p=1.0, guidance_scale=None)
    frequencies = sampler(logits).bincount(minlength=4) / 4000
    expected = (torch.tensor([-math.inf, 1.0, 2.0, 3.0]) / 0.5).softmax(-1)
    torch.testing.assert_close(frequencies, expected, rtol=0, atol=0.02)
    nucleus = FactorSampler(torch.Generator().manual_seed(0), temperature=1.0, top_k=0, top_p=0.7, guidance_scale=None)
    assert set(nucleus(logits).tolist()) == {2, 3}


def test_what_has_no_probability_is_never_chosen():
    probabilities = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]]).expand(5, 5)
    almost_one = 1 - 2**-24  # the largest that torch.rand gives
    uniform = torch.tensor([0.0, 0.29, 0.31, 0.99, almost_one])
    assert choose(probabilities, uniform).tolist() == [1, 1, 3, 3, 3]
    for total in (0.9, 0.999999, 1.0, 1.0000001, 1.1):
        assert choose(total * probabilities, uniform)[-1] == 3
    assert choose(probabilities.to(torch.bfloat16), uniform).tolist() == [1, 1, 3, 3, 3]


def test_draws_of_one_video_share_the_pass_over_its_prefix(transformer, draw_ids, monkeypatch):
    ids = draw_ids(2)
    one = {"image_ids": ids["image_ids"], "camera_ids": ids["camera_ids"]}
    draws = {name: value[[1, 0, 1, 1]] for name, value in one.items()}
    sizes, embed_prefix = [], transformer.embed_prefix
    monkeypatch.setattr(transformer, "embed_prefix", lambda *ids: sizes.append(len(ids[0])) or embed_prefix(*ids))
    expected = transformer.generate_video(**one, temperature=0, guidance_scale=1.5)
    assert torch.equal(transformer.generate_video(**draws, temperature=0, guidance_scale=1.5), expected[[1, 0, 1, 1]])
    generators = [torch.Generator().manual_seed(seed) for seed in range(4)]
    drawn = transformer.generate_video(**draws, generator=generators)
    assert sizes == [4, 4, 2] and len(drawn.unique(dim=0)) == 4


def test_a_sample_without_a_camera_shares_no_prefix_with_one_that_has_it(transformer, draw_ids):
    image_ids, camera_ids = draw_ids(1)["image_ids"].repeat(3, 1), draw_ids(1)["camera_ids"].repeat(3, 1)
    image, camera, missing, sample = distinct_prefixes(image_ids, camera_ids, torch.tensor([True, False, True]))
    assert sample[0] == sample[2] != sample[1] and len(image) == len(camera) == 2
    assert missing[sample].tolist() == [True, False, True] and torch.equal(camera[sample], camera_ids)


def test_the_callback_sees_every_token(transformer, draw_ids):
    calls = []
    transformer.generate_video(draw_ids(1)["image_ids"], callback=lambda step, total: calls.append((step, total)))
    assert calls == [(step, 8) for step in range(1, 9)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature >= 0, got -0.1"),
        ({"temperature": math.nan}, "temperature >= 0, got nan"),
        ({"top_p": 0.0}, r"top_p in \(0, 1\], got 0.0"),
        ({"top_p": 1.5}, r"top_p in \(0, 1\], got 1.5"),
        ({"top_k": -1}, "top_k a whole number >= 0, got -1"),
        ({"guidance_scale": -1.0}, "guidance_scale >= 0, got -1.0"),
        ({"generator": [torch.Generator()]}, r"one generator a sample \(3\), got 1"),
        ({"image_ids": torch.zeros(3, 2, 3, dtype=torch.long)}, r"expected image_ids \[B, 4\], got \[3, 2, 3\]"),
        ({"camera_ids": torch.zeros(1, 18, dtype=torch.long)}, r"expected camera_ids \[3, 18\], got \[1, 18\]"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(transformer, draw_ids, settings, message):
    with pytest.raises(ValueError, match=message):
        transformer.generate_video(**{"image_ids": draw_ids()["image_ids"], **settings})
