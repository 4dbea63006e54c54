"""Cuts the pictures of a clip so that the principal point is their middle, where CamViG's camera paths need it.

What always holds: the middle of each window is its own picture's principal point, wherever that lies from picture to picture; all
windows are equally large shares of their pictures, the largest that fit into all of them, so that a focal length that was constant
stays so. A window may begin between two pixels: then its pixels are interpolated (linearly), so intrinsics are not rounded. Of
pictures whose principal point is the middle already, nothing changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from .video_reader import TimedFrame

LEAST_SHARE = 0.5  # of the width and of the height that must be left: our choice
SLACK = 0.1  # pixels: a principal point this little off costs no row of pixels, its window repeats a sliver of the edge
OFF_CENTRE = "cut to less than half of a side, so far off the middle is their principal point"


class CentredPictures(NamedTuple):
    """Pictures whose principal point is their middle."""

    frames: list[TimedFrame]
    intrinsics: np.ndarray  # [T, 4] normalised by the width and height that are left
    pixels_cut: tuple[int, int]  # columns and rows, of the picture that lost most


def centre_principal_point(frames: list[TimedFrame], intrinsics: np.ndarray) -> CentredPictures | None:
    """T pictures and their intrinsics [T, 4]; None where less than `LEAST_SHARE` of a side would be left."""
    points = intrinsics[:, 2:]
    share = 2 * np.minimum(points, 1 - points).min(axis=0)  # of the width and of the height
    if share.min() < LEAST_SHARE:
        return None
    sides = np.array([frame.rgb.shape[1::-1] for frame in frames])  # [T, 2] width and height
    windows = np.floor(share * sides + SLACK).astype(int)
    cropped = [_cropped(*each) for each in zip(frames, points * sides, windows, strict=True)]
    columns, rows = (sides - windows).max(axis=0).tolist()
    lenses = np.column_stack([intrinsics[:, :2] * sides / windows, np.full_like(points, 0.5)])
    return CentredPictures(cropped, lenses, (columns, rows))


def _cropped(frame: TimedFrame, point: np.ndarray, window: np.ndarray) -> TimedFrame:
    """A window (width, height) around a point (x, y), counted in pixels from the picture's corner."""
    height, width = frame.rgb.shape[:2]
    rgb = cv2.getRectSubPix(np.ascontiguousarray(frame.rgb), window.tolist(), (point - 0.5).tolist())
    aspect = frame.aspect * float(window[0] / width) / float(window[1] / height)
    return replace(frame, rgb=rgb, aspect=aspect)
