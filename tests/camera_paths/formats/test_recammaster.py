"""ReCamMaster camera extrinsics."""

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

START = "[1 0 0 0] [-0 1 0 0] [0 -0 1 0] [3390 1380 240 1] "
FORWARD = "[1 0 0 0] [-0 1 0 0] [0 -0 1 0] [3490 1380 240 1] "
RIGHT_AND_UP = "[1 0 0 0] [-0 1 0 0] [0 -0 1 0] [3390 1430 265 1] "
YAW = "[0.866025 0.5 0 0] [-0.5 0.866025 0 0] [0 -0 1 0] [3390 1380 240 1] "  # Unreal's yaw of +30: forward to right
PITCH = "[0.866025 0 0.5 0] [-0 1 0 0] [-0.5 -0 0.866025 0] [3390 1380 240 1] "  # Unreal's pitch of +30: forward to up
CAMERAS = {"cam01": YAW, "cam02": PITCH, "cam03": FORWARD, "cam04": RIGHT_AND_UP}
FILE = {"frame1": CAMERAS, "frame0": dict.fromkeys(CAMERAS, START)}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_round_trip(seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    file, frames = tmp_path_factory.mktemp("path") / "path.json", int(rng.integers(1, 20))
    poses = pose_matrices(Rotation.random(frames, random_state=seed).as_matrix(), rng.normal(0, 5, (frames, 3)))
    path = CameraPath.from_matrices(poses, fps=8, unit="metre")
    assert write_path_file(path, file, "recammaster") == ["the lens"]
    again = read_path_file(file)
    assert again.path.allclose(path, 1e-9)


def test_a_unit_that_is_not_the_metre_is_lost(tmp_path):
    path = CameraPath.dolly(0.3)
    lost = write_path_file(path, tmp_path / "path.json", "recammaster", PathOptions(camera="cam07"))
    assert lost == ["that its unit is scene depths", "the lens"]
    text = json.loads((tmp_path / "path.json").read_text())["frame16"]["cam07"]
    assert text.endswith("[30.0 0.0 0.0 1.0] ")  # forward is Unreal's x
    with pytest.raises(ValueError, match="expected no --unit scene_depth: files of this format are metre"):
        read_path_file(tmp_path / "path.json", options=PathOptions(unit="scene_depth"))


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        ("cam01", [0, 0, 0, 30, 0, 0]),
        ("cam02", [0, 0, 0, 0, 30, 0]),
        ("cam03", [0, 0, 1, 0, 0, 0]),
        ("cam04", [0.5, 0.25, 0, 0, 0, 0]),
    ],
)
def test_a_file_of_known_motions(camera, expected, tmp_path, motion):
    (tmp_path / "path.json").write_text(json.dumps(FILE, indent=4))
    path = read_path_file(tmp_path / "path.json", options=PathOptions(camera=camera)).path
    np.testing.assert_allclose(motion(path), expected, atol=1e-4)  # the file has six digits


def test_one_of_several_cameras_must_be_picked(tmp_path):
    file = tmp_path / "path.json"
    file.write_text(json.dumps(FILE))
    with pytest.raises(ValueError) as error:
        read_path_file(file)
    names = "cam01, cam02, cam03, cam04"
    assert str(error.value) == f"{file}: expected to be told which camera: --camera with one of {names}"
    with pytest.raises(ValueError) as error:
        read_path_file(file, options=PathOptions(camera="3"))
    assert str(error.value) == f"{file}: expected --camera to be one of {names}, got '3'"


def two_frames(text):
    return json.dumps({"frame0": {"cam01": START}, "frame1": {"cam01": text}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(FILE)[:-30], ", line 1: expected JSON, got Unterminated string starting at; is the file cut off?"),
        ("[]", ": expected an object with frame0, frame1, ..., got none"),
        (
            two_frames("[1 0 0] [0 1 0] [0 0 1] [0 0 0]"),
            ": frame 1, cam01: expected 4 rows of 4 numbers in brackets, got '[1 0 0] [0 1 0] [0 0 1] [0 0 0]'",
        ),
        (
            two_frames(START.replace("240", "z")),
            ": frame 1, cam01: expected 4 rows of 4 numbers in brackets, "
            "got '[1 0 0 0] [-0 1 0 0] [0 -0 1 0] [3390 1380 z 1] '",
        ),
        (two_frames(START.replace("240", "nan")), ": frame 1, cam01: expected finite numbers, got NaN or infinity"),
        (
            two_frames("[2 0 0 0] [0 2 0 0] [0 0 2 0] [0 0 0 1] "),
            ": frame 1: expected a rotation in camera_to_world, got a matrix that is not orthonormal "
            "(off by 3, allowed 0.0001)",
        ),
        (
            two_frames("[1 0 0 0] [0 -1 0 0] [0 0 1 0] [0 0 0 1] "),
            ": frame 1: expected a rotation with determinant +1, got -1.000 (a mirror image: is an axis flipped?)",
        ),
        (
            two_frames("[1 0 0 5] [0 1 0 6] [0 0 1 7] [0 0 0 1] "),
            ": frame 1: expected the last row of camera_to_world to be 0 0 0 1, got 5 6 7 1",
        ),
        (
            two_frames(START).replace("frame1", "frame0"),
            ": expected each frame and each camera once, got frame0 2 times",
        ),
        (
            two_frames(START).replace("frame1", "frame2"),
            ": expected frame0 to frame1, each with its cameras, got no frame1",
        ),
        (two_frames(START).replace("frame1", "fps"), ": expected frame0, frame1, ..., got 'fps'"),
        (
            '{"frame0": {"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1] "}, "frame1": {}}',
            ": frame 1, cam01: expected 4 rows of 4 numbers in brackets, got None",
        ),
    ],
)
def test_bad_input(text, message, tmp_path):
    (tmp_path / "path.json").write_text(text)
    with pytest.raises(ValueError) as error:
        read_path_file(tmp_path / "path.json", "recammaster")
    assert str(error.value) == f"{tmp_path / 'path.json'}{message}"
