"""KITTI poses: round trips, the true motion of a file, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import detect_format, read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions, PathSource
from camvig.camera_paths.rigid_motion import pose_matrices

START = "1.000000e+00 0 0 0 0 1 0 0 0 0 1 0"
RIGHT_LOOKING_LEFT = "0 0 -1 1 0 1 0 0 1 0 0 0"  # at x = 1, right is z and forward is -x
IN_SCENE_DEPTHS = PathOptions(unit="scene_depth")


def written(tmp_path, *lines: str):
    file = tmp_path / "path.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 9))
def test_round_trip(tmp_path_factory, seed, frames):
    random, file = np.random.default_rng(seed), tmp_path_factory.mktemp("kitti") / "path.txt"
    poses = pose_matrices(Rotation.random(frames, rng=random).as_matrix(), 10 * random.normal(size=(frames, 3)))
    lens = np.tile([1.0, 1.0, 0.5, 0.5], (frames, 1))
    lost = write_path_file(CameraPath(poses, lens, unit="metre", fps=24), file, "kitti")
    assert lost == ["the 24 frames a second", "that its unit is metres", "the lens"]
    np.testing.assert_array_equal(read_path_file(file, options=IN_SCENE_DEPTHS).path.camera_to_world, poses)


def test_true_motion(tmp_path):
    file = written(tmp_path, START, RIGHT_LOOKING_LEFT)
    assert detect_format(PathSource(file)).name == "kitti"
    read = read_path_file(file, options=IN_SCENE_DEPTHS)
    assert read.path.describe() == "moves 1.00 scene depths right, pans 90.0° left; 2 frames, 0.2 s"
    with pytest.raises(ValueError, match="expected to be told the unit of this file, which does not say: --unit metre"):
        read_path_file(file)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("1 0 0 0 0 1 0", "path.txt, line 2: expected 12 numbers (a 3x4 matrix, row by row), got 7"),
        (f"{START} 0 0 0 1", "line 2: expected 12 numbers (a 3x4 matrix, row by row), got 16"),
        (START.replace("1.0", "one"), "line 2: expected 12 numbers (a 3x4 matrix, row by row), got 'one"),
        (f"nan{START[12:]}", "line 2: expected finite numbers (a 3x4 matrix, row by row), got NaN or infinity"),
        (
            "2 0 0 0 0 2 0 0 0 0 2 0",
            "frame 1: expected a rotation in camera_to_world, got a matrix that is not orthonormal",
        ),
        ("1 0 0 0 0 1 0 0 0 0 -1 0", "frame 1: expected a rotation with determinant +1, got -1.000"),
    ],
)
def test_bad_input_is_named(tmp_path, second, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_path_file(written(tmp_path, START, second), "kitti", IN_SCENE_DEPTHS)


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path\.txt: expected 1 to 100,000 poses, got 0"):
        read_path_file(written(tmp_path, "# no poses"), "kitti", IN_SCENE_DEPTHS)
