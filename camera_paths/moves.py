"""Elementary camera moves in the film-maker's words, and how they combine: in sequence and in parallel.

Every move starts at the identity with the default lens (65 degrees along the longer side; `for_picture` fits it to a
picture) and takes `num_frames` (17), `fps` (8) and `easing` ("linear"). Translations are in scene depths, angles in
degrees, and "+" is forward, right, up or clockwise. A move of nothing is refused: `static` says it. The paper names no
moves: these and their signs are the film-maker's, the amounts are our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Unpack

import numpy as np
from scipy.spatial.transform import Rotation

from . import intrinsics as lens
from . import rigid_motion
from .camera_path import CameraPath
from .easing import MoveTiming, progress

HANDHELD_DEGREES_PER_SCENE_DEPTH = 50.0  # a shake of 1% of the scene depth turns by half a degree
SHAKE_HERTZ = np.array([0.3, 0.5, 0.8, 1.3, 2.1])  # a steady hand: slow sway, little tremor
SHAKE_SHARES = np.array([1.0, 1.0, 0.65])  # of the angles: nobody leans the horizon as much as they pan and tilt


def dolly(amount: float, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Move forward (+) or back (-) by `amount` scene depths."""
    return _move(forward=amount, **timing)


def truck(amount: float, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Move to the right (+) or to the left (-) by `amount` scene depths."""
    return _move(right=amount, **timing)


def pedestal(amount: float, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Move up (+) or down (-) by `amount` scene depths."""
    return _move(up=amount, **timing)


def pan(degrees: float, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Turn to the right (+) or to the left (-)."""
    return _move(yaw=degrees, **timing)


def tilt(degrees: float, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Turn up (+) or down (-)."""
    return _move(pitch=degrees, **timing)


def roll(degrees: float, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Lean to the right, clockwise as the camera operator sees it (+), or to the left (-)."""
    return _move(roll=degrees, **timing)


def zoom(factor: float, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Multiply the focal length by `factor`, evenly in its logarithm: above 1 zooms in, below 1 zooms out."""
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f"expected a zoom factor above 0, such as 1.5, got {factor}")
    return _move(zoom_factor=factor, **timing)


def orbit(degrees: float, radius: float = 1.0, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Go around the point `radius` scene depths ahead, to the right (+) or to the left (-), always looking at it.

    The camera travels on a horizontal circle: on an orbit to the left it moves left while it pans right.
    """
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"expected an orbit radius above 0 scene depths, got {radius}")
    turn = _move(yaw=-degrees, **timing)
    subject = np.array([0.0, 0.0, radius])
    poses = turn.camera_to_world.copy()
    poses[:, :3, 3] = subject - radius * poses[:, :3, 2]  # one radius behind the subject along the viewing axis
    return replace(turn, camera_to_world=poses)


def dolly_zoom(amount: float, distance: float = 1.0, **timing: Unpack[MoveTiming]) -> CameraPath:
    """Dolly forward (+) or back (-) while the lens keeps what is `distance` scene depths ahead at the same size.

    The focal length follows the distance that is left: on the way in the lens widens, on the way out it narrows.
    """
    if not (np.isfinite(distance) and distance > 0):
        raise ValueError(f"expected a subject more than 0 scene depths ahead, got {distance}")
    if amount >= distance:
        raise ValueError(f"expected a dolly-zoom that ends before the subject, {distance:g} ahead, got {amount:g}")
    path = _move(forward=amount, **timing)
    intrinsics = path.intrinsics.copy()
    intrinsics[:, :2] *= 1 - path.camera_to_world[:, 2, 3, None] / distance
    return replace(path, intrinsics=intrinsics)


def handheld(
    amount: float = 0.01, degrees: float | None = None, seed: int = 0, num_frames: int = 17, fps: float = 8.0
) -> CameraPath:
    """Shake like a camera in a steady hand: slow, smooth, about the pose it starts from, the same for the same `seed`.

    The camera strays at most `amount` scene depths and turns at most `degrees` (default: half a degree for each 1%
    of the scene depth). The shake depends on time, not on frames: twice the fps shows the same one more finely.
    There is no easing, because a shake has neither beginning nor end. Runs well in parallel with other moves.
    """
    degrees = HANDHELD_DEGREES_PER_SCENE_DEPTH * amount if degrees is None else degrees
    if not (np.isfinite([amount, degrees]).all() and min(amount, degrees) >= 0 and max(amount, degrees) > 0):
        raise ValueError(f"expected a shake above 0, such as 0.01 scene depths, got {amount} and {degrees} degrees")
    if num_frames < 2:
        raise ValueError(f"expected at least 2 frames for a move, got {num_frames}")
    still = static(num_frames, fps)
    seconds = (num_frames - 1) / fps
    waves = _random_waves(np.random.default_rng(seed))
    shake, whole_shake = waves(np.linspace(0, seconds, num_frames)), waves(np.linspace(0, seconds, 256))
    for columns, size in ((slice(0, 3), amount), (slice(3, 6), np.radians(degrees))):
        shake[:, columns] *= size / np.linalg.norm(whole_shake[:, columns], axis=1).max()
    turns = Rotation.from_rotvec(shake[:, 3:]).as_matrix()
    return replace(still, camera_to_world=rigid_motion.pose_matrices(turns, shake[:, :3]))


def _random_waves(random: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A function of seconds [T] with smooth, low-pitched values [T, 6], all 0 at second 0."""
    hertz = SHAKE_HERTZ[:, None] * random.uniform(0.85, 1.15, (len(SHAKE_HERTZ), 6))
    phases = random.uniform(0, 2 * np.pi, hertz.shape)
    shares = np.concatenate([np.ones(3), SHAKE_SHARES]) / hertz

    def shake(seconds: np.ndarray) -> np.ndarray:
        waves = np.sin(2 * np.pi * hertz * seconds[:, None, None] + phases) - np.sin(phases)
        return (shares * waves).sum(axis=1)

    return shake


def static(num_frames: int = 17, fps: float = 8.0) -> CameraPath:
    """Stay still."""
    return CameraPath(np.tile(np.eye(4), (num_frames, 1, 1)), np.tile(lens.DEFAULT_INTRINSICS, (num_frames, 1)), fps)


def in_sequence(first: CameraPath, *others: CameraPath) -> CameraPath:
    """One path after another ("then"), each from where the one before it ended; see `CameraPath.compose`."""
    return reduce(CameraPath.compose, others, first)


def in_parallel(first: CameraPath, *others: CameraPath) -> CameraPath:
    """All paths at once (","), with as many frames each, starting from the first frame of the first path.

    Per frame, translations are added in the axes of the first camera, yaw, pitch and roll are added and applied in
    that order, and zoom factors are multiplied. So "dolly in, pan right" travels straight along the first viewing
    direction while the camera turns away from it, and the order of the moves does not matter. Our choice.
    """
    translations, angles, intrinsics = np.zeros(3), np.zeros(3), first.intrinsics[0]
    for path in (first, *others):
        first.check_joins(path)
        if path.num_frames != first.num_frames:
            raise ValueError(f"expected paths of {first.num_frames} frames to run in parallel, got {path.num_frames}")
        poses = rigid_motion.relative_to_first(path.camera_to_world)
        translations = translations + poses[:, :3, 3]
        angles = angles + rigid_motion.yaw_pitch_roll(poses[:, :3, :3])
        intrinsics = lens.add_changes(intrinsics, path.intrinsics)
    changes = rigid_motion.pose_matrices(rigid_motion.rotations_from_yaw_pitch_roll(angles), translations)
    return replace(first, camera_to_world=first.camera_to_world[0] @ changes, intrinsics=intrinsics)


def _move(
    *,
    right: float = 0.0,
    up: float = 0.0,
    forward: float = 0.0,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    zoom_factor: float = 1.0,
    num_frames: int = 17,
    fps: float = 8.0,
    easing: str = "linear",
) -> CameraPath:
    """A path along which every amount grows from nothing with the same easing."""
    amounts = np.array([right, -up, forward, yaw, pitch, roll], dtype=np.float64)
    if not np.isfinite(amounts).all():
        raise ValueError(f"expected a finite amount for a move, got {amounts[~np.isfinite(amounts)][0]}")
    if not amounts.any() and zoom_factor == 1:
        raise ValueError("expected a move of more than nothing, got an amount of 0: use static to stay still")
    done = progress(num_frames, easing)[:, None]  # [T, 1]
    rotations = rigid_motion.rotations_from_yaw_pitch_roll(done * amounts[3:])
    poses = rigid_motion.pose_matrices(rotations, done * amounts[:3])
    intrinsics = np.tile(lens.DEFAULT_INTRINSICS, (num_frames, 1))
    intrinsics[:, :2] *= zoom_factor**done
    return CameraPath(poses, intrinsics, fps)
