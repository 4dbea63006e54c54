"""The motion that a camera path wants of a picture's points, against the motion that a clip shows.

Points of frame 0, on a grid, are carried along the path: each has a depth, so its place in every frame is known. At that place the
clip's optical flow is compared with the step to the point's next place. What always holds: pixels are those of frames whose
shorter side has `SIZE` pixels; a pair of frames counts for a point only where both places are in the picture; what frame 0 does
not show is not judged; a point behind another one is not told from it.

Where no depth is known, each point takes the depth that fits the clip best (`implied_motion`), among depths that scenes have.
Only the path decides then what fits: in which direction points may move, by which amount together, and not at all by their
own choice where the camera only turns or zooms. Our choice; `benchmarks/clip_scores.py` compares it with others.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.rigid_motion import invert
from ..metrics.clip_arrays import with_shorter_side
from ..metrics.flow_mse import ESTIMATION_SIZE, dis_flow, flow_cosine, motion_ratio

SIZE = ESTIMATION_SIZE  # pixels of the shorter side
GRID_STEP = 4  # pixels between points
LEAST_POWER = 0.04
"""px^2, added to the wanted motion's mean square: a motion of a fifth of a pixel a frame is what flow cannot see."""
NEAREST = 0.05  # scene depths in front of the camera; nearer points are not in the picture
DEPTH_RANGE = 4.0  # implied depths are 1/4 to 4 times the median depth
DEPTH_LEVELS = 13
DEPTH_PRIOR = 0.05  # cost of a depth e times the median, in parts of the wanted motion's mean square


class Motion(NamedTuple):
    """What points should do and what they do between two frames, in pixels; both 0 where a point is not in the picture."""

    wanted: np.ndarray  # [T-1, N, 2]
    shown: np.ndarray  # [T-1, N, 2]
    counts: np.ndarray  # [T-1, N] bool

    @property
    def agreement(self) -> float:
        """1 - mean |shown - wanted|^2 / (mean |wanted|^2 + LEAST_POWER): 1 exact, about 0 a clip that stands, else down to -inf.

        NaN where no point stays in the picture for two frames.
        """
        pairs = self.counts.sum()
        if not pairs:
            return float("nan")
        error = np.square(self.shown - self.wanted).sum()
        return float(1 - error / (np.square(self.wanted).sum() + LEAST_POWER * pairs))

    @property
    def cosine(self) -> float:
        """`metrics.flow_mse.flow_cosine`: whether the direction is right, -1..1; NaN for a path without motion."""
        return flow_cosine(self.shown, self.wanted)

    @property
    def ratio(self) -> float:
        """`metrics.flow_mse.motion_ratio`: how much of the motion is there; NaN for a path without motion."""
        return motion_ratio(self.shown, self.wanted)


def clip_flow(frames: np.ndarray) -> np.ndarray:
    """Frames [T, H, W, 3] uint8 -> flow [T-1, h, w, 2] float32 between frames whose shorter side has `SIZE` pixels."""
    return dis_flow(np.stack(with_shorter_side(frames, SIZE)))


def reference_motion(flow: np.ndarray, reference_flow: np.ndarray) -> Motion:
    """Two flows [T-1, h, w, 2] of `clip_flow`: the clip's, and that of a clip that follows the path."""
    frames = len(flow)
    wanted, shown = (each.reshape(frames, -1, 2).astype(np.float64) for each in (reference_flow, flow))
    return Motion(wanted, shown, np.ones(wanted.shape[:-1], bool))


def depth_motion(flow: np.ndarray, path: CameraPath, depth: np.ndarray) -> Motion:
    """For a known depth [H, W] of frame 0, in scene depths; `path` is relative to its first pose, in scene depths."""
    points = _grid(flow.shape[1:3])
    rows, columns = ((points[:, axis] * depth.shape[1 - axis]).astype(int) for axis in (1, 0))
    motion = _motion(flow, path, points, 1 / depth[rows, columns][None].astype(np.float64))
    return Motion(*(part[:, 0] for part in motion))


def implied_motion(
    flow: np.ndarray, path: CameraPath, *, levels: int = DEPTH_LEVELS, prior: float = DEPTH_PRIOR
) -> Motion:
    """For an unknown depth: each point at the depth at which the clip's flow fits the path best.

    A plane sweep: all points at each of `levels` depths, the squared errors of 3 x 3 neighbours together, and a `prior` for the
    median depth. Then all depths are multiplied by one number so that their median is 1, as scene depths ask: a clip that
    moves half as much as its path is not a clip of a scene twice as far.
    """
    points = _grid(flow.shape[1:3])
    inverse_depths = DEPTH_RANGE ** np.linspace(-1, 1, levels) if levels > 1 else np.ones(1)
    motion = _motion(flow, path, points, np.repeat(inverse_depths[:, None], len(points), axis=1))
    cost = _costs(motion, _grid_shape(flow.shape[1:3]))  # [K, N]
    middle = levels // 2
    power = np.square(motion.wanted[:, middle]).sum() / max(motion.counts[:, middle].sum(), 1) + LEAST_POWER
    best = (cost + prior * power * np.square(np.log(inverse_depths))[:, None]).argmin(axis=0)
    shift = round(float(np.median(best[motion.counts.any(axis=(0, 1))]))) - middle if motion.counts.any() else 0
    chosen = np.clip(best - shift, 0, levels - 1)
    return Motion(*(part[:, chosen, np.arange(len(points))] for part in motion))


def _costs(motion: Motion, grid_shape: tuple[int, int]) -> np.ndarray:
    """Mean squared error over time of points at each depth, over 3 x 3 neighbours: [K, N]; 0 where a point never counts."""
    errors = np.square(motion.shown - motion.wanted).sum(axis=(0, -1))
    means = errors / np.maximum(motion.counts.sum(axis=0), 1)
    blurred = [cv2.blur(level.reshape(grid_shape), (3, 3), borderType=cv2.BORDER_REPLICATE).ravel() for level in means]
    return np.stack(blurred)


def _grid_shape(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // GRID_STEP, size[1] // GRID_STEP


def _grid(size: tuple[int, int]) -> np.ndarray:
    """Points of a picture of this height and width, normalised: [N, 2], x and y."""
    rows, columns = _grid_shape(size)
    y, x = np.mgrid[:rows, :columns] + 0.5
    return np.stack([x.ravel() / columns, y.ravel() / rows], axis=1)


def _motion(flow: np.ndarray, path: CameraPath, points: np.ndarray, inverse_depths: np.ndarray) -> Motion:
    """Points [N, 2] at inverse depths [K, N]: a motion with axes [T-1, K, N]."""
    size = np.array([flow.shape[2], flow.shape[1]])
    places, in_front = _carry(path, points, inverse_depths)
    inside = in_front & ((places > 0) & (places < 1)).all(axis=-1)
    counts = inside[:-1] & inside[1:]
    shown = np.stack([_sample(one, place) for one, place in zip(flow, places[:-1] * size, strict=True)])
    return Motion(
        np.where(counts[..., None], np.diff(places, axis=0) * size, 0.0),
        np.where(counts[..., None], shown, 0.0),
        counts,
    )


def _carry(path: CameraPath, points: np.ndarray, inverse_depths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised places [T, K, N, 2] of points of frame 0 in all frames, and whether they are in front of the camera."""
    focal, centre = path.intrinsics[:, :2], path.intrinsics[:, 2:]
    rays = np.concatenate([(points - centre[0]) / focal[0], np.ones((len(points), 1))], axis=1)
    to_camera = invert(path.camera_to_world) @ path.camera_to_world[0]
    turned = np.einsum("tij,nj->tni", to_camera[:, :3, :3], rays)[:, None]
    seen = turned + to_camera[:, None, None, :3, 3] * inverse_depths[None, ..., None]  # times the inverse depth
    in_front = seen[..., 2] > NEAREST * inverse_depths
    places = seen[..., :2] / np.where(in_front, seen[..., 2], 1.0)[..., None]
    return places * focal[:, None, None] + centre[:, None, None], in_front


def _sample(flow: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Flow [h, w, 2] at places [K, N, 2] in pixels, between pixel centres: [K, N, 2] float32."""
    at = np.clip(places - 0.5, -1, max(flow.shape)).astype(np.float32)  # outside, what is read does not count
    return cv2.remap(flow, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
