"""Videos out: they can be read back, and a failure in the middle leaves nothing behind."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from camvig import CameraPath
from camvig.pipelines.contact_sheet import contact_sheet, overview_sheet
from camvig.pipelines.video_files import read_video, write_gif, write_mp4, write_png


@pytest.fixture
def frames(make_picture) -> list[Image.Image]:
    return [make_picture(64, 48, seed) for seed in range(5)]


def test_an_mp4_is_read_back(tmp_path, frames):
    write_mp4(frames, tmp_path / "a.mp4", fps=7.5)
    seen, fps = read_video(tmp_path / "a.mp4")
    assert seen.shape == (5, 48, 64, 3) and fps == 7.5
    truth = np.stack([np.asarray(frame) for frame in frames]).astype(float)
    assert np.abs(seen - truth).mean() < 6
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_a_gif_is_read_back(tmp_path, frames):
    write_gif(frames, tmp_path / "a.gif", fps=8)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"], gif.info["loop"]) == (5, (64, 48), 125 // 10 * 10, 0)


def test_a_still_video_is_a_gif_too(tmp_path, make_picture):
    write_gif([make_picture()] * 4, tmp_path / "a.gif")
    assert (tmp_path / "a.gif").stat().st_size > 0


@pytest.mark.parametrize("write", [write_mp4, write_gif])
def test_frames_that_are_no_video(tmp_path, make_picture, write):
    for frames in ([], np.zeros((3, 8, 8, 3)), [make_picture(32, 32), make_picture(48, 32)]):
        with pytest.raises(ValueError, match="expected frames"):
            write(frames, tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_odd_sizes_do_not_fit_mp4(tmp_path, make_picture):
    with pytest.raises(ValueError, match="even width and height for mp4, got 33x32"):
        write_mp4([make_picture(33, 32)], tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_a_failure_in_the_middle_leaves_nothing(tmp_path, frames, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("the disk is full")

    monkeypatch.setattr(av.VideoFrame, "from_ndarray", fail)
    (tmp_path / "a.mp4").write_text("an older video")
    for name in ("a.mp4", "b.mp4"):
        with pytest.raises(OSError, match="disk is full"):
            write_mp4(frames, tmp_path / name)
    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_gif(frames, tmp_path / "a.gif")
    with pytest.raises(OSError, match="disk is full"):
        write_png(frames[0], tmp_path / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "an older video"


def test_wrong_videos_are_told_in_one_line(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    for name in ("nowhere.mp4", "text.mp4"):
        with pytest.raises(ValueError, match=name):
            read_video(tmp_path / name)


def test_a_contact_sheet_shows_the_first_and_the_last_frame(make_picture):
    frames = [Image.new("RGB", (60, 40), (10 * number, 0, 0)) for number in range(17)]
    sheet = contact_sheet(frames, CameraPath.dolly(0.3), "dolly in 30%, " * 40)
    wide = overview_sheet([sheet, sheet])
    assert sheet.width > 3 * 264 and wide.size == (sheet.width, 2 * sheet.height + 4)
    assert sheet.getpixel((130, 100)) == (0, 0, 0) and sheet.getpixel((2 * 268 + 130, 280)) == (160, 0, 0)
