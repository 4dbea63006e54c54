"""Arithmetic on camera poses: what `CameraPath` needs and scipy's `Rotation` does not already say.

A pose is a 4x4 camera-to-world matrix in OpenCV axes (x right, y down, z forward), `[T, 4, 4]` for T frames. Yaw, pitch
and roll are the film-maker's pan (right is +), tilt (up is +) and roll (clockwise is +), in degrees, applied in
this order: pan about the vertical axis, tilt about the panned camera's own x, roll about its own viewing axis.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

ORTHONORMAL_TOLERANCE = 1e-4
LAST_ROW_TOLERANCE = 1e-6
EULER_ORDER = "YXZ"  # upper case: each about the camera's own axis, as turned by the ones before it
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def check_poses(poses: np.ndarray) -> None:  # [T, 4, 4]
    """Raise `ValueError` naming the first frame whose pose is not a rotation and a translation."""
    wrong_last_row = np.any(np.abs(poses[:, 3] - (0, 0, 0, 1)) > LAST_ROW_TOLERANCE, axis=1)
    if wrong_last_row.any():
        frame = int(np.argmax(wrong_last_row))
        raise ValueError(
            f"frame {frame}: expected the last row of camera_to_world to be 0 0 0 1, got "
            + " ".join(f"{number:g}" for number in poses[frame, 3])
        )
    rotations = poses[:, :3, :3]
    errors = np.abs(rotations.transpose(0, 2, 1) @ rotations - np.eye(3)).max(axis=(1, 2))
    if np.any(errors > ORTHONORMAL_TOLERANCE):
        frame = int(np.argmax(errors > ORTHONORMAL_TOLERANCE))
        raise ValueError(
            f"frame {frame}: expected a rotation in camera_to_world, got a matrix that is not orthonormal "
            f"(off by {errors[frame]:.2g}, allowed {ORTHONORMAL_TOLERANCE:g})"
        )
    determinants = np.linalg.det(rotations)
    if np.any(determinants < 0):
        frame = int(np.argmax(determinants < 0))
        raise ValueError(
            f"frame {frame}: expected a rotation with determinant +1, got {determinants[frame]:.3f} (a mirror image: "
            "is an axis flipped?)"
        )


def pose_matrices(rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """Join rotations [T, 3, 3] and translations [T, 3] into poses [T, 4, 4]."""
    poses = np.tile(np.eye(4), (len(rotations), 1, 1))
    poses[:, :3, :3] = rotations
    poses[:, :3, 3] = translations
    return poses


def invert(poses: np.ndarray) -> np.ndarray:
    """Invert each rigid pose [T, 4, 4], by transposing its rotation."""
    transposed = poses[:, :3, :3].transpose(0, 2, 1)
    return pose_matrices(transposed, -np.einsum("tij,tj->ti", transposed, poses[:, :3, 3]))


def relative_to_first(poses: np.ndarray) -> np.ndarray:
    """Express poses [T, 4, 4] in the axes of the first camera; the first becomes the identity, exactly."""
    relative = invert(poses[:1]) @ poses
    relative[0] = np.eye(4)
    return relative


def interpolate(poses: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Poses at fractional frame numbers `times` [N]: slerp for rotations, straight lines for translations."""
    frames = np.arange(len(poses))
    if len(poses) == 1:
        return np.repeat(poses, len(times), axis=0)
    rotations = Slerp(frames, Rotation.from_matrix(poses[:, :3, :3]))(times).as_matrix()
    translations = np.stack([np.interp(times, frames, poses[:, axis, 3]) for axis in range(3)], axis=1)
    return pose_matrices(rotations, translations)


def equal_distance_times(poses: np.ndarray, count: int, least_distance: float) -> np.ndarray:
    """Fractional frame numbers [count], from the first frame to the last, between which equal distances are travelled.

    Distance is that of the straight lines from pose to pose [T, 4, 4]; rotation does not count. Of the frames that stand
    at one place the last is taken. `ValueError` if the whole path is shorter than `least_distance`.
    """
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    if travelled[-1] < least_distance:
        raise ValueError(
            f"expected a path that travels at least {least_distance:g} to resample it by arc length, "
            f'got one of length {travelled[-1]:g}: resample with by="time"'
        )
    return np.interp(np.linspace(0.0, travelled[-1], count), travelled, np.arange(len(poses)))


def rotations_from_yaw_pitch_roll(degrees: np.ndarray) -> np.ndarray:
    """Rotations [T, 3, 3] from yaw, pitch and roll [T, 3] in degrees."""
    return Rotation.from_euler(EULER_ORDER, degrees, degrees=True).as_matrix()


def yaw_pitch_roll(rotations: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll [T, 3] in degrees, continuous from frame to frame (a tilt may go beyond 90 degrees).

    Each rotation has two readings, (yaw, pitch, roll) and (yaw + 180, 180 - pitch, roll + 180), up to full turns;
    the one nearest to the previous frame is taken, starting from no rotation at all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gimbal lock at exactly 90 degrees of tilt: scipy then reads no roll
        readings = Rotation.from_matrix(rotations).as_euler(EULER_ORDER, degrees=True)
    angles = np.zeros_like(readings)
    previous = np.zeros(3)
    for frame, (yaw, pitch, roll) in enumerate(readings):
        candidates = np.array([[yaw, pitch, roll], [yaw + 180, 180 - pitch, roll + 180]])
        candidates += 360 * np.round((previous - candidates) / 360)
        previous = candidates[np.abs(candidates - previous).sum(axis=1).argmin()]
        angles[frame] = previous
    return angles


def rotation_angles(rotations: np.ndarray) -> np.ndarray:
    """The angle of each rotation [T, 3, 3], whatever its axis, in degrees from 0 to 180."""
    return np.degrees(Rotation.from_matrix(rotations).magnitude())
