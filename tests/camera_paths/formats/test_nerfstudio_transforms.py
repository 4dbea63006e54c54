"""transforms.json of nerfstudio and instant-ngp."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import read_path_file, registry, write_path_file
from camvig.camera_paths.formats.nerfstudio_transforms import FORMAT
from camvig.camera_paths.formats.path_format import PathOptions
from camvig.camera_paths.rigid_motion import pose_matrices

METRES = PathOptions(unit="metre", fps=8)
COS, SIN = np.cos(np.radians(20)), np.sin(np.radians(20))
START = np.eye(4).tolist()
TILTED_UP = [[1, 0, 0, -1], [0, COS, -SIN, 2], [0, SIN, COS, -3], [0, 0, 0, 1]]  # 1 left, 2 up, 3 forward
FILE = {  # as ns-process-data lays it out
    "w": 1000,
    "h": 500,
    "fl_x": 700.0,
    "fl_y": 600.0,
    "cx": 480.0,
    "cy": 260.0,
    "camera_model": "OPENCV",
    "k1": 0.0,
    "k2": 0.0,
    "p1": 0.0,
    "p2": 0.0,
    "frames": [
        {"file_path": "images/frame_00001.png", "transform_matrix": START, "colmap_im_id": 1},
        {"file_path": "images/frame_00002.png", "transform_matrix": TILTED_UP, "colmap_im_id": 2},
    ],
}


def random_path(seed):
    rng = np.random.default_rng(seed)
    frames = int(rng.integers(1, 9))
    poses = pose_matrices(Rotation.random(frames, random_state=seed).as_matrix(), rng.normal(0, 5, (frames, 3)))
    lenses = frames if rng.random() < 0.7 else 1
    intrinsics = np.concatenate([rng.uniform(0.3, 4, (lenses, 2)), rng.uniform(0.3, 0.7, (lenses, 2))], axis=1)
    return CameraPath(poses, np.broadcast_to(intrinsics, (frames, 4)), unit="metre")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_round_trip(seed, tmp_path_factory):
    file, path = tmp_path_factory.mktemp("path") / "path.json", random_path(seed)
    assert write_path_file(path, file, "transforms") == ["that its unit is metres"]
    again = read_path_file(file, options=METRES)
    assert again.path.allclose(path, 1e-9)
    assert again.notes == []


def read(tmp_path, changes=None, frame=None, options=METRES):
    """The file with other keys (None: without), in all of it or in its second frame."""
    content = copy.deepcopy(FILE)
    for fields, new in ((content, changes), (content["frames"][1], frame)):
        for key, value in (new or {}).items():
            fields[key] = value
            if value is None:
                del fields[key]
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    return read_path_file(tmp_path / "transforms.json", options=options)


def test_a_file_of_a_known_motion(tmp_path, motion):
    path, notes = read(tmp_path)
    np.testing.assert_allclose(motion(path), [-1, 2, 3, 0, 20, 0], atol=1e-9)
    np.testing.assert_allclose(path.intrinsics, [[0.7, 1.2, 0.48, 0.52]] * 2)
    assert notes == []


def test_what_the_tools_need_is_written(tmp_path):
    changing = CameraPath.from_text("zoom in 2x").for_picture(16, 9)
    for path, keys in ((CameraPath.from_text("truck right 20%"), {"fl_x", "cy"}), (changing, set())):
        write_path_file(path, tmp_path / "transforms.json", "transforms")
        content = json.loads((tmp_path / "transforms.json").read_text())
        assert content["w"] == 1280
        assert content["camera_model"] == "PINHOLE"
        assert content["frames"][16]["file_path"] == "frame_00017.png"
        assert {"fl_x", "cy"} & content.keys() == keys
    fields = content["frames"][-1]
    assert (fields["w"], fields["h"], fields["cx"], fields["cy"]) == (1280, 720, 640, 360)
    assert fields["fl_x"] == pytest.approx(2 * content["frames"][0]["fl_x"])


NO_LENS = dict.fromkeys(("fl_x", "fl_y", "cx", "cy", "w", "h"))


@pytest.mark.parametrize(
    ("changes", "options", "fx", "fy"),
    [
        ({"camera_angle_x": np.pi / 2}, PathOptions(picture_size=(200, 100)), 0.5, 1.0),  # the original NeRF's
        ({"camera_angle_x": np.pi / 2, "camera_angle_y": np.pi / 2}, PathOptions(), 0.5, 0.5),
        ({"y_fov": 90, "w": 200, "h": 100}, PathOptions(), 0.25, 0.5),
        ({"fl_x": 100, "camera_angle_x": 0.1, "w": 200, "h": 100}, PathOptions(picture_size=(7, 7)), 0.5, 1.0),
    ],
)
def test_a_lens_said_otherwise(changes, options, fx, fy, tmp_path):
    options = PathOptions(unit="metre", fps=8, picture_size=options.picture_size)
    path = read(tmp_path, {**NO_LENS, **changes}, options=options).path
    np.testing.assert_allclose(path.intrinsics, [[fx, fy, 0.5, 0.5]] * 2)


def test_a_lens_that_a_frame_says(tmp_path):
    path = read(tmp_path, {"fl_x": None}, {"fl_x": 800}, METRES).path  # square pixels where only fl_y is said
    np.testing.assert_allclose(path.intrinsics[:, 0], [0.6, 0.8])


def test_notes(tmp_path):
    assert read(tmp_path, NO_LENS).notes == ["the file does not say its lens: 65 degrees taken"]
    assert read(tmp_path, {"k1": 0.05, "p2": -0.001}).notes == [
        "the distortion of its lens (k1 = 0.05, p2 = -0.001) is left out"
    ]
    path, notes = read(tmp_path, frame={"file_path": "images/frame_00000.png"})
    assert notes == ["its frames are taken in the order of the file, which is not that of their file names"]
    np.testing.assert_array_equal(path.camera_to_world[0], np.eye(4))
    assert read(tmp_path, frame={"file_path": "images/frame_100000.png"}).notes == []


@pytest.mark.parametrize(
    ("changes", "frame", "message"),
    [
        ({"frames": []}, {}, 'expected an object with frames in "frames", got an empty list'),
        (
            {},
            {"transform_matrix": START[:3]},
            'frame 1: expected "transform_matrix" to be 4 x 4 numbers, got 3 x 4 values',
        ),
        ({}, {"transform_matrix": None}, 'frame 1: expected "transform_matrix" to be 4 x 4 numbers, got none'),
        (
            {},
            {"transform_matrix": [["1", 0, 0, 0], *START[1:]]},
            "frame 1: expected \"transform_matrix\" to be 4 x 4 numbers, got '1'",
        ),
        (
            {},
            {"transform_matrix": [[float("nan"), 0, 0, 0], *START[1:]]},
            'frame 1: expected finite numbers in "transform_matrix", got NaN or infinity',
        ),
        (
            {},
            {"transform_matrix": np.diag([2.0, 2, 2, 1]).tolist()},
            "frame 1: expected a rotation in camera_to_world, got a matrix that is not orthonormal "
            "(off by 3, allowed 0.0001)",
        ),
        (
            {},
            {"transform_matrix": np.diag([1.0, 1, -1, 1]).tolist()},
            "frame 1: expected a rotation with determinant +1, got -1.000 (a mirror image: is an axis flipped?)",
        ),
        (
            {},
            {"file_path": "images/frame_00001.png"},
            "expected each \"file_path\" once, got 'images/frame_00001.png' 2 times",
        ),
        ({"fl_x": 0}, {}, "frame 0: expected positive focal lengths, got fx = 0 and fy = 1.2"),
        ({"w": 0}, {}, 'expected "w" above 0, got 0'),
        (
            {"w": None, "h": None},
            {},
            'expected "w" and "h", or to be told the size of the pictures in pixels: --picture-size WIDTHxHEIGHT',
        ),
        (
            {"fl_x": None, "camera_angle_x": 50},
            {},
            'expected "camera_angle_x" between 0 and 3.1416 radians, got 50',
        ),
        ({}, {"fl_x": 800}, 'frame 1: expected the file\'s "fl_x", 700.0, got 800'),
        (
            {"fl_x": None, "fl_y": None},
            {"fl_x": 800},
            "frame 1: expected a focal length in all frames or in none, got some",
        ),
        (
            {"camera_model": "OPENCV_FISHEYE"},
            {},
            'expected "camera_model" to be one of PINHOLE, OPENCV, SIMPLE_PINHOLE, SIMPLE_RADIAL, RADIAL, '
            "got 'OPENCV_FISHEYE'",
        ),
        ({"is_fisheye": True}, {}, 'expected a perspective lens, got one with "is_fisheye"'),
    ],
)
def test_bad_input(changes, frame, message, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "detect_format", lambda source: FORMAT)
    if "frames" in changes:
        monkeypatch.setitem(FILE, "frames", [{}, {}])
    with pytest.raises(ValueError) as error:
        read(tmp_path, changes, frame)
    assert str(error.value) == f"{tmp_path / 'transforms.json'}: {message}"


def test_a_file_cut_off(tmp_path):
    (tmp_path / "transforms.json").write_text(json.dumps(FILE, indent=1)[:-60])
    with pytest.raises(ValueError, match=r"transforms.json, line \d+: expected JSON, got .*; is the file cut off\?"):
        read_path_file(tmp_path / "transforms.json", "transforms", METRES)
