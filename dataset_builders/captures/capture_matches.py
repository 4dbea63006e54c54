"""Points that neighbouring views of a capture both show: do its poses fit its pictures, and where is the scene?

What always holds: SIFT by OpenCV, mutual nearest neighbours that pass Lowe's ratio test, so a few matches are wrong and
only medians and percentiles of them mean anything; positions in pixels of the pictures as loaded here, half-pixel centres.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ...camera_paths import rigid_motion
from .capture import Capture
from .capture_pictures import load_picture, size_of_view

SHORTER_SIDE = 512  # larger pictures are shrunk to it before matching
MOST_FEATURES = 1500
RATIO = 0.75
NEIGHBOURS = 3  # of each view
WIDEST_ANGLE = 45.0  # degrees between the optical axes of two neighbours
LEAST_BASELINE = (
    0.3  # of the median distance to the nearest view: pairs nearer than this have no epipolar lines to speak of
)
INLIER_PX, LEAST_PARALLAX_DEGREES = 2.0, 1.0  # of a match whose place in space is believed


class PairMatches(NamedTuple):
    """What two views both show."""

    first: int
    second: int
    points_first: np.ndarray  # [M, 2] x, y in pixels
    points_second: np.ndarray  # [M, 2]
    errors_px: np.ndarray  # [M] symmetric distance from point to epipolar line


def neighbouring_pairs(camera_to_world: np.ndarray, neighbours: int = NEIGHBOURS) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of each view and its nearest ones in place and viewing direction."""
    positions, forward = camera_to_world[:, :3, 3], camera_to_world[:, :3, 2]
    distances = np.linalg.norm(positions[:, None] - positions, axis=2)
    angles = np.degrees(np.arccos(np.clip(forward @ forward.T, -1, 1)))
    np.fill_diagonal(distances, np.inf)
    nearest = np.median(distances.min(axis=1))
    costs = distances / max(nearest, 1e-12) + angles / 15
    costs[(angles > WIDEST_ANGLE) | (distances < LEAST_BASELINE * nearest)] = np.inf
    pairs = set()
    for view, row in enumerate(costs):
        pairs |= {
            (min(view, int(other)), max(view, int(other)))
            for other in np.argsort(row)[:neighbours]
            if row[other] < np.inf
        }
    return sorted(pairs)


def match_neighbours(capture: Capture) -> list[PairMatches]:
    """Matches of all neighbouring pairs."""
    sift = cv2.SIFT.create(nfeatures=MOST_FEATURES)
    sizes = [size_of_view(capture, view, SHORTER_SIDE) for view in range(len(capture))]
    features = []
    for view, size in enumerate(sizes):
        grey = cv2.cvtColor(load_picture(capture, view, size).rgb, cv2.COLOR_RGB2GRAY)
        points, descriptors = sift.detectAndCompute(grey, None)
        features.append((np.array([point.pt for point in points]).reshape(-1, 2) + 0.5, descriptors))
    return [
        _match(capture, features, sizes, first, second) for first, second in neighbouring_pairs(capture.camera_to_world)
    ]


def _match(capture: Capture, features: list, sizes: list[tuple[int, int]], first: int, second: int) -> PairMatches:
    (points_first, descriptors_first), (points_second, descriptors_second) = features[first], features[second]
    chosen = np.array(_mutual(descriptors_first, descriptors_second), int).reshape(-1, 2)
    points_first, points_second = points_first[chosen[:, 0]], points_second[chosen[:, 1]]
    lenses = [_lens_px(capture, view, sizes[view]) for view in (first, second)]
    poses = [capture.camera_to_world[view] for view in (first, second)]
    errors = epipolar_errors(points_first, points_second, poses, lenses)
    return PairMatches(first, second, points_first, points_second, errors)


def _mutual(first: np.ndarray | None, second: np.ndarray | None) -> list[tuple[int, int]]:
    """Indices of descriptors that are each other's nearest, clearly nearer than the next one, both ways."""
    if first is None or second is None or min(len(first), len(second)) < 2:
        return []
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    ways = [
        {
            one.queryIdx: one.trainIdx
            for one, other in matcher.knnMatch(here, there, k=2)
            if one.distance < RATIO * other.distance
        }
        for here, there in ((first, second), (second, first))
    ]
    return [(here, there) for here, there in ways[0].items() if ways[1].get(there) == here]


def _lens_px(capture: Capture, view: int, size: tuple[int, int]) -> np.ndarray:
    fx, fy, cx, cy = capture.intrinsics[view] * (size[1], size[0], size[1], size[0])
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def epipolar_errors(points_first: np.ndarray, points_second: np.ndarray, poses: list, lenses: list) -> np.ndarray:
    """Mean over both pictures of the distance [M] in pixels between a point [M, 2] and the epipolar line of its match.

    poses are two camera-to-world [4, 4], lenses two 3x3 matrices in pixels.
    """
    relative = np.linalg.inv(poses[1]) @ poses[0]
    x, y, z = relative[:3, 3]
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ relative[:3, :3]
    fundamental = np.linalg.inv(lenses[1]).T @ essential @ np.linalg.inv(lenses[0])
    first, second = (np.column_stack([points, np.ones(len(points))]) for points in (points_first, points_second))
    lines_second, lines_first = first @ fundamental.T, second @ fundamental
    residual = np.abs(np.einsum("mi,mi->m", second, lines_second))
    norms = [np.maximum(np.hypot(lines[:, 0], lines[:, 1]), 1e-12) for lines in (lines_first, lines_second)]
    return residual * (1 / norms[0] + 1 / norms[1]) / 2


class SparsePoints(NamedTuple):
    """Points of the scene, and how deep they lie in the first view of their pair."""

    positions: np.ndarray  # [P, 3] in the capture's coordinates
    depths: np.ndarray  # [P] z in view `views`
    views: np.ndarray  # [P]


def triangulate(capture: Capture, pairs: list[PairMatches]) -> SparsePoints:
    """Where the rays of matches meet, of those that fit their epipolar lines and have enough parallax."""
    found = [_triangulated(capture, pair) for pair in pairs if len(pair.errors_px)]
    positions, depths, views = (np.concatenate(parts) for parts in zip(*found, strict=True)) if found else (
        np.zeros((0, 3)), np.zeros(0), np.zeros(0, int))  # fmt: skip
    return SparsePoints(positions, depths, views)


def _triangulated(capture: Capture, pair: PairMatches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The middle between two rays where they are nearest to each other."""
    rays, origins = [], []
    for view, points in ((pair.first, pair.points_first), (pair.second, pair.points_second)):
        lens = _lens_px(capture, view, size_of_view(capture, view, SHORTER_SIDE))
        in_camera = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(lens).T
        rays.append(in_camera @ capture.camera_to_world[view, :3, :3].T)
        origins.append(capture.camera_to_world[view, :3, 3])
    a, b, between = rays[0], rays[1], origins[1] - origins[0]
    aa, bb, ab = (np.einsum("mi,mi->m", *each) for each in ((a, a), (b, b), (a, b)))
    determinant = np.maximum(aa * bb - ab**2, 1e-12)
    along_a, along_b = (
        (bb * (a @ between) - ab * (b @ between)) / determinant,
        (ab * (a @ between) - aa * (b @ between)) / determinant,
    )
    parallax = np.degrees(np.arccos(np.clip(ab / np.sqrt(aa * bb), -1, 1)))
    good = (pair.errors_px < INLIER_PX) & (parallax > LEAST_PARALLAX_DEGREES) & (along_a > 0) & (along_b > 0)
    positions = (origins[0] + along_a[:, None] * a + origins[1] + along_b[:, None] * b) / 2
    in_first = (
        rigid_motion.invert(capture.camera_to_world[pair.first][None])[0]
        @ np.column_stack([positions, np.ones(len(a))]).T
    ).T
    return positions[good], in_first[good, 2], np.full(good.sum(), pair.first)
