"""nerfstudio camera paths."""

import copy
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

METRES = PathOptions(unit="metre")
COS, SIN = np.cos(np.radians(30)), np.sin(np.radians(30))
START = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
TURNED_LEFT = [COS, 0, SIN, 1, 0, 1, 0, 2, -SIN, 0, COS, -3, 0, 0, 0, 1]  # 1 right, 2 up, 3 forward
FILE = {  # as the Blender add-on lays it out
    "keyframes": [],
    "camera_type": "perspective",
    "render_height": 1080,
    "render_width": 1920,
    "camera_path": [
        {"camera_to_world": START, "fov": 90.0, "aspect": 1},
        {"camera_to_world": TURNED_LEFT, "fov": 60.0, "aspect": 1},
    ],
    "fps": 24,
    "seconds": 2 / 24,
    "smoothness_value": 0,
    "is_cycle": False,
}


def random_path(seed):
    rng = np.random.default_rng(seed)
    frames = int(rng.integers(1, 9))
    poses = pose_matrices(Rotation.random(frames, random_state=seed).as_matrix(), rng.normal(0, 5, (frames, 3)))
    fy, middle = rng.uniform(0.3, 4, frames), np.full(frames, 0.5)
    intrinsics = np.stack([fy / rng.uniform(0.4, 2.5), fy, middle, middle], axis=1)
    return CameraPath(poses, intrinsics, fps=float(rng.uniform(1, 60)), unit="metre")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_round_trip(seed, tmp_path_factory):
    file, path = tmp_path_factory.mktemp("path") / "path.json", random_path(seed)
    assert write_path_file(path, file, "camera-path") == ["that its unit is metres"]
    again = read_path_file(file, options=METRES)
    assert again.path.allclose(path, 1e-9)
    assert again.notes == []


def test_a_file_of_a_known_motion(tmp_path, motion):
    (tmp_path / "path.json").write_text(json.dumps(FILE))
    path = read_path_file(tmp_path / "path.json", options=METRES).path
    np.testing.assert_allclose(motion(path), [1, 2, 3, -30, 0, 0], atol=1e-9)
    assert path.fps == 24
    np.testing.assert_allclose(path.intrinsics[0], [0.5 * 1080 / 1920, 0.5, 0.5, 0.5])  # 90 degrees of the height
    np.testing.assert_allclose(path.intrinsics[1, 1], 0.5 / np.tan(np.radians(30)))


def test_what_nerfstudio_needs_is_written(tmp_path):
    path = CameraPath.from_text("dolly in 30%, zoom in 2x", fps=10).for_picture(853, 480)
    write_path_file(path, tmp_path / "path.json", "camera-path")
    content = json.loads((tmp_path / "path.json").read_text())
    assert (content["render_width"], content["render_height"], content["camera_type"]) == (1280, 720, "perspective")
    assert (content["fps"], content["seconds"], len(content["camera_path"])) == (10, 1.7, 17)
    fov = content["camera_path"][-1]["fov"]
    assert fov == pytest.approx(np.degrees(2 * np.arctan(0.5 / path.intrinsics[-1, 1])))
    matrix = np.reshape(content["camera_path"][-1]["camera_to_world"], (4, 4))
    np.testing.assert_allclose(matrix, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -0.3], [0, 0, 0, 1]], atol=1e-12)
    assert content["keyframes"][-1] == {"matrix": matrix.flatten().tolist(), "fov": fov, "aspect": path.aspect}


def test_what_cannot_be_carried(tmp_path):
    path = CameraPath.from_matrices(np.tile(np.eye(4), (2, 1, 1)), [[1, 1, 0.4, 0.5], [1, 1.2, 0.4, 0.5]])
    assert write_path_file(path, tmp_path / "path.json", "camera-path") == [
        "that its unit is scene depths",
        "the changing shape of its pixels",
        "the principal point, off the middle",
    ]
    with pytest.raises(ValueError, match=r"expected a picture size of the path's aspect, 1, since .*, got 1280x720"):
        write_path_file(path, tmp_path / "path.json", "camera-path", PathOptions(picture_size=(1280, 720)))


def changed(place, value):
    content = copy.deepcopy(FILE)
    target = content["camera_path"][1] if place in ("camera_to_world", "fov") else content
    target[place] = value
    if value is None:
        del target[place]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(FILE)[:300], ", line 1: expected JSON, got Expecting ',' delimiter; is the file cut off?"),
        (
            changed("camera_path", []),
            ': expected an object with frames in "camera_path", got an empty list',
        ),
        (
            changed("camera_to_world", START[:15]),
            ': frame 1: expected "camera_to_world" to be 16 numbers, got 15 values',
        ),
        (
            changed("camera_to_world", [float("nan"), *START[1:]]),
            ': frame 1: expected finite numbers in "camera_to_world", got NaN or infinity',
        ),
        (
            changed("camera_to_world", [2, *START[1:]]),
            ": frame 1: expected a rotation in camera_to_world, got a matrix that is not orthonormal "
            "(off by 3, allowed 0.0001)",
        ),
        (
            changed("camera_to_world", [-1, *START[1:]]),
            ": frame 1: expected a rotation with determinant +1, got -1.000 (a mirror image: is an axis flipped?)",
        ),
        (changed("fov", 180), ': frame 1: expected "fov" between 0 and 180 degrees, got 180'),
        (changed("fov", None), ': frame 1: expected "fov" to be a number, got none'),
        (changed("camera_type", "fisheye"), ": expected \"camera_type\" to be perspective, got 'fisheye'"),
        (changed("render_width", 0), ': expected "render_width" above 0, got 0'),
        (
            changed("render_width", None),
            ': expected "render_width" and "render_height" (nerfstudio needs them too), got none: '
            "--picture-size WIDTHxHEIGHT",
        ),
        (
            changed("seconds", 4),
            ': expected as many frames as "fps" x "seconds", 24 x 4, got 2: --fps 24 or --fps 0.5 '
            "(as nerfstudio plays it)",
        ),
    ],
)
def test_bad_input(text, message, tmp_path):
    (tmp_path / "path.json").write_text(text)
    with pytest.raises(ValueError) as error:
        read_path_file(tmp_path / "path.json", "camera-path", METRES)
    assert str(error.value) == f"{tmp_path / 'path.json'}{message}"


def test_the_user_settles_what_the_file_does_not(tmp_path):
    (tmp_path / "path.json").write_text(changed("seconds", 4))
    assert read_path_file(tmp_path / "path.json", options=PathOptions(unit="metre", fps=0.5)).path.fps == 0.5
    (tmp_path / "path.json").write_text(changed("render_width", None))
    options = PathOptions(unit="metre", picture_size=(640, 480))
    assert read_path_file(tmp_path / "path.json", options=options).path.aspect == pytest.approx(4 / 3)
