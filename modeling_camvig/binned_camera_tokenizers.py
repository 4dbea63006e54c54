"""Camera tokenizers of evenly spaced bins: one token a number, the same number of tokens for every path.

`UniformCameraTokenizer` bins the absolute pose as robot policies bin actions (RT-2, arXiv 2307.15818);
`GenDopCameraTokenizer` takes GenDoP's ten numbers a pose (arXiv 2504.07083). Values beyond the fitted ranges get the
outermost bin; what is decoded is the middle of a bin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .camera_path_tokenizer import NUM_POSES, path_values, stack_ids, values_to_path
from .camera_signal import matrix_to_quaternion, quaternion_to_rotation_vector, rotation_vector_to_matrix

LEAST_SCALE = 1e-3
"""Scene depths: the scale of a path that moves less than this (our choice)."""
LEAST_RANGE = 1e-6
"""Of a value that does not vary in the fitted paths."""


class Bins:
    """`count` equal bins over the range of each value: `low` and `high` are `[D]`."""

    def __init__(self, low: Tensor, high: Tensor, count: int):
        self.low, self.count = low, count
        self.width = (high - low).clamp(min=LEAST_RANGE) / count  # [D]

    @classmethod
    def over(cls, values: Tensor, count: int) -> Bins:
        """From the least to the greatest of values `[..., D]`."""
        flat = values.flatten(0, -2)
        return cls(flat.amin(0), flat.amax(0), count)

    def to_ids(self, values: Tensor) -> Tensor:
        """Values `[..., D]` -> bins `[..., D]` int64."""
        return ((values - self.low) / self.width).floor().long().clamp(0, self.count - 1)

    def to_values(self, ids: Tensor) -> Tensor:
        """Bins `[..., D]` -> the middle of each."""
        return self.low + (ids + 0.5) * self.width


class UniformCameraTokenizer:
    """Six numbers a pose, 6 x 17 = 102 tokens: centre and rotation vector of the absolute pose, from the first camera.

    Absolute, not per step: errors do not add up along the path. The lens is not coded: every path is decoded with the
    mean lens of the fitted ones. Ranges run from the least to the greatest value of the fitted paths.
    """

    def __init__(self, bins: int = 256):
        self.num_bins = bins
        self.num_tokens = 6 * NUM_POSES

    @property
    def bits_per_token(self) -> float:
        return math.log2(self.num_bins)

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        values = path_values(camera_to_world, intrinsics)
        self.bins = Bins.over(values[..., :6], self.num_bins)
        self.log_focal = values[..., 6:].mean((0, 1))  # [2]

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> list[Tensor]:
        values = path_values(camera_to_world, intrinsics)[..., :6]
        return list(self.bins.to_ids(values).flatten(1))  # pose after pose

    def decode(self, ids: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        stacked = stack_ids(ids, self.num_tokens, self.num_bins).unflatten(1, (NUM_POSES, 6))
        values = self.bins.to_values(stacked)
        return values_to_path(torch.cat([values, self.log_focal.expand(*values.shape[:2], 2)], dim=-1))


class GenDopCameraTokenizer:
    """Ten numbers a pose, 10 x 17 = 170 tokens: quaternion 4, translation 3, focal length 2, scale 1.

    Quaternions (w, x, y, z; w is not negative) and translations lie in [-1, 1], the translations divided by the scale,
    the largest of their coordinates in the path; focal lengths and scale are binned by their logarithm over the range
    of the fitted paths. That much is GenDoP's; logarithms of the focal lengths and the order in a pose are our choice.
    """

    def __init__(self, bins: int = 256):
        self.num_bins = bins
        self.num_tokens = 10 * NUM_POSES

    @property
    def bits_per_token(self) -> float:
        return math.log2(self.num_bins)

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        numbers = self._numbers(camera_to_world, intrinsics)
        low, high = numbers.flatten(0, 1).amin(0), numbers.flatten(0, 1).amax(0)
        low[:7], high[:7] = -1, 1
        self.bins = Bins(low, high, self.num_bins)

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> list[Tensor]:
        return list(self.bins.to_ids(self._numbers(camera_to_world, intrinsics)).flatten(1))  # pose after pose

    def decode(self, ids: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        stacked = stack_ids(ids, self.num_tokens, self.num_bins).unflatten(1, (NUM_POSES, 10))
        quaternion, translation, log_focal, log_scale = self.bins.to_values(stacked).split([4, 3, 2, 1], dim=-1)
        rotation = quaternion_to_rotation_vector(quaternion / quaternion.norm(dim=-1, keepdim=True))
        return values_to_path(torch.cat([translation * 10**log_scale, rotation, log_focal], dim=-1))

    def _numbers(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Paths -> `[B, T, 10]`."""
        translation, rotation, log_focal = path_values(camera_to_world, intrinsics).split([3, 3, 2], dim=-1)
        quaternion = matrix_to_quaternion(rotation_vector_to_matrix(rotation))
        quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
        scale = translation.abs().amax((1, 2), keepdim=True).clamp(min=LEAST_SCALE)  # [B, 1, 1]
        log_scale = scale.log10().expand(-1, NUM_POSES, 1)
        return torch.cat([quaternion, translation / scale, log_focal, log_scale], dim=-1)
