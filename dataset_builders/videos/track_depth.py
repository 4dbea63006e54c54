"""How deep a clip with known poses is, in the unit of its poses: points are followed through it and triangulated.

What always holds: depths are z in the first camera; nothing is guessed: where the points do not tell, the reason comes back
instead of a depth. Points are OpenCV's corners followed by pyramidal Lucas-Kanade, forwards and back; each is
triangulated along its ray in the first frame, by linear least squares over all later frames that show it. A point that hardly
moves against infinity counts as farther than all others.

The median is over the cells of a grid (of the median of each cell's points), because points crowd where there is texture; what has
none (a wall, the sky) is not seen. All thresholds are our choice.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

LONGER_SIDE = 480  # pixels, of the pictures that points are followed in; never enlarged
MOST_POINTS = 600
GRID = 8  # cells a side
MIN_POINTS, MIN_CELLS = 24, 8
MIN_FRAMES = 6  # that a point is followed through, the first included
MAX_RETURN_ERROR = 0.7  # pixels, when followed forwards and back
MAX_REPROJECTION_ERROR = 1.5  # pixels, median over the frames of a point
MIN_FITTING_SHARE = 0.5  # of the points
MIN_PARALLAX = 3.0  # pixels against infinity, in the frame where it is largest

TOO_FEW_POINTS = "too few points to follow"
POSES_DO_NOT_FIT = "the poses do not fit the pictures"
NO_PARALLAX = "too little parallax to tell the depth"


class TrackDepth(NamedTuple):
    """The median depth of the first frame, or why there is none."""

    median_depth: float | None  # in the unit of the poses
    num_points: int  # that fit the poses
    problem: str | None = None


def track_depth(frames: list[np.ndarray], camera_to_world: np.ndarray, intrinsics: np.ndarray) -> TrackDepth:
    """frames: T pictures [H, W, 3] uint8; camera_to_world [T, 4, 4]; intrinsics [T, 4] normalised."""
    grey = [_reduced(frame) for frame in frames]
    size = np.array(grey[0].shape[::-1], np.float64)
    pixels, followed = _follow(grey)
    enough = followed.sum(axis=0) >= MIN_FRAMES
    pixels, followed = pixels[:, enough], followed[:, enough]
    if pixels.shape[1] < MIN_POINTS:
        return TrackDepth(None, 0, TOO_FEW_POINTS)
    depth, error, parallax = _triangulate(pixels / size, followed, camera_to_world, intrinsics, size)
    fits = error <= MAX_REPROJECTION_ERROR
    if fits.mean() < MIN_FITTING_SHARE or fits.sum() < MIN_POINTS:
        return TrackDepth(None, int(fits.sum()), POSES_DO_NOT_FIT)
    depth = np.where(parallax >= MIN_PARALLAX, depth, np.inf)[fits]
    cells = (pixels[0, fits] / size * GRID).astype(int) @ (1, GRID)
    of_cells = [np.median(depth[cells == cell]) for cell in np.unique(cells)]
    if len(of_cells) < MIN_CELLS:
        return TrackDepth(None, len(depth), TOO_FEW_POINTS)
    median = float(np.median(of_cells))
    return TrackDepth(median, len(depth)) if np.isfinite(median) else TrackDepth(None, len(depth), NO_PARALLAX)


def _reduced(frame: np.ndarray) -> np.ndarray:
    """Grey, with a longer side of at most `LONGER_SIDE`."""
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    factor = LONGER_SIDE / max(grey.shape)
    return grey if factor >= 1 else cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _follow(grey: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Positions [T, N, 2] in pixels, half-pixel centres, of the corners of the first frame, and where they are [T, N] known."""
    shorter = min(grey[0].shape)
    corners = cv2.goodFeaturesToTrack(grey[0], MOST_POINTS, 0.005, max(3.0, shorter / 40))
    points = np.empty((0, 1, 2), np.float32) if corners is None else corners
    pixels, followed = [points[:, 0]], [np.ones(len(points), bool)]
    for earlier, later in pairwise(grey):
        if not len(points):
            break
        moved, found, _ = cv2.calcOpticalFlowPyrLK(earlier, later, points, None)  # type: ignore[call-overload]
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(later, earlier, moved, None)  # type: ignore[call-overload]
        returned = np.linalg.norm(back - points, axis=-1)[:, 0] <= MAX_RETURN_ERROR
        followed.append(followed[-1] & (found[:, 0] == 1) & (found_back[:, 0] == 1) & returned)
        pixels.append(moved[:, 0])
        points = moved
    return np.stack(pixels).astype(np.float64) + 0.5, np.stack(followed)


def _triangulate(
    positions: np.ndarray, followed: np.ndarray, camera_to_world: np.ndarray, intrinsics: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, error in pixels and parallax in pixels of N points, each [N]; a depth at or behind the camera is infinite.

    positions [T, N, 2] normalised by the picture's size, followed [T, N].
    """
    to_camera = np.linalg.inv(camera_to_world) @ camera_to_world[0]  # [T, 4, 4] from the first camera's axes
    rays = np.concatenate(
        [(positions - intrinsics[:, None, 2:]) / intrinsics[:, None, :2], np.ones((*followed.shape, 1))], 2
    )
    directions = np.einsum("tij,nj->tni", to_camera[:, :3, :3], rays[0])  # of each point's first ray, in every camera
    shifts = np.broadcast_to(to_camera[:, None, :3, 3], directions.shape)
    slope, offset = np.cross(rays, directions), np.cross(rays, shifts)  # depth * slope + offset = 0
    weights = followed[..., None].astype(np.float64)
    inverse_slope = 1 / np.maximum((weights * slope**2).sum(axis=(0, 2)), 1e-12)
    depth = -(weights * slope * offset).sum(axis=(0, 2)) * inverse_slope
    depth = np.where(depth > 0, depth, np.inf)

    scaled = directions + shifts / depth[:, None]  # the points over their depth: as exact at infinity
    seen, at_infinity = (_project(points, intrinsics) * size for points in (scaled, directions))
    unknown = np.where(followed, 0, np.nan)
    error = np.nanmedian(np.linalg.norm(seen - positions * size, axis=-1) + unknown, axis=0)
    parallax = np.nanmax(np.linalg.norm(seen - at_infinity, axis=-1) + unknown, axis=0)
    return depth, error, parallax


def _project(points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Points [T, N, 3] in each camera's axes -> positions [T, N, 2] normalised by the picture's size."""
    return points[..., :2] / np.maximum(points[..., 2:], 1e-6) * intrinsics[:, None, :2] + intrinsics[:, None, 2:]
