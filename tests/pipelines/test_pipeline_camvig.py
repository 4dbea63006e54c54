"""The pipeline on a tiny untrained model: determinism, batches, sizes, output types, and words for wrong inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from camvig import CameraPath
from camvig.pipelines.camera_path_input import MotionOutsideTrainingWarning
from camvig.pipelines.camera_round_trip import MisheardPathWarning

PATH = "dolly in 30%, pan right 10deg"


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def as_array(video) -> np.ndarray:
    return np.stack([np.asarray(frame) for frame in video])


def test_same_generator_same_video(tiny_pipeline, make_picture):
    first, second, other = (
        tiny_pipeline(make_picture(), PATH, generator=seeded(seed), output_type="pt") for seed in (1, 1, 2)
    )
    assert torch.equal(first.video_ids, second.video_ids) and torch.equal(first.frames, second.frames)
    assert not torch.equal(first.video_ids, other.video_ids)


def test_greedy_needs_no_generator(tiny_pipeline, make_picture):
    first, second = (tiny_pipeline(make_picture(), PATH, temperature=0, output_type="pt") for _ in range(2))
    assert torch.equal(first.video_ids, second.video_ids)


def test_a_batch_gives_what_single_calls_give(tiny_pipeline, make_picture):
    pictures = [make_picture(48, 32, 0), make_picture(32, 40, 1), make_picture(64, 64, 2)]
    paths = [PATH, None, CameraPath.orbit(20)]
    settings = {"guidance_scale": 1.5, "top_p": 0.9}
    batch = tiny_pipeline(pictures, paths, generator=[seeded(n) for n in range(3)], **settings)
    for number, (picture, path) in enumerate(zip(pictures, paths, strict=True)):
        single = tiny_pipeline(picture, path, generator=seeded(number), **settings)
        assert torch.equal(batch.video_ids[number], single.video_ids[0])
        assert np.array_equal(as_array(batch.frames[number]), as_array(single.frames[0]))
    assert [ids is None for ids in batch.camera_ids] == [False, True, False]


@pytest.mark.parametrize(("pictures", "paths"), [(1, 3), (3, 1), (3, 3)])
def test_one_of_either_goes_with_many(tiny_pipeline, make_picture, pictures, paths):
    images = [make_picture(seed=seed) for seed in range(pictures)]
    path_list = [f"pan left {degrees}deg" for degrees in range(1, paths + 1)]
    output = tiny_pipeline(images, path_list, generator=seeded(0), output_type="np")
    assert output.frames.shape == (3, 17, 32, 48, 3)


def test_frame_0_is_the_picture(tiny_pipeline, make_picture):
    picture = make_picture(50, 34)
    frames = tiny_pipeline(picture, PATH, generator=seeded(0)).frames[0]
    assert np.array_equal(np.asarray(frames[0]), np.asarray(picture))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((33, 47), (32, 46)), ((600, 1200), (512, 1024)), ((1025, 1025), (512, 512)), ((513, 700), (512, 698))],
)
def test_videos_have_the_size_of_the_picture(tiny_pipeline, make_picture, size, expected):
    tensor = tiny_pipeline.prepare_picture(make_picture(*size))
    assert (tensor.shape[-1], tensor.shape[-2]) == expected
    assert tensor.min() >= -1 and tensor.max() <= 1


def test_output_size_scales_the_video(tiny_pipeline, make_picture):
    video = tiny_pipeline(make_picture(48, 32), PATH, output_size=64, generator=seeded(0)).frames[0]
    assert len(video) == 17 and {frame.size for frame in video} == {(96, 64)}


def test_output_types_agree(tiny_pipeline, make_picture):
    images = [make_picture(seed=0), make_picture(seed=1)]
    pil, array, tensor = (
        tiny_pipeline(images, PATH, generator=seeded(3), output_type=kind).frames for kind in ("pil", "np", "pt")
    )
    assert array.shape == (2, 17, 32, 48, 3) and array.dtype == np.float32 and array.min() >= 0 and array.max() <= 1
    assert tensor.shape == (2, 17, 3, 32, 48)
    assert np.array_equal(tensor.permute(0, 1, 3, 4, 2).numpy(), array)
    assert np.abs(np.stack([as_array(video) for video in pil]) / 255 - array).max() <= 0.5 / 255 + 1e-6


def test_videos_of_different_sizes_are_a_list(tiny_pipeline, make_picture):
    images = [make_picture(48, 32), make_picture(32, 48)]
    frames = tiny_pipeline(images, PATH, generator=seeded(0), output_type="np").frames
    assert [video.shape for video in frames] == [(17, 32, 48, 3), (17, 48, 32, 3)]


def test_a_tuple_in_place_of_an_output(tiny_pipeline, make_picture):
    (frames,) = tiny_pipeline(make_picture(), PATH, generator=seeded(0), return_dict=False)
    assert len(frames[0]) == 17


def test_the_callback_hears_every_token(tiny_pipeline, make_picture):
    heard = []
    tiny_pipeline(make_picture(), PATH, generator=seeded(0), callback=lambda done, total: heard.append((done, total)))
    assert heard == [(step, 64) for step in range(1, 65)]


def test_a_missing_camera_is_not_a_static_one(tiny_pipeline, make_picture):
    missing, static = (tiny_pipeline(make_picture(), path, temperature=0).video_ids for path in (None, "static"))
    assert not torch.equal(missing, static)


def test_the_lens_gets_the_aspect_of_the_picture(tiny_pipeline, make_picture):
    wide, high = (tiny_pipeline(make_picture(*size), "static", temperature=0) for size in ((64, 32), (32, 64)))
    assert not torch.equal(wide.camera_ids[0], high.camera_ids[0])


def test_a_path_from_anywhere_is_made_relative(tiny_pipeline, make_picture):
    path = CameraPath.from_text(PATH)
    start = CameraPath.orbit(30).camera_to_world[-1]
    moved = CameraPath(start @ path.camera_to_world, path.intrinsics)
    metres = path.to_unit("metre", 4.0)
    metres = CameraPath(metres.camera_to_world, metres.intrinsics, unit="metre", scene_median_depth=4.0)
    expected = tiny_pipeline(make_picture(), path, temperature=0).video_ids
    for same in (moved, metres):
        assert torch.equal(tiny_pipeline(make_picture(), same, temperature=0).video_ids, expected)


def test_a_plain_tokenizer_writes_frames_of_its_own_size(build_tiny_pipeline, make_picture):
    pipeline = build_tiny_pipeline("plain")
    frames = pipeline(make_picture(48, 32), PATH, generator=seeded(0), output_type="np").frames
    assert frames.shape == (1, 17, 32, 32, 3)
    with pytest.raises(ValueError, match="plain visual tokenizer"):
        pipeline(make_picture(), PATH, output_size=64)


def test_one_warning_says_by_how_much_a_motion_is_outside_training(tiny_pipeline, make_picture):
    paths = ["dolly in 120%", "pan right 5deg", "pan right 90deg, zoom in 2x"]
    with pytest.warns(MotionOutsideTrainingWarning) as caught:
        tiny_pipeline(make_picture(), paths, generator=seeded(0))
    (outside,) = [warning for warning in caught if warning.category is MotionOutsideTrainingWarning]
    assert outside.filename == __file__
    message = str(outside.message)
    for part in (
        "path 0: moves 1.20 scene depths, 2.0 times",
        "path 2: turns 90.0 degrees, 2.0 times",
        "zooms in 2.00x",
    ):
        assert part in message
    assert "path 1" not in message and "\n" not in message


def test_one_warning_says_that_the_path_is_misheard(tiny_pipeline, make_picture):
    """The tiny pipeline's codec is untrained, so it hears anything but what was said."""
    with pytest.warns(MisheardPathWarning, match="off by .* degrees and .* scene depths") as caught:
        tiny_pipeline(make_picture(), [PATH, None], generator=seeded(0))
    assert [warning.filename for warning in caught if warning.category is MisheardPathWarning] == [__file__]


def test_no_warning_inside_the_training_range(tiny_pipeline, make_picture):
    with warnings.catch_warnings():
        warnings.simplefilter("error", MotionOutsideTrainingWarning)
        tiny_pipeline(make_picture(), "dolly in 60%, pan right 45deg", generator=seeded(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"camera_path": CameraPath.pan(10, num_frames=9)}, r"17 frames, got 9; resample it: path.resample\(17, by="),
        ({"camera_path": "fly to the moon"}, "expected a camera move"),
        ({"camera_path": 7}, "expected a CameraPath"),
        ({"camera_path": []}, "at least one picture and one path"),
        ({"camera_path": [PATH] * 3, "image": ["a.png", "b.png"]}, "as many pictures as paths"),
        ({"image": 7}, "expected a PIL image"),
        ({"image": np.zeros((32, 32), np.uint8)}, r"\[H, W, 3\] uint8"),
        ({"image": np.zeros((1, 1, 3), np.uint8)}, "at least 16 pixels a side"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"guidance_scale": float("nan")}, "guidance_scale"),
        ({"output_type": "mp4"}, "output_type"),
        ({"output_size": 4}, "output_size"),
        ({"generator": [seeded(0), seeded(1)]}, "one generator"),
    ],
)
def test_wrong_inputs_are_told_in_one_line(tiny_pipeline, make_picture, arguments, message):
    arguments = {"image": make_picture(), "camera_path": PATH, **arguments}
    with pytest.raises(ValueError, match=message) as error:
        tiny_pipeline(arguments.pop("image"), arguments.pop("camera_path"), **arguments)
    assert "\n" not in str(error.value)
