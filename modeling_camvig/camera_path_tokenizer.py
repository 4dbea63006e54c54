"""`CameraPathTokenizer`: what every camera tokenizer that is not a neural codec can do, and the numbers it works on.

Such a tokenizer is fitted to paths once (ranges, a vocabulary), then turns paths into ids and back. Paths are those of
`CamViGCameraTokenizer`: `NUM_POSES` poses, relative to the first, in scene depths, the principal point in the middle.
What is decoded starts exactly at the identity, whatever the ids say of the first pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from .camera_signal import poses_to_signal, signal_to_poses
from .configuration_camvig import CamViGCameraTokenizerConfig

PLAIN_SIGNAL = CamViGCameraTokenizerConfig.compact(translation_scale=1.0, rotation_scale=1.0, log_focal_scale=1.0)
"""The layout of `camera_signal` in plain units: scene depths, radians, log of the ratio to the reference focal length."""
NUM_POSES = PLAIN_SIGNAL.num_poses


class CameraPathTokenizer(Protocol):
    """A path <-> ids; the number of ids may differ from path to path."""

    @property
    def bits_per_token(self) -> float:
        """log2 of the number of ids among which each token is one."""
        ...

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        """Take ranges and vocabulary from these paths, `[B, T, 4, 4]` and `[B, T, 4]`."""
        ...

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> list[Tensor]:
        """Paths `[B, T, 4, 4]` and `[B, T, 4]` -> the ids of each, `[tokens]` int64."""
        ...

    def decode(self, ids: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Ids of each path -> camera_to_world `[B, T, 4, 4]`, intrinsics `[B, T, 4]`."""
        ...


def path_values(camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
    """Paths -> 8 values a pose, `[B, T, 8]`: centre (scene depths), rotation vector (radians), log focal lengths."""
    if list(camera_to_world.shape[1:]) != [NUM_POSES, 4, 4]:
        raise ValueError(f"expected camera_to_world [B, {NUM_POSES}, 4, 4], got {list(camera_to_world.shape)}")
    return poses_to_signal(camera_to_world, intrinsics, PLAIN_SIGNAL)[:, 0].unflatten(1, (NUM_POSES, -1))


def values_to_path(values: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `path_values`; the first pose becomes the identity."""
    return signal_to_poses(values.flatten(1)[:, None], PLAIN_SIGNAL)


def stack_ids(ids: Sequence[Tensor], tokens: int, vocab_size: int) -> Tensor:
    """Ids of paths that all have `tokens` of them -> `[B, tokens]`; `ValueError` for another number, or wrong ids."""
    for row in ids:
        if list(row.shape) != [tokens]:
            raise ValueError(f"expected {tokens} ids a path, got {list(row.shape)}")
        check_ids(row, vocab_size)
    return torch.stack(list(ids))


def check_ids(ids: Tensor, vocab_size: int) -> None:
    """Raise `ValueError` unless all ids `[tokens]` are in 0..vocab_size - 1."""
    wrong = (ids < 0) | (ids >= vocab_size)
    if wrong.any():
        raise ValueError(f"expected ids 0..{vocab_size - 1}, got {int(ids[wrong][0])}")
