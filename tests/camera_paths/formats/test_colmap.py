"""COLMAP models, as text and binary."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions
from camvig.camera_paths.rigid_motion import pose_matrices

pycolmap = pytest.importorskip("pycolmap")

METRES = PathOptions(unit="metre", fps=8)
CAMERAS = """# Camera list with one line of data per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
# Number of cameras: 1
7 SIMPLE_RADIAL 1000 500 700 480 260 0
"""
# In the model's order, which is not the camera's. The second by name is 1 to the right of the first and looks 30 degrees
# left: its world-to-camera rotation is +30 degrees about y (down), its translation minus that of (1, 0, 0).
IMAGES = """# Image list with two lines of data per image:
#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME
#   POINTS2D[] as (X, Y, POINT3D_ID)
# Number of images: 2, mean observations per image: 1.5
4 0.9659258262890683 0 0.25881904510252074 0 -0.8660254037844387 0 0.49999999999999994 7 walk/frame_10.jpg

9 1 0 0 0 0 0 0 7 walk/frame_9.jpg
480 260 1 550 260 2 10 10 -1 200 200 3
"""
OBSERVED = "480 260 1 550 260 2 10 10 -1 200 200 3"
LAST_IMAGE = "9 1 0 0 0 0 0 0 7 walk/frame_9.jpg\n" + OBSERVED
POINTS = """# 3D point list with one line of data per point:
#   POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)
# Number of points: 4, mean track length: 1
1 0 0 2 255 0 0 0.5 9 0
2 0.4 0 4 255 0 0 0.5 9 1
3 -4 -1 10 255 0 0 0.5 9 3
4 0 0 100 255 0 0 0.5
"""


def write_text(folder, cameras=CAMERAS, images=IMAGES, points=POINTS):
    folder.mkdir(exist_ok=True)
    for name, text in (("cameras", cameras), ("images", images), ("points3D", points)):
        (folder / f"{name}.txt").write_text(text)
    return folder


def write_binary(folder, **texts):
    """The same model as COLMAP itself writes it: with rigs and frames."""
    model = pycolmap.Reconstruction()
    model.read_text(write_text(folder, **texts))
    for file in folder.iterdir():
        file.unlink()
    model.write_binary(folder)
    return folder


def random_path(seed):
    rng = np.random.default_rng(seed)
    frames = int(rng.integers(1, 13))
    poses = pose_matrices(Rotation.random(frames, random_state=seed).as_matrix(), rng.normal(0, 5, (frames, 3)))
    lenses = frames if rng.random() < 0.7 else 1
    intrinsics = np.concatenate([rng.uniform(0.3, 4, (lenses, 2)), rng.uniform(0.3, 0.7, (lenses, 2))], axis=1)
    return CameraPath(poses, np.broadcast_to(intrinsics, (frames, 4)), unit="metre")


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_round_trip_in_text_and_binary(seed, tmp_path_factory):
    folder, path = tmp_path_factory.mktemp("path"), random_path(seed)
    assert write_path_file(path, folder / "model", "colmap") == ["that its unit is metres"]
    again = read_path_file(folder / "model", options=METRES)
    assert again.path.allclose(path, 1e-9)
    assert again.notes == []
    (folder / "binary").mkdir()
    pycolmap.Reconstruction(folder / "model").write_binary(folder / "binary")
    assert read_path_file(folder / "binary", options=METRES).path.allclose(path, 1e-9)


@pytest.mark.parametrize("write_model", [write_text, write_binary])
def test_a_model_of_a_known_motion(tmp_path, write_model, motion):
    path, notes = read_path_file(write_model(tmp_path / "model"))
    np.testing.assert_allclose(motion(path), [1, 0, 0, -30, 0, 0], atol=1e-9)
    np.testing.assert_allclose(path.intrinsics, [[0.7, 1.4, 0.48, 0.52]] * 2)
    assert (path.unit, path.scene_median_depth) == ("scene", 4.0)  # of the three points that frame_9 observes
    assert notes == ["the file does not say its frames a second: 8 taken (--fps)"]


def test_the_unit_may_be_said(tmp_path):
    folder = write_text(tmp_path / "model")
    metres = read_path_file(folder, options=PathOptions(unit="metre")).path
    assert (metres.unit, metres.scene_median_depth) == ("metre", 4.0)
    assert read_path_file(folder, options=PathOptions(unit="scene_depth")).path.scene_median_depth is None
    unseen = "4 0 0 -1 0 0 0 0\n5 0 0 3 0 0 0 0\n6 90 0 3 0 0 0 0\n7 0.1 0 9 0 0 0 0\n"  # behind, ahead, beside, ahead
    images = IMAGES.replace(OBSERVED, "")
    path, notes = read_path_file(write_text(folder, images=images, points=unseen))
    assert path.scene_median_depth == 6.0
    assert notes[0] == "its first frame observes no points: 6 is the median depth of the 2 inside its picture"
    with pytest.raises(ValueError, match="expected to be told the unit of this file"):
        read_path_file(write_text(folder, images=images, points=""))


def test_distortion_is_reported_and_other_lenses_refused(tmp_path):
    bent = CAMERAS.replace("SIMPLE_RADIAL 1000 500 700 480 260 0", "OPENCV 1000 500 700 700 480 260 -0.05 0 0 0.002")
    path, notes = read_path_file(write_text(tmp_path / "model", cameras=bent))
    assert "the distortion of its lens (k1 = -0.05, p2 = 0.002) is left out" in notes
    np.testing.assert_allclose(path.intrinsics[0], [0.7, 1.4, 0.48, 0.52])
    fisheye = CAMERAS.replace("SIMPLE_RADIAL", "SIMPLE_RADIAL_FISHEYE")
    with pytest.raises(ValueError, match="camera 7: expected a perspective lens, got SIMPLE_RADIAL_FISHEYE"):
        read_path_file(write_text(tmp_path / "model", cameras=fisheye))


def test_cameras_of_a_rig_are_told_apart(tmp_path):
    folder = write_text(
        tmp_path / "model",
        cameras=CAMERAS.replace("cameras: 1", "cameras: 2") + "8 PINHOLE 1000 500 700 700 500 250\n",
        images=IMAGES.replace("7 walk/frame_10", "8 walk/frame_10").replace(OBSERVED, ""),
        points="",
    )
    (folder / "rigs.txt").write_text("1 2 CAMERA 7 CAMERA 8 1 1 0 0 0 0.5 0 0\n")
    (folder / "frames.txt").write_text("1 1 1 0 0 0 0 0 0 2 CAMERA 7 9 CAMERA 8 4\n")
    with pytest.raises(ValueError, match="told which camera of the rig to take: --camera 7, --camera 8"):
        read_path_file(folder, options=METRES)
    path = read_path_file(folder, options=replace(METRES, camera="8")).path
    np.testing.assert_allclose(path.camera_to_world[0, :3, 3], [-0.5, 0, 0])
    with pytest.raises(ValueError, match="expected a camera with pictures, --camera 7, --camera 8, got '9'"):
        read_path_file(folder, options=replace(METRES, camera="9"))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("images", OBSERVED, "480 260", "images.txt, line 8: expected 2-D points (x y id"),
        ("images", "9 1 0 0 0 0 0 0 7 walk", "9 1 0 0 0 0 0 7 walk", "images.txt, line 7: expected 10 columns (image id"),
        ("images", "9 1 0 0 0 0", "9 1 0 0 0 nan", "images.txt, line 7: expected finite numbers (image id"),
        ("images", "9 1 0 0 0", "9 2 0 0 0", "images.txt, line 7: expected a unit quaternion, got one of length 2"),
        ("images", LAST_IMAGE, "", "expected 2 images, as its header says, got 1; is the file cut off?"),
        ("images", "frame_9.", "frame_10.", "expected each image name once, got 'walk/frame_10.jpg' several times"),
        ("images", "9 1 0 0 0 0", "4 1 0 0 0 0", "images.txt, line 7: expected each image id once, got 4 again"),
        ("images", "7 walk/frame_9", "6 walk/frame_9", "got one that COLMAP does not read"),
        ("cameras", "7 SIMPLE_RADIAL 1000 500 700 480 260 0\n", "", "expected 1 cameras, as its header says, got 0"),
        ("cameras", "700 480", "0 480", "frame 0: expected positive focal lengths, got fx = 0 and fy = 0"),
        ("cameras", "1000 500", "0 500", "camera 7: expected a picture size, got 0x500"),
        ("cameras", "480 260 0", "480", "got one that COLMAP does not read"),
        ("points3D", "2 0.4 0 4 255", "2 0.4 0", "got one that COLMAP does not read"),
    ],
)  # fmt: skip
def test_bad_text(tmp_path, name, old, new, message):
    file = write_text(tmp_path / "model") / f"{name}.txt"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ValueError) as error:
        read_path_file(file.parent, options=METRES)
    assert str(file.parent) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["cameras", "images", "points3D", "rigs", "frames"])
def test_binary_that_is_cut_off_or_too_long(tmp_path, name):
    file = write_binary(tmp_path / "model") / f"{name}.bin"
    whole = file.read_bytes()
    for length in (0, 3, 8, 15, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"{name}\.bin: expected .* cut off\?"):
            read_path_file(file.parent)
    file.write_bytes(whole + b"\0")
    with pytest.raises(
        ValueError, match=rf"{name}\.bin: expected its end after {len(whole)} bytes, got {len(whole) + 1}"
    ):
        read_path_file(file.parent)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2.0, "expected a unit quaternion, got one of length 2.01668"),
        (np.nan, "expected finite numbers in its pose, got NaN"),
    ],
)
def test_bad_numbers_in_binary(tmp_path, number, message):
    file = write_binary(tmp_path / "model") / "images.bin"
    content = bytearray(file.read_bytes())
    content[12:20] = np.float64(number).tobytes()  # qw of the first image, after the count and its id
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"images.bin: image 'walk/frame_10.jpg': {message}"):
        read_path_file(file.parent)


def test_an_image_id_twice_in_binary(tmp_path):
    file = write_binary(tmp_path / "model") / "images.bin"
    content = bytearray(file.read_bytes())
    second = content.index(b"walk/frame_9.jpg") - 64  # after its id, pose and camera
    content[second : second + 4] = content[8:12]
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"images.bin: image 'walk/frame_9.jpg': expected each image id once, got 4"):
        read_path_file(file.parent)


def test_folders_that_are_no_models(tmp_path):
    with pytest.raises(ValueError, match="format was not recognised"):
        read_path_file(tmp_path)
    with pytest.raises(ValueError, match="got no cameras, images, points3D"):
        read_path_file(tmp_path, "colmap")
    (write_text(tmp_path / "model") / "points3D.txt").unlink()
    with pytest.raises(ValueError, match=r"expected a folder with cameras, images, points3D as \.txt, got no points3D"):
        read_path_file(tmp_path / "model")


def test_without_pycolmap(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(ValueError, match=r'expected pycolmap .*: pip install "camvig\[formats\]"'):
        read_path_file(write_text(tmp_path / "model"))
    with pytest.raises(ValueError, match=r'pip install "camvig\[formats\]"'):
        write_path_file(random_path(0), tmp_path / "new", "colmap")
    assert not (tmp_path / "new").exists()
