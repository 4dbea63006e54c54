"""Where a video's shots begin: cuts, found from the frames themselves, and gaps in its timestamps.

A cut is a frame that differs from the one before in its pixels and in its colours, and by far more than the frames on
one side of it differ among themselves: a pan or a shaking camera changes the pixels of every frame, not of one. What is
missed: dissolves and fades, and cuts between two pictures of the same colours. A flash counts as two cuts, which costs a
clip; a missed cut would teach a model that scenes jump. All thresholds are our choice.

PySceneDetect does this too, but its package brings a second OpenCV (opencv-python beside opencv-python-headless) and its
own reader of videos, whose timestamps and broken tails would not be ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from .video_reader import TimedFrame

THUMBNAIL_SIZE = (64, 36)  # width, height
COLOUR_BINS = 8  # a channel
MIN_PIXEL_CHANGE = 0.05  # mean absolute difference of thumbnails, of the full range
MIN_COLOUR_CHANGE = 0.1  # share of pixels that changed their bin of the colour histogram
MIN_PROMINENCE = 2.5  # pixel change, in that of the neighbours on the calmer side
NEIGHBOURS = 2  # changes looked at on each side
CALMEST = 0.01  # pixel change that noise has anyway


@dataclass(frozen=True)
class ShotFrame:
    """A frame, and whether and why a shot begins with it."""

    frame: TimedFrame
    starts: str | None  # "start", "cut", "gap" or None


@dataclass(frozen=True)
class _Change:
    """What is new in a frame, against the one before."""

    frame: TimedFrame
    pixels: float
    colours: float
    is_gap: bool


def mark_shots(frames: Iterable[TimedFrame], longest_step_seconds: float) -> Iterator[ShotFrame]:
    """Frames in order of time -> the same, with the first frame of every shot marked.

    A step of time of more than `longest_step_seconds` between two frames is a gap, and starts a shot. Holds a few
    frames in memory.
    """
    earlier: deque[float] = deque(maxlen=NEIGHBOURS)  # changes before the one in question
    waiting: deque[_Change] = deque()
    first = True
    for change in _with_end(_changes(frames, longest_step_seconds)):
        if change is not None:
            waiting.append(change)
        while waiting and (change is None or len(waiting) > NEIGHBOURS):
            candidate = waiting.popleft()
            later = [other.pixels for other in list(waiting)[:NEIGHBOURS]]
            starts = "start" if first else "gap" if candidate.is_gap else None
            if starts is None and _is_cut(candidate, earlier, later):
                starts = "cut"
            yield ShotFrame(candidate.frame, starts)
            earlier.append(candidate.pixels)
            first = False


def _with_end(changes: Iterator[_Change]) -> Iterator[_Change | None]:
    yield from changes
    yield None


def _changes(frames: Iterable[TimedFrame], longest_step_seconds: float) -> Iterator[_Change]:
    before, thumbnail_before, histogram_before = None, None, None
    for frame in frames:
        thumbnail = _thumbnail(frame.rgb)
        histogram = _colour_histogram(thumbnail)
        if before is None or thumbnail_before is None or histogram_before is None:
            yield _Change(frame, 0.0, 0.0, False)
        else:
            pixels = float(cv2.absdiff(thumbnail, thumbnail_before).mean() / 255)
            colours = float(np.abs(histogram - histogram_before).sum() / 2)
            yield _Change(frame, pixels, colours, frame.seconds - before.seconds > longest_step_seconds)
        before, thumbnail_before, histogram_before = frame, thumbnail, histogram


def _thumbnail(rgb: np.ndarray) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(rgb), THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA)


def _colour_histogram(thumbnail: np.ndarray) -> np.ndarray:
    """[COLOUR_BINS ** 3], sums to 1."""
    bins = thumbnail.reshape(-1, 3).astype(int) * COLOUR_BINS // 256
    counts = np.bincount(bins @ (COLOUR_BINS**2, COLOUR_BINS, 1), minlength=COLOUR_BINS**3)
    return counts / counts.sum()


def _is_cut(candidate: _Change, earlier: Iterable[float], later: Iterable[float]) -> bool:
    calmer_side = min(max(earlier, default=0.0), max(later, default=0.0))
    return (
        candidate.pixels > MIN_PIXEL_CHANGE
        and candidate.colours > MIN_COLOUR_CHANGE
        and candidate.pixels > MIN_PROMINENCE * max(calmer_side, CALMEST)
    )
