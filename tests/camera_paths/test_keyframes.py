"""Keyframes: that the path meets each of them, without corners, without going beyond them, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig.camera_paths import CameraPath
from camvig.camera_paths.keyframes import smooth_rotations
from camvig.camera_paths.moves import in_parallel
from camvig.camera_paths.rigid_motion import yaw_pitch_roll

TIMES = np.array([0.0, 0.3, 0.45, 1.0])


def random_keyframes(seed: int) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Four unrelated poses and lenses at uneven times."""
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, :3, :3] = Rotation.random(4, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(4, 3))
    lenses = np.concatenate([random.uniform(0.5, 2.0, (4, 2)), random.uniform(0.4, 0.6, (4, 2))], axis=1)
    return list(zip(TIMES, poses, lenses, strict=True))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_the_path_meets_every_keyframe_and_has_no_corners(seed):
    keyframes = random_keyframes(seed)
    path = CameraPath.from_keyframes(keyframes, num_frames=2001)
    numbers = np.concatenate([path.camera_to_world[:, :3].reshape(-1, 12), path.intrinsics], axis=1)
    speeds = np.diff(numbers, axis=0) * 2000
    for time, pose, lens in keyframes:
        frame = round(time * 2000)
        np.testing.assert_allclose(path.camera_to_world[frame], pose, atol=1e-9)
        np.testing.assert_allclose(path.intrinsics[frame], lens, atol=1e-9)
        if 0 < time < 1:
            assert np.abs(speeds[frame] - speeds[frame - 1]).max() < 0.02 * np.abs(speeds).max()
    places, keys = path.camera_to_world[:, :3, 3], np.array([pose[:3, 3] for _, pose, _ in keyframes])
    for first, start, end in zip((0, 600, 900), keys[:-1], keys[1:], strict=True):
        between = places[first : first + 300]
        assert (between >= np.minimum(start, end) - 1e-9).all() and (between <= np.maximum(start, end) + 1e-9).all()


def test_a_pose_given_twice_is_held_and_no_turn_swings_beyond_its_keyframes():
    pan = CameraPath.pan(30)
    path = CameraPath.from_keyframes([(0, CameraPath.static()), (4, pan), (12, pan), (16, CameraPath.pan(-20))])
    np.testing.assert_allclose(path.camera_to_world[4:13], np.tile(pan.camera_to_world[-1], (9, 1, 1)), atol=1e-12)
    yaw, pitch, roll = yaw_pitch_roll(path.camera_to_world[:, :3, :3]).T
    assert (np.diff(yaw[:5]) > 0).all() and (np.diff(yaw[12:]) < 0).all()
    assert yaw[-1] == pytest.approx(-20) and np.abs([pitch, roll]).max() < 1e-9


def test_two_keyframes_are_joined_as_resampling_would():
    ends = in_parallel(*(move(0.4, num_frames=2) for move in (CameraPath.dolly, CameraPath.pan, CameraPath.roll)))
    ends = in_parallel(ends, CameraPath.zoom(1.7, num_frames=2))
    path = CameraPath.from_keyframes([(0.0, ends.reversed()), (1.0, ends)])
    assert path.allclose(ends.resample(17, fps=8))


def test_along_one_axis_rotations_follow_the_angle_of_the_slow_obvious_way():
    from scipy.interpolate import PchipInterpolator

    angles, at = np.array([0.0, 40.0, 55.0, 10.0]), np.linspace(0, 1, 40)
    keys = Rotation.from_rotvec(np.radians(angles)[:, None] * [0.6, 0.0, 0.8]).as_matrix()
    found = Rotation.from_matrix(smooth_rotations(TIMES, keys, at)).as_rotvec(degrees=True)
    np.testing.assert_allclose(found, PchipInterpolator(TIMES, angles)(at)[:, None] * [0.6, 0.0, 0.8], atol=1e-9)


def test_moves_frames_and_easing():
    keyframes = [(0, np.eye(4)), (8, np.eye(4)[:3]), (16, CameraPath.dolly(0.5))]
    path = CameraPath.from_keyframes(keyframes, fps=12)
    assert (path.num_frames, path.fps, path.unit) == (17, 12, "scene_depth")
    assert path.allclose(CameraPath.from_keyframes([(frame / 16, pose) for frame, pose in keyframes], fps=12))
    assert np.array_equal(path.intrinsics, CameraPath.static().intrinsics)
    two = [(0, CameraPath.static()), (1, CameraPath.dolly(0.5))]
    assert CameraPath.from_keyframes(two, easing="ease-in").allclose(CameraPath.dolly(0.5, easing="ease-in"))
    metres = [(time, pose.to_unit("metre", 3.0)) for time, pose in two]
    path = CameraPath.from_keyframes(metres, unit="metre", scene_median_depth=3.0)
    assert path.allclose(CameraPath.dolly(0.5).to_unit("metre", 3.0))


I = np.eye(4)  # noqa: E741
SCALED = np.diag([2.0, 2, 2, 1])


@pytest.mark.parametrize(
    ("keyframes", "message"),
    [
        ([], "expected at least 2 keyframes, got 0"),
        ([(0, I)], "expected at least 2 keyframes, got 1"),
        ([(0, I), (0.5, I), (0.5, I), (1, I)], "keyframe 2: expected a time after 0.5, got 0.5"),
        ([(0, I), (0.7, I), (0.4, I), (1, I)], "keyframe 2: expected a time after 0.7, got 0.4"),
        ([(0, I), (float("nan"), I), (1, I)], "keyframe 1: expected a time after 0, got nan"),
        (
            [(0, I), (0.8, I)],
            r"from time 0 to 1 \(shares of the clip\) or from 0 to 16 \(frame numbers\), got 0 to 0.8",
        ),
        ([(0.1, I), (1, I)], r"expected keyframes from time 0 to 1 .* got 0.1 to 1"),
        ([(0, I), (1, SCALED)], "keyframe 1: expected a rotation in camera_to_world, got a matrix that is not orth"),
        ([(0, I * np.nan), (1, I)], "keyframe 0: expected finite numbers in camera_to_world"),
        ([(0, I), (1, I, [0, 1, 0.5, 0.5])], "keyframe 1: expected positive focal lengths, got fx = 0 and fy = 1"),
        (
            [(0, I), (1, I, [1, 1])],
            r"keyframe 1: expected a pose \[4, 4\] .* intrinsics \[4\] if any, got \[4, 4\] and \[2\]",
        ),
        ([(0, I[:2]), (1, I)], r"keyframe 0: expected a pose \[4, 4\] or a path, .* got \[2, 4\]"),
        ([(0,), (1, I)], r"keyframe 0: expected \(time, pose\) or \(time, pose, intrinsics\), got 1 things"),
        (
            [(0, I), (1, CameraPath.dolly(1).to_unit("metre", 2.0))],
            'keyframe 1: expected a path in "scene_depth", got "metre": use to_unit',
        ),
    ],
)
def test_keyframes_that_make_no_path_are_refused(keyframes, message):
    with pytest.raises(ValueError, match=message):
        CameraPath.from_keyframes(keyframes)
