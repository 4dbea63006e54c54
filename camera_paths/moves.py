"""Elementary camera moves in the film-maker's words, and how they combine: in sequence and in parallel.

Every move starts at the identity with the default lens (65 degrees along the longer side; `for_picture` fits it to a
picture) and takes `num_frames` (17), `fps` (8) and `easing` ("linear"). Translations are in scene depths, angles in
degrees, and "+" is forward, right, up or clockwise. The paper names no moves: these and their signs are the
film-maker's, the amounts are our choice.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Unpack

import numpy as np

from . import intrinsics as lens
from . import rigid_motion
from .camera_path import CameraPath
from .easing import MoveTiming, progress


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
    done = progress(num_frames, easing)[:, None]  # [T, 1]
    rotations = rigid_motion.rotations_from_yaw_pitch_roll(done * amounts[3:])
    poses = rigid_motion.pose_matrices(rotations, done * amounts[:3])
    intrinsics = np.tile(lens.DEFAULT_INTRINSICS, (num_frames, 1))
    intrinsics[:, :2] *= zoom_factor**done
    return CameraPath(poses, intrinsics, fps)
