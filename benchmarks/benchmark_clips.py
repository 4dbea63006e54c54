"""Clips that no tokenizer here was trained on, from anywhere: what `visual_tokenizers.py` measures on.

What always holds: frames are square, [17, S, S, 3] uint8; flow and visibility to frame 0 are exact where depth and path are known
and estimated where not, as in training and in caches. Where a source has more clips than are asked for, they are
spread evenly over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from camvig.dataset_builders.captures.capture import read_capture
from camvig.dataset_builders.captures.capture_pictures import load_picture
from camvig.dataset_builders.clip_folders import parts_of
from camvig.dataset_builders.clip_length import NUM_FRAMES
from camvig.dataset_builders.estimated_flow import estimated_backward_flow
from camvig.dataset_builders.exact_flow import backward_flow
from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.dataset_builders.videos.video_cutting import CutSettings, centre_crop, cut_video
from camvig.dataset_builders.videos.video_folder import find_videos


@dataclass(frozen=True)
class BenchmarkClip:
    """A clip as both kinds of tokenizer take it."""

    frames: np.ndarray  # [T, S, S, 3] uint8
    flow: np.ndarray  # [T-1, 2, S, S], backward to frame 0, in units of the frame's size
    visibility: np.ndarray  # [T-1, 1, S, S], 1 where frame 0 shows the point


ClipSource = Callable[[int, int], list[BenchmarkClip]]
"""(how many at most, pixels a side) -> clips."""


def rooms(count: int, size: int) -> list[BenchmarkClip]:
    """The first clips of the test split of procedural rooms, with exact flow."""
    return [_with_exact_flow(vars(clip)) for clip in room_clips("test", count, size=size)]


def rendered(folder: Path, count: int, size: int) -> list[BenchmarkClip]:
    """Clips of a folder that `camvig data` wrote (Parquet), such as those rendered from captures."""
    clips = _spread([clip for part in parts_of(folder) for clip in part.clips()], count)
    return [
        _resized(_with_estimated_flow(clip["frames"]) if clip["depth"] is None else _with_exact_flow(clip), size)
        for clip in clips
    ]


def capture(folder: Path, count: int, size: int) -> list[BenchmarkClip]:
    """The photos of a capture in their order, as a video: windows of 17 that follow each other, estimated flow."""
    photos = read_capture(folder)
    windows = [range(start, start + NUM_FRAMES) for start in range(0, len(photos) - NUM_FRAMES + 1, NUM_FRAMES)]
    clips = []
    for window in _spread(windows, count):
        pictures = [load_picture(photos, view).rgb for view in window]
        squares = [centre_crop(picture, picture.shape[1] / picture.shape[0])[0] for picture in pictures]
        clips.append(_with_estimated_flow(np.stack([_shrunk(square, size) for square in squares])))
    return clips


def videos(folder: Path, count: int, size: int) -> list[BenchmarkClip]:
    """Clips cut out of a folder of ordinary videos as `camvig data cut-videos` cuts them, estimated flow."""
    cut = []
    for video in find_videos(folder, "not stated", 0.0, 0.0).videos:
        cut += [clip.frames for clip in cut_video(video.file, CutSettings(size), video.new_report())]
    return [_with_estimated_flow(frames) for frames in _spread(cut, count)]


def _with_exact_flow(clip: dict) -> BenchmarkClip:
    flow, visibility, _ = backward_flow(
        np.asarray(clip["depth"], np.float32), clip["camera_to_world"], clip["intrinsics"]
    )
    return BenchmarkClip(np.asarray(clip["frames"]), flow, visibility[:, None].astype(np.float32))


def _with_estimated_flow(frames: np.ndarray) -> BenchmarkClip:
    flow, visibility, _ = estimated_backward_flow(frames)
    return BenchmarkClip(frames, flow, visibility[:, None].astype(np.float32))


def _resized(clip: BenchmarkClip, size: int) -> BenchmarkClip:
    """Shrunk by area, as for a cache of ids."""
    if clip.frames.shape[1:3] == (size, size):
        return clip
    flow = np.stack([_shrunk(each.transpose(1, 2, 0), size).transpose(2, 0, 1) for each in clip.flow])
    visible = np.stack([_shrunk(each[0], size) >= 0.5 for each in clip.visibility])[:, None]
    frames = np.stack([_shrunk(frame, size) for frame in clip.frames])
    return BenchmarkClip(frames, flow, visible.astype(np.float32))


def _shrunk(picture: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(picture), (size, size), interpolation=cv2.INTER_AREA)


def _spread(items: list, count: int) -> list:
    chosen = sorted(set(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int).tolist()))
    return [items[index] for index in chosen]
