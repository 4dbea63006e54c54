"""Cuts a video whose camera path is known (a RealEstate10K-style text beside it) into clips of 17 frames and poses.

What always holds: clips are chosen from the text's timestamps, as `video_cutting` chooses from frames: poses nearest to
steps of 1 / 8 s from the text's first on, without overlap and not over gaps; each frame is the video's nearest to its pose's own
timestamp, at most `LARGEST_OFFSET_SECONDS` off, so frames and poses belong together exactly however uneven the times are.
Poses are never interpolated: a text of fewer than 8 a second gives no clips.

The poses come from a reconstruction, so their unit is unknown ("scene"). What a path in scene depths needs is the median
depth of the clip's first frame in that unit: it is triangulated from points followed through the clip (`track_depth`), or is
`PosedCutSettings.median_depth` if the caller knows one. A clip where neither tells is skipped, and so is one whose
pictures contradict its poses: nothing is guessed. Clips that only turn have no parallax, so without a given depth they
are skipped. Pictures whose principal point is not their middle are cut around it first (`principal_crop`); the report says how
much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...camera_paths.camera_path import CameraPath
from ...camera_paths.formats import realestate10k
from ...camera_paths.formats.path_format import PathOptions, PathSource, settle
from ..clip_length import FPS, NUM_FRAMES
from .principal_crop import OFF_CENTRE, centre_principal_point
from .track_depth import TrackDepth, track_depth
from .video_cutting import LONGEST_STEP_SECONDS, STATIC, CutSettings, centre_crop, mean_motion
from .video_reader import TimedFrame, VideoReader
from .video_report import VideoFileReport

LARGEST_OFFSET_SECONDS = 0.02  # between a pose and its frame: half a frame at 25 a second; our choice
NO_FRAMES = "no frame at the time of a pose"
TOO_SMALL = "smaller than {} pixels"


@dataclass(frozen=True)
class PosedCutSettings(CutSettings):
    """What clips are to be like, and what is known of the texts beside the videos."""

    median_depth: float | None = None  # of each clip's first frame, in the unit of the poses; None: triangulated
    trimmed: bool = False  # whether a video begins at its text's first pose, instead of at timestamp 0


class TimedCameras(NamedTuple):
    """The cameras of a text, N of them."""

    seconds: np.ndarray  # [N] in the video's time
    camera_to_world: np.ndarray  # [N, 4, 4] OpenCV axes, unit of a reconstruction
    intrinsics: np.ndarray  # [N, 4] normalised by the width and height of the video


@dataclass(frozen=True)
class PosedClip:
    """A clip with its path in scene depths."""

    frames: np.ndarray  # [17, size, size, 3] uint8 RGB
    path: CameraPath  # relative to the first pose, in scene_depth
    median_depth: float  # of the first frame, in the unit of the text's poses
    num_points: int  # that the depth was triangulated from, 0 where it was given
    start_seconds: float
    motion: float  # mean length of the optical flow, picture sides a frame
    pixels_cut: tuple[int, int]  # columns and rows, so that the principal point is the middle


def read_timed_cameras(file: Path) -> TimedCameras:
    """Reads a RealEstate10K-style text. `ValueError` names the file, the line and what does not fit."""
    source = PathSource(file)
    options = PathOptions(unit="scene", median_depth=1.0)  # of which only the matrices are taken
    path = settle(realestate10k.read(source, options), source, options).path
    return TimedCameras(realestate10k.read_seconds(source), path.camera_to_world, path.intrinsics)


def pose_windows(seconds: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Timestamps [N] -> groups of the numbers of 17 poses, 1 / 8 s apart, and how many gaps there are."""
    breaks = np.flatnonzero(np.diff(seconds) > LONGEST_STEP_SECONDS) + 1
    windows = []
    for stretch in np.split(np.arange(len(seconds)), breaks):
        times = seconds[stretch]
        if len(times) < NUM_FRAMES:
            continue
        due = times[0] + np.arange(int((times[-1] - times[0]) * FPS + 1e-6) + 1) / FPS
        later = np.searchsorted(times, due - 1e-6).clip(1, len(times) - 1)
        nearest = stretch[np.where(due - times[later - 1] < times[later] - due, later - 1, later)]
        starts = range(0, len(nearest) - NUM_FRAMES + 1, NUM_FRAMES)
        windows += [nearest[start : start + NUM_FRAMES] for start in starts]
    return windows, len(breaks)


def cut_posed_video(
    file: Path, camera_file: Path, settings: PosedCutSettings, report: VideoFileReport
) -> Iterator[PosedClip]:
    """The clips of a video, in order of time; `report` is complete when they are exhausted. Never raises for its content."""
    try:
        cameras = read_timed_cameras(camera_file)
    except ValueError as error:
        report.skipped_because = f"its camera path: {str(error).removeprefix(str(camera_file.parent) + '/')}"
        return
    if settings.trimmed:
        cameras = cameras._replace(seconds=cameras.seconds - cameras.seconds[0])
    windows, report.gaps = pose_windows(cameras.seconds)
    report.shots = report.gaps + 1
    reader = VideoReader(file)
    for window, frames in _frames_of(windows, cameras.seconds, reader, report):
        made = _clip(window, frames, cameras, settings)
        if isinstance(made, str):
            report.skip_clip(made)
        else:
            report.clips += 1
            report.columns_cut = max(report.columns_cut, made.pixels_cut[0])
            report.rows_cut = max(report.rows_cut, made.pixels_cut[1])
            yield made
    report.frames_read, report.frames_missing = reader.frames_read, reader.frames_missing
    report.problem = reader.problem
    if reader.frames_read == 0:
        report.skipped_because, report.skipped_clips = "not readable as a video", {}
    elif not windows:
        report.skipped_because = f"no stretch of {NUM_FRAMES} poses at {FPS:g} a second"


def _frames_of(
    windows: list[np.ndarray], seconds: np.ndarray, reader: VideoReader, report: VideoFileReport
) -> Iterator[tuple[np.ndarray, list[TimedFrame] | None]]:
    """Each window with the frames at its poses' times, None where one is missing; reads no further than it must."""
    nearest: list[TimedFrame] = []
    remaining = iter(windows)
    window = next(remaining, None)
    before: TimedFrame | None = None
    for frame in _with_a_last(reader, report):
        while window is not None and (frame is None or seconds[window[len(nearest)]] <= frame.seconds):
            due = seconds[window[len(nearest)]]
            candidates = [one for one in (before, frame) if one is not None]
            nearest += sorted(candidates, key=lambda one: abs(one.seconds - due))[:1]
            is_missing = not candidates or abs(nearest[-1].seconds - due) > LARGEST_OFFSET_SECONDS
            if is_missing or len(nearest) == NUM_FRAMES:
                yield window, None if is_missing else nearest
                nearest, window = [], next(remaining, None)
        if window is None:
            return
        before = frame


def _with_a_last(reader: VideoReader, report: VideoFileReport) -> Iterator[TimedFrame | None]:
    first = None
    for frame in reader:
        first = first or frame
        report.seconds = frame.seconds - first.seconds
        report.height, report.width = first.rgb.shape[:2]
        yield frame
    yield None


def _clip(
    window: np.ndarray,
    frames: list[TimedFrame] | None,
    cameras: TimedCameras,
    settings: PosedCutSettings,
) -> PosedClip | str:
    """The clip of a window, or why it is skipped."""
    if frames is None:
        return NO_FRAMES
    centred = centre_principal_point(frames, cameras.intrinsics[window])
    if centred is None:
        return OFF_CENTRE
    frames, lenses, pixels_cut = centred
    if min(frames[0].rgb.shape[:2]) < settings.size:
        return TOO_SMALL.format(settings.size)
    pictures = [frame.rgb for frame in frames]
    squashed, intrinsics = _squash(frames, lenses, settings.size)
    motion = mean_motion(squashed)
    if motion < settings.min_motion:
        return STATIC
    poses = cameras.camera_to_world[window]
    found = TrackDepth(settings.median_depth, 0)
    if settings.median_depth is None:
        found = track_depth(pictures, poses, lenses)
    if found.median_depth is None:
        return found.problem or "no depth"
    path = CameraPath(poses, intrinsics, FPS, "scene", found.median_depth).relative().to_unit("scene_depth")
    return PosedClip(squashed, path, found.median_depth, found.num_points, frames[0].seconds, motion, pixels_cut)


def _squash(frames: list[TimedFrame], intrinsics: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [17, size, size, 3] and the lenses [17, 4] that belong to them after the centre crop."""
    pictures, lenses = [], intrinsics.copy()
    for frame, lens in zip(frames, lenses, strict=True):
        cropped, _ = centre_crop(frame.rgb, frame.aspect)
        share = np.array(cropped.shape[1::-1]) / np.array(frame.rgb.shape[1::-1])  # of the width and the height
        lens[:2], lens[2:] = lens[:2] / share, 0.5 + (lens[2:] - 0.5) / share
        pictures.append(cv2.resize(np.ascontiguousarray(cropped), (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(pictures), lenses
