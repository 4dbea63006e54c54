"""The two 18-bit quantizers: lookup-free (LFQ, MAGVIT-v2 section 3.1) and finite scalar (FSQ, arXiv 2309.15505).

Both map a latent `[..., D]` to a code `[..., D]` in [-1, 1] with a straight-through gradient, and a code to one id and
back: a digit a channel, the first channel the least significant. `ids_to_codes(codes_to_ids(code)) == code` holds exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CodeBook(nn.Module):
    """A product of per-channel levels, spaced evenly on [-1, 1]: no table, so nothing to look up."""

    steps: Tensor  # [D] levels of each digit
    place_values: Tensor  # [D] what a digit counts in an id

    def __init__(self, levels: list[int] | tuple[int, ...]):
        super().__init__()
        self.levels = list(levels)
        steps = torch.tensor(self.levels)
        self.register_buffer("steps", steps)
        self.register_buffer("place_values", torch.cat([steps.new_ones(1), steps.cumprod(0)[:-1]]))

    @property
    def vocab_size(self) -> int:
        return int(self.steps.prod())

    def codes_to_ids(self, codes: Tensor) -> Tensor:
        """codes `[..., D]` in [-1, 1] -> ids `[...]` int64."""
        digits = ((codes + 1) / 2 * (self.steps - 1)).round().long()
        return (digits * self.place_values).sum(-1)

    def ids_to_codes(self, ids: Tensor) -> Tensor:
        """ids `[...]` int64 -> codes `[..., D]` float32."""
        digits = ids[..., None] // self.place_values % self.steps
        return digits.float() / (self.steps - 1) * 2 - 1


ENTROPY_GROUP = 9
"""Digits whose codes are counted together in `batch_entropy`: the 2^18 codes of a whole id would be too many to sum over."""


FSQ_RANGE = 4.0
"""Latents between which all 8 levels lie, and rounding reaches the first and the last: sigmoid(4) = 0.982."""


class LookupFreeQuantizer(CodeBook):
    """Signs. The auxiliary loss wants each sign certain, all codes used (entropies), and latents near +-1."""

    def __init__(
        self, levels, entropy_weight: float = 0.02, commitment_weight: float = 0.05, inverse_temperature: float = 4.0
    ):
        super().__init__(levels)
        self.entropy_weight = entropy_weight
        self.commitment_weight = commitment_weight
        self.inverse_temperature = inverse_temperature

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """latent `[..., D]` -> (code `[..., D]`, auxiliary loss, scalar)."""
        latent = latent.float()
        code = torch.where(latent > 0, 1.0, -1.0)
        probability = torch.sigmoid(self.inverse_temperature * latent).flatten(0, -2)
        entropy_gap = _binary_entropy(probability).mean() - _binary_entropy(probability.mean(0)).mean()
        commitment = (latent - code).square().mean()
        return latent + (
            code - latent
        ).detach(), self.entropy_weight * entropy_gap + self.commitment_weight * commitment

    def losses(self, latent: Tensor) -> dict[str, Tensor]:
        """What a training weighs for itself (MAGVIT-v2, equation 5), each a scalar:

        sample_entropy: how uncertain signs are, nats a digit, 0..ln 2; to be made small.
        batch_entropy: of the codes of all latents `[..., D]` together, nats a digit, 0..ln 2; to be made large. Joint
            over groups of 9 digits, so that digits which repeat each other count as one (the groups are our choice).
        commitment: squared distance of latents from their signs; to be made small.
        """
        latent = latent.float().flatten(0, -2)  # [N, D]
        probability = torch.sigmoid(self.inverse_temperature * latent)
        groups = [_joint_entropy(part) for part in probability.split(ENTROPY_GROUP, dim=1)]
        return {
            "sample_entropy": _binary_entropy(probability).mean(),
            "batch_entropy": torch.stack(groups).sum() / latent.shape[1],
            "commitment": (latent - torch.where(latent > 0, 1.0, -1.0)).square().mean(),
        }


class FiniteScalarQuantizer(CodeBook):
    """Rounded sigmoids. The small penalty keeps latents where the sigmoid still has a slope."""

    def __init__(self, levels, latent_penalty: float = 0.002):
        super().__init__(levels)
        self.latent_penalty = latent_penalty

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """latent `[..., D]` -> (code `[..., D]`, auxiliary loss, scalar)."""
        latent = latent.float()
        bounded = torch.sigmoid(latent)
        rounded = (bounded * (self.steps - 1)).round() / (self.steps - 1)
        code = (bounded + (rounded - bounded).detach()) * 2 - 1
        return code, self.latent_penalty * latent.square().mean()

    def losses(self, latent: Tensor) -> dict[str, Tensor]:
        """commitment: how far latents `[..., D]` lie beyond +-4, squared, a scalar: there the sigmoid has hardly a slope."""
        return {"commitment": torch.relu(latent.float().abs() - FSQ_RANGE).square().mean()}


def _joint_entropy(probability: Tensor) -> Tensor:
    """Signs' independent probabilities `[N, G]` for each of N latents -> entropy of the mean distribution over 2^G codes."""
    joint = probability.new_ones(len(probability), 1)
    for digit in probability.unbind(1):
        joint = torch.cat([joint * (1 - digit[:, None]), joint * digit[:, None]], dim=1)
    mean = joint.mean(0)
    return -(mean * mean.clamp(min=1e-12).log()).sum()


def _binary_entropy(probability: Tensor) -> Tensor:
    probability = probability.clamp(1e-6, 1 - 1e-6)
    return -(probability * probability.log() + (1 - probability) * (1 - probability).log())


def build_quantizer(kind: str, levels: list[int]) -> LookupFreeQuantizer | FiniteScalarQuantizer:
    return {"lfq": LookupFreeQuantizer, "fsq": FiniteScalarQuantizer}[kind](levels)
