"""Long clips: pure functions of their seeds, every stretch a clip by itself, and figures of eight that close."""

from __future__ import annotations

import numpy as np
import pytest

from camvig.dataset_builders.clip_checks import keeps_the_first_view
from camvig.dataset_builders.rooms.long_room_clips import long_room_clip, long_room_clips
from camvig.dataset_builders.rooms.long_room_paths import LONG_MOVES, returns, sample_long_path
from camvig.dataset_builders.rooms.room_paths import CLEARANCE
from camvig.dataset_builders.rooms.room_scenes import sample_scene


@pytest.fixture(scope="module")
def clips():
    return list(long_room_clips("validation", 6, 4, size=16, threads=1))


def test_a_clip_has_the_promised_arrays(clips):
    for clip in clips:
        assert clip.frames.shape == (65, 16, 16, 3) and clip.frames.dtype == np.uint8
        assert clip.depth.shape == (65, 16, 16) and clip.depth.dtype == np.float32
        assert clip.path.num_frames == 65 and clip.path.unit == "scene_depth" and clip.stretches == 4
        assert clip.median_depths == [float(np.median(clip.depth[frame])) for frame in (0, 16, 32, 48)]
        walked = np.linalg.norm(clip.camera_to_world[40, :3, 3] - clip.camera_to_world[0, :3, 3])
        assert np.linalg.norm(clip.path.camera_to_world[40, :3, 3]) == pytest.approx(walked / clip.median_depths[0])


def test_moves_take_turns_and_a_clip_can_be_made_alone(clips):
    assert [clip.move for clip in clips] == list(LONG_MOVES[:6])
    alone = long_room_clip("validation", 4, 0, LONG_MOVES[4], 4, size=16, threads=1)
    for name, value in vars(alone).items():
        assert np.array_equal(value, getattr(clips[4], name)), name
    other = long_room_clip("validation", 4, 1, LONG_MOVES[4], 4, size=16, threads=1)
    assert not np.array_equal(alone.camera_to_world, other.camera_to_world)


def test_every_stretch_keeps_its_first_picture_in_sight_and_touches_nothing(clips):
    for clip in clips:
        scene = sample_scene(clip.split, clip.scene_seed)
        assert scene.clearance_is_free(clip.camera_to_world[:, :3, 3], CLEARANCE).all()
        for first in (0, 16, 32, 48):
            part = slice(first, first + 17)
            assert keeps_the_first_view(clip.depth[part], clip.camera_to_world[part], clip.intrinsics[part])


def test_figures_of_eight_come_back(clips):
    eights = [clip for clip in clips if clip.move.startswith("eight")]
    assert eights and all(clip.returns == [32, 64] for clip in eights)
    for clip in eights:
        for frame in clip.returns:
            assert np.allclose(clip.camera_to_world[frame], clip.camera_to_world[0], atol=1e-9)
            assert np.array_equal(clip.frames[frame], clip.frames[0])
        assert not np.allclose(clip.camera_to_world[16], clip.camera_to_world[0], atol=1e-2)
    assert returns("arc_left", 4) == [] and returns("eight_pan_left", 1) == [] and returns("eight_pan_left", 3) == [32]


@pytest.mark.parametrize("family", sorted({move.rpartition("_")[0] for move in LONG_MOVES}))
def test_left_is_the_mirror_image_of_right(family):
    right, left = (sample_long_path(np.random.default_rng(7), f"{family}_{side}", 2) for side in ("right", "left"))
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    assert right.shape == (33, 4, 4) and np.allclose(right[0], np.eye(4))
    assert np.allclose(mirror @ right @ mirror, left) and not np.allclose(right, left)


def test_a_curve_looks_where_it_goes():
    path = sample_long_path(np.random.default_rng(1), "curve_right", 4)
    steps = np.diff(path[:, :3, 3], axis=0)
    ahead = path[:-1, :3, 2]
    cosines = (steps * ahead).sum(axis=1) / np.linalg.norm(steps, axis=1)
    assert cosines.min() > 0.999 and path[-1, 0, 3] > 0


def test_an_arc_keeps_looking_at_its_middle():
    path = sample_long_path(np.random.default_rng(1), "arc_left", 4)
    radius = np.linalg.norm(path[1, :3, 3]) / (2 * np.sin(np.arccos(path[1, 2, 2]) / 2))
    assert np.allclose(path[:, :3, 3] + radius * path[:, :3, 2], [0, 0, radius], atol=1e-6)


@pytest.mark.parametrize(("move", "stretches"), [("loop_left", 4), ("arc_left", 0)])
def test_unknown_moves_are_refused(move, stretches):
    with pytest.raises(ValueError, match="expected a move of"):
        sample_long_path(np.random.default_rng(0), move, stretches)


def test_unknown_splits_are_refused():
    with pytest.raises(ValueError, match="split must be one of"):
        next(long_room_clips("holiday", 1))
