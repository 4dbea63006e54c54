"""`CameraPathTokenizer`: what every camera tokenizer can do, and the numbers that all but the codec work on.

A tokenizer that is not a neural codec is fitted to paths once (ranges, a vocabulary), then turns paths into ids and back.
Paths are relative to their first pose, in scene depths, the principal point in the middle. What is decoded starts
exactly at the identity, whatever the ids say of the first pose.

What is fitted is held in whole numbers, ranges in millionths: casting a model to another precision moves no bin.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from .camera_signal import poses_to_signal, signal_to_poses
from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig

ROTATION_TOLERANCE = 1e-3


class CameraPathTokenizer(Protocol):
    """A path <-> ids, the same number of ids for every path; some of them may be padding."""

    @property
    def bits_per_token(self) -> float:
        """log2 of the number of ids among which each token is one."""
        ...

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        """Take ranges and vocabulary from these paths, `[B, T, 4, 4]` and `[B, T, 4]`."""
        ...

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Paths `[B, T, 4, 4]` and `[B, T, 4]` -> ids `[B, tokens]` int64."""
        ...

    def decode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Ids `[B, tokens]` -> camera_to_world `[B, T, 4, 4]`, intrinsics `[B, T, 4]`."""
        ...

    def count_tokens(self, ids: Tensor) -> Tensor:
        """Ids `[B, tokens]` -> how many of each path's are not padding, `[B]`."""
        ...


@lru_cache(maxsize=4)
def plain_signal(num_poses: int) -> CamViGCameraTokenizerConfig:
    """The layout of `camera_signal` in plain units: scene depths, radians, log of the ratio to the reference focal length."""
    scales = dict.fromkeys(("translation_scale", "rotation_scale", "log_focal_scale"), 1.0)
    return CamViGCameraTokenizerConfig.compact(num_poses=num_poses, **scales)


def path_values(camera_to_world: Tensor, intrinsics: Tensor, num_poses: int) -> Tensor:
    """Paths -> 8 values a pose, `[B, T, 8]`: centre (scene depths), rotation vector (radians), log focal lengths."""
    if list(camera_to_world.shape[1:]) != [num_poses, 4, 4]:
        raise ValueError(f"expected camera_to_world [B, {num_poses}, 4, 4], got {list(camera_to_world.shape)}")
    return poses_to_signal(camera_to_world, intrinsics, plain_signal(num_poses))[:, 0].unflatten(1, (num_poses, -1))


def values_to_path(values: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `path_values`; the first pose becomes the identity."""
    return signal_to_poses(values.flatten(1)[:, None], plain_signal(values.shape[1]))


def to_millionths(values: Tensor) -> Tensor:
    """Ranges as they are stored, int64."""
    return (values.double() * 1e6).round().long()


def from_millionths(whole: Tensor) -> Tensor:
    """The inverse of `to_millionths`, float32."""
    return (whole.double() / 1e6).float()


def check_poses(camera_to_world: Tensor, intrinsics: Tensor, num_poses: int) -> None:
    """Raise `ValueError` unless these are paths of `num_poses` poses, `[B, T, 4, 4]` and `[B, T, 4]`, rigid and finite."""
    shape = list(camera_to_world.shape)
    if len(shape) != 4 or shape[2:] != [4, 4]:
        raise ValueError(f"expected camera_to_world [B, {num_poses}, 4, 4], got {shape}")
    if list(intrinsics.shape) != [*shape[:2], 4]:
        raise ValueError(f"expected intrinsics {[*shape[:2], 4]}, got {list(intrinsics.shape)}")
    if shape[1] != num_poses:
        raise ValueError(
            f"expected {num_poses} poses, got {shape[1]}; resample the path, for example path.resample({num_poses})"
        )
    if not (camera_to_world.isfinite().all() and intrinsics.isfinite().all()):
        raise ValueError("expected finite poses and intrinsics, got NaN or infinity")
    if not (intrinsics[..., :2] > 0).all():
        raise ValueError(f"expected positive focal lengths, got {float(intrinsics[..., :2].min()):.4g}")
    rotation = camera_to_world[..., :3, :3].double()
    identity = torch.eye(3, dtype=rotation.dtype, device=rotation.device)
    deviation = float((rotation @ rotation.transpose(-1, -2) - identity).abs().max())
    if deviation > ROTATION_TOLERANCE or (torch.linalg.det(rotation) < 0).any():
        raise ValueError(
            f"expected rotations in camera_to_world, got matrices {deviation:.2g} off orthonormal, or mirrored"
        )


def check_ids(ids: Tensor, tokens: int, vocab_size: int) -> None:
    """Raise `ValueError` unless ids are `[B, tokens]`, all in 0..vocab_size - 1."""
    if ids.ndim != 2 or ids.shape[1] != tokens:
        raise ValueError(f"expected ids [B, {tokens}], got {list(ids.shape)}")
    wrong = (ids < 0) | (ids >= vocab_size)
    if wrong.any():
        raise ValueError(f"expected ids 0..{vocab_size - 1}, got {int(ids[wrong][0])}")
