"""HY-WorldPlay's json: round trips, the true motion of a file, and what is refused."""

import json
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

START = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
RIGHT_LOOKING_LEFT = [[0, 0, -1, 1], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
K = [[960.0, 0.0, 960.0], [0.0, 960.0, 540.0], [0.0, 0.0, 1.0]]
IN_SCENE_DEPTHS = PathOptions(unit="scene_depth")


def frame(extrinsic=START, intrinsics=K) -> dict:
    return {"extrinsic": extrinsic, "K": intrinsics}


def written(tmp_path, content) -> object:
    file = tmp_path / "path.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 9))
def test_round_trip(tmp_path_factory, seed, frames):
    random, file = np.random.default_rng(seed), tmp_path_factory.mktemp("extrinsics") / "path.json"
    poses = pose_matrices(Rotation.random(frames, rng=random).as_matrix(), 10 * random.normal(size=(frames, 3)))
    lens = np.concatenate([random.uniform(0.3, 3, (frames, 2)), np.full((frames, 2), 0.5)], axis=1)
    assert write_path_file(CameraPath(poses, lens), file, "extrinsics") == ["that its unit is scene depths"]
    again = read_path_file(file, options=IN_SCENE_DEPTHS).path
    np.testing.assert_array_equal(again.camera_to_world, poses)
    np.testing.assert_allclose(again.intrinsics, lens, rtol=1e-12)


def test_true_motion(tmp_path):
    file = written(tmp_path, {"0": frame(), "1": frame(RIGHT_LOOKING_LEFT)})
    assert detect_format(PathSource(file)).name == "extrinsics"
    path = read_path_file(file, options=IN_SCENE_DEPTHS).path
    assert path.describe() == "moves 1.00 scene depths right, pans 90.0° left; 2 frames, 0.2 s"
    np.testing.assert_allclose(path.intrinsics, [[0.5, 960 / 1080, 0.5, 0.5]] * 2)


def test_the_principal_point_is_the_middle_unless_the_picture_size_is_given(tmp_path):
    path = CameraPath(np.eye(4)[None], [[0.5, 0.5, 0.4, 0.6]])
    lost = write_path_file(path, tmp_path / "written.json", "extrinsics")
    assert lost == ["that its unit is scene depths", "the principal point, off the middle"]
    again = read_path_file(tmp_path / "written.json", options=IN_SCENE_DEPTHS).path
    np.testing.assert_allclose(again.intrinsics, [[0.5, 0.5, 0.5, 0.5]])
    off_centre = written(tmp_path, {"0": frame(intrinsics=[[50, 0, 40], [0, 60, 50], [0, 0, 1]])})
    read = read_path_file(off_centre, options=PathOptions(unit="scene_depth", picture_size=(100, 120)))
    np.testing.assert_allclose(read.path.intrinsics, [[0.5, 0.5, 0.4, 50 / 120]])


NAN = [[float("nan"), *START[0][1:]], *START[1:]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps({"0": frame()})[:-9], "path.json, line 1: expected JSON, got "),
        ([frame()], 'path.json: expected {"0": {"extrinsic": ..., "K": ...}, "1": ...}, got something else'),
        ({"0": frame(), "1": {"extrinsic": START}}, "path.json: frame 1: expected extrinsic and K, got something else"),
        ({"0": frame(), "1": frame(START[:2])}, "frame 1: expected extrinsic of shape [4, 4] or [3, 4], got [2, 4]"),
        (
            {"0": frame(), "1": frame("pose")},
            "frame 1: expected extrinsic to be numbers of shape [4, 4] or [3, 4], got others",
        ),
        (
            {"0": frame(), "1": frame(START[:3])},
            "expected an extrinsic of one shape in all frames, got both [4, 4] and [3, 4]",
        ),
        ({"0": frame(NAN)}, "frame 0: expected finite numbers in extrinsic, got NaN or infinity"),
        (
            {"0": frame(np.diag([2, 2, 2, 1]).tolist())},
            "frame 0: expected a rotation in camera_to_world, got a matrix that",
        ),
        ({"0": frame(np.diag([1, 1, -1, 1]).tolist())}, "frame 0: expected a rotation with determinant +1, got -1.000"),
        (
            {"0": frame(intrinsics=[[0, 0, 9], [0, 9, 9], [0, 0, 1]])},
            "frame 0: expected positive focal lengths, got fx = 0",
        ),
        (
            {"0": frame(intrinsics=[[9, 1, 9], [0, 9, 9], [0, 0, 1]])},
            "frame 0: expected intrinsic matrices without skew",
        ),
        (
            {"0": frame(intrinsics=[[9, 0, 0], [0, 9, 9], [0, 0, 1]])},
            "frame 0: expected a principal point above 0 in K, got",
        ),
        ({"1": frame(), "0": frame()}, 'expected frames named by their numbers, in growing order, got "0"'),
        (f'{{"0": {json.dumps(frame())}, "0": {json.dumps(frame())}}}', 'expected each name once, got "0" twice'),
    ],
)
def test_bad_input_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_path_file(written(tmp_path, content), "extrinsics", IN_SCENE_DEPTHS)
