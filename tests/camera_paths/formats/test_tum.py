"""TUM trajectories."""

import numpy as np
import pytest

from camvig import CameraPath
from camvig.camera_paths.formats import read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions


def test_round_trip(tmp_path):
    path = CameraPath.from_text("dolly in 30%, pan right 10deg", fps=10)
    lost = write_path_file(path, tmp_path / "path.txt", "tum")
    assert lost == ["that its unit is scene depths", "the lens"]
    again = read_path_file(tmp_path / "path.txt", options=PathOptions(unit="scene_depth")).path
    np.testing.assert_allclose(again.camera_to_world, path.camera_to_world, atol=1e-12)
    assert again.fps == pytest.approx(10)


def test_timestamps_that_may_be_frame_numbers_are_noted(tmp_path):
    (tmp_path / "path.txt").write_text("".join(f"{number} {number} 0 0 0 0 0 1\n" for number in range(4)))
    path, notes = read_path_file(tmp_path / "path.txt", options=PathOptions(unit="metre"))
    assert path.fps == 1 and any("if they number the frames, say --fps" in note for note in notes)
    path, _ = read_path_file(tmp_path / "path.txt", options=PathOptions(unit="metre", fps=30))
    assert path.fps == 30 and path.describe() == "moves 3.00 m right; 4 frames, 0.1 s"
