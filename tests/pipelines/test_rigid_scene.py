"""A scene at rest in the pipeline: the checkpoint or the caller asks for it, and every way to a video takes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camvig import CameraPath
from camvig.pipelines.evaluation.generation import generate, generate_with_controls, to_frames
from camvig.pipelines.sampling_settings import SamplingSettings

TEXT = "pan right 10deg"


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def video(pipeline, picture, path=TEXT, **settings) -> torch.Tensor:
    return torch.as_tensor(pipeline(picture, path, generator=seeded(), output_type="pt", **settings).frames[0])


def test_a_turning_camera_gives_one_video_whatever_was_drawn(tiny_pipeline, make_picture):
    """Only where the picture shows nothing do draws differ."""
    draws = [
        tiny_pipeline(make_picture(), TEXT, generator=seeded(seed), rigid_scene=True, output_type="pt", temperature=2.0)
        for seed in (1, 2)
    ]
    assert not torch.equal(draws[0].video_ids, draws[1].video_ids)
    path = CameraPath.from_text(TEXT, num_frames=tiny_pipeline.num_frames)
    picture = tiny_pipeline.prepare_picture(make_picture())
    cameras = tiny_pipeline._cameras(path.for_picture(picture.shape[-1], picture.shape[-2]))
    flows = [tiny_pipeline.visual_tokenizer.decode(draw.video_ids, picture, cameras).flow for draw in draws]
    torch.testing.assert_close(*flows, atol=1e-5, rtol=0)


def test_the_checkpoint_says_it_and_the_caller_wins(tiny_pipeline, make_picture, monkeypatch):
    picture = make_picture()
    plain, rigid = (video(tiny_pipeline, picture, rigid_scene=asked) for asked in (False, True))
    assert torch.equal(video(tiny_pipeline, picture), plain) and not torch.equal(plain, rigid)
    monkeypatch.setattr(tiny_pipeline.transformer.generation_config, "rigid_scene", True)
    assert torch.equal(video(tiny_pipeline, picture), rigid)
    assert torch.equal(video(tiny_pipeline, picture, rigid_scene=False), plain)


def test_ids_are_the_same(tiny_pipeline, make_picture):
    outputs = [tiny_pipeline(make_picture(), TEXT, generator=seeded(), rigid_scene=asked) for asked in (False, True)]
    assert torch.equal(outputs[0].video_ids, outputs[1].video_ids)


def test_without_a_path_nothing_is_known_of_cameras(tiny_pipeline, make_picture):
    plain, rigid = (video(tiny_pipeline, make_picture(), None, rigid_scene=asked) for asked in (False, True))
    assert torch.equal(plain, rigid)


def test_in_a_batch_each_video_has_its_own_path(tiny_pipeline, make_picture):
    paths = [TEXT, None, "dolly in 20%"]
    generators = [seeded(number) for number in range(3)]
    batch = tiny_pipeline(make_picture(), paths, generator=generators, rigid_scene=True, output_type="pt").frames
    for number, path in enumerate(paths):
        alone = tiny_pipeline(
            make_picture(), path, generator=seeded(number), rigid_scene=True, output_type="pt"
        ).frames[0]
        assert torch.equal(torch.as_tensor(batch[number]), torch.as_tensor(alone))


def test_a_long_video_takes_it_stretch_by_stretch(tiny_pipeline, make_picture):
    steps = tiny_pipeline.num_frames - 1
    path = CameraPath.from_text("truck left 30%", num_frames=1 + 2 * steps)
    long = tiny_pipeline.generate_long(make_picture(), path, generator=seeded(), rigid_scene=True, output_type="pt")
    frames = torch.as_tensor(long.frames[0])
    first = CameraPath(path.camera_to_world[: steps + 1], path.intrinsics[: steps + 1], path.fps, path.unit)
    assert torch.equal(frames[: steps + 1], video(tiny_pipeline, make_picture(), first, rigid_scene=True))
    plain = tiny_pipeline.generate_long(make_picture(), path, generator=seeded(), output_type="pt")
    assert not torch.equal(frames, torch.as_tensor(plain.frames[0]))


def test_evaluation_takes_it_and_validation_does_not(tiny_pipeline, monkeypatch):
    size = tiny_pipeline.visual_tokenizer.config.image_size
    picture = torch.rand(1, 3, size, size, generator=seeded()) * 2 - 1
    paths = [CameraPath.from_text(TEXT, num_frames=tiny_pipeline.num_frames)] * 2
    settings = SamplingSettings.of(tiny_pipeline, rigid_scene=True)
    made = generate(tiny_pipeline, [picture] * 2, paths, [7, 8], settings)
    prompts = tiny_pipeline.encode_prompts([picture], paths[:1], settings)
    ids = tiny_pipeline.generate_candidates(prompts, 1, [seeded(7)], settings)[0, 0]
    assert (made[0] == to_frames(tiny_pipeline.decode_video(ids, picture, paths[0]))).all()
    before = generate_with_controls(tiny_pipeline, [picture] * 2, paths, [7, 8])["model"]
    monkeypatch.setattr(tiny_pipeline.transformer.generation_config, "rigid_scene", True)
    after = generate_with_controls(tiny_pipeline, [picture] * 2, paths, [7, 8])["model"]
    assert np.array_equal(before, after) and not np.array_equal(after, made)


def test_wrong_values_are_told(tiny_pipeline, build_tiny_pipeline, make_picture):
    with pytest.raises(ValueError, match="expected rigid_scene to be True or False, got 3"):
        tiny_pipeline(make_picture(), TEXT, rigid_scene=3)
    with pytest.raises(ValueError, match="expected rigid_scene False with a plain visual tokenizer"):
        build_tiny_pipeline(kind="plain")(make_picture(), TEXT, rigid_scene=True)
