"""Camera tokenizers of evenly spaced bins: one token a number, the same number of tokens for every path.

`UniformCameraTokenizer` bins the absolute pose and the lens as robot policies bin actions (RT-2, arXiv 2307.15818);
`GenDopCameraTokenizer` takes GenDoP's ten numbers a pose (arXiv 2504.07083). Values beyond the fitted ranges get the
outermost bin; what is decoded is the middle of a bin.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .camera_path_tokenizer import check_ids, from_millionths, path_values, to_millionths, values_to_path
from .camera_signal import matrix_to_quaternion, quaternion_to_rotation_vector, rotation_vector_to_matrix
from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig

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


class UniformCameraTokenizer(nn.Module):
    """Nine numbers in even bins, 2 + 7 x 16 = 114 tokens for 17 poses; the kind "uniform" of `CamViGCameraTokenizer`.

    First the two log focal lengths of the first pose, then of each later pose its centre, rotation vector and zoom: the
    mean over both axes of the log ratio of its focal length to the first. The first pose itself is the identity and costs
    nothing. Absolute, not per step: errors do not add up along the path. Number n in bin k has the id n * bins + k: no two numbers
    share an id. Ranges run from the least to the greatest value of the fitted paths.
    """

    ranges: Tensor  # [2, 9] int64: least and greatest of centre, rotation vector, zoom, log focal lengths; millionths

    def __init__(self, config: CamViGCameraTokenizerConfig):
        super().__init__()
        self.num_poses, self.num_bins, self.num_tokens = config.num_poses, config.num_bins, config.tokens_per_level
        self.register_buffer("ranges", torch.zeros(2, 9, dtype=torch.int64))

    @property
    def bits_per_token(self) -> float:
        return math.log2(self.num_bins)

    @property
    def is_fitted(self) -> bool:
        return bool(self.ranges.any())

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        first, later = self._numbers(camera_to_world, intrinsics)
        low, high = (
            torch.cat([part(later.flatten(0, 1), dim=0), part(first, dim=0)]) for part in (torch.amin, torch.amax)
        )
        self.ranges.copy_(to_millionths(torch.stack([low, high])))

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        first, later = self._numbers(camera_to_world, intrinsics)
        numbers = self._number_of_token()
        bins = self._bins(numbers).to_ids(torch.cat([first, later.flatten(1)], dim=1))
        return bins + numbers * self.num_bins

    def decode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        check_ids(ids, self.num_tokens, 9 * self.num_bins)
        numbers = self._number_of_token()
        wrong = ids // self.num_bins != numbers
        if wrong.any():
            token = int(wrong.nonzero()[0, 1])
            first = int(numbers[token]) * self.num_bins
            raise ValueError(
                f"expected ids {first}..{first + self.num_bins - 1} for token {token}, got {int(ids[wrong][0])}"
            )
        values = self._bins(numbers).to_values(ids % self.num_bins)
        log_focal, later = values[:, None, :2], values[:, 2:].unflatten(1, (-1, 7))  # [B, 1, 2], [B, T - 1, 7]
        first = torch.cat([torch.zeros_like(later[:, :1, :6]), log_focal], dim=-1)
        rest = torch.cat([later[..., :6], log_focal + later[..., 6:]], dim=-1)
        return values_to_path(torch.cat([first, rest], dim=1))

    def count_tokens(self, ids: Tensor) -> Tensor:
        return torch.full_like(ids[:, 0], ids.shape[1])

    def code_vectors(self) -> Tensor:
        """The middle of each bin, from -1 to 1 over its range, in the column of its number: `[9 * bins, 9]`."""
        centres = (torch.arange(self.num_bins, device=self.ranges.device) + 0.5) * (2 / self.num_bins) - 1
        return torch.block_diag(*[centres[:, None]] * 9)

    def _numbers(self, camera_to_world: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
        """Paths -> the first pose's log focal lengths `[B, 2]`, and of each later pose `[B, T - 1, 7]`."""
        values = path_values(camera_to_world, intrinsics, self.num_poses)
        zoom = (values[:, 1:, 6:] - values[:, :1, 6:]).mean(-1, keepdim=True)
        return values[:, 0, 6:], torch.cat([values[:, 1:, :6], zoom], dim=-1)

    def _number_of_token(self) -> Tensor:
        """Which of the nine each token is, `[tokens]`."""
        return torch.tensor([7, 8, *range(7)] + [*range(7)] * (self.num_poses - 2), device=self.ranges.device)

    def _bins(self, numbers: Tensor) -> Bins:
        low, high = from_millionths(self.ranges)[:, numbers]
        return Bins(low, high, self.num_bins)


class GenDopCameraTokenizer:
    """Ten numbers a pose, 10 x 17 = 170 tokens: quaternion 4, translation 3, focal length 2, scale 1.

    Quaternions (w, x, y, z; w is not negative) and translations lie in [-1, 1], the translations divided by the scale,
    the largest of their coordinates in the path; focal lengths and scale are binned by their logarithm over the range
    of the fitted paths. That much is GenDoP's; logarithms of the focal lengths and the order in a pose are our choice.
    """

    def __init__(self, num_poses: int = 17, bins: int = 256):
        self.num_poses, self.num_bins = num_poses, bins
        self.num_tokens = 10 * num_poses

    @property
    def bits_per_token(self) -> float:
        return math.log2(self.num_bins)

    def fit(self, camera_to_world: Tensor, intrinsics: Tensor) -> None:
        numbers = self._numbers(camera_to_world, intrinsics)
        low, high = numbers.flatten(0, 1).amin(0), numbers.flatten(0, 1).amax(0)
        low[:7], high[:7] = -1, 1
        self.bins = Bins(low, high, self.num_bins)

    def encode(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        return self.bins.to_ids(self._numbers(camera_to_world, intrinsics)).flatten(1)  # pose after pose

    def decode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        check_ids(ids, self.num_tokens, self.num_bins)
        values = self.bins.to_values(ids.unflatten(1, (self.num_poses, 10)))
        quaternion, translation, log_focal, log_scale = values.split([4, 3, 2, 1], dim=-1)
        rotation = quaternion_to_rotation_vector(quaternion / quaternion.norm(dim=-1, keepdim=True))
        return values_to_path(torch.cat([translation * 10**log_scale, rotation, log_focal], dim=-1))

    def count_tokens(self, ids: Tensor) -> Tensor:
        return torch.full_like(ids[:, 0], ids.shape[1])

    def _numbers(self, camera_to_world: Tensor, intrinsics: Tensor) -> Tensor:
        """Paths -> `[B, T, 10]`."""
        values = path_values(camera_to_world, intrinsics, self.num_poses)
        translation, rotation, log_focal = values.split([3, 3, 2], dim=-1)
        quaternion = matrix_to_quaternion(rotation_vector_to_matrix(rotation))
        quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
        scale = translation.abs().amax((1, 2), keepdim=True).clamp(min=LEAST_SCALE)  # [B, 1, 1]
        log_scale = scale.log10().expand(-1, self.num_poses, 1)
        return torch.cat([quaternion, translation / scale, log_focal, log_scale], dim=-1)
