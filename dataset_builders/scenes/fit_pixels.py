"""What a field is fitted to: the pixels of a capture's views, and where in space the scene lies.

What always holds: only pixels that the lens saw (`Picture.is_known`); pictures may differ in size, because pixels of all of
them lie in one list. Nothing is read but the views of the capture that is given: hold views out by leaving them out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..captures.capture import Capture
from ..captures.capture_matches import match_neighbours, triangulate
from ..captures.capture_pictures import load_depth, load_picture, size_of_view
from .voxel_field import PixelRays, pixel_places, rays_through

BOX_PERCENTILES = (2.0, 98.0)  # of the points on each axis: what lies beyond is kept at lower resolution
BOX_MARGIN = 1.1
NEAR_PERCENTILE, NEAR_SHARE = 1.0, 0.4  # rays begin at this share of this percentile of depth
LEAST_POINTS = 50
SAMPLED_POINTS = 200_000  # of depth maps


@dataclass(frozen=True)
class FitPixels:
    """P pixels of V views."""

    rays: PixelRays  # [P] by number of the view
    rgb: np.ndarray  # [P, 3] uint8
    alpha: np.ndarray | None  # [P] float32; None where no picture has one
    depth: np.ndarray  # [P] float32 z-depth; 0 where it is unknown


class SceneBounds(NamedTuple):
    """Where the scene lies."""

    centre: np.ndarray  # [3] of the inner cube
    radius: float  # its half side
    near: float  # z-depth that nothing is nearer than
    pixel: float  # width of a pixel at the median depth, in the same unit


def load_fit_pixels(capture: Capture, shorter_side: int) -> FitPixels:
    """All known pixels, in the order of the views, with pictures shrunk to `shorter_side`."""
    columns: list[tuple] = []
    has_alpha = False
    for view in range(len(capture)):
        size = size_of_view(capture, view, shorter_side)
        picture = load_picture(capture, view, size)
        known = picture.is_known.ravel()
        has_alpha = has_alpha or picture.alpha is not None
        alpha = np.ones(size, np.float32) if picture.alpha is None else picture.alpha
        depth = np.zeros(size, np.float32) if capture.depth_files[view] is None else load_depth(capture, view, size)
        layers = (pixel_places(*size), picture.rgb.reshape(-1, 3), alpha.ravel().astype(np.float32), depth.ravel())
        columns.append((np.full(int(known.sum()), view, np.int32), *(layer[known] for layer in layers)))
    views, places, rgb, alpha, depth = (np.concatenate(column) for column in zip(*columns, strict=True))
    return FitPixels(PixelRays(views, places), rgb, alpha if has_alpha else None, depth)


def scene_bounds(capture: Capture, pixels: FitPixels, shorter_side: int) -> SceneBounds:
    """From depth maps, or else from points that neighbouring views both show.

    `ValueError` where there are too few of either: then the poses do not fit the pictures, or there is nothing to see.
    """
    points, depths = _known_points(capture, pixels)
    if len(points) < LEAST_POINTS:
        raise ValueError(
            f"{capture.folder}: expected at least {LEAST_POINTS} points that neighbouring views both show, got {len(points)}: "
            "do the poses fit the pictures (camvig data check)?"
        )
    low, high = np.percentile(points, BOX_PERCENTILES, axis=0)
    width = shorter_side * max(1.0, capture.sizes[0, 0] / capture.sizes[0, 1])  # in pixels of the fit
    return SceneBounds(
        centre=(low + high) / 2,
        radius=float((high - low).max()) / 2 * BOX_MARGIN,
        near=float(np.percentile(depths, NEAR_PERCENTILE)) * NEAR_SHARE,
        pixel=float(np.median(depths) / np.median(capture.intrinsics[:, 0]) / width),
    )


def _known_points(capture: Capture, pixels: FitPixels) -> tuple[np.ndarray, np.ndarray]:
    """Places [P, 3] of surfaces, and their z-depth [P] in a view that shows them."""
    if not capture.has_depth:
        found = triangulate(capture, match_neighbours(capture))
        return found.positions, found.depths
    (known,) = np.nonzero(pixels.depth)
    known = np.random.default_rng(0).permutation(known)[:SAMPLED_POINTS]
    chosen = PixelRays(pixels.rays.views[known], pixels.rays.places[known])
    rays = rays_through(chosen, capture.camera_to_world, capture.intrinsics, near=0.0)
    return rays.origins + rays.directions * pixels.depth[known, None], pixels.depth[known]
