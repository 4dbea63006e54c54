"""What a camera path does, in numbers (`MotionExtent`) and in one sentence; always seen from its first camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import rigid_motion
from .units import UNIT_IN_WORDS, Unit

if TYPE_CHECKING:
    from .camera_path import CameraPath

# What is too small to mention: half of the last digit shown.
SMALLEST_TRANSLATION, SMALLEST_DEGREES, SMALLEST_ZOOM = 0.005, 0.05, 0.005


@dataclass(frozen=True)
class MotionExtent:
    """How far a path goes from its first frame, at any of its frames."""

    largest_translation: float  # in `unit`
    largest_rotation_degrees: float  # about any axis, from 0 to 180
    smallest_zoom: float  # focal length over that of the first frame; 1.0 if the lens never widens
    largest_zoom: float  # 1.0 if the lens never zooms in
    unit: Unit


def motion_extent(path: CameraPath) -> MotionExtent:
    """Measure the largest translation, rotation and zoom relative to the first frame."""
    poses = rigid_motion.relative_to_first(path.camera_to_world)
    zoom = path.intrinsics[:, :2] / path.intrinsics[0, :2]
    return MotionExtent(
        largest_translation=float(np.linalg.norm(poses[:, :3, 3], axis=1).max()),
        largest_rotation_degrees=float(rigid_motion.rotation_angles(poses[:, :3, :3]).max()),
        smallest_zoom=float(zoom.min()),
        largest_zoom=float(zoom.max()),
        unit=path.unit,
    )


def describe_path(path: CameraPath) -> str:
    """Say in one sentence where the last frame is, seen from the first; "+" directions as in film grammar."""
    length = f"{path.num_frames} frame{'s' if path.num_frames > 1 else ''}, {path.duration_seconds:.1f} s"
    changes = [_translation_in_words(path), *_rotations_in_words(path), _zoom_in_words(path)]
    what_it_does = ", ".join(filter(None, changes)) or _return_in_words(path) or "does not move"
    return f"{what_it_does}; {length}"


def _translation_in_words(path: CameraPath) -> str:
    right, down, forward = rigid_motion.relative_to_first(path.camera_to_world)[-1, :3, 3]
    steps = [
        (abs(step), positive if step > 0 else negative)
        for step, positive, negative in ((forward, "forward", "back"), (right, "right", "left"), (-down, "up", "down"))
        if abs(step) >= SMALLEST_TRANSLATION
    ]
    if not steps:
        return ""
    (first_amount, first_direction), *others = steps
    moves = [f"moves {first_amount:.2f} {UNIT_IN_WORDS[path.unit]} {first_direction}"]
    moves += [f"{amount:.2f} {direction}" for amount, direction in others]
    return " and ".join(filter(None, [", ".join(moves[:-1]), moves[-1]]))


def _rotations_in_words(path: CameraPath) -> list[str]:
    angles = rigid_motion.yaw_pitch_roll(rigid_motion.relative_to_first(path.camera_to_world)[:, :3, :3])[-1]
    words = (("pans", "right", "left"), ("tilts", "up", "down"), ("rolls", "right", "left"))
    return [
        f"{verb} {abs(angle):.1f}° {positive if angle > 0 else negative}"
        for angle, (verb, positive, negative) in zip(angles, words, strict=True)
        if abs(angle) >= SMALLEST_DEGREES
    ]


def _zoom_in_words(path: CameraPath) -> str:
    zoom = path.intrinsics[-1, 0] / path.intrinsics[0, 0]
    if abs(zoom - 1) < SMALLEST_ZOOM:
        return ""
    return f"zooms in {zoom:.2f}x" if zoom > 1 else f"zooms out {1 / zoom:.2f}x"


def _return_in_words(path: CameraPath) -> str:
    """For a path that ends where it began: how far it went meanwhile, or nothing if it never moved."""
    extent = motion_extent(path)
    farthest = []
    if extent.largest_translation >= SMALLEST_TRANSLATION:
        farthest.append(f"{extent.largest_translation:.2f} {UNIT_IN_WORDS[path.unit]}")
    if extent.largest_rotation_degrees >= SMALLEST_DEGREES:
        farthest.append(f"{extent.largest_rotation_degrees:.1f}°")
    zoom = max(extent.largest_zoom, 1 / extent.smallest_zoom)
    if zoom - 1 >= SMALLEST_ZOOM:
        farthest.append(f"a zoom of {zoom:.2f}x")
    return f"goes as far as {', '.join(farthest)} and returns" if farthest else ""
