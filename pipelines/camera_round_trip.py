"""What a model hears of a camera path: the path after the camera tokenizer's round trip, and how far it is off."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.rigid_motion import relative_to_first, rotation_angles
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer

LARGEST_ROTATION_ERROR_DEGREES = 2.0
LARGEST_TRANSLATION_ERROR = 0.05
"""Mean errors, the latter in scene depths, from which on a path is said to be misheard; our choice."""


class MisheardPathWarning(UserWarning):
    """The camera tokenizer turns a path into a noticeably different one."""


@dataclass(frozen=True)
class RoundTrip:
    """A path after the camera tokenizer's round trip, against the path before it."""

    path: CameraPath  # as the model hears it, in scene depths
    rotation_error_degrees: float  # mean over frames 1..
    largest_rotation_error_degrees: float
    translation_error: float  # mean over frames 1.., scene depths
    translation_error_percent: float | None  # of the path's largest translation; None if it hardly travels
    focal_error_percent: float  # mean


def round_trip(prepared: CameraPath, camera_ids: Tensor, camera_tokenizer: CamViGCameraTokenizer) -> RoundTrip:
    """A prepared path (`prepare_camera_path`) and its ids `[n]` -> what the ids say, against the path."""
    with torch.no_grad():
        poses, intrinsics = (part[0].double().cpu().numpy() for part in camera_tokenizer.decode(camera_ids[None]))
    heard = CameraPath(_rigid(poses), intrinsics, prepared.fps)
    true = prepared.camera_to_world
    turns = rotation_angles(np.swapaxes(true[:, :3, :3], 1, 2) @ heard.camera_to_world[:, :3, :3])[1:]
    distance = float(np.linalg.norm(heard.camera_to_world[1:, :3, 3] - true[1:, :3, 3], axis=1).mean())
    travelled = prepared.motion_extent().largest_translation
    focal = np.abs(heard.intrinsics[:, :2] / prepared.intrinsics[:, :2] - 1)
    return RoundTrip(
        path=heard,
        rotation_error_degrees=float(turns.mean()),
        largest_rotation_error_degrees=float(turns.max()),
        translation_error=distance,
        translation_error_percent=100 * distance / travelled if travelled >= 0.01 else None,
        focal_error_percent=100 * float(focal.mean()),
    )


def _rigid(poses: np.ndarray) -> np.ndarray:
    """Decoded float32 poses [T, 4, 4] -> relative, with rotations that are orthonormal in float64."""
    left, _, right = np.linalg.svd(poses[:, :3, :3])
    rigid = poses.copy()
    rigid[:, :3, :3] = left @ right
    return relative_to_first(rigid)


def warn_misheard(
    paths: Sequence[CameraPath | None],
    camera_ids: Sequence[Tensor | None],
    camera_tokenizer: CamViGCameraTokenizer,
    each: str = "path",
) -> None:
    """One warning for all prepared paths whose ids say something else than they do; none if all are heard well.

    `each` is what they are called.
    """
    found = []
    for number, (path, ids) in enumerate(zip(paths, camera_ids, strict=True)):
        if path is None or ids is None:
            continue
        trip = round_trip(path, ids, camera_tokenizer)
        turned = trip.rotation_error_degrees > LARGEST_ROTATION_ERROR_DEGREES
        if turned or trip.translation_error > LARGEST_TRANSLATION_ERROR:
            percent = trip.translation_error_percent
            share = "" if percent is None else f", {percent:.0f}% of how far it goes"
            what = (
                f"off by {trip.rotation_error_degrees:.1f} degrees and {trip.translation_error:.2f} scene depths{share}"
            )
            found.append(f"{each} {number} is {what}" if len(paths) > 1 else f"it is {what}")
    if found:
        warnings.warn(
            f"the camera tokenizer does not hear the camera path well: {'; '.join(found)}",
            MisheardPathWarning,
            stacklevel=4,  # past `__call__` and its no_grad, to the line that called the pipeline
        )
