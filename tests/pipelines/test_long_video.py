"""A long video is what single calls make of each other's last frames, along the parts of its path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camvig import CameraPath
from camvig.camera_paths.path_stretches import cut_into_stretches
from camvig.pipelines.camera_path_input import MotionOutsideTrainingWarning


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def as_array(video) -> np.ndarray:
    return np.stack([np.asarray(frame) for frame in video])


@pytest.mark.parametrize("kind", ["motion", "plain"])
def test_each_stretch_is_a_call_with_the_last_frame(build_tiny_pipeline, make_picture, kind):
    pipeline = build_tiny_pipeline(kind)
    side = 32  # a plain tokenizer's frames are square: of other pictures it would go on with the first one's lens
    picture, path = make_picture(side, side), CameraPath.orbit(30, num_frames=33)
    long = pipeline.generate_long(picture, path, generator=[seeded(4), seeded(5)], median_depths=[2.0, 1.0])
    stretches = cut_into_stretches(path, 17, [2.0, 1.0])
    first = pipeline(picture, stretches[0], generator=seeded(4))
    second = pipeline(first.frames[0][-1], stretches[1], generator=seeded(5))
    assert torch.equal(long.video_ids, torch.cat([first.video_ids, second.video_ids]))
    video = as_array(long.frames[0])
    assert len(video) == 33
    assert np.array_equal(video[:17], as_array(first.frames[0]))
    assert np.array_equal(video[17:], as_array(second.frames[0])[1:])


def test_one_generator_goes_on_and_a_seed_is_a_video(tiny_pipeline, make_picture):
    path = CameraPath.pan(20, num_frames=33)
    one, again, other = (tiny_pipeline.generate_long(make_picture(), path, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(one.video_ids, again.video_ids) and not torch.equal(one.video_ids, other.video_ids)
    same_twice = tiny_pipeline.generate_long(make_picture(), path, generator=[seeded(1), seeded(1)])
    assert torch.equal(one.video_ids[0], same_twice.video_ids[0])
    assert not torch.equal(one.video_ids[1], same_twice.video_ids[1])


def test_a_path_of_one_stretch_is_a_call(tiny_pipeline, make_picture):
    path = CameraPath.dolly(0.2)
    long = tiny_pipeline.generate_long(make_picture(), path, generator=seeded(3), output_type="np")
    short = tiny_pipeline(make_picture(), path, generator=seeded(3), output_type="np")
    assert np.array_equal(long.frames, short.frames) and torch.equal(long.video_ids, short.video_ids)


@pytest.mark.parametrize("poses", [5, 18, 40])
def test_a_video_has_as_many_frames_as_the_path(tiny_pipeline, make_picture, poses):
    done = []
    output = tiny_pipeline.generate_long(
        make_picture(50, 34),
        CameraPath.pan(10, num_frames=poses),
        generator=seeded(0),
        output_type="pt",
        output_size=48,
        return_score=True,
        callback=lambda *each: done.append(each),
    )
    assert output.frames.shape == (1, poses, 3, 48, 70)
    stretches = -(-(poses - 1) // 16)
    assert len(output.scores) == len(output.camera_ids) == stretches and all(one.score <= 1 for one in output.scores)
    total = stretches * tiny_pipeline.transformer.config.num_video_tokens
    assert [each[0] for each in done] == list(range(1, total + 1)) and {each[1] for each in done} == {total}


def test_best_of_goes_on_with_the_best(tiny_pipeline, make_picture):
    path = CameraPath.pan(20, num_frames=33)
    best = tiny_pipeline.generate_long(make_picture(), path, generator=seeded(0), best_of=3)
    for scores, chosen, score in zip(best.candidate_scores, best.chosen, best.scores, strict=True):
        assert len(scores) == 3 and scores[chosen] == score and score.rank == max(one.rank for one in scores)


def test_warnings_name_the_stretch(tiny_pipeline, make_picture):
    turn = CameraPath.pan(20, num_frames=17).compose(CameraPath.pan(80, num_frames=17))
    with pytest.warns(MotionOutsideTrainingWarning, match="stretch 1: turns 80.0 degrees"):
        tiny_pipeline.generate_long(make_picture(), turn, generator=seeded(0))


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("dolly in 30%", {}, "CameraPath.from_text"),
        (CameraPath.static(33), {"generator": [seeded(0)]}, "one generator, or one a video"),
        (CameraPath.static(33), {"median_depths": [1.0]}, "expected 2 median depths"),
        (CameraPath.static(33), {"best_of": 2, "temperature": 0}, "temperature above 0"),
        (CameraPath.static(33), {"output_type": "gif"}, "output_type"),
    ],
)
def test_words_for_wrong_inputs(tiny_pipeline, make_picture, path, options, message):
    with pytest.raises(ValueError, match=message):
        tiny_pipeline.generate_long(make_picture(), path, **options)


def test_a_call_with_a_longer_path_names_both_ways(tiny_pipeline, make_picture):
    with pytest.raises(ValueError, match=r"17 frames, got 33; resample it.*generate_long, or --chain"):
        tiny_pipeline(make_picture(), CameraPath.static(33))
    with pytest.raises(ValueError, match="got 9") as error:
        tiny_pipeline(make_picture(), CameraPath.static(9))
    assert "--chain" not in str(error.value)
