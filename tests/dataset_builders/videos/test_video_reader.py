"""What is readable of a video, and how much was not."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from camvig.dataset_builders.videos.video_reader import VideoReader


def quarter_turn_of(file: Path) -> None:
    """Makes an mp4 say that its picture is to be shown turned clockwise: the matrix of its tkhd box (ISO 14496-12)."""
    data = bytearray(file.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 20 + 16
    assert struct.unpack(">9i", data[matrix : matrix + 36]) == (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    file.write_bytes(data)


@pytest.mark.parametrize("milliseconds", [[0, 40, 90, 91, 500, 1700], [0, 1, 2, 3, 4, 5]])
def test_frames_come_with_their_own_times(make_frames, write_test_video, tmp_path, milliseconds):
    frames = make_frames(6)
    reader = VideoReader(write_test_video(tmp_path / "a b ü.mp4", frames, milliseconds=milliseconds))
    read = list(reader)
    assert [round(1000 * frame.seconds) for frame in read] == milliseconds
    assert np.abs(np.stack([frame.rgb for frame in read]).astype(int) - frames).mean() < 4
    assert (reader.frames_read, reader.frames_missing, reader.problem) == (6, 0, None)
    assert read[0].aspect == pytest.approx(64 / 48)


def test_what_is_cut_off_is_counted_and_the_rest_is_whole(make_frames, write_test_video, tmp_path):
    frames = make_frames(60)
    file = write_test_video(tmp_path / "whole.mp4", frames)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])
    reader = VideoReader(file)
    read = np.stack([frame.rgb for frame in reader])
    assert 10 < reader.frames_read < 60 and reader.frames_read + reader.frames_missing == 60
    assert reader.problem is not None
    assert np.abs(read.astype(int) - frames[: len(read)]).mean(axis=(1, 2, 3)).max() < 4


def test_nothing_is_shown_after_damage(make_frames, write_test_video, tmp_path):
    frames = make_frames(60)
    file = write_test_video(tmp_path / "damaged.mp4", frames)
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    file.write_bytes(data)
    reader = VideoReader(file)
    read = np.stack([frame.rgb for frame in reader])
    assert 5 < len(read) < 60 and reader.frames_missing == 60 - len(read) and reader.problem is not None
    assert np.abs(read.astype(int) - frames[: len(read)]).mean(axis=(1, 2, 3)).max() < 4


def test_turned_videos_are_upright(make_frames, write_test_video, tmp_path):
    frames = make_frames(2)
    file = write_test_video(tmp_path / "phone.mp4", frames)
    quarter_turn_of(file)
    first = next(iter(VideoReader(file)))
    assert first.rgb.shape == (64, 48, 3) and first.aspect == pytest.approx(48 / 64)
    assert np.abs(first.rgb.astype(int) - np.rot90(frames[0], -1)).mean() < 4  # -1: clockwise


@pytest.mark.parametrize("content", [b"", b"no video at all " * 50, None])
def test_what_is_no_video_is_a_problem_not_an_error(tmp_path, content):
    file = tmp_path / "thing.mp4"
    if content is not None:
        file.write_bytes(content)
    reader = VideoReader(file)
    assert list(reader) == [] and reader.frames_read == 0 and reader.problem
    assert str(tmp_path) not in reader.problem


def test_frames_whose_time_is_past_are_left_out(make_frames, tmp_path):
    frames = make_frames(12)
    recordings = []
    for part in (frames, frames[:6]):  # the second starts at 0 again
        with av.open(str(tmp_path / "part.ts"), "w") as container:
            stream = container.add_stream("mpeg2video", rate=24)
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
            for rgb in part:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))
            container.mux(stream.encode())
        recordings.append((tmp_path / "part.ts").read_bytes())
    (tmp_path / "both.ts").write_bytes(b"".join(recordings))
    reader = VideoReader(tmp_path / "both.ts")
    seconds = [frame.seconds for frame in reader]
    assert len(seconds) == reader.frames_read == 12
    assert np.diff(seconds) == pytest.approx(1 / 24, abs=1e-3)
    assert "not later than the one before" in str(reader.problem)


def test_a_codec_that_is_not_known_is_a_problem_not_an_error(make_frames, write_test_video, tmp_path):
    file = write_test_video(tmp_path / "odd.mp4", make_frames(6))
    file.write_bytes(file.read_bytes().replace(b"avc1", b"zzzz"))
    reader = VideoReader(file)
    assert list(reader) == [] and reader.problem is not None


def test_whatever_is_wrong_with_its_bytes_never_raises(make_frames, write_test_video, tmp_path):
    whole = write_test_video(tmp_path / "v.mp4", make_frames(12)).read_bytes()
    rng = np.random.default_rng(0)
    whole_ones = 0
    for _ in range(100):
        data = bytearray(whole)
        place, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
        if rng.random() < 0.7:
            data[place : place + length] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
        else:
            del data[place : place + length]
        (tmp_path / "v.mp4").write_bytes(data)
        reader = VideoReader(tmp_path / "v.mp4")
        frames = list(reader)
        assert len(frames) == reader.frames_read <= 12
        whole_ones += reader.problem is None
    assert whole_ones < 50  # most of the damage is seen; some bytes matter to nobody
