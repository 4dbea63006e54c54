"""Arithmetic on intrinsics: (fx, fy, cx, cy) `[T, 4]`, fx and cx in picture widths, fy and cy in picture heights."""

from __future__ import annotations

import numpy as np

DEFAULT_FIELD_OF_VIEW_DEGREES = 65.0  # along the picture's longer side, when nothing is known: our choice
DEFAULT_FOCAL_LENGTH = float(0.5 / np.tan(np.radians(DEFAULT_FIELD_OF_VIEW_DEGREES / 2)))  # in longer sides
DEFAULT_INTRINSICS = (DEFAULT_FOCAL_LENGTH, DEFAULT_FOCAL_LENGTH, 0.5, 0.5)  # of a square picture
LONGEST_FOCAL_LENGTH = 100.0  # a field of view of 0.6 degrees; beyond it somebody passed pixels
FARTHEST_CENTRE = 2.0  # in picture sizes, from the picture's corner; beyond it too


def check_intrinsics(intrinsics: np.ndarray) -> None:
    """Raise `ValueError` naming the first frame whose focal lengths are not positive, or which is clearly in pixels."""
    focal_lengths, centres = intrinsics[:, :2], intrinsics[:, 2:]
    in_sizes = "in picture widths and heights, not in pixels"
    for problem, expected, found in (
        (focal_lengths <= 0, "positive focal lengths", "fx = {:g} and fy = {:g}"),
        (focal_lengths > LONGEST_FOCAL_LENGTH, f"focal lengths {in_sizes}", "fx = {:g} and fy = {:g}"),
        (np.abs(centres) > FARTHEST_CENTRE, f"a principal point {in_sizes}", "cx = {2:g} and cy = {3:g}"),
    ):
        if problem.any():
            frame = int(np.argmax(problem.any(axis=1)))
            raise ValueError(f"frame {frame}: expected {expected}, got {found.format(*intrinsics[frame])}")


def are_pixels(intrinsics: np.ndarray) -> bool:  # [..., 4]
    """Whether intrinsics are clearly in pixels."""
    too_far = np.abs(intrinsics[..., 2:]) > FARTHEST_CENTRE
    return bool((intrinsics[..., :2] > LONGEST_FOCAL_LENGTH).any() or too_far.any())


def from_pixels(intrinsics: np.ndarray, width: float, height: float) -> np.ndarray:
    """Normalise (fx, fy, cx, cy) [..., 4] or matrices K [..., 3, 3] that are in pixels: [..., 4]."""
    if intrinsics.shape[-2:] == (3, 3):
        if np.any(intrinsics[..., 0, 1]):
            raise ValueError("expected intrinsic matrices without skew (row 0, column 1), got one with skew")
        intrinsics = intrinsics[..., [0, 1, 0, 1], [0, 1, 2, 2]]
    if intrinsics.shape[-1:] != (4,):
        raise ValueError(f"expected intrinsics of shape [T, 4] or [T, 3, 3], got {list(intrinsics.shape)}")
    return intrinsics / np.array([width, height, width, height])


def to_pixel_matrices(intrinsics: np.ndarray, width: float, height: float) -> np.ndarray:
    """Matrices K [T, 3, 3] in pixels, from normalised intrinsics [T, 4]."""
    matrices = np.tile(np.eye(3), (len(intrinsics), 1, 1))
    matrices[:, [0, 1, 0, 1], [0, 1, 2, 2]] = intrinsics * (width, height, width, height)
    return matrices


def add_changes(intrinsics: np.ndarray, changing: np.ndarray) -> np.ndarray:
    """Add to intrinsics [4] or [T, 4] what `changing` [T, 4] does since its first frame.

    Focal lengths are multiplied by the same factors, the principal point is moved by the same steps.
    """
    changed = intrinsics + changing - changing[0]
    changed[:, :2] = intrinsics[..., :2] * changing[:, :2] / changing[0, :2]
    return changed


def straighten(intrinsics: np.ndarray) -> np.ndarray:
    """Intrinsics [T, 4] as numbers that change along straight lines: log fx, log fy, cx, cy."""
    return np.concatenate([np.log(intrinsics[:, :2]), intrinsics[:, 2:]], axis=1)


def unstraighten(straight: np.ndarray) -> np.ndarray:
    """The inverse of `straighten`, [T, 4]."""
    return np.concatenate([np.exp(straight[:, :2]), straight[:, 2:]], axis=1)


def interpolate(intrinsics: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Intrinsics at fractional frame numbers `times` [N]; the centre and the focal length's logarithm are linear."""
    frames = np.arange(len(intrinsics))
    columns = straighten(intrinsics).T
    return unstraighten(np.stack([np.interp(times, frames, column) for column in columns], axis=1))
