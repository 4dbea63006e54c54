"""Cuts one ordinary video into clips of 17 frames at 8 a second, all within a shot, and keeps account of the rest.

What always holds: a shot is sampled every 1 / 8 s from its first frame on, and each sample is the file's frame nearest in
time: at most half a step of the file's frames off (50 ms at 10 fps, 17 ms at 29.97), whether its frame rate is constant or
not. Frames are neither blended nor repeated, so stretches of fewer than 8 frames a second give no clips. Clips of a
shot follow each other without overlap. The whole picture is squashed to a square, after a centre crop where it is wider than
16:9 or higher than 9:16; `aspect` is that of the picture before it was squashed.

A clip is static, and skipped, if its mean optical flow (OpenCV DIS on the clip's own frames, over all pixels and
steps) is below `min_motion` picture sides a frame; the report counts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...metrics.flow_mse import dis_flow
from ..clip_length import FPS, NUM_FRAMES
from .scene_cuts import ShotFrame, mark_shots
from .video_reader import TimedFrame, VideoReader
from .video_report import VideoFileReport

WIDEST_ASPECT = 16 / 9  # and the inverse is the highest; as of the rooms' pictures
LONGEST_STEP_SECONDS = 1.01 / FPS
MIN_MOTION = 0.001  # picture sides a frame, a sixteenth of a pixel at 64 pixels: our choice
STATIC, REPEATED = "static", "a frame would repeat"  # why clips are skipped


@dataclass(frozen=True)
class CutSettings:
    """What clips are to be like."""

    size: int = 64  # pixels a side
    min_motion: float = MIN_MOTION  # picture sides a frame


@dataclass(frozen=True)
class VideoClip:
    """A clip without a camera path."""

    frames: np.ndarray  # [17, size, size, 3] uint8 RGB
    aspect: float  # width / height before squashing
    start_seconds: float  # of its first frame, in the file's time
    motion: float  # mean length of the optical flow, picture sides a frame


@dataclass(frozen=True)
class _Sample:
    seconds: float  # of the frame in the file
    picture: np.ndarray  # [size, size, 3]
    aspect: float


def cut_video(file: Path, settings: CutSettings, report: VideoFileReport) -> Iterator[VideoClip]:
    """The clips of a video, in order of time; `report` is complete when they are exhausted. Never raises for its content."""
    reader = VideoReader(file)
    marked = mark_shots(_large_enough(reader, settings.size, report), LONGEST_STEP_SECONDS)
    for window in _windows(marked, settings.size, report):
        seconds = [sample.seconds for sample in window]
        frames = np.stack([sample.picture for sample in window])
        motion = mean_motion(frames)
        if len(set(seconds)) < NUM_FRAMES:
            report.skip_clip(REPEATED)
        elif motion < settings.min_motion:
            report.skip_clip(STATIC)
        else:
            report.clips += 1
            yield VideoClip(frames, window[0].aspect, seconds[0], motion)
    report.frames_read, report.frames_missing, report.problem = (
        reader.frames_read,
        reader.frames_missing,
        reader.problem,
    )
    _say_why_skipped(report)


def mean_motion(frames: np.ndarray) -> float:
    """Frames [T, H, W, 3] uint8 -> the mean length of the optical flow, in picture sides a frame."""
    height, width = frames.shape[1:3]
    return float(np.linalg.norm(dis_flow(frames) / np.array([width, height], np.float32), axis=-1).mean())


def _large_enough(reader: VideoReader, size: int, report: VideoFileReport) -> Iterator[TimedFrame]:
    """The frames, with the report's seconds and size; none of a video that would have to be enlarged."""
    first = None
    for frame in reader:
        height, width = frame.rgb.shape[:2]
        if first is None:
            first = frame
            report.width, report.height = width, height
        report.seconds = frame.seconds - first.seconds
        if min(height, width) < size:
            report.skipped_because = f"smaller than {size} pixels"
            return
        yield frame


def _windows(marked: Iterator[ShotFrame], size: int, report: VideoFileReport) -> Iterator[list[_Sample]]:
    """Groups of 17 samples, each of one shot, 1 / 8 s apart."""
    samples: list[_Sample] = []
    origin, taken, before = 0.0, 0, None
    for marked_frame in marked:
        frame = marked_frame.frame
        if marked_frame.starts is not None:
            _count_shot(marked_frame.starts, report)
            report.seconds_left_over += len(samples) / FPS
            samples, origin, taken, before = [], frame.seconds, 0, None
        while (due := origin + taken / FPS) <= frame.seconds + 1e-6:
            is_earlier_nearer = before is not None and due - before.seconds < frame.seconds - due
            samples.append(_sampled(before if is_earlier_nearer and before else frame, size))
            taken += 1
            if len(samples) == NUM_FRAMES:
                yield samples
                samples = []
        before = frame
    report.seconds_left_over += len(samples) / FPS


def _count_shot(starts: str, report: VideoFileReport) -> None:
    report.shots += 1
    report.cuts += starts == "cut"
    report.gaps += starts == "gap"


def _sampled(frame: TimedFrame, size: int) -> _Sample:
    picture, aspect = centre_crop(frame.rgb, frame.aspect)
    squashed = cv2.resize(np.ascontiguousarray(picture), (size, size), interpolation=cv2.INTER_AREA)
    return _Sample(frame.seconds, squashed, aspect)


def centre_crop(rgb: np.ndarray, aspect: float) -> tuple[np.ndarray, float]:
    """Cuts [H, W, 3] to an aspect from 9:16 to 16:9, keeping the middle; the picture and its aspect.

    `aspect` is width / height as the picture is to be seen, which pixels that are not square make differ from W / H.
    """
    kept = min(max(aspect, 1 / WIDEST_ASPECT), WIDEST_ASPECT)
    height, width = rgb.shape[:2]
    crop_width, crop_height = round(width * min(1.0, kept / aspect)), round(height * min(1.0, aspect / kept))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    cropped = rgb[top : top + crop_height, left : left + crop_width]
    return cropped, aspect * (crop_width / width) / (crop_height / height)


def _say_why_skipped(report: VideoFileReport) -> None:
    if report.skipped_because is None and not report.clips and not report.skipped_clips:
        if report.frames_read == 0:
            report.skipped_because = "not readable as a video"
        elif report.seconds + 1e-6 < (NUM_FRAMES - 1) / FPS:
            report.skipped_because = f"shorter than {NUM_FRAMES} frames at {FPS:g} a second"
        else:
            report.skipped_because = "no shot is long enough"
