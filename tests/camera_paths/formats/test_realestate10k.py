"""RealEstate10K text: round trips, the true motion of a file, timestamps that are none, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import detect_format, read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions, PathSource
from camvig.camera_paths.formats.realestate10k import read_seconds
from camvig.camera_paths.rigid_motion import pose_matrices

LENS = "0.5 0.9 0.5 0.5 0 0"
START = "1 0 0 0 0 1 0 0 0 0 1 0"
RIGHT_LOOKING_LEFT = "0 0 1 0 0 1 0 0 -1 0 0 1"  # world-to-camera of a camera at x = 1 that looks along -x
IN_SCENE_DEPTHS = PathOptions(unit="scene_depth")


def random_path(seed: int, frames: int, fps: float) -> CameraPath:
    random = np.random.default_rng(seed)
    poses = pose_matrices(Rotation.random(frames, rng=random).as_matrix(), 10 * random.normal(size=(frames, 3)))
    return CameraPath(poses, random.uniform([0.3, 0.3, 0.1, 0.1], [3, 3, 0.9, 0.9], (frames, 4)), fps)


def written(tmp_path, *lines: str):
    file = tmp_path / "path.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(2, 9), fps=st.sampled_from([5.0, 8.0, 25.0, 29.97, 1000.0]))
def test_round_trip(tmp_path_factory, seed, frames, fps):
    path, file = random_path(seed, frames, fps), tmp_path_factory.mktemp("re10k") / "path.txt"
    assert write_path_file(path, file, "re10k") == ["that its unit is scene depths"]
    again = read_path_file(file, options=IN_SCENE_DEPTHS)
    assert again.notes == []
    np.testing.assert_allclose(again.path.camera_to_world, path.camera_to_world, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(again.path.intrinsics, path.intrinsics)
    microseconds = 1e6 * (frames - 1) / fps
    assert again.path.fps == pytest.approx(fps, rel=0.51 / microseconds)


@pytest.mark.parametrize("first_line", ["https://a.video", "", "a caption of 3 words", None])
def test_true_motion_whatever_the_first_line_says(tmp_path, first_line):
    poses = [f"{time} {LENS} {pose}" for time, pose in ((500000, START), (625000, RIGHT_LOOKING_LEFT))]
    file = written(tmp_path, *([] if first_line is None else [first_line]), *poses)
    assert detect_format(PathSource(file)).name == "re10k"
    path = read_path_file(file, options=IN_SCENE_DEPTHS).path
    assert path.describe() == "moves 1.00 scene depths right, pans 90.0° left; 2 frames, 0.2 s"
    assert path.fps == 8
    np.testing.assert_array_equal(path.intrinsics, [[0.5, 0.9, 0.5, 0.5]] * 2)


@pytest.mark.parametrize("times", [(114514,) * 3, (0, 0, 0), (0, 1, 2), (0, 4, 8)])
def test_constants_and_counters_are_no_timestamps(tmp_path, times):
    file = written(tmp_path, "", *(f"{time} {LENS} {START}" for time in times))
    read = read_path_file(file, options=IN_SCENE_DEPTHS)
    assert read.notes == ["the file does not say its frames a second: 8 taken (--fps)"]
    assert read.path.num_frames == 3


GOOD = f"0 {LENS} {START}"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            f"40000 {LENS} 1 0 0",
            "path.txt, line 3: expected 19 numbers (timestamp fx fy cx cy 0 0 and a 3x4 matrix), got 10",
        ),
        (f"{GOOD} 1", "line 3: expected 19 numbers (timestamp fx fy cx cy 0 0 and a 3x4 matrix), got 20"),
        (
            GOOD.replace("0.9", "nan"),
            "line 3: expected finite numbers (timestamp fx fy cx cy 0 0 and a 3x4 matrix), got",
        ),
        (
            f"40000 0.5 0.9 0.5 0.5 0.1 0 {START}",
            "line 3: expected 0 0 (no lens distortion) in columns 6 and 7, got 0.1 0",
        ),
        (f"40000 0 0.9 0.5 0.5 0 0 {START}", "frame 1: expected positive focal lengths, got fx = 0 and fy = 0.9"),
        (
            f"40000 500 500 320 240 0 0 {START}",
            "frame 1: expected focal lengths in picture widths and heights, not in pixels",
        ),
        (
            f"40000 {LENS} 2 0 0 0 0 2 0 0 0 0 2 0",
            "frame 1: expected a rotation in camera_to_world, got a matrix that is not",
        ),
        (f"40000 {LENS} -1 0 0 0 0 1 0 0 0 0 1 0", "frame 1: expected a rotation with determinant +1, got -1.000"),
        (
            f"40000 {LENS} {START}\n40000 {LENS} {START}",
            "line 4: expected a later timestamp than the line before, got 40000",
        ),
    ],
)
def test_bad_input_is_named(tmp_path, second, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_path_file(written(tmp_path, "a line of text", GOOD, second), "re10k", IN_SCENE_DEPTHS)


def test_a_file_without_poses_and_a_rate_without_microseconds_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path\.txt: expected 1 to 100,000 poses, got 0"):
        read_path_file(written(tmp_path, "a line of text"), "re10k", IN_SCENE_DEPTHS)
    with pytest.raises(ValueError, match="expected at most 1000 frames a second in such a file, got 2000"):
        write_path_file(random_path(0, 2, 2000.0), tmp_path / "fast.txt", "re10k")
    assert not (tmp_path / "fast.txt").exists()


def test_uneven_timestamps_are_read_as_they_are(tmp_path):
    times = ["158691867", "158725234", "159000000"]
    file = written(tmp_path, "https://example.org/watch", *(f"{time} {LENS} {START}" for time in times))
    assert read_seconds(PathSource(file)).tolist() == [158.691867, 158.725234, 159.0]
    for counter in ((0, 0, 0), (1, 2, 3)):
        file = written(tmp_path, *(f"{time} {LENS} {START}" for time in counter))
        with pytest.raises(ValueError, match=r"path\.txt: expected timestamps in microseconds, got a constant"):
            read_seconds(PathSource(file))
