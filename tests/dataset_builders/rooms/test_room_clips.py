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


def test_clips_at_rest_are_those_of_earlier_versions():
    """Scenes, paths and pictures of generator version 1.1.0: moving objects came later and draw from seeds of their own."""
    expected = {  # (split, scene, clip): move, median depth, last camera position, mean colour
        ("train", 0, 0): ("free", 1.874009, [1.43357071, -1.25530228, -0.39253351], [168.996, 167.777, 172.682]),
        ("validation", 5, 1): ("free", 3.531727, [0.38758332, -1.22982469, -1.24169655], [122.112, 138.44, 108.499]),
        ("test", 9, 0): ("dolly_in", 1.785552, [1.3543071, -1.42344434, 0.07826207], [115.739, 97.336, 75.359]),
    }
    for (split, scene, number), (move, median, position, colour) in expected.items():
        clip = room_clip(split, scene, number, size=32)
        assert clip.move == move and clip.median_depth == pytest.approx(median, rel=1e-5)
        assert clip.camera_to_world[-1, :3, 3] == pytest.approx(position, abs=1e-6)
        assert clip.frames.mean((0, 1, 2)) == pytest.approx(colour, abs=0.01)
        assert not clip.object_ids.any() and clip.object_to_world.shape == (17, 0, 4, 4) and clip.object_kinds == ()


def test_moving_objects_join_the_room_and_the_path_of_the_clip_at_rest():
    still = room_clip("validation", 1, 0, size=32)
    clip = room_clip("validation", 1, 0, size=32, moving_objects=2)
    assert np.array_equal(clip.camera_to_world, still.camera_to_world) and clip.move == still.move
    assert np.array_equal(clip.intrinsics, still.intrinsics)
    count = len(clip.object_kinds)
    assert 1 <= count <= 2 and clip.object_to_world.shape == (17, count, 4, 4)
    assert clip.object_ids.shape == (17, 32, 32) and clip.object_ids.dtype == np.uint8
    assert set(np.unique(clip.object_ids)) == set(range(count + 1))
    assert (clip.frames != still.frames).any(-1)[clip.object_ids > 0].mean() > 0.8
    assert_same(clip, room_clip("validation", 1, 0, size=32, moving_objects=2))


def test_ranges_with_moving_objects_can_be_split_and_resumed():
    whole = list(room_clips("test", 3, size=16, moving_objects=1))
    assert_same(whole[2], next(room_clips("test", 1, start=2, size=16, moving_objects=1)))
    assert all(len(clip.object_kinds) == 1 for clip in whole)


def test_too_many_moving_objects_are_refused():
    with pytest.raises(ValueError, match="1 to 3 moving objects, got 4"):
        room_clip("validation", 0, 0, size=16, moving_objects=4)
