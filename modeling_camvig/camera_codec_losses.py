"""What a camera codec is trained on: how far the values read back are off, and what its quantizers cost, level by level.

Used by `CamViGCameraTokenizer.forward`. What always holds: gradients pass the quantizers straight through, and each value's
errors are in units of that value's spread in the batch; in the layout "spectrum" all are in one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.models.dac.modeling_dac import DacVectorQuantize
from transformers.utils.generic import ModelOutput

from .camera_signal import read_values
from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig

MIN_SPREAD = 0.02
"""Least spread of a value by which its errors are divided, in signal units."""
SPECTRUM_SPREAD = 0.03
"""The same for the layout "spectrum", all of whose numbers matter alike: about the error at which training should care."""


@dataclass
class CameraTokenizerOutput(ModelOutput):
    """What `CamViGCameraTokenizer.forward` gives.

    Args:
        loss: scalar, the reconstruction and codec losses, and those of the coarser levels by their weight.
        reconstruction_loss: scalar, L1 + L2 between the values of the path and those read back, each of the 8 values
            in units of its spread in this batch (so that the rarer turns are learned as soon as the rest; our choice),
            in the layout "spectrum" all in the same unit.
        level_losses: `[L]`, the reconstruction loss after 1, 2, ... levels; without a weight for them only the last.
        codec_loss: scalar, the codec's codebook and commitment losses, weighted by its configuration.
        ids: `[B, L * N]` int64, level-major; None without quantization.
        level_perplexity: `[L]`, exp of the entropy of the codes in this batch, 1..codebook_size; None without.
        camera_to_world: `[B, T, 4, 4]`, the reconstructed path, relative to its first pose.
        intrinsics: `[B, T, 4]`.
    """

    loss: Tensor | None = None
    reconstruction_loss: Tensor | None = None
    level_losses: Tensor | None = None
    codec_loss: Tensor | None = None
    ids: Tensor | None = None
    level_perplexity: Tensor | None = None
    camera_to_world: Tensor | None = None
    intrinsics: Tensor | None = None


def quantize_by_levels(
    quantizers: Sequence[DacVectorQuantize], latent: Tensor, config: CamViGCameraTokenizerConfig
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Latent `[B, D, N]` -> what the first 1, 2, ... L levels say of it, codes `[B, L, N]`, the codec's loss."""
    weights, total, loss = config.dac_config, torch.zeros_like(latent), latent.new_zeros(())
    levels, codes = [], []
    for quantizer in quantizers:
        quantized, commitment_loss, codebook_loss, level_codes, _ = quantizer(latent - total)
        loss = loss + weights.commitment_loss_weight * commitment_loss + weights.codebook_loss_weight * codebook_loss
        total = total + quantized
        levels.append(total)
        codes.append(level_codes)
    return levels, torch.stack(codes, dim=1), loss


def reconstruction_loss(decoded: Tensor, values: Tensor, config: CamViGCameraTokenizerConfig) -> Tensor:
    """Signal `[B, 1, samples]`, the true values `[B, T, 8]` -> L1 + L2, scalar."""
    by_value = config.signal_layout == "poses"
    spread = values.std((0, 1)).clamp(min=MIN_SPREAD) if by_value else SPECTRUM_SPREAD
    error = (read_values(decoded, config) - values) / spread
    return error.abs().mean() + error.square().mean()


def level_perplexity(codes: Tensor, codebook_size: int) -> Tensor:
    """Codes `[B, L, N]` -> exp of the entropy of each level's codes, `[L]`."""
    usage = F.one_hot(codes, codebook_size).float().mean((0, 2))  # [L, codebook_size]
    return torch.special.entr(usage).sum(-1).exp()
