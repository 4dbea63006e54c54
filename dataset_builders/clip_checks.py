"""Which clips are worth showing to a model that continues a picture: those that keep that picture in view.

A path through a doorway or past the edge of a shelf at arm's length ends in frames of which the first picture shows next to
nothing; what they look like is not a question about the camera. Paths are checked on small depth maps when they are placed
in a room, and variants of clips on their full ones. Both limits are our choice.
"""

from __future__ import annotations

import numpy as np

from .exact_flow import backward_flow

MIN_SHARED_VIEW = 0.45
"""Smallest share of any frame's pixels that frame 0 shows too."""
MIN_NEAR_DEPTH = 0.2
"""Smallest depth of the nearest twentieth of any frame's pixels, in scene depths (frame 0's median)."""
EMPTY_DEPTH = 250.0
"""Metres; what depth maps hold where a ray meets nothing, and where they are infinite elsewhere. It turns like the sky."""


def median_depth(depth: np.ndarray) -> float:
    """Of a depth map in metres or scene depths, leaving out emptiness; `EMPTY_DEPTH` where there is nothing else."""
    met = depth[depth < EMPTY_DEPTH]
    return float(np.median(met)) if met.size else EMPTY_DEPTH


def keeps_the_first_view(depth: np.ndarray, camera_to_world: np.ndarray, intrinsics: np.ndarray) -> bool:
    """depth `[T, H, W]` in metres, camera_to_world `[T, 4, 4]`, intrinsics `[T, 4]` -> whether both limits hold."""
    depth = np.asarray(depth, np.float32)
    nearest = np.quantile(depth, 0.05, axis=(1, 2)).min()
    if nearest < MIN_NEAR_DEPTH * median_depth(depth[0]):
        return False
    visibility = backward_flow(depth, camera_to_world, intrinsics)[1]
    return bool(visibility.mean(axis=(1, 2)).min() >= MIN_SHARED_VIEW)
