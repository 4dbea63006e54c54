"""Long clips of procedural rooms: what a long video, made stretch after stretch, is measured on.

(split, scene_seed) fixes the room and (split, scene_seed, clip_seed, move, stretches) the path, so any clip can be rendered again,
in any order; a room is one of those of `room_clips`, its paths are others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...camera_paths.camera_path import CameraPath
from ..clip_length import FPS, NUM_FRAMES
from .long_room_paths import LONG_MOVES, STEPS, place_long_path, returns
from .room_renderer import render
from .room_scene import RoomScene
from .room_scenes import sample_scene
from .room_textures import SPLIT_CODES

LONG_CODE = 0x10C6  # keeps the seeds of long paths apart from those of others


@dataclass(frozen=True)
class LongRoomClip:
    """One rendered clip of k stretches; the picture is squashed to a square, its true aspect is fy / fx of the intrinsics."""

    frames: np.ndarray  # [16 k + 1, H, W, 3] uint8 RGB
    depth: np.ndarray  # [16 k + 1, H, W] float32, z in metres at pixel centres
    camera_to_world: np.ndarray  # [16 k + 1, 4, 4] float64, metres, in the room's axes
    intrinsics: np.ndarray  # [16 k + 1, 4] float64, normalised fx, fy, cx, cy
    scene_seed: int
    clip_seed: int
    split: str
    move: str  # of `LONG_MOVES`

    @property
    def stretches(self) -> int:
        """k."""
        return (len(self.frames) - 1) // STEPS

    @property
    def median_depths(self) -> list[float]:
        """Of the picture at which each stretch begins, metres."""
        return [float(np.median(self.depth[first])) for first in range(0, len(self.frames) - 1, STEPS)]

    @property
    def path(self) -> CameraPath:
        """The whole path relative to its first pose, in the scene depths of its first picture."""
        relative = np.linalg.inv(self.camera_to_world[0]) @ self.camera_to_world
        relative[:, :3, 3] /= self.median_depths[0]
        return CameraPath(relative, self.intrinsics, fps=FPS, unit="scene_depth")

    @property
    def returns(self) -> list[int]:
        """The frames that show what frame 0 shows."""
        return returns(self.move, self.stretches)


@lru_cache(maxsize=4)
def _scene(split: str, scene_seed: int) -> RoomScene:
    return sample_scene(split, scene_seed)


def long_room_clip(split: str, scene_seed: int, clip_seed: int, move: str, stretches: int = 4, size: int = 64, *,
                   antialias: int = 2, threads: int | None = None) -> LongRoomClip:  # fmt: skip
    """Renders one clip of `stretches` of 17 frames along a move of `LONG_MOVES`."""
    scene = _scene(split, scene_seed)
    if move not in LONG_MOVES:
        raise ValueError(f"expected a move of {LONG_MOVES}, got {move!r}")
    seeds = [SPLIT_CODES[split], scene_seed, 1 + clip_seed, LONG_CODE, LONG_MOVES.index(move), stretches]
    placed = place_long_path(scene, np.random.default_rng(np.random.SeedSequence(seeds)), move, stretches)
    frames, depth = render(scene, placed.camera_to_world, placed.intrinsics, size, antialias, threads)
    assert len(frames) == stretches * (NUM_FRAMES - 1) + 1
    return LongRoomClip(
        frames, depth, placed.camera_to_world, placed.intrinsics, scene_seed, clip_seed, split, placed.move
    )


def long_room_clips(
    split: str, count: int, stretches: int = 4, size: int = 64, *, threads: int | None = None
) -> Iterator[LongRoomClip]:
    """Yields the first `count` clips of a split's endless list: a room each, the moves in turn, so that all are equally often."""
    if split not in SPLIT_CODES:
        raise ValueError(f"split must be one of {sorted(SPLIT_CODES)}, got {split!r}")
    if count < 0 or stretches < 1:
        raise ValueError(f"expected count >= 0 and stretches >= 1, got {count} and {stretches}")
    for index in range(count):
        move = LONG_MOVES[index % len(LONG_MOVES)]
        yield long_room_clip(split, index, 0, move, stretches, size, threads=threads)
