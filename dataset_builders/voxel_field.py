"""`VoxelField`: a fitted scene as a `RadianceField`, and the colour of a ray that the fit and the rendering share.

What always holds: a vertex's `CHANNELS` features are, for each of red, green and blue, spherical harmonics up to degree 1 of
the direction, (1, x, y, z) up to factors; they are composited along the ray first and the direction comes in once a ray,
which gives the same colour because it is the same along the ray (our choice, for speed). Colours are offsets from grey;
what the ray's opacity leaves is filled with the scene's `background`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..camera_paths.units import Unit
from .radiance_field import Rendering, SceneViews
from .voxel_grid import Rays, VoxelGrid

GREY = 0.5
RAYS_AT_ONCE = 1 << 15


class PixelRays(NamedTuple):
    """P pixels of a set of cameras, by number, as what of the picture they show."""

    views: np.ndarray  # [P] int
    places: np.ndarray  # [P, 2] float32 x, y normalised by width and height


def pixel_places(height: int, width: int) -> np.ndarray:
    """The centres of all pixels [H * W, 2], row by row."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)


def rays_through(pixels: PixelRays, camera_to_world: np.ndarray, intrinsics: np.ndarray, near: float) -> Rays:
    """Rays from cameras [N, 4, 4] with lenses [N, 4]; their parameter is z-depth and begins at `near`."""
    poses, lenses = camera_to_world.astype(np.float32), intrinsics.astype(np.float32)[pixels.views]
    in_camera = (pixels.places - lenses[:, 2:]) / lenses[:, :2]
    axes = poses[:, :3, :3][pixels.views]
    directions = axes[:, :, 0] * in_camera[:, :1] + axes[:, :, 1] * in_camera[:, 1:] + axes[:, :, 2]
    return Rays(poses[:, :3, 3][pixels.views], directions, np.full(len(directions), near, np.float32))


def ray_colours(
    features: np.ndarray, opacity: np.ndarray, directions: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Composited features [R, C] and opacity [R] of rays with directions [R, 3] -> colours [R, 3], not clipped to 0..1.

    background is [3] or [R, 3].
    """
    colours = np.einsum("rcb,rb->rc", features.reshape(-1, 3, 4), _harmonics(directions))
    return colours + GREY * opacity[:, None] + (1 - opacity[:, None]) * background


def ray_colours_back(
    slopes: np.ndarray, directions: np.ndarray, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of a loss with respect to colours [R, 3] -> that with respect to features [R, C] and opacity [R]."""
    d_features = slopes[:, :, None] * _harmonics(directions)[:, None]
    return d_features.reshape(len(slopes), -1), (slopes * (GREY - background)).sum(axis=1)


def _harmonics(directions: np.ndarray) -> np.ndarray:
    """1, x, y, z of unit directions, [R, 4]."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.concatenate([np.ones_like(unit[:, :1]), unit], axis=1)


@dataclass
class VoxelField:
    """A `RadianceField`; `scene_files` saves and loads it."""

    name: str
    unit: Unit
    licence: str
    views: SceneViews  # those that it was fitted to
    grid: VoxelGrid
    near: float  # z-depth at which rays begin, in `unit`
    background: np.ndarray = field(default_factory=lambda: np.full(3, GREY, np.float32))  # [3] behind everything

    def render(self, camera_to_world: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> Rendering:
        """Poses [T, 4, 4] and lenses [T, 4] -> pictures of `size` (height, width) pixels, one ray through each centre.

        Depth is where a ray's opacity passes 1/2, infinite where it does not.
        """
        poses, lenses = np.asarray(camera_to_world), np.asarray(intrinsics)
        if poses.ndim != 3 or poses.shape[1:] != (4, 4) or lenses.shape != (len(poses), 4) or min(size) < 1:
            raise ValueError(
                f"expected camera_to_world [T, 4, 4], intrinsics [T, 4] and a size, got {poses.shape}, {lenses.shape}, {size}"
            )
        places = np.tile(pixel_places(*size), (len(poses), 1))
        views = np.repeat(np.arange(len(poses)), size[0] * size[1])
        rgb, depth = np.empty((len(views), 3), np.float32), np.empty(len(views), np.float32)
        for start in range(0, len(views), RAYS_AT_ONCE):
            chunk = slice(start, start + RAYS_AT_ONCE)
            rays = rays_through(PixelRays(views[chunk], places[chunk]), poses, lenses, self.near)
            rgb[chunk], depth[chunk] = self._look(rays)
        return Rendering(rgb.reshape(len(poses), *size, 3), depth.reshape(len(poses), *size))

    def _look(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        marched = self.grid.march(rays)
        colours = ray_colours(marched.features, marched.opacity, rays.directions, self.background)
        return colours.clip(0, 1), marched.depth
