"""MotionCtrl camera poses."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions
from camvig.camera_paths.rigid_motion import pose_matrices

METRES = PathOptions(unit="metre", fps=8)
COS, SIN = np.cos(np.radians(60)), np.sin(np.radians(60))
START = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_round_trip(seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    file, frames = tmp_path_factory.mktemp("path") / "path.json", int(rng.integers(1, 20))
    poses = pose_matrices(Rotation.random(frames, random_state=seed).as_matrix(), rng.normal(0, 5, (frames, 3)))
    path = CameraPath.from_matrices(poses, fps=8, unit="metre")
    assert write_path_file(path, file, "motionctrl") == ["that its unit is metres", "the lens"]
    again = read_path_file(file, options=METRES)
    assert again.path.allclose(path, 1e-9)
    assert again.notes == ["the file does not say its lens: 65 degrees taken"]


@pytest.mark.parametrize(
    ("end", "expected"),
    [  # MotionCtrl's own names for these: Pan Left, Pan Up, Zoom In, ACW
        ([1, 0, 0, 3, 0, 1, 0, 0, 0, 0, 1, 0], [-3, 0, 0, 0, 0, 0]),
        ([1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0]),
        ([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, -4], [0, 0, 4, 0, 0, 0]),
        ([COS, -SIN, 0, 0, SIN, COS, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, -60]),
    ],
)
def test_files_of_a_known_motion(end, expected, tmp_path, motion):
    (tmp_path / "path.json").write_text(json.dumps([START, end], indent=4))
    path = read_path_file(tmp_path / "path.json", options=METRES).path
    np.testing.assert_allclose(motion(path), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "expected a list of frames of 12 numbers, got none"),
        ({"frames": [START]}, "expected a list of frames of 12 numbers, got none"),
        ([START, START[:11]], "frame 1: expected its 3x4 matrix to be 12 numbers, got 11 values"),
        (
            [START, [float("nan"), *START[1:]]],
            "frame 1: expected finite numbers in its 3x4 matrix, got NaN or infinity",
        ),
        (
            [START, [2 * number for number in START]],
            "frame 1: expected a rotation in camera_to_world, got a matrix that is not orthonormal "
            "(off by 3, allowed 0.0001)",
        ),
        (
            [START, [-1, *START[1:]]],
            "frame 1: expected a rotation with determinant +1, got -1.000 (a mirror image: is an axis flipped?)",
        ),
    ],
)
def test_bad_input(frames, message, tmp_path):
    (tmp_path / "path.json").write_text(json.dumps(frames))
    with pytest.raises(ValueError) as error:
        read_path_file(tmp_path / "path.json", "motionctrl", METRES)
    assert str(error.value) == f"{tmp_path / 'path.json'}: {message}"


def test_a_file_cut_off(tmp_path):
    (tmp_path / "path.json").write_text(json.dumps([START, START], indent=4)[:-30])
    with pytest.raises(ValueError, match=r"path.json, line \d+: expected JSON, got .*; is the file cut off\?"):
        read_path_file(tmp_path / "path.json", "motionctrl", METRES)
