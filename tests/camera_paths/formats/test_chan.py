"""Channel files: round trips, Nuke's rotation order shown by a true motion, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths import rigid_motion
from camvig.camera_paths.formats import detect_format, read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions, PathSource

TOLD = PathOptions(unit="scene_depth", picture_size=(1920, 1080))


def written(tmp_path, *lines: str):
    file = tmp_path / "path.chan"
    file.write_text("\n".join(lines) + "\n")
    return file


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 9))
def test_round_trip(tmp_path_factory, seed, frames):
    random, file = np.random.default_rng(seed), tmp_path_factory.mktemp("chan") / "path.chan"
    rotations = Rotation.random(frames, rng=random).as_matrix()
    poses = rigid_motion.pose_matrices(rotations, 10 * random.normal(size=(frames, 3)))
    fy = random.uniform(0.3, 3, frames)
    path = CameraPath(poses, np.stack([fy * 9 / 16, fy, 0 * fy + 0.5, 0 * fy + 0.5], 1))
    assert write_path_file(path, file, "chan") == ["that its unit is scene depths"]
    again = read_path_file(file, options=TOLD).path
    np.testing.assert_allclose(again.camera_to_world, path.camera_to_world, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(again.intrinsics, path.intrinsics, rtol=1e-9)


def test_looking_straight_up_survives(tmp_path):
    path = CameraPath.from_text("tilt up 90deg", num_frames=3)
    write_path_file(path, tmp_path / "up.chan", "chan")
    again = read_path_file(tmp_path / "up.chan", options=PathOptions(unit="scene_depth", picture_size=(1, 1))).path
    np.testing.assert_allclose(again.camera_to_world, path.camera_to_world, atol=1e-6)


def test_true_motion(tmp_path):
    """In Nuke a camera turns by ry to the left, by rx up and by rz counter-clockwise, one about the axes of the other."""
    file = written(tmp_path, "# a comment", "1001\t0 0 0\t0 0 0\t90", "1002\t1 2 -3\t30 60 20\t53.13010235415598")
    assert detect_format(PathSource(file)).name == "chan"
    path = read_path_file(file, options=TOLD).path
    words = "moves 3.00 scene depths forward, 1.00 right and 2.00 up, pans 60.0° left, tilts 30.0° up, rolls 20.0° left"
    assert path.describe() == f"{words}, zooms in 2.00x; 2 frames, 0.2 s"
    np.testing.assert_allclose(path.intrinsics, [[9 / 32, 0.5, 0.5, 0.5], [9 / 16, 1, 0.5, 0.5]])


def test_angles_do_not_jump_by_full_turns(tmp_path):
    write_path_file(CameraPath.pan(350, num_frames=8), tmp_path / "path.chan", "chan")
    rows = [line.split() for line in (tmp_path / "path.chan").read_text().splitlines()]
    assert [row[0] for row in rows] == [str(frame) for frame in range(1, 9)]
    assert np.abs(np.diff([float(row[5]) for row in rows])).max() == pytest.approx(50)


def test_files_without_a_lens_need_no_picture_size(tmp_path):
    file = written(tmp_path, "1 0 0 0 0 0 0", "3 0 0 -1 0 0 0")
    read = read_path_file(file, options=PathOptions(unit="scene_depth"))
    assert read.path.describe().startswith("moves 1.00 scene depths forward;")
    assert "the file does not say its lens: 65 degrees taken" in read.notes
    with pytest.raises(ValueError, match="expected --picture-size WIDTHxHEIGHT: the file gives the vertical field"):
        read_path_file(written(tmp_path, "1 0 0 0 0 0 0 45"), options=PathOptions(unit="scene_depth"))


COLUMNS = "(frame tx ty tz rx ry rz, and the vertical field of view or nothing)"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("2 0 0 0 0", f"path.chan, line 2: expected 8 numbers {COLUMNS}, got 5"),
        ("2 0 0 0 0 0 0", f"line 2: expected 8 numbers {COLUMNS}, got 7"),
        ("2 0 0 0 0 0 nan 45", f"line 2: expected finite numbers {COLUMNS}, got NaN or infinity"),
        ("1 0 0 0 0 0 0 45", "line 2: expected a later frame than the line before, got frame 1"),
        (
            "2 0 0 0 0 0 0 45\n4 0 0 0 0 0 0 45",
            "line 3: expected frames as far apart as the first two, every pose written out, got frame 4",
        ),
        ("2 0 0 0 0 0 0 180", "line 2: expected a vertical field of view between 0 and 180 degrees, got 180"),
        ("2 0 0 0 0 0 0 0", "line 2: expected a vertical field of view between 0 and 180 degrees, got 0"),
    ],
)
def test_bad_input_is_named(tmp_path, second, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_path_file(written(tmp_path, "1 0 0 0 0 0 0 45", second), "chan", TOLD)


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path\.chan: expected 1 to 100,000 poses, got 0"):
        read_path_file(written(tmp_path, ""), "chan", TOLD)
