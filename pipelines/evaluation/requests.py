"""What is asked of a system: a picture and a path a video, for the true paths and for each control that the system must make.

    model           the clip's first frame and its path
    wrong_path      the same picture, the path of the next clip (the last one takes the first's)
    mirrored_path   the same picture, its path mirrored left to right
    no_camera       the same picture, no path
    left_right      the mirrored picture and the mirrored path: the true video is the clip's mirror image
    up_down         the clip's last frame and its path played backwards: the true video is the clip backwards

What always holds: a request has the name and the seed of its clip, whatever its kind, so that results are in pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...camera_paths.camera_path import CameraPath
from .eval_clips import EvalClip

LEAST_MOTION = 0.05
"""Pixels a frame of 64 pixels: a clip whose mean flow to one side is less has no direction (our choice)."""


@dataclass(frozen=True)
class Request:
    """One video to make."""

    name: str
    picture: np.ndarray  # [S, S, 3] uint8, squashed to a square
    aspect: float  # width / height of the true picture
    path: CameraPath | None
    seed: int
    num_frames: int
    truth: np.ndarray | None = None  # [T, S, S, 3] uint8: what the video should be; None for a control that should fail


@dataclass(frozen=True)
class Missing:
    """A number that there is none of, and why."""

    reason: str


Videos = list[np.ndarray]
"""[T, S, S, 3] uint8 each."""


class VideoSource(Protocol):
    """A system that is measured."""

    def videos(self, kind: str, requests: list[Request]) -> Videos | Missing:
        """The videos of some requests of one kind, in their order."""
        ...

    def reconstruct(self, clips: list[EvalClip]) -> Videos | Missing:
        """The true frames through the system's own tokenizer."""
        ...


def requests_of(clips: list[EvalClip], true_flows: list[np.ndarray], seed: int) -> dict[str, list[Request]]:
    """All requests by kind; clip i has the seed `seed` + i. Only clips that move sideways, or up and down, are in the last two."""
    paths = [clip.path for clip in clips]
    asked = {
        "model": paths,
        "wrong_path": paths[1:] + paths[:1],
        "mirrored_path": [path.mirrored() for path in paths],
        "no_camera": [None] * len(paths),
    }
    requests = {
        kind: [
            Request(clip.name, clip.frames[0], clip.path.aspect, path, seed + index, len(clip.frames))
            for index, (clip, path) in enumerate(zip(clips, given, strict=True))
        ]
        for kind, given in asked.items()
    }
    requests["left_right"], requests["up_down"] = [], []
    for index, (clip, flow) in enumerate(zip(clips, true_flows, strict=True)):
        if side_of(clip.move, flow):
            requests["left_right"].append(_request(clip.mirrored(), seed + index))
        if height_of(flow) and (backwards := clip.backwards()):
            requests["up_down"].append(_request(backwards, seed + index))
    return requests


def _request(clip: EvalClip, seed: int) -> Request:
    return Request(clip.name, clip.frames[0], clip.path.aspect, clip.path, seed, len(clip.frames), clip.frames)


def side_of(move: str, flow: np.ndarray) -> str:
    """Where the camera goes, "left" or "right": as the move is called, else against the picture's mean flow; "" for neither."""
    named = move.rsplit("_", 1)[-1]
    return named if named in ("left", "right") else _direction(flow, 0, ("left", "right"))


def height_of(flow: np.ndarray) -> str:
    """Where the camera goes, "up" or "down", by the picture's mean flow `[T-1, S, S, 2]`; "" for neither."""
    return _direction(flow, 1, ("up", "down"))


def _direction(flow: np.ndarray, axis: int, names: tuple[str, str]) -> str:
    mean = float(flow[..., axis].mean(dtype=np.float64)) * 64 / flow.shape[1]
    return "" if abs(mean) < LEAST_MOTION else names[0] if mean > 0 else names[1]
