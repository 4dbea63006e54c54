"""Pictures in: every odd kind of picture becomes upright RGB, and every wrong file one line that names it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from camvig.pipelines.picture_files import load_picture


def test_a_rotated_photo_is_turned_upright(tmp_path, make_picture):
    picture = make_picture(48, 32)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90 degrees to see it upright
    picture.save(tmp_path / "photo.png", exif=exif)
    upright = load_picture(tmp_path / "photo.png")
    assert upright.size == (32, 48)
    assert np.array_equal(np.asarray(upright), np.rot90(np.asarray(picture), -1))


def test_transparency_lies_over_white():
    picture = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert load_picture(picture).getpixel((5, 5)) == (255, 255, 255)


def test_16_bit_grey_keeps_its_tones():
    ramp = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    seen = np.asarray(load_picture(Image.fromarray(ramp)))
    assert seen.shape == (32, 32, 3) and np.array_equal(seen[..., 0], ramp >> 8)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(make_picture, mode):
    assert load_picture(make_picture().convert(mode)).mode == "RGB"


def test_an_array_is_a_picture(make_picture):
    array = np.asarray(make_picture())
    assert np.array_equal(np.asarray(load_picture(array)), array)


def test_wrong_files_are_told_in_one_line(tmp_path, make_picture):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    make_picture(64, 64).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:700])
    make_picture(1, 1).save(tmp_path / "pixel.png")
    make_picture(200, 20).save(tmp_path / "strip.png")
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in {
        "nowhere.jpg": "no such file",
        "folder.jpg": "a folder",
        "empty.jpg": "the file is empty",
        "text.jpg": "not a picture",
        "cut.jpg": "truncated",
        "pixel.png": "at least 16 pixels a side, got .*1x1",
        "strip.png": "at most 4 times as long as wide",
    }.items():
        with pytest.raises(ValueError, match=reason) as error:
            load_picture(tmp_path / name)
        assert name in str(error.value) and "\n" not in str(error.value)
