"""The camera's motion and the things' own motion, told apart: how well each is there in a video of a clip with depth.

What always holds: the camera's part of the true flow is exact (`exact_flow`). A video that turns or travels otherwise than asked
has its camera error, counted where nothing moves by itself. What no camera at all explains is left of a video's flow once the
camera motion that fits its resting pixels best is taken out as well (a turn, a step and a zoom, least squares, by the true depth):
its own motion. So a still picture has a large camera error and no own motion. The fit is first-order and our choice, as is
`SURROUNDINGS`; flows are [T-1, S, S, 2] px from each frame to the next, at the pixels of the true clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ...metrics.motion_kept import motion_kept
from .eval_clips import EvalClip
from .flow_scores import interval, mean, ratio

SURROUNDINGS = 1 / 16
"""Of the picture's side: how far around a moving object its own motion is looked for, as a system may put it aside.

A wider margin gives no lower noise floor: what is left there comes from shadows that move over plain walls at rest."""


@dataclass(frozen=True)
class MotionTruth:
    """What is known of one clip."""

    clip: EvalClip
    camera: np.ndarray  # [T-1, S, S, 2] px, the flow were everything at rest
    moving: np.ndarray  # [T-1, S, S] bool, pixels of things that move by themselves
    around: np.ndarray  # [T-1, S, S] bool, these and where they would be had they stayed, and `SURROUNDINGS`
    at_rest: np.ndarray  # [T-1, S, S] bool, the others whose flow is defined
    own: np.ndarray  # [T-1, S, S, 2] px, own motion of the true video's estimated flow

    @classmethod
    def of(cls, clip: EvalClip, true_flow: np.ndarray) -> MotionTruth:
        """Of a clip with depth."""
        parts = clip.flow_parts()
        around = surroundings(clip, parts.moving)
        defined = (parts.in_front > 0) & np.isfinite(parts.camera).all(-1)
        camera = np.where(defined[..., None], parts.camera, 0)
        at_rest = defined & ~around
        own = own_motion(true_flow, camera, at_rest, clip)
        return cls(clip, camera, parts.moving, around & defined, at_rest, own)


def surroundings(clip: EvalClip, moving: np.ndarray) -> np.ndarray:
    """`[T-1, S, S]` bool: of frames 0..T-2 where things that move are, where they would be at rest, and a margin around."""
    found = (moving | stayed_in_place(clip, moving[0])).astype(np.uint8)
    side = 1 + 2 * max(1, round(SURROUNDINGS * found.shape[1]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.stack([cv2.dilate(mask, kernel) for mask in found]) > 0


def stayed_in_place(clip: EvalClip, moving: np.ndarray) -> np.ndarray:
    """`[T-1, S, S]` bool: of frames 0..T-2, where pixels `[S, S]` of frame 0 are had their points stayed where they were."""
    assert clip.depth is not None
    size, masks = clip.depth.shape[1], np.zeros((len(clip.depth) - 1, *clip.depth.shape[1:]), bool)
    rows, columns = np.nonzero(moving)
    x, y = unproject((columns + 0.5) / size, (rows + 0.5) / size, clip.path.intrinsics[0])
    z = clip.depth[0][rows, columns]
    points = np.stack([x * z, y * z, z, np.ones_like(z)], axis=-1) @ clip.camera_to_world[0].T  # [P, 4]
    for time in range(len(masks)):
        px, py, pz, _ = np.linalg.inv(clip.camera_to_world[time]) @ points.T
        fx, fy, cx, cy = clip.path.intrinsics[time]
        near = np.maximum(pz, 1e-6)
        places = np.floor(np.stack([fy * py / near + cy, fx * px / near + cx]) * size)
        seen = (pz > 0) & (places >= 0).all(0) & (places < size).all(0)
        masks[time][tuple(places[:, seen].astype(int))] = True
    return masks


def unproject(u: np.ndarray, v: np.ndarray, lens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised places in the picture -> x / z and y / z before the camera."""
    fx, fy, cx, cy = lens
    return (u - cx) / fx, (v - cy) / fy


def own_motion(flow: np.ndarray, camera: np.ndarray, at_rest: np.ndarray, clip: EvalClip) -> np.ndarray:
    """`[T-1, S, S, 2]` px: what of a flow neither the true camera nor another near it explains."""
    assert clip.depth is not None
    unexplained = (flow - camera).astype(np.float64)
    for time, mask in enumerate(at_rest):
        basis = camera_flows(clip.depth[time], clip.path.intrinsics[time])  # [S, S, 2, 7]
        fit = np.linalg.lstsq(basis[mask].reshape(-1, 7), unexplained[time][mask].reshape(-1), rcond=None)[0]
        unexplained[time] -= basis @ fit
    return unexplained.astype(np.float32)


def camera_flows(depth: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """`[S, S, 2, 7]` px: the flow of small turns about x, y, z, small steps along them, and a small zoom (first order)."""
    size = depth.shape[0]
    centres = (np.arange(size) + 0.5) / size
    x, y = np.broadcast_arrays(*unproject(centres, centres[:, None], lens))
    near, zero = (
        np.where(np.isfinite(depth) & (depth > 0), np.median(depth) / np.maximum(depth, 1e-6), 0),
        np.zeros_like(x),
    )
    across = np.stack([x * y, -(1 + x * x), y, -near, zero, x * near, x], axis=-1) * lens[0]
    down = np.stack([1 + y * y, -x * y, -x, zero, -near, y * near, y], axis=-1) * lens[1]
    return np.stack([across, down], axis=-2) * size


@dataclass(frozen=True)
class MotionScores:
    """Of N videos of one kind; [N] each. NaN where nothing moves, except for the first two."""

    camera_mse: np.ndarray  # px^2, against the camera's exact flow, where nothing moves by itself
    false_motion: np.ndarray  # px^2, mean square of own motion there
    kept: np.ndarray  # px^2 of the whole clip: own motion along the true own motion, within the things that move
    true_power: np.ndarray  # px^2 of the whole clip: what `kept` is of the true video
    agreement: np.ndarray  # cosine of both
    amount: np.ndarray  # px^2 of the whole clip: square of own motion in the surroundings
    true_amount: np.ndarray  # the same of the true video


def motion_scores(flows: list[np.ndarray], truths: list[MotionTruth]) -> MotionScores:
    """Of the flows of videos, in the order of their clips."""
    rows = [_of_clip(*each) for each in zip(flows, truths, strict=True)]
    return MotionScores(*(np.array(column) for column in zip(*rows, strict=True)))


def _of_clip(flow: np.ndarray, truth: MotionTruth) -> tuple[float, ...]:
    own = own_motion(flow, truth.camera, truth.at_rest, truth.clip)
    of_camera = mean(_squared(flow - truth.camera)[truth.at_rest]), mean(_squared(own)[truth.at_rest])
    kept = motion_kept(truth.camera + own, truth.camera + truth.own, truth.camera, truth.moving)
    if not np.isfinite(kept.ratio):
        return (*of_camera, *[float("nan")] * 5)
    pixels = truth.moving.size
    power = float(_squared(truth.own)[truth.moving].sum() / pixels)
    amounts = (float(_squared(each)[truth.around].sum() / pixels) for each in (own, truth.own))
    return (*of_camera, kept.ratio * power, power, kept.cosine, *amounts)


def _squared(flow: np.ndarray) -> np.ndarray:
    return np.square(flow, dtype=np.float64).sum(-1)


def motion_of_clip(scores: MotionScores, index: int) -> dict[str, float]:
    """One clip's `OF_ALL` and `OF_MOVING`; NaN where nothing moves by itself."""
    kept = scores.kept[index] / scores.true_power[index]
    amount = scores.amount[index] / scores.true_amount[index]
    simple = {name: getattr(scores, name)[index] for name in (*OF_ALL, "agreement")}
    return {name: float(value) for name, value in {**simple, "kept": kept, "amount": amount}.items()}


OF_ALL = ("camera_mse", "false_motion")
OF_MOVING = ("kept", "agreement", "amount")
"""Null where nothing moves in any clip."""


def summarise_motion(scores: dict[str, MotionScores], kinds: tuple[str, ...], seed: int) -> dict[str, Any]:
    """For `OF_ALL` and `OF_MOVING` a figure and an interval by kind: means over clips; of `kept` and `amount` quotients of sums."""
    moves = int(np.isfinite(scores["model"].agreement).sum())
    tables: dict[str, Any] = {"clips": moves, **dict.fromkeys(OF_MOVING)}
    for name in OF_ALL + (OF_MOVING if moves else ()):
        found = {kind: _figure(name, scores[kind], seed) if kind in scores else (None, None) for kind in kinds}
        tables[name] = {kind: value for kind, (value, _) in found.items()}
        tables[f"{name}_intervals"] = {kind: ends for kind, (_, ends) in found.items()}
    return tables


def _figure(name: str, scores: MotionScores, seed: int) -> tuple[float, list[float]]:
    values = getattr(scores, name)
    if name not in ("kept", "amount"):
        return mean(values), interval(values, seed)
    found = ratio(values, scores.true_power if name == "kept" else scores.true_amount, seed)
    return found["value"], found["interval"]
