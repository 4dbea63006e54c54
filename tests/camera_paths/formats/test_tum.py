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
