"""Keyframes: a path that goes smoothly through a few given poses.

What always holds: the camera is at each keyframe at that keyframe's time; position, orientation and lens have no
corners (their first derivatives are continuous); no coordinate of the position goes beyond the two keyframes that it is
between, and a pose that is given twice in a row is held. Positions, the principal point and the logarithm of the focal
length follow scipy's PCHIP, because a cubic spline overshoots. Rotations follow the same idea, because scipy's
`RotationSpline` overshoots too: a pan of 30 degrees that is then held would swing on to 49. Our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator
from scipy.spatial.transform import Rotation

from . import intrinsics as lens
from . import rigid_motion
from .camera_path import CameraPath
from .easing import progress
from .units import Unit

Keyframe = tuple[float, ArrayLike | CameraPath] | tuple[float, ArrayLike | CameraPath, ArrayLike]


def path_through(
    keyframes: Sequence[Keyframe],
    num_frames: int = 17,
    fps: float = 8.0,
    easing: str = "linear",
    unit: Unit = "scene_depth",
    scene_median_depth: float | None = None,
) -> CameraPath:
    """A path of `num_frames` through keyframes (time, pose) or (time, pose, intrinsics).

    A pose is OpenCV camera-to-world [4, 4] or [3, 4] in `unit`, or a `CameraPath`, whose last frame and lens are taken.
    Intrinsics (fx, fy, cx, cy) are normalised; without them the lens sees 65 degrees. Times are all shares of the clip,
    the first 0 and the last 1, or all frame numbers, the first 0 and the last `num_frames` - 1. With an easing the whole
    clip is played with it: the keyframes are met in the same order, but earlier or later. `ValueError` names the keyframe.
    """
    done = progress(num_frames, easing)
    for place, keyframe in enumerate(keyframes):
        if len(keyframe) not in (2, 3):
            raise ValueError(
                f"keyframe {place}: expected (time, pose) or (time, pose, intrinsics), got {len(keyframe)} things"
            )
    times = _shares([keyframe[0] for keyframe in keyframes], num_frames)
    poses, lenses = zip(
        *(_pose_and_lens(place, keyframe, unit) for place, keyframe in enumerate(keyframes)), strict=True
    )
    try:
        given = CameraPath(np.stack(poses), np.stack(lenses), fps, unit, scene_median_depth)
    except ValueError as error:
        raise ValueError(f"key{error}" if str(error).startswith("frame ") else str(error)) from None
    rotations = smooth_rotations(times, given.camera_to_world[:, :3, :3], done)
    translations = PchipInterpolator(times, given.camera_to_world[:, :3, 3])(done)
    intrinsics = lens.unstraighten(PchipInterpolator(times, lens.straighten(given.intrinsics))(done))
    return CameraPath(rigid_motion.pose_matrices(rotations, translations), intrinsics, fps, unit, scene_median_depth)


def smooth_rotations(times: np.ndarray, rotations: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rotations [N, 3, 3] at increasing `times` [N] -> [M, 3, 3] at times `at` [M] between the first and the last.

    Between two keyframes the rotation from the first of them is a cubic of rotation vectors. Its ends have the angular
    velocity that PCHIP gives the turns, one after the other as if they were coordinates: along a fixed axis the result
    is PCHIP of the angle.
    """
    keys = Rotation.from_matrix(rotations)
    turns = (keys[:-1].inv() * keys[1:]).as_rotvec()  # [N - 1, 3] in the axes of either end
    turned = np.concatenate([np.zeros((1, 3)), np.cumsum(turns, axis=0)])
    angular_velocity = PchipInterpolator(times, turned).derivative()(times)
    result = np.empty((len(at), 3, 3))
    segments = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(turns) - 1)
    for segment in np.unique(segments):
        ends = slice(segment, segment + 2)
        slopes = [angular_velocity[segment], _rotation_vector_rate(turns[segment], angular_velocity[segment + 1])]
        cubic = CubicHermiteSpline(times[ends], [np.zeros(3), turns[segment]], slopes)
        inside = segments == segment
        result[inside] = (keys[segment] * Rotation.from_rotvec(cubic(at[inside]))).as_matrix()
    return result


def _rotation_vector_rate(vector: np.ndarray, angular_velocity: np.ndarray) -> np.ndarray:
    """How fast a rotation vector [3] changes when what it turns has an angular velocity [3] in its own axes."""
    half_angle = np.linalg.norm(vector) / 2
    across = np.cross(vector, angular_velocity)
    factor = 1 / 12 if half_angle < 1e-4 else (1 - half_angle / np.tan(half_angle)) / (2 * half_angle) ** 2
    return angular_velocity + across / 2 + factor * np.cross(vector, across)


def _shares(times: list[float], num_frames: int) -> np.ndarray:
    """Times [N] as shares of the clip, from 0 to 1; given as shares or as frame numbers."""
    if len(times) < 2:
        raise ValueError(f"expected at least 2 keyframes, got {len(times)}")
    given = np.array(times, dtype=np.float64)
    last_frame = num_frames - 1
    for place in range(1, len(given)):
        if not given[place] > given[place - 1]:
            raise ValueError(f"keyframe {place}: expected a time after {given[place - 1]:g}, got {given[place]:g}")
    if given[0] != 0 or given[-1] not in (1, last_frame):
        raise ValueError(
            f"expected keyframes from time 0 to 1 (shares of the clip) or from 0 to {last_frame} (frame numbers), "
            f"got {given[0]:g} to {given[-1]:g}"
        )
    return given / given[-1]


def _pose_and_lens(place: int, keyframe: Keyframe, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """One keyframe as a pose [4, 4] and intrinsics [4]."""
    pose, intrinsics = keyframe[1], lens.DEFAULT_INTRINSICS
    if isinstance(pose, CameraPath):
        if pose.unit != unit:
            raise ValueError(f'keyframe {place}: expected a path in "{unit}", got "{pose.unit}": use to_unit')
        pose, intrinsics = pose.camera_to_world[-1], pose.intrinsics[-1]
    if len(keyframe) == 3:
        intrinsics = keyframe[2]
    matrix, numbers = np.asarray(pose, dtype=np.float64), np.asarray(intrinsics, dtype=np.float64)
    if matrix.shape not in ((4, 4), (3, 4)) or numbers.shape != (4,):
        raise ValueError(
            f"keyframe {place}: expected a pose [4, 4] or a path, and intrinsics [4] if any, got {list(matrix.shape)} "
            f"and {list(numbers.shape)}"
        )
    return np.concatenate([matrix, [[0.0, 0.0, 0.0, 1.0]]]) if len(matrix) == 3 else matrix, numbers
