"""Paths: the conventions of directions, left-right symmetry, limits, and clearance in rooms."""

import numpy as np
import pytest

from camvig.dataset_builders.rooms.room_paths import (
    CLEARANCE,
    MIN_LATER_DEPTH,
    MOVES,
    NUM_FRAMES,
    place_path,
    sample_lens,
    sample_move,
    sample_path,
)
from camvig.dataset_builders.rooms.room_renderer import render
from camvig.dataset_builders.rooms.room_scenes import sample_scene


def last_pose(move: str, seed: int = 0) -> np.ndarray:
    return sample_path(np.random.default_rng(seed), move).camera_to_world[-1]


@pytest.mark.parametrize(
    ("move", "axis", "sign"),
    [("dolly_in", 2, 1), ("dolly_out", 2, -1), ("truck_right", 0, 1), ("truck_left", 0, -1), ("pedestal_down", 1, 1),
     ("pedestal_up", 1, -1), ("orbit_right", 0, 1), ("orbit_left", 0, -1)],
)  # fmt: skip
def test_translations_go_where_their_names_say(move, axis, sign):
    assert sign * last_pose(move)[axis, 3] > 0.04


@pytest.mark.parametrize(
    ("move", "looks", "axis", "sign"),
    [("pan_right", 2, 0, 1), ("pan_left", 2, 0, -1), ("tilt_up", 2, 1, -1), ("tilt_down", 2, 1, 1),
     ("roll_right", 0, 1, 1), ("roll_left", 0, 1, -1)],
)  # fmt: skip
def test_rotations_turn_where_their_names_say(move, looks, axis, sign):
    """Column `looks` of the rotation is where the camera's own axis points; roll right leans its right side down."""
    assert sign * last_pose(move)[axis, looks] > 0.04


def test_an_orbit_keeps_looking_at_its_centre():
    for seed in range(5):
        poses = sample_path(np.random.default_rng(seed), "orbit_left").camera_to_world
        lateral, depth = poses[-1, 0, 3], poses[-1, 2, 3]
        angle = np.arctan2(poses[-1, 0, 2], poses[-1, 2, 2])
        radius = -lateral / np.sin(angle)
        assert 0.6 <= radius <= 1.2
        centre = poses[:, :3, 3] + radius * poses[:, :3, 2]
        assert np.allclose(centre, [0, 0, radius]) and depth > 0


@pytest.mark.parametrize("move", MOVES)
def test_paths_start_at_rest_are_rigid_and_within_limits(move):
    for seed in range(20):
        path = sample_path(np.random.default_rng(seed), move)
        assert path.camera_to_world.shape == (NUM_FRAMES, 4, 4) and path.move == move
        assert np.allclose(path.camera_to_world[0], np.eye(4)) and path.zoom[0] == 1
        turns = path.camera_to_world[:, :3, :3]
        assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3)) and np.linalg.det(turns).min() > 0
        assert np.abs(path.camera_to_world[:, :3, 3]).max(0)[1] <= 0.30 + 1e-9
        assert path.zoom.min() >= 0.7 - 1e-9 and path.zoom.max() <= 1.45 + 1e-9
        steps = np.diff(path.camera_to_world[:, :3, 3], axis=0)
        assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max(initial=0) < 0.08


def test_left_and_right_are_balanced():
    rng = np.random.default_rng(0)
    names = [sample_move(rng) for _ in range(6000)]
    assert abs(names.count("static") / 6000 - 0.02) < 0.01 and abs(names.count("free") / 6000 - 0.44) < 0.03
    for right, left in (("truck_right", "truck_left"), ("pan_right", "pan_left"), ("orbit_right", "orbit_left")):
        total = names.count(right) + names.count(left)
        assert abs(names.count(right) - names.count(left)) < 4 * np.sqrt(total)
    ends = np.array([sample_path(rng, "free").camera_to_world[-1] for _ in range(600)])
    sideways, pans = ends[:, 0, 3], ends[:, 0, 2]
    assert abs(sideways.mean()) < 4 * sideways.std() / np.sqrt(600)
    assert abs(pans.mean()) < 4 * pans.std() / np.sqrt(600)


def test_lenses_have_the_promised_field_of_view():
    rng = np.random.default_rng(0)
    lenses = np.array([sample_lens(rng) for _ in range(400)])
    longer_side = np.minimum(lenses[:, 0], lenses[:, 1])
    degrees = np.degrees(2 * np.arctan(0.5 / longer_side))
    aspect = lenses[:, 1] / lenses[:, 0]
    assert degrees.min() >= 50 and degrees.max() <= 85
    assert aspect.min() >= 9 / 16 and aspect.max() <= 16 / 9
    assert 0.4 < np.mean(aspect == 1) < 0.6


def test_placed_paths_keep_clear_of_solids():
    for seed in range(12):
        scene = sample_scene("validation", seed)
        placed = place_path(scene, np.random.default_rng(seed))
        assert scene.clearance_is_free(placed.camera_to_world[:, :3, 3], CLEARANCE).all()
        _, depth = render(scene, placed.camera_to_world, placed.intrinsics, size=32, antialias=0)
        assert np.median(depth, axis=(1, 2)).min() > 0.9 * MIN_LATER_DEPTH
        assert depth.min() > 0.02


def test_hopeless_and_unknown_moves_are_refused():
    scene = sample_scene("validation", 0)
    with pytest.raises(ValueError, match="none in 0 tries"):
        place_path(scene, np.random.default_rng(0), "dolly_in", tries=0)
    with pytest.raises(ValueError, match="'fly'"):
        sample_path(np.random.default_rng(0), "fly")
