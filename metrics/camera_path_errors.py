"""How far one camera path is from another: degrees of rotation, percent of the path's length, percent of the lens.

Paths are `[N, T, 4, 4]` camera-to-world, relative to their first pose; that pose never counts. A position error is the
distance of two camera centres divided by the length of the true path, the sum of its steps (our choice; a path can be
long and end where it began). A path shorter than `LEAST_LENGTH` has no such error and is left out of it, and counted.
"""

from __future__ import annotations

import math

import numpy as np

LEAST_LENGTH = 0.02
"""Scene depths: a path shorter than this hardly moves (our choice)."""


def rotation_errors(truth: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Angle in degrees between the rotations of poses 1.. of two paths `[N, T, 4, 4]`: `[N, T-1]`."""
    difference = truth[:, 1:, :3, :3].astype(np.float64) - other[:, 1:, :3, :3]
    chord = np.sqrt(np.square(difference).sum((-2, -1)) / 8)  # sine of half the angle; precise where it is small
    return np.degrees(2 * np.arcsin(np.minimum(chord, 1)))


def path_lengths(camera_to_world: np.ndarray) -> np.ndarray:
    """Sum of the steps of paths `[N, T, 4, 4]`: `[N]`."""
    return np.linalg.norm(np.diff(camera_to_world[..., :3, 3].astype(np.float64), axis=1), axis=-1).sum(1)


def position_errors(truth: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance of the centres of poses 1.. in percent of the true path's length, of the paths that move: `[M, T-1]`."""
    lengths = path_lengths(truth)
    distance = np.linalg.norm(truth[:, 1:, :3, 3].astype(np.float64) - other[:, 1:, :3, 3], axis=-1)
    moves = lengths >= LEAST_LENGTH
    return 100 * distance[moves] / lengths[moves, None]


def summarise_path_errors(
    truth: np.ndarray, other: np.ndarray, intrinsics: np.ndarray, other_intrinsics: np.ndarray
) -> dict[str, float]:
    """Means and 95th percentiles over all poses 1.. of all paths; the position's over the paths that move.

    Intrinsics are `[N, T, 4]`; the focal lengths' error is the mean of |log ratio| in percent. Without a path that moves the
    position's figures are NaN.
    """
    rotation, position = rotation_errors(truth, other), position_errors(truth, other)
    focal = np.abs(np.log(other_intrinsics[..., :2] / intrinsics[..., :2]))
    return {
        "rotation_deg_mean": float(rotation.mean()),
        "rotation_deg_p95": float(np.percentile(rotation, 95)),
        "translation_pct_mean": float(position.mean()) if len(position) else math.nan,
        "translation_pct_p95": float(np.percentile(position, 95)) if len(position) else math.nan,
        "focal_pct_mean": float(100 * focal.mean()),
    }
