"""Resampling by arc length: equal distances whatever the timing was, both ends exact, and refused where nothing travels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig.camera_paths import CameraPath, rigid_motion
from camvig.camera_paths.moves import in_parallel


def random_path(seed: int, num_frames: int) -> CameraPath:
    random = np.random.default_rng(seed)
    poses = rigid_motion.pose_matrices(
        Rotation.random(num_frames, rng=random).as_matrix(), random.normal(size=(num_frames, 3))
    )
    return CameraPath.from_matrices(poses, random.uniform(0.4, 1.6, (num_frames, 4)))


def steps(path: CameraPath) -> np.ndarray:
    return np.linalg.norm(np.diff(path.camera_to_world[:, :3, 3], axis=0), axis=1)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_both_ends_stay_exact(seed, num_frames, new_num_frames):
    path = random_path(seed, num_frames)
    resampled = path.resample(new_num_frames, by="arc-length")
    assert resampled.num_frames == new_num_frames
    for array in ("camera_to_world", "intrinsics"):
        assert np.array_equal(getattr(resampled, array)[0], getattr(path, array)[0])
        if new_num_frames > 1:
            assert np.array_equal(getattr(resampled, array)[-1], getattr(path, array)[-1])


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 30))
@settings(max_examples=25, deadline=None)
def test_equal_distances_are_travelled_along_the_path(seed, num_frames, count):
    poses = random_path(seed, num_frames).camera_to_world
    times = rigid_motion.equal_distance_times(poses, count, 0.0)
    corners = np.unique(np.concatenate([times, np.arange(num_frames)]))
    places = rigid_motion.interpolate(poses, corners)[:, :3, 3]
    travelled = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    np.testing.assert_allclose(np.diff(travelled[np.searchsorted(corners, times)]), travelled[-1] / (count - 1))


def test_an_eased_move_becomes_even_and_the_rest_follows_the_translation():
    timing = {"num_frames": 401, "easing": "ease-in-out"}
    eased = in_parallel(CameraPath.dolly(0.5, **timing), CameraPath.pan(40, **timing))
    even = eased.resample(17, by="arc-length")
    np.testing.assert_allclose(steps(even), 0.5 / 16)
    expected = in_parallel(CameraPath.dolly(0.5), CameraPath.pan(40)).resample(17, fps=even.fps)
    assert even.allclose(expected, 1e-4)
    assert np.ptp(steps(eased.resample(17))) > 0.01  # by time it stays eased


def test_as_many_frames_as_before_are_spread_too():
    eased = CameraPath.truck(1.0, easing="ease-in")
    assert not eased.resample(17, by="arc-length").allclose(eased, 0.01)
    assert eased.resample(17) == eased


def test_rotation_does_not_count_as_travel():
    path = CameraPath.dolly(1.0).compose(CameraPath.pan(90)).compose(CameraPath.truck(1.0))
    resampled = path.resample(5, by="arc-length")  # the truck goes backwards, as seen by the first camera
    np.testing.assert_allclose(resampled.camera_to_world[:, 2, 3], [0, 0.5, 1, 0.5, 0], atol=1e-12)
    angles = rigid_motion.yaw_pitch_roll(resampled.camera_to_world[:, :3, :3])[:, 0]
    np.testing.assert_allclose(angles, [0, 0, 90, 90, 90], atol=1e-6)


def test_the_move_lasts_as_long_as_before_unless_fps_is_given():
    path = CameraPath.dolly(1.0, num_frames=61, fps=30)
    assert path.resample(17, by="arc-length").fps == pytest.approx(8.0)
    assert path.resample(17, fps=24, by="arc-length").fps == 24


@pytest.mark.parametrize(
    ("path", "least", "length"),
    [
        (CameraPath.pan(30), "0.005", "0"),
        (CameraPath.static(1), "0.005", "0"),
        (CameraPath.dolly(0.004).to_unit("scene", 100.0), "0.5", "0.4"),
    ],
)
def test_a_path_that_hardly_travels_is_refused(path, least, length):
    message = (
        f'travels at least {least} to resample it by arc length, got one of length {length}: resample with by="time"'
    )
    with pytest.raises(ValueError, match=message):
        path.resample(5, by="arc-length")
    assert path.resample(5, by="time").num_frames == 5


def test_another_way_is_refused():
    with pytest.raises(ValueError, match='expected to resample by "time" or "arc-length", got \'length\''):
        CameraPath.dolly(1).resample(5, by="length")  # pyright: ignore[reportArgumentType]
