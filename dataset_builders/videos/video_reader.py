"""Reads an ordinary video frame by frame, with the time of each: what is readable of it, and how much was not.

What always holds: frames come in order of time, upright (the file's rotation is applied), [H, W, 3] uint8 RGB, and none
after the first that is damaged: a decoder guesses what a damaged frame showed, and so all that refer to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"})
CONTAINERS = frozenset(
    {"asf", "avi", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "mpeg", "mpegts", "mpegvideo"}
)  # FFmpeg's names for what files of these names hold; it also takes texts for films of a terminal or for karaoke discs


@dataclass(frozen=True)
class TimedFrame:
    """A frame and when it is shown."""

    seconds: float  # since the file's zero
    rgb: np.ndarray  # [H, W, 3] uint8
    aspect: float  # width / height as it is to be seen: pixels need not be square


class VideoReader:
    """Iterate once over the frames of a file; afterwards `frames_read`, `frames_missing` and `problem` are final.

    A problem is why not all frames could be read; it is never raised.
    """

    def __init__(self, file: str | os.PathLike[str]):
        self.file = file
        self.frames_read = 0
        self.frames_missing = 0  # of those that the file's header counts, where it does
        self.problem: str | None = None

    def __iter__(self) -> Iterator[TimedFrame]:
        announced = 0
        try:
            with av.open(os.fspath(self.file), "r", metadata_errors="replace") as container:
                if container.format.name not in CONTAINERS:
                    raise ValueError("it is no video file")
                stream = _video_stream(container)
                announced = stream.frames
                for frame in self._decoded(container, stream):
                    self.frames_read += 1
                    yield frame
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.problem = _in_words(error)
        self.frames_missing = max(0, announced - self.frames_read)
        if self.frames_missing and self.problem is None:
            self.problem = "the file ends before its last frame"

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[TimedFrame]:
        last_seconds = -np.inf
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise ValueError("a frame is damaged")
            if frame.time is None:
                raise ValueError("a frame has no timestamp")
            if frame.time > last_seconds:
                last_seconds = frame.time
                yield _upright(frame, stream)
            else:
                self.problem = "frames that are not later than the one before were left out"


def _video_stream(container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise ValueError("there is no picture in it")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise ValueError("its codec is not known")
    stream.codec_context.thread_count = 1  # processes share out the files, and errors come where they are
    stream.codec_context.options = {"err_detect": "explode"}
    return stream


def _upright(frame: av.VideoFrame, stream: VideoStream) -> TimedFrame:
    rgb = frame.to_ndarray(format="rgb24")
    aspect = rgb.shape[1] / rgb.shape[0] * float(stream.sample_aspect_ratio or 1)
    quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise
    if quarter_turns % 2:
        aspect = 1 / aspect
    assert frame.time is not None
    return TimedFrame(frame.time, np.rot90(rgb, quarter_turns), aspect)


def _in_words(error: Exception) -> str:
    """Without the file's name, which a report has already."""
    return getattr(error, "strerror", None) or str(error)
