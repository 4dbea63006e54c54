"""numpy arrays: round trips, other tools' layouts with a known motion, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import detect_format, read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions, PathSource
from camvig.camera_paths.rigid_motion import invert, pose_matrices

RIGHT_LOOKING_LEFT = np.array([[0, 0, -1, 1], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
POSES = np.stack([np.eye(4), RIGHT_LOOKING_LEFT])  # camera-to-world, OpenCV
MOTION = "moves 1.00 scene depths right, pans 90.0° left; 2 frames, 0.2 s"
TOLD = PathOptions(unit="scene_depth", axes="opencv")
ALL_TOLD = PathOptions(unit="scene_depth", axes="opencv", pose="camera-to-world")


def archive(tmp_path, **arrays):
    np.savez(tmp_path / "path.npz", **arrays)
    return tmp_path / "path.npz"


def array(tmp_path, values):
    np.save(tmp_path / "path.npy", values)
    return tmp_path / "path.npy"


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 9),
    scale=st.sampled_from([("scene_depth", None), ("metre", None), ("metre", 2.5), ("scene", 7.0)]),
)
def test_round_trip(tmp_path_factory, seed, frames, scale):
    random, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("numpy")
    poses = pose_matrices(Rotation.random(frames, rng=random).as_matrix(), 10 * random.normal(size=(frames, 3)))
    lens = random.uniform([0.3, 0.3, 0.1, 0.1], [3, 3, 0.9, 0.9], (frames, 4))
    path = CameraPath(poses, lens, 29.97, *scale)
    assert write_path_file(path, folder / "path.npz", "npz") == []
    read = read_path_file(folder / "path.npz")
    assert read.path == path
    assert read.notes == []
    assert "the lens" in write_path_file(path, folder / "path.npy", "npy")
    again = read_path_file(folder / "path.npy", options=ALL_TOLD).path
    np.testing.assert_array_equal(again.camera_to_world, poses)


@pytest.mark.parametrize("shape", ["[T, 4, 4]", "[T, 3, 4]"])
def test_a_bare_array_says_neither_axes_nor_direction(tmp_path, shape):
    file = array(tmp_path, POSES[:, :3] if "3" in shape else POSES.astype(np.float32))
    assert detect_format(PathSource(file)).name == "npy"
    assert read_path_file(file, options=ALL_TOLD).path.describe() == MOTION
    with pytest.raises(ValueError, match="expected to be told the axes of this file"):
        read_path_file(file, options=PathOptions(unit="scene_depth", pose="camera-to-world"))
    with pytest.raises(ValueError, match="expected to be told the pose of this file"):
        read_path_file(file, options=TOLD)


@pytest.mark.parametrize(
    ("key", "poses", "direction_is_stated"),
    [
        ("c2w", POSES, True),
        ("cam_c2w", POSES, True),
        ("camera_to_world", POSES, True),
        ("camtoworlds", POSES, True),
        ("w2c", invert(POSES), True),
        ("world2cam", invert(POSES), True),
        ("extrinsics", POSES[:, :3], False),
        ("poses", POSES, False),
    ],
)
def test_a_key_may_state_the_direction(tmp_path, key, poses, direction_is_stated):
    file = archive(tmp_path, **{key: poses, "depth": np.ones((2, 5, 5))})
    assert detect_format(PathSource(file)).name == "npz"
    assert read_path_file(file, options=TOLD if direction_is_stated else ALL_TOLD).path.describe() == MOTION
    if not direction_is_stated:
        with pytest.raises(ValueError, match="expected to be told the pose of this file"):
            read_path_file(file, options=TOLD)


K = np.array([[50.0, 0, 40], [0, 60, 30], [0, 0, 1]])
NORMALISED = [[0.5, 1, 0.4, 0.5]] * 2


@pytest.mark.parametrize(
    "lens",
    [
        {"intrinsic": K},
        {"K": np.stack([K, K])},
        {"intrinsics": np.array([[50.0, 60, 40, 30]] * 2)},
        {"fxfycxcy": np.array(NORMALISED)},
    ],
)
def test_intrinsics_in_the_usual_shapes(tmp_path, lens):
    file = archive(tmp_path, c2w=POSES, **lens)
    options = PathOptions(unit="scene_depth", axes="opencv", picture_size=(100, 60))
    np.testing.assert_allclose(read_path_file(file, options=options).path.intrinsics, NORMALISED)
    if "fxfycxcy" in lens:
        np.testing.assert_allclose(read_path_file(file, options=TOLD).path.intrinsics, NORMALISED)
    else:
        with pytest.raises(ValueError, match=f"expected --picture-size WIDTHxHEIGHT: {next(iter(lens))} of this file"):
            read_path_file(file, options=TOLD)


def test_one_of_several_paths(tmp_path):
    still = np.stack([np.eye(4)] * 2)
    lens = np.tile([1.0, 1, 0.5, 0.5], (3, 2, 1))
    file = archive(tmp_path, c2w=np.stack([still, POSES, still]), fps=np.array([0, 16.0, 30]), intrinsics=lens)
    with pytest.raises(ValueError, match="expected --camera INDEX from 0 to 2: c2w holds 3 paths, got none"):
        read_path_file(file, options=TOLD)
    for camera in ("1", "c2w/1"):
        read = read_path_file(file, options=PathOptions(unit="scene_depth", axes="opencv", camera=camera))
        assert read.path.describe() == MOTION.replace("0.2 s", "0.1 s")
        assert read.notes == []
    unknown_rate = read_path_file(file, options=PathOptions(unit="scene_depth", axes="opencv", camera="0"))
    assert unknown_rate.notes == ["the file does not say its frames a second: 8 taken (--fps)"]
    with pytest.raises(ValueError, match="expected --camera INDEX from 0 to 2: c2w holds 3 paths, got 3"):
        read_path_file(file, options=PathOptions(unit="scene_depth", axes="opencv", camera="3"))


def test_one_of_several_arrays(tmp_path):
    file = archive(tmp_path, c2w=POSES, w2c=invert(POSES))
    with pytest.raises(ValueError, match="told which array holds the path: --camera c2w or --camera w2c"):
        read_path_file(file, options=TOLD)
    read = read_path_file(file, options=PathOptions(unit="scene_depth", axes="opencv", camera="w2c"))
    assert read.path.describe() == MOTION


def changed(**entries) -> np.ndarray:
    poses = POSES.astype(float)
    for entry, value in entries.items():
        poses[1, int(entry[1]), int(entry[2])] = value
    return poses


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"c2w": np.eye(4), "names": np.array(["a"])},
            "expected poses, numbers of shape [T, 4, 4] or [T, 3, 4], got c2w",
        ),
        ({"c2w": np.full((2, 4, 4), None)}, "path.npz: expected an .npz archive of numbers, got pickled objects"),
        ({"c2w": changed(m00=np.nan)}, "path.npz: frame 1: expected finite numbers in its pose, got NaN or infinity"),
        (
            {"c2w": changed(m11=2)},
            "frame 1: expected a rotation in camera_to_world, got a matrix that is not orthonormal",
        ),
        ({"c2w": changed(m11=-1)}, "frame 1: expected a rotation with determinant +1, got -1.000"),
        ({"c2w": changed(m33=2)}, "frame 1: expected the last row of camera_to_world to be 0 0 0 1, got 0 0 0 2"),
        ({"c2w": POSES, "K": [0.0, 1, 0.5, 0.5]}, "frame 0: expected positive focal lengths, got fx = 0 and fy = 1"),
        ({"c2w": POSES, "K": np.ones((3, 4))}, "expected as many intrinsics as poses, got 3 for 2 poses"),
        ({"c2w": POSES, "K": np.ones(5)}, "path.npz: K: expected intrinsics of shape [T, 4] or [T, 3, 3], got [5]"),
        ({"c2w": POSES, "K": np.ones(4), "Ks": np.ones(4)}, "expected intrinsics under one key, got K, Ks"),
        ({"c2w": POSES, "fps": np.array([8, 9])}, "expected fps to be one number, got int64[2]"),
        ({"c2w": POSES, "fps": np.array(-8)}, "expected fps to be a positive number, got -8.0"),
    ],
)
def test_bad_archives_are_named(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_path_file(archive(tmp_path, **arrays), options=TOLD)


def test_pickled_arrays_beside_the_poses_do_not_matter(tmp_path):
    file = archive(tmp_path, c2w=POSES, notes=np.array({"made": "by hand"}, dtype=object))
    assert read_path_file(file, options=TOLD).path.describe() == MOTION


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.full((2, 4, 4), None),
            "path.npy: expected a .npy array of numbers, got pickled objects, which could run code",
        ),
        (np.eye(4), "path.npy: expected poses, numbers of shape [T, 4, 4] or [T, 3, 4], got the array float64[4, 4]"),
        (POSES * 1j, "got the array complex128[2, 4, 4]"),
        (POSES[:0], "path.npy: expected 1 to 100,000 poses, got 0"),
    ],
)
def test_bad_arrays_are_named(tmp_path, values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_path_file(array(tmp_path, values), options=ALL_TOLD)


@pytest.mark.parametrize("name", ["path.npy", "path.npz"])
@pytest.mark.parametrize("kept", [0, 40, -100])
def test_cut_off_files_are_named(tmp_path, name, kept):
    file = array(tmp_path, POSES) if name == "path.npy" else archive(tmp_path, c2w=POSES)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"{name}: expected an? \.np.*; is the file cut off\?"):
        read_path_file(file, options=ALL_TOLD)
