"""Clips of procedural rooms: frames, exact depth, poses and intrinsics, each a pure function of its seeds.

(split, scene_seed) fixes the room and (split, scene_seed, clip_seed) the camera path, so no scene occurs in two splits
and any clip can be rendered again, in any order, by any worker. Moving objects are drawn from a seed of their own: a clip with
them has the room and the camera path of the clip without.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...camera_paths.camera_path import CameraPath
from ..clip_length import FPS
from .moving_objects import as_arrays, no_objects, with_fixed_boxes
from .moving_placement import FRAME_TIMES, place_objects
from .room_paths import place_path
from .room_renderer import render, render_moving
from .room_scene import RoomScene
from .room_scenes import sample_scene
from .room_textures import SPLIT_CODES

MOVING_CODE = 0x0B7EC  # keeps the seeds of moving objects apart from those of paths


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
    object_ids: np.ndarray  # [T, H, W] uint8, 0 = the room at rest, k = moving object k - 1 of object_to_world
    object_to_world: np.ndarray  # [T, K, 4, 4] float64, metres; K = 0 without moving objects
    object_kinds: tuple[str, ...]  # K of `moving_makers.MAKERS`
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
              moving_objects: int = 0, antialias: int = 2, threads: int | None = None) -> RoomClip:  # fmt: skip
    """Renders one clip of 17 frames; `move` (one of `room_paths.MOVES`) asks for a certain move.

    moving_objects: how many objects move by themselves, up to `moving_placement.MAX_MOVING_OBJECTS`; some, in rare
    rooms all, may be left out where they find no place (`object_kinds` says which there are).
    """
    scene = _scene(split, scene_seed)
    seeds = [SPLIT_CODES[split], scene_seed, 1 + clip_seed]
    placed = place_path(scene, np.random.default_rng(np.random.SeedSequence(seeds)), move)
    things = []
    if moving_objects != 0:
        rng = np.random.default_rng(np.random.SeedSequence([*seeds, MOVING_CODE]))
        things = place_objects(scene, placed, moving_objects, rng)
    if things:
        scene, objects = with_fixed_boxes(scene, things), as_arrays(things, FRAME_TIMES)
        frames, depth, object_ids = render_moving(
            scene, objects, placed.camera_to_world, placed.intrinsics, size, antialias, threads
        )
    else:
        objects = no_objects(len(placed.camera_to_world))
        frames, depth = render(scene, placed.camera_to_world, placed.intrinsics, size, antialias, threads)
        object_ids = np.zeros(depth.shape, np.uint8)
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
        object_ids=object_ids,
        object_to_world=objects.object_to_world,
        object_kinds=objects.kinds,
    )


def room_clips(split: str, count: int, start: int = 0, size: int = 64, clips_per_scene: int = 2, *,
               moving_objects: int = 0, threads: int | None = None) -> Iterator[RoomClip]:  # fmt: skip
    """Yields the clips numbered start .. start + count - 1 of a split's endless list.

    Clip i is clip i % clips_per_scene of scene i // clips_per_scene, so workers can take ranges and runs can resume.
    `moving_objects` in each, see `room_clip`.
    """
    if split not in SPLIT_CODES:
        raise ValueError(f"split must be one of {sorted(SPLIT_CODES)}, got {split!r}")
    if count < 0 or start < 0 or clips_per_scene < 1:
        raise ValueError(
            f"expected count >= 0, start >= 0 and clips_per_scene >= 1, got {count}, {start} and {clips_per_scene}"
        )
    for index in range(start, start + count):
        yield room_clip(
            split,
            index // clips_per_scene,
            index % clips_per_scene,
            size,
            moving_objects=moving_objects,
            threads=threads,
        )
