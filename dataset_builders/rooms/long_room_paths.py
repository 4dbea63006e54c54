"""Long camera paths in rooms: curves, figures of eight, and moves that change, over any number of stretches of 17 frames.

What always holds: k stretches are 16 k + 1 poses, and each stretch by itself is a clip as `room_paths` makes them: it keeps the
picture at its first pose in sight, stays clear of all solids, and goes no farther than the paths of training do
(`MAX_TRANSLATION`, `MAX_ROTATION_DEGREES`, at the depth that its own first picture has). Moves have both directions equally
often. A figure of eight takes 4 stretches and goes through its middle, where it began and looking as it did then, after every
second one (`returns`). All numbers are our choice: the paper shows no long paths.

| move | what the camera does |
| --- | --- |
| arc | goes around a point ahead and keeps looking at it |
| curve | drives forward along a circle, looking where it goes |
| eight_ground | a figure of eight on the ground, looking at a point ahead |
| eight_picture | a figure of eight parallel to the picture, looking straight ahead |
| eight_pan | a figure of eight parallel to the picture, panning and tilting to where it is |
| weave | dollies in while it swings to one side and back, panning along |
"""

from __future__ import annotations

import math

import numpy as np

from ...camera_paths.rigid_motion import relative_to_first, rotation_angles
from ..clip_checks import keeps_the_first_view
from ..clip_length import NUM_FRAMES
from .room_paths import (
    CLEARANCE,
    MIN_FIRST_DEPTH,
    MIN_LATER_DEPTH,
    PlacedPath,
    probe_depth,
    rotations,
    sample_lens,
    sample_start,
)
from .room_scene import RoomScene

STEPS = NUM_FRAMES - 1
MAX_TRANSLATION, MAX_ROTATION_DEGREES = 0.6, 45.0
EIGHT_STRETCHES = 4  # of a whole figure of eight
FAMILIES = ("arc", "curve", "eight_ground", "eight_picture", "eight_pan", "weave")
LONG_MOVES = tuple(f"{family}_{side}" for family in FAMILIES for side in ("right", "left"))
TRIES = 4000


def returns(move: str, stretches: int) -> list[int]:
    """The frames at which the camera is again where it was at frame 0, looking as it did then."""
    half = EIGHT_STRETCHES // 2 * STEPS
    return list(range(half, stretches * STEPS + 1, half)) if move.startswith("eight") else []


def sample_long_path(rng: np.random.Generator, move: str, stretches: int) -> np.ndarray:
    """Draws a path of a move of `LONG_MOVES`: poses [16 k + 1, 4, 4] relative to the first one, in its scene depths."""
    if move not in LONG_MOVES or stretches < 1:
        raise ValueError(f"expected a move of {LONG_MOVES} over at least 1 stretch, got {move!r} over {stretches}")
    family, _, side = move.rpartition("_")
    time = np.arange(stretches * STEPS + 1) / STEPS  # in stretches
    shifts, tilt, pan = _FAMILIES[family](rng, time)
    poses = np.tile(np.eye(4), (len(time), 1, 1))
    poses[:, :3, :3] = rotations(tilt, pan, np.zeros_like(pan))
    poses[:, :3, 3] = shifts
    mirror = np.diag([1.0 if side == "right" else -1.0, 1.0, 1.0, 1.0])
    return mirror @ poses @ mirror


def _arc(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    radius, angle = rng.uniform(0.6, 1.2), np.radians(rng.uniform(8.0, 25.0)) * time
    return _columns(radius * np.sin(angle), 0 * time, radius * (1 - np.cos(angle))), 0 * time, -angle


def _curve(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    angle, step = np.radians(rng.uniform(8.0, 25.0)), rng.uniform(0.06, 0.25)  # a stretch
    radius = step / angle
    return (
        _columns(radius * (1 - np.cos(angle * time)), 0 * time, radius * np.sin(angle * time)),
        0 * time,
        angle * time,
    )


def _eight(width: float, height: float, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gerono's lemniscate, from its middle: along its length and across it."""
    phase = 2 * np.pi * time / EIGHT_STRETCHES
    return width * np.sin(phase), height * np.sin(2 * phase)


def _eight_ground(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ahead = rng.uniform(0.8, 1.4)
    across, forward = _eight(rng.uniform(0.12, 0.40), rng.uniform(0.06, 0.16), time)
    return _columns(across, 0 * time, forward), 0 * time, -np.arctan2(across, ahead - forward)


def _eight_picture(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    across, down = _eight(rng.uniform(0.12, 0.35), rng.uniform(0.06, 0.16), time)
    return _columns(across, down, 0 * time), 0 * time, 0 * time


def _eight_pan(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    width, height = rng.uniform(0.10, 0.30), rng.uniform(0.04, 0.12)
    across, down = _eight(width, height, time)
    widest, highest = np.radians(rng.uniform(5.0, 20.0)), np.radians(rng.uniform(2.0, 8.0))
    return _columns(across, down, 0 * time), -highest * down / height, widest * across / width


def _weave(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    swing = np.sin(np.pi * time / rng.uniform(1.0, 2.0))
    return (
        _columns(rng.uniform(0.05, 0.20) * swing, 0 * time, rng.uniform(0.04, 0.15) * time),
        0 * time,
        np.radians(rng.uniform(3.0, 18.0)) * swing,
    )


_FAMILIES = {
    "arc": _arc,
    "curve": _curve,
    "eight_ground": _eight_ground,
    "eight_picture": _eight_picture,
    "eight_pan": _eight_pan,
    "weave": _weave,
}


def _columns(right: np.ndarray, down: np.ndarray, forward: np.ndarray) -> np.ndarray:
    return np.stack([right, down, forward], axis=1)


def place_long_path(scene: RoomScene, rng: np.random.Generator, move: str, stretches: int) -> PlacedPath:
    """Places a path of a move in a room: start, lens and amounts are drawn again until every stretch is a clip by itself."""
    for _ in range(TRIES):
        start, lens = sample_start(scene, rng), sample_lens(rng)
        if not scene.clearance_is_free(start[None, :3, 3], CLEARANCE)[0]:
            continue
        first_depth = np.median(probe_depth(scene, start[None], lens[None]))
        if first_depth < MIN_FIRST_DEPTH:
            continue
        relative = sample_long_path(rng, move, stretches)
        relative[:, :3, 3] *= first_depth
        poses = start @ relative
        intrinsics = np.repeat(lens[None], len(poses), axis=0)
        if scene.clearance_is_free(poses[:, :3, 3], CLEARANCE).all() and _is_worth_it(scene, poses, intrinsics):
            return PlacedPath(poses, intrinsics, move)
    raise ValueError(
        f"expected room for the move {move!r} over {stretches} stretches in scene {scene.split}/{scene.scene_seed}, "
        f"found none in {TRIES} tries"
    )


def _is_worth_it(scene: RoomScene, poses: np.ndarray, intrinsics: np.ndarray) -> bool:
    depth = probe_depth(scene, poses, intrinsics)
    medians = np.median(depth, axis=(1, 2))
    if medians.min() < MIN_LATER_DEPTH:
        return False
    for first in range(0, len(poses) - 1, STEPS):
        part = slice(first, first + NUM_FRAMES)
        if medians[first] < MIN_FIRST_DEPTH or not _is_in_range(poses[part], float(medians[first])):
            return False
        if not keeps_the_first_view(depth[part], poses[part], intrinsics[part]):
            return False
    return True


def _is_in_range(poses: np.ndarray, median_depth: float) -> bool:
    """Whether a stretch goes no farther from its first pose than the paths of training."""
    relative = relative_to_first(poses)
    distance = float(np.linalg.norm(relative[:, :3, 3], axis=1).max()) / median_depth
    turn = float(rotation_angles(relative[:, :3, :3]).max())
    return distance <= MAX_TRANSLATION and turn <= MAX_ROTATION_DEGREES and math.isfinite(distance)
