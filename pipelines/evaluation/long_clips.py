"""Long clips that chained videos are measured on, and their stretches as clips of their own.

What always holds: a clip of k stretches has 16 k + 1 frames; a stretch begins with the frame that ends the one before. Its
path is relative to its first pose, in the scene depths of its own first frame (`stretches`) or of the whole clip's (`paths`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from ...camera_paths.camera_path import CameraPath
from ...camera_paths.path_stretches import cut_into_stretches
from ...dataset_builders.clip_length import NUM_FRAMES
from ...dataset_builders.rooms.long_room_clips import LongRoomClip, long_room_clips
from .eval_clips import EvalClip

STEPS = NUM_FRAMES - 1


@dataclass(frozen=True)
class LongEvalClip:
    """One clip of k stretches."""

    name: str
    move: str
    frames: np.ndarray  # [16 k + 1, S, S, 3] uint8
    path: CameraPath  # of 16 k + 1 poses, in the scene depths of frame 0
    median_depths: list[float]  # [k] of the frame at which each stretch begins
    returns: list[int]  # frames that show what frame 0 shows
    stretches: list[EvalClip]  # [k], each in the scene depths of its own first frame

    @property
    def paths(self) -> list[CameraPath]:
        """[k]: of each stretch, all in the scene depths of frame 0: what a user knows who has a picture and a path."""
        return cut_into_stretches(self.path, NUM_FRAMES)


def long_room_eval_clips(split: str, count: int, stretches: int, size: int) -> list[LongEvalClip]:
    """The first clips of `long_room_clips`."""
    rooms = long_room_clips(split, count, stretches, size)
    return [_of_room(room) for room in tqdm(rooms, total=count, desc="rendering long rooms")]


def _of_room(room: LongRoomClip) -> LongEvalClip:
    name = f"long-room-{room.split}-{room.scene_seed:06d}-{room.clip_seed}"
    paths = cut_into_stretches(room.path, NUM_FRAMES, room.median_depths)
    stretches = []
    for number, path in enumerate(paths):
        part = slice(number * STEPS, number * STEPS + NUM_FRAMES)
        stretches.append(
            EvalClip(
                name=f"{name}-{number}",
                scene=f"{room.split}-{room.scene_seed}",
                move=room.move,
                frames=room.frames[part],
                path=path,
                depth=room.depth[part],
                camera_to_world=room.camera_to_world[part],
            )
        )
    return LongEvalClip(name, room.move, room.frames, room.path, room.median_depths, room.returns, stretches)
