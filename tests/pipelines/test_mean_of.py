"""The mean of several draws: of their codes, the draws themselves those that the same generators give; cost, and bad input."""

from __future__ import annotations

import pytest
import torch

from camvig.pipelines.evaluation.generation import generate, to_frames
from camvig.pipelines.preflight import run_cost
from camvig.pipelines.sampling_settings import SamplingSettings

PATH = "dolly in 20%, pan right 5deg"


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def test_it_is_decoded_from_the_mean_of_the_codes_of_its_draws(tiny_pipeline, make_picture):
    output = tiny_pipeline(make_picture(), PATH, generator=seeded(), mean_of=3, output_type="pt")
    (draws,) = output.video_ids
    assert draws.shape[0] == 3 and len({tuple(draw.flatten().tolist()) for draw in draws}) == 3
    assert torch.equal(draws[0], tiny_pipeline(make_picture(), PATH, generator=seeded()).video_ids[0])
    autoencoder = tiny_pipeline.visual_tokenizer.autoencoder
    reference = tiny_pipeline.prepare_picture(make_picture())
    to_codes = autoencoder.quantizer.ids_to_codes
    codes = {len(some): to_codes(some).mean(0, keepdim=True)[None] for some in (draws[:2], draws[2:])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder.quantizer, "ids_to_codes", lambda ids: codes[ids.shape[1]])
        expected = tiny_pipeline.decode_video(draws, reference)
    assert torch.equal(torch.as_tensor(output.frames[0]), expected)
    assert not torch.equal(expected, tiny_pipeline.decode_video(draws[0], reference))


def test_draws_of_equal_ids_are_one_video(tiny_pipeline, make_picture):
    reference = tiny_pipeline.prepare_picture(make_picture())
    ids = tiny_pipeline(make_picture(), PATH, generator=seeded()).video_ids
    decode = tiny_pipeline.visual_tokenizer.decode
    several = decode(ids[:, None].expand(-1, 3, *ids.shape[1:]), reference)
    assert torch.allclose(several.video, decode(ids, reference).video, atol=1e-5)


@pytest.mark.parametrize("rigid_scene", [False, True])
def test_the_mirrored_picture_and_path_give_the_mirrored_video(tiny_pipeline, make_picture, rigid_scene):
    """With the draws of both exchanged, whatever the model prefers."""
    path = tiny_pipeline_path(tiny_pipeline)
    picture = tiny_pipeline.prepare_picture(make_picture())
    path = path.for_picture(picture.shape[-1], picture.shape[-2])
    (draws,) = tiny_pipeline(make_picture(), PATH, generator=seeded(), mean_of=4, temperature=2.0).video_ids
    assert len({tuple(draw.flatten().tolist()) for draw in draws}) == 4
    asked = (draws, picture, path), (draws[[2, 3, 0, 1]], picture.flip(-1), path.mirrored())
    video, mirrored = (tiny_pipeline.decode_video(*each if rigid_scene else each[:2]) for each in asked)
    torch.testing.assert_close(mirrored, video.flip(-1), atol=1e-4, rtol=0)
    one_sided = tiny_pipeline.decode_video(draws[0], *asked[0][1:] if rigid_scene else asked[0][1:2])
    assert not torch.allclose(video, one_sided, atol=1e-2)


def test_the_later_half_of_the_draws_is_of_the_mirrored_prompt(tiny_pipeline, make_picture):
    pictures = [tiny_pipeline.prepare_picture(make_picture(seed=seed)) for seed in (1, 2)]
    path = tiny_pipeline_path(tiny_pipeline)
    settings = SamplingSettings.of(tiny_pipeline, mean_of=3, temperature=1.0)
    prompts = tiny_pipeline.encode_prompts(pictures, [path, path], settings)
    given = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(tiny_pipeline), "generate_ids", lambda self, image_ids, *rest: given.append(image_ids) or image_ids
        )
        tiny_pipeline.generate_candidates(prompts, 2, [seeded(1), seeded(2)], settings, largest_batch=12)
    flipped = tiny_pipeline.encode_pictures([picture.flip(-1) for picture in pictures])
    plain = tiny_pipeline.encode_pictures(pictures)
    assert torch.equal(torch.cat(given), torch.cat([plain, plain, flipped] * 2))
    assert not torch.equal(plain, flipped)
    mirrored_ids = tiny_pipeline.encode_path(path.mirrored())
    assert torch.equal(prompts.camera_ids[2], mirrored_ids) and not torch.equal(prompts.camera_ids[0], mirrored_ids)


def test_a_batch_with_candidates_gives_what_single_calls_give(tiny_pipeline, make_picture):
    pictures = [make_picture(), make_picture(seed=5)]
    batch = tiny_pipeline(pictures, PATH, generator=[seeded(1), seeded(2)], mean_of=2, best_of=2)
    assert batch.video_ids.shape[:2] == (2, 2) and [len(scores) for scores in batch.candidate_scores] == [2, 2]
    for number, picture in enumerate(pictures):
        alone = tiny_pipeline(picture, PATH, generator=seeded(number + 1), mean_of=2, best_of=2)
        assert alone.chosen[0] == batch.chosen[number]
        assert torch.equal(alone.video_ids[0], batch.video_ids[number])


def test_evaluation_takes_the_mean_too(tiny_pipeline, make_picture):
    size = tiny_pipeline.visual_tokenizer.config.image_size
    picture = torch.rand(1, 3, size, size, generator=seeded()) * 2 - 1
    path = tiny_pipeline_path(tiny_pipeline)
    settings = SamplingSettings.of(tiny_pipeline, mean_of=3)
    (video,) = generate(tiny_pipeline, [picture], [path], [7], settings)
    prompts = tiny_pipeline.encode_prompts([picture], [path], settings)
    draws = tiny_pipeline.generate_candidates(prompts, 1, [seeded(7)], settings)[0, 0]
    assert (video == to_frames(tiny_pipeline.decode_video(draws, picture))).all()


def tiny_pipeline_path(pipeline):
    from camvig import CameraPath

    return CameraPath.from_text(PATH, num_frames=pipeline.num_frames)


def test_greedy_draws_are_all_the_same(tiny_pipeline, make_picture, monkeypatch):
    monkeypatch.setattr(tiny_pipeline.transformer.generation_config, "mean_of", 2)
    assert tiny_pipeline(make_picture(), PATH).video_ids.ndim == 5
    assert tiny_pipeline(make_picture(), PATH, temperature=0).video_ids.ndim == 4
    assert run_cost(tiny_pipeline_path(tiny_pipeline), tiny_pipeline).passes_per_id == 4
    with pytest.raises(ValueError, match="expected a temperature above 0 with mean_of 2, got 0"):
        tiny_pipeline(make_picture(), PATH, temperature=0, mean_of=2)
    monkeypatch.setattr(tiny_pipeline.transformer.generation_config, "temperature", 0.0)
    assert tiny_pipeline(make_picture(), PATH).video_ids.ndim == 4


@pytest.mark.parametrize("mean_of", [0, 1.5])
def test_a_wrong_number_is_told(tiny_pipeline, make_picture, mean_of):
    with pytest.raises(ValueError, match="expected mean_of to be a whole number of at least 1"):
        tiny_pipeline(make_picture(), PATH, mean_of=mean_of)


def test_a_plain_tokenizer_has_no_mean(build_tiny_pipeline, make_picture):
    with pytest.raises(ValueError, match="expected mean_of 1 with a plain visual tokenizer"):
        build_tiny_pipeline(kind="plain")(make_picture(), PATH, mean_of=2)
