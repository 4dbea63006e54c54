"""Clips: pure functions of their seeds, in any order, with a relative path in scene depths."""

import numpy as np
import pytest

from camvig.dataset_builders.rooms.room_clips import RoomClip, room_clip, room_clips


def assert_same(first: RoomClip, second: RoomClip) -> None:
    for name, value in vars(first).items():
        assert np.array_equal(value, getattr(second, name)), name


def test_a_clip_has_the_promised_arrays():
    clip = room_clip("validation", 3, 1, size=32)
    assert clip.frames.shape == (17, 32, 32, 3) and clip.frames.dtype == np.uint8
    assert clip.depth.shape == (17, 32, 32) and clip.depth.dtype == np.float32 and clip.depth.min() > 0
    assert clip.camera_to_world.shape == (17, 4, 4) and clip.intrinsics.shape == (17, 4)
    assert clip.median_depth == pytest.approx(float(np.median(clip.depth[0])))


def test_ranges_can_be_split_and_resumed():
    whole = list(room_clips("test", 5, size=16, clips_per_scene=2))
    later = list(room_clips("test", 2, start=3, size=16, clips_per_scene=2))
    assert [(clip.scene_seed, clip.clip_seed) for clip in whole] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    for clip, again in zip(whole[3:], later, strict=True):
        assert_same(clip, again)


def test_splits_show_different_scenes():
    first, second = (room_clip(split, 0, 0, size=16) for split in ("validation", "test"))
    assert not np.array_equal(first.frames, second.frames)


def test_resolution_does_not_change_the_path():
    small, large = (room_clip("validation", 1, 0, size=size) for size in (16, 48))
    assert np.array_equal(small.camera_to_world, large.camera_to_world)
    assert small.move == large.move


def test_path_is_relative_and_in_scene_depths():
    clip = room_clip("validation", 2, 0, size=32, move="dolly_in")
    path = clip.path
    assert path.unit == "scene_depth" and path.num_frames == 17 and path.fps == 8
    assert np.allclose(path.camera_to_world[0], np.eye(4))
    walked = np.linalg.norm(clip.camera_to_world[-1, :3, 3] - clip.camera_to_world[0, :3, 3])
    assert path.camera_to_world[-1, 2, 3] == pytest.approx(walked / clip.median_depth)
    assert path.camera_to_world[-1, 2, 3] > 0.05


def test_bad_ranges_are_refused():
    with pytest.raises(ValueError, match="'dev'"):
        list(room_clips("dev", 1))
    with pytest.raises(ValueError, match="got -1"):
        list(room_clips("test", -1))
