"""Poses from frames alone: true paths of a room and of a turning camera come back; what tells nothing is a counted result."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.metrics.pose_errors import direction_error_degrees, rotation_error_degrees
from camvig.metrics.pose_recovery import (
    NO_MODEL,
    NO_TEXTURE,
    TOO_FEW_MATCHES,
    _find_features,
    _match,
    _read_matches,
    quiet_colmap,
    recover_poses,
)

pycolmap = pytest.importorskip("pycolmap")
LENSES = np.tile([0.8, 0.8, 0.5, 0.5], (5, 1))


def shortened(move: str, scene: int = 0):
    """Every second frame of a clip: 9 frames are enough and quicker."""
    clip = room_clip("validation", scene, 0, 64, move=move, threads=1)
    return clip.frames[::2], clip.intrinsics[::2], clip.path.camera_to_world[::2]


@pytest.fixture(scope="module")
def truck():
    frames, intrinsics, truth = shortened("truck_right")
    return recover_poses(frames, intrinsics, trials=1), frames, intrinsics, truth


def test_a_travelling_camera_is_found(truck):
    found, _, _, truth = truck
    assert found.success and found.estimator == "global mapper" and found.num_registered == 9 and found.problem is None
    assert np.array_equal(found.camera_to_world[0], np.eye(4))
    assert rotation_error_degrees(found.camera_to_world, truth) < 1
    assert direction_error_degrees(found.camera_to_world, truth) < 15


def test_the_seed_fixes_every_number_beside_other_threads_too(truck):
    found, frames, intrinsics, _ = truck
    with quiet_colmap(), ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda seed: recover_poses(frames, intrinsics, trials=1, seed=seed), (0, 1, 0)))
    np.testing.assert_array_equal(again[0].camera_to_world, found.camera_to_world)
    np.testing.assert_array_equal(again[2].camera_to_world, found.camera_to_world)


def test_a_second_trial_verifies_the_same_matches_as_a_first_one_would(truck, tmp_path):
    _, frames, intrinsics, _ = truck
    found = {}
    for name, seeds in {"second": (0, 1), "first": (1,), "other": (0,)}.items():
        database = tmp_path / name / "database.db"
        database.parent.mkdir()
        _find_features(pycolmap, database, frames, intrinsics, 0)
        for seed in seeds:
            _match(pycolmap, database, seed)
        pairs = _read_matches(pycolmap, database, intrinsics, frames.shape[1:3]).pairs
        found[name] = {pair: matches.tolist() for pair, matches in pairs.items()}
    assert found["second"] == found["first"] != found["other"]


def test_a_turning_camera_is_found_without_translation():
    frames, intrinsics, truth = shortened("pan_right")
    found = recover_poses(frames, intrinsics, trials=1)
    assert found.estimator == "rotation" and not found.camera_to_world[:, :3, 3].any()
    assert rotation_error_degrees(found.camera_to_world, truth) < 0.5
    assert rotation_error_degrees(np.tile(np.eye(4), (9, 1, 1)), truth) > 2


def test_equal_frames_are_a_camera_that_stands():
    frames, intrinsics, _ = shortened("static")
    found = recover_poses(np.repeat(frames[:1], 5, axis=0), intrinsics[:5], trials=1)
    assert found.success and found.estimator == "rotation"
    np.testing.assert_allclose(found.camera_to_world, np.tile(np.eye(4), (5, 1, 1)), atol=1e-9)


def test_no_texture_is_a_result_without_poses():
    found = recover_poses(np.full((5, 64, 64, 3), 90, np.uint8), LENSES)
    assert not found.success and found.camera_to_world is None and found.estimator == "none"
    assert found.problem == NO_TEXTURE and found.num_registered == 0


def test_frames_that_have_nothing_in_common_are_a_result_without_poses():
    noise = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    found = recover_poses(noise, LENSES, trials=1)
    assert not found.success and found.problem in (TOO_FEW_MATCHES, NO_MODEL)  # noise has a few matches by accident


@pytest.mark.parametrize(
    ("frames", "lenses", "problem"),
    [
        (np.zeros((2, 64, 64, 3), np.uint8), LENSES[:2], "with T of at least 3"),
        (np.zeros((5, 64, 64, 3), np.float32), LENSES, "of uint8"),
        (np.zeros((5, 64, 64, 3), np.uint8), LENSES[:4], r"expected finite intrinsics \[5, 4\]"),
        (np.zeros((5, 64, 64, 3), np.uint8), 0 * LENSES, "focal lengths above 0"),
    ],
)
def test_bad_input_is_refused(frames, lenses, problem):
    with pytest.raises(ValueError, match=problem):
        recover_poses(frames, lenses)


def test_without_trials_there_is_nothing_to_do():
    with pytest.raises(ValueError, match="expected trials of at least 1, got 0"):
        recover_poses(np.zeros((5, 64, 64, 3), np.uint8), LENSES, trials=0)


def test_without_pycolmap(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(ImportError, match=r'expected pycolmap to recover poses: pip install "camvig\[formats\]"'):
        recover_poses(np.zeros((5, 64, 64, 3), np.uint8), LENSES)
