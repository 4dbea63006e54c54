"""A procedural room as a `RadianceField`: the one scene whose pictures and depths are exact, to hold everything else against.

What always holds: metres, in the room's axes; views stand at eye height, chosen by the room's own seed. Pictures are square.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...camera_paths.units import Unit
from ..rooms.room_paths import CLEARANCE, sample_lens, sample_start
from ..rooms.room_renderer import render
from ..rooms.room_scenes import RoomScene, sample_scene
from ..rooms.room_textures import SPLIT_CODES
from .radiance_field import Rendering, SceneViews

NUM_VIEWS = 48  # enough to see most of a room; our choice
ANTIALIAS = 2
INSIDE_DEPTH = 0.001  # metres


@dataclass(frozen=True)
class RoomField:
    """The room of (split, scene_seed), the same that `room_clips` films; `ValueError` for an unknown split."""

    split: str
    scene_seed: int
    threads: int | None = None  # None: all cores

    unit: Unit = "metre"
    licence: str = "CC0-1.0"
    credit: str = ""

    def __post_init__(self):
        if self.split not in SPLIT_CODES:
            raise ValueError(f"expected split to be one of {', '.join(SPLIT_CODES)}, got {self.split!r}")

    @property
    def name(self) -> str:
        return f"{self.split}-{self.scene_seed:06d}"

    @cached_property
    def scene(self) -> RoomScene:
        return sample_scene(self.split, self.scene_seed)

    @property
    def views(self) -> SceneViews:
        return self._views

    @cached_property
    def _views(self) -> SceneViews:
        rng = np.random.default_rng(np.random.SeedSequence([SPLIT_CODES[self.split], self.scene_seed, 0x51E5]))
        poses, lenses = [], []
        while len(poses) < NUM_VIEWS:
            pose, lens = sample_start(self.scene, rng), sample_lens(rng)
            if self.scene.clearance_is_free(pose[None, :3, 3], CLEARANCE)[0]:
                poses.append(pose)
                lenses.append(lens)
        return SceneViews(np.stack(poses), np.stack(lenses))

    def render(self, camera_to_world: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> Rendering:
        """Poses [T, 4, 4] and lenses [T, 4] -> pictures of `size` (height, width) pixels, which must be equal.

        A camera inside a solid or outside the room sees black, at `INSIDE_DEPTH`.
        """
        height, width = size
        if height != width:
            raise ValueError(f"expected a square picture of a procedural room, got {height}x{width}")
        rgb = np.zeros((len(camera_to_world), *size, 3), np.float32)
        depth = np.full((len(camera_to_world), *size), INSIDE_DEPTH, np.float32)
        free = self.scene.clearance_is_free(camera_to_world[:, :3, 3], INSIDE_DEPTH)
        if free.any():
            colours, depth[free] = render(
                self.scene, camera_to_world[free], intrinsics[free], height, ANTIALIAS, self.threads
            )
            rgb[free] = colours.astype(np.float32) / 255
        return Rendering(rgb, depth)
