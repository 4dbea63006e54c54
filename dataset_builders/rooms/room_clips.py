"""Clips of procedural rooms: frames, exact depth, poses and intrinsics, each a pure function of its seeds.

(split, scene_seed) fixes the room and (split, scene_seed, clip_seed) the camera path, so no scene occurs in two splits
and any clip can be rendered again, in any order, by any worker.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...camera_paths.camera_path import CameraPath
from ..clip_length import FPS
from .room_paths import place_path
from .room_renderer import render
from .room_scenes import RoomScene, sample_scene
from .room_textures import SPLIT_CODES


@dataclass(frozen=True)
class RoomClip:
    """One rendered clip; the picture is squashed to a square, its true aspect is fy / fx of the intrinsics."""

    frames: np.ndarray  # [T, H, W, 3] uint8 RGB
    depth: np.ndarray  # [T, H, W] float32, z in metres at pixel centres
    camera_to_world: np.ndarray  # [T, 4, 4] float64, metres, in the room's axes
    intrinsics: np.ndarray  # [T, 4] float64, normalised fx, fy, cx, cy
    median_depth: float  # of frame 0, metres
    scene_seed: int
    clip_seed: int
    split: str
    move: str
    depth_is_known: bool = True

    @property
    def path(self) -> CameraPath:
        """The camera path relative to the first pose, in scene_depth units."""
        relative = np.linalg.inv(self.camera_to_world[0]) @ self.camera_to_world
        relative[:, :3, 3] /= self.median_depth
        return CameraPath(relative, self.intrinsics, fps=FPS, unit="scene_depth")


@lru_cache(maxsize=8)
def _scene(split: str, scene_seed: int) -> RoomScene:
    return sample_scene(split, scene_seed)


def room_clip(split: str, scene_seed: int, clip_seed: int, size: int = 64, *, move: str | None = None,
              antialias: int = 2, threads: int | None = None) -> RoomClip:  # fmt: skip
    """Renders one clip of 17 frames; `move` (one of `room_paths.MOVES`) asks for a certain move."""
    scene = _scene(split, scene_seed)
    rng = np.random.default_rng(np.random.SeedSequence([SPLIT_CODES[split], scene_seed, 1 + clip_seed]))
    placed = place_path(scene, rng, move)
    frames, depth = render(scene, placed.camera_to_world, placed.intrinsics, size, antialias, threads)
    return RoomClip(
        frames=frames,
        depth=depth,
        camera_to_world=placed.camera_to_world,
        intrinsics=placed.intrinsics,
        median_depth=float(np.median(depth[0])),
        scene_seed=scene_seed,
        clip_seed=clip_seed,
        split=split,
        move=placed.move,
    )


def room_clips(split: str, count: int, start: int = 0, size: int = 64, clips_per_scene: int = 2, *,
               threads: int | None = None) -> Iterator[RoomClip]:  # fmt: skip
    """Yields the clips numbered start .. start + count - 1 of a split's endless list.

    Clip i is clip i % clips_per_scene of scene i // clips_per_scene, so workers can take ranges and runs can resume.
    """
    if split not in SPLIT_CODES:
        raise ValueError(f"split must be one of {sorted(SPLIT_CODES)}, got {split!r}")
    if count < 0 or start < 0 or clips_per_scene < 1:
        raise ValueError(
            f"expected count >= 0, start >= 0 and clips_per_scene >= 1, got {count}, {start} and {clips_per_scene}"
        )
    for index in range(start, start + count):
        yield room_clip(split, index // clips_per_scene, index % clips_per_scene, size, threads=threads)
