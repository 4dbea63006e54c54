"""Camera paths as a model takes them: the right number of frames, relative, in scene depths, with the picture's lens.

Also the one warning about a motion that the model has not been trained on, which says by how much.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ..camera_paths.camera_path import CameraPath
from ..modeling_camvig.configuration_camvig import CamViGConfig


class MotionOutsideTrainingWarning(UserWarning):
    """A camera path goes farther than any that the model was trained on."""


def prepare_camera_path(path: str | CameraPath, num_frames: int, width: int, height: int) -> CameraPath:
    """Film grammar or a path -> a relative path in scene depths, with intrinsics for a `width` x `height` picture.

    Raises:
        ValueError: a text that is no film grammar, another number of frames, or translations without a known scale.
    """
    if isinstance(path, str):
        path = CameraPath.from_text(path, num_frames=num_frames)
    if not isinstance(path, CameraPath):
        raise ValueError(f"expected a CameraPath or film grammar such as 'dolly in 30%', got {type(path).__name__}")
    if path.num_frames != num_frames:
        raise ValueError(
            f"expected a camera path of {num_frames} frames, got {path.num_frames}; "
            f"resample it: path.resample({num_frames})"
        )
    return path.to_unit("scene_depth").relative().for_picture(width, height)


def warn_outside_training(paths: Sequence[CameraPath | None], config: CamViGConfig) -> None:
    """One warning for all paths that go outside the training range; none if all stay inside."""
    excesses = [(number, excess) for number, path in enumerate(paths) if path and (excess := _excess(path, config))]
    if not excesses:
        return
    found = "; ".join(f"path {number}: {excess}" if len(paths) > 1 else excess for number, excess in excesses)
    warnings.warn(
        f"the camera path goes outside what the model was trained on, expect errors: {found}",
        MotionOutsideTrainingWarning,
        stacklevel=4,  # past `__call__` and its no_grad, to the line that called the pipeline
    )


def _excess(path: CameraPath, config: CamViGConfig) -> str:
    """What of a path is outside the training range, in words; empty if nothing is."""
    extent = path.motion_extent()
    smallest_zoom, largest_zoom = config.zoom_range
    tolerance = 1 + 1e-6
    parts = []
    if extent.largest_translation > config.max_translation * tolerance:
        factor = extent.largest_translation / config.max_translation
        parts.append(
            f"moves {extent.largest_translation:.2f} scene depths, "
            f"{factor:.1f} times the largest of {config.max_translation:g}"
        )
    if extent.largest_rotation_degrees > config.max_rotation_degrees * tolerance:
        factor = extent.largest_rotation_degrees / config.max_rotation_degrees
        parts.append(
            f"turns {extent.largest_rotation_degrees:.1f} degrees, "
            f"{factor:.1f} times the largest of {config.max_rotation_degrees:g}"
        )
    if extent.largest_zoom > largest_zoom * tolerance:
        factor = extent.largest_zoom / largest_zoom
        parts.append(f"zooms in {extent.largest_zoom:.2f}x, {factor:.1f} times the largest of {largest_zoom:g}x")
    if extent.smallest_zoom * tolerance < smallest_zoom:
        factor = smallest_zoom / extent.smallest_zoom
        parts.append(
            f"zooms out to {extent.smallest_zoom:.2f}x, {factor:.1f} times beyond the smallest of {smallest_zoom:g}x"
        )
    return ", ".join(parts)
