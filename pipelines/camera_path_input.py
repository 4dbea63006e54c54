"""Camera paths as a model takes them: the right number of frames, relative, in scene depths, with the picture's lens.

Also the one warning about a motion that the model has not been trained on, which says by how much.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.rigid_motion import rotation_angles
from ..modeling_camvig.configuration_camvig import CamViGConfig

TOLERANCE = 1 + 1e-6


class MotionOutsideTrainingWarning(UserWarning):
    """A camera path goes farther than any that the model was trained on."""


def prepare_camera_path(path: str | CameraPath, num_frames: int, width: float, height: float) -> CameraPath:
    """Film grammar or a path -> a relative path in scene depths, with intrinsics for a `width` x `height` picture.

    Raises:
        ValueError: a text that is no film grammar, another number of frames, or translations without a known scale.
    """
    if isinstance(path, str):
        path = CameraPath.from_text(path, num_frames=num_frames)
    if not isinstance(path, CameraPath):
        raise ValueError(f"expected a CameraPath or film grammar such as 'dolly in 30%', got {type(path).__name__}")
    if path.num_frames != num_frames:
        longer = "; or make a longer video: pipe.generate_long, or --chain" if path.num_frames > num_frames else ""
        raise ValueError(
            f"expected a camera path of {num_frames} frames, got {path.num_frames}; resample it: "
            f'path.resample({num_frames}, by="time") or by="arc-length", or --resample-by on the command line{longer}'
        )
    return path.to_unit("scene_depth").relative().for_picture(width, height)


def warn_outside_training(paths: Sequence[CameraPath | None], config: CamViGConfig, each: str = "path") -> None:
    """One warning for all paths that go outside the training range; none if all stay inside. `each` is what they are."""
    excesses = [
        (number, ", ".join(parts))
        for number, path in enumerate(paths)
        if path and (parts := outside_training(path, config))
    ]
    if not excesses:
        return
    found = "; ".join(f"{each} {number}: {excess}" if len(paths) > 1 else excess for number, excess in excesses)
    warnings.warn(
        f"the camera path goes outside what the model was trained on, expect errors: {found}",
        MotionOutsideTrainingWarning,
        stacklevel=4,  # past `__call__` and its no_grad, to the line that called the pipeline
    )


def outside_training(path: CameraPath, config: CamViGConfig) -> list[str]:
    """What of a path is outside the training range, by how much and where, a phrase each; empty if nothing is."""
    poses = path.relative().camera_to_world
    distances = np.linalg.norm(poses[:, :3, 3], axis=1)
    angles = rotation_angles(poses[:, :3, :3])
    zoom = path.intrinsics[:, :2] / path.intrinsics[0, :2]
    smallest_zoom, largest_zoom = config.zoom_range
    limits = (
        (distances / config.max_translation, "moves {:.2f} scene depths", distances, config.max_translation, ""),
        (angles / config.max_rotation_degrees, "turns {:.1f} degrees", angles, config.max_rotation_degrees, ""),
        (zoom.max(axis=1) / largest_zoom, "zooms in {:.2f}x", zoom.max(axis=1), largest_zoom, "x"),
        (smallest_zoom / zoom.min(axis=1), "zooms out to {:.2f}x", zoom.min(axis=1), smallest_zoom, "x"),
    )
    return [
        f"{words.format(amounts[excess.argmax()])}, {excess.max():.1f} times the limit of {limit:g}{unit} "
        f"({_frames(excess > TOLERANCE)})"
        for excess, words, amounts, limit, unit in limits
        if excess.max() > TOLERANCE
    ]


def _frames(outside: np.ndarray) -> str:
    """Frames that are outside [T] bool, in words."""
    first, last = np.flatnonzero(outside)[[0, -1]]
    return f"frame {first}" if first == last else f"frames {first} to {last}"
