"""What the captures of a scene have seen: the space in which a field is more than a guess.

What always holds: a point is seen if it lies in the picture of at least one captured view and not behind what that view
shows, by the field's own depth there. The rules and numbers are our choice; the paper does not say how paths are kept
inside the scenes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from .radiance_field import RadianceField

VIEW_SIZE = 32  # pixels a side of the depth maps of the captured views
BEHIND = 0.1  # a point may lie so much of its depth behind the surface and still be seen
_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _seen(points, world_to_camera, intrinsics, depth, seen):
    views, height, width = depth.shape
    for p in range(len(points)):
        for v in range(views):
            x = world_to_camera[v, 0, 3]
            y = world_to_camera[v, 1, 3]
            z = world_to_camera[v, 2, 3]
            for k in range(3):
                x += world_to_camera[v, 0, k] * points[p, k]
                y += world_to_camera[v, 1, k] * points[p, k]
                z += world_to_camera[v, 2, k] * points[p, k]
            if z <= 0:
                continue
            column = int(np.floor((x / z * intrinsics[v, 0] + intrinsics[v, 2]) * width))
            row = int(np.floor((y / z * intrinsics[v, 1] + intrinsics[v, 3]) * height))
            if 0 <= column < width and 0 <= row < height and z * (1 - BEHIND) <= depth[v, row, column]:
                seen[p] = True
                break


@dataclass(frozen=True)
class SeenSpace:
    """The captured views of a scene with small depth maps of theirs."""

    world_to_camera: np.ndarray  # [N, 4, 4]
    intrinsics: np.ndarray  # [N, 4]
    depth: np.ndarray  # [N, VIEW_SIZE, VIEW_SIZE]

    @classmethod
    def of(cls, scene: RadianceField) -> SeenSpace:
        """Renders the depth of every captured view, small."""
        views = scene.views
        depth = scene.render(views.camera_to_world, views.intrinsics, (VIEW_SIZE, VIEW_SIZE)).depth
        return cls(np.linalg.inv(views.camera_to_world), np.ascontiguousarray(views.intrinsics, np.float64), depth)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each point [P, 3] is seen, [P] bool."""
        seen = np.zeros(len(points), np.bool_)
        _seen(np.ascontiguousarray(points, np.float64), self.world_to_camera, self.intrinsics, self.depth, seen)
        return seen


def surface_points(depth: np.ndarray, camera_to_world: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Where the pixels' rays end: depth [T, H, W], poses [T, 4, 4], lenses [T, 4] -> [T, H, W, 3]; infinite for infinite depth."""
    _, height, width = depth.shape
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    fx, fy, cx, cy = intrinsics.T[:, :, None, None]
    rays = np.stack(np.broadcast_arrays((x - cx) / fx, (y[:, None] - cy) / fy, np.ones_like(depth)), axis=-1)
    in_camera = rays * depth[..., None].astype(np.float64)
    with np.errstate(invalid="ignore"):
        return (
            np.einsum("tij,thwj->thwi", camera_to_world[:, :3, :3], in_camera) + camera_to_world[:, None, None, :3, 3]
        )
