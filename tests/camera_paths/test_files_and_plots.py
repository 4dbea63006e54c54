"""Paths as JSON files and as pictures: exact, checked when read, and never half written."""

import numpy as np
import pytest
from PIL import Image

from camvig.camera_paths import CameraPath
from camvig.camera_paths.atomic_file import write_then_rename
from camvig.camera_paths.formats import read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions
from camvig.camera_paths.moves import in_parallel
from camvig.camera_paths.plots import plot_path, render_path_picture

PATHS = {
    "mixed": in_parallel(CameraPath.orbit(-25), CameraPath.pedestal(0.1), CameraPath.zoom(1.3)).for_picture(16, 9),
    "turning": CameraPath.pan(20),
    "still": CameraPath.static(),
    "one frame": CameraPath.static(1),
    "metres": CameraPath.truck(-0.3).to_unit("metre", 2.7),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_file_gives_back_exactly_the_path(name, tmp_path):
    PATHS[name].to_file(tmp_path / "path.json")
    assert CameraPath.from_file(tmp_path / "path.json") == PATHS[name]
    assert [file.name for file in tmp_path.iterdir()] == ["path.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", ", line 1: expected JSON, got Expecting value; is the file cut off?"),
        ("[1, 2]", ': expected a camera path with "format": "camvig camera path 1", got \'list\''),
        (
            '{"format": "camvig camera path 2"}',
            ': expected a camera path with "format": "camvig camera path 1", got \'camvig camera path 2\'',
        ),
        (
            '{"format": "camvig camera path 1", "fps": 8, "unit": "metre"}',
            ": expected a camera path with camera_to_world, intrinsics, got none",
        ),
        (
            '{"format": "camvig camera path 1", "fps": "8", "unit": "metre", "intrinsics": [[1, 1, 0.5, 0.5]], '
            '"camera_to_world": [[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]]}',
            ": expected fps to be a positive number, got '8'",
        ),
    ],
)
def test_a_file_that_is_no_path_is_refused_by_name(content, message, tmp_path):
    (tmp_path / "path.json").write_text(content)
    with pytest.raises(ValueError) as error:
        read_path_file(tmp_path / "path.json", "camvig")
    assert str(error.value) == f"{tmp_path / 'path.json'}{message}"


def test_a_file_is_recognised_and_loses_nothing(tmp_path):
    path = PATHS["metres"].resample(17, fps=30)
    assert write_path_file(path, tmp_path / "path.json", "camvig") == []
    again = read_path_file(tmp_path / "path.json")
    assert (again.path, again.notes) == (path, [])
    with pytest.raises(ValueError, match="expected no --unit scene_depth: files of this format are metre"):
        read_path_file(tmp_path / "path.json", options=PathOptions(unit="scene_depth"))


def test_an_error_leaves_no_half_written_file(tmp_path):
    (tmp_path / "kept.txt").write_text("before")
    with pytest.raises(RuntimeError), write_then_rename(tmp_path / "kept.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "kept.txt").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", PATHS)
def test_plot_writes_a_picture_that_is_not_blank(name, tmp_path):
    PATHS[name].plot(tmp_path / "path.png")
    assert [file.name for file in tmp_path.iterdir()] == ["path.png"]
    with Image.open(tmp_path / "path.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape == (640, 1280, 3)
    assert (pixels != 255).any(axis=2).mean() > 0.01
    assert np.array_equal(pixels, plot_path(PATHS[name]))


@pytest.mark.parametrize("height_px", [97, 320])
def test_a_path_picture_has_the_size_that_was_asked_for(height_px):
    picture = render_path_picture(PATHS["mixed"], height_px)
    assert picture.shape == (height_px, 2 * height_px, 3)
    assert picture.dtype == np.uint8
    for colour in ([27, 127, 59], [200, 54, 29]):  # the start and the end
        assert (np.abs(picture.astype(int) - colour).max(axis=2) < 12).any()


def test_plots_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.png, got .*path\.pdf"):
        PATHS["mixed"].plot(tmp_path / "path.pdf")
    with pytest.raises(ValueError, match="at least 64 pixels high, got 10"):
        render_path_picture(PATHS["mixed"], 10)
