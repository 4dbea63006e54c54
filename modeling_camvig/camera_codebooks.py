"""Starting and reviving the codebooks of a residual vector quantizer (DAC's), from latents that occur.

DAC's quantizers start as noise around zero, and on camera signals they collapse. What holds after `fit_codebooks`: each
level says the most that its codes can of what the levels before it left. All draws come from the generator given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers.models.dac.modeling_dac import DacVectorQuantize

KMEANS_ROUNDS = 12
COARSE_CONSTANT = 2.0
"""The constant channel of a projected latent, beside a spread of 1."""
FINE_CONSTANT = 150.0
"""The same where codes are fitted finely: beside outliers of 10 spreads, directions then differ as the latents do."""


def fit_codebooks(
    quantizers: Sequence[DacVectorQuantize], latents: Tensor, generator: torch.Generator | None, fine: bool
) -> None:
    """Fit all levels to latents `[B, D, N]`, one after the other.

    Latents are projected to their principal axes, scaled to a total variance of 1; a level's codes are the k-means centres
    there of what the levels before it left. The last projected channel is a constant: DAC looks codes up by direction
    alone, and beside a constant a direction tells the length too.

    Fine: every level projects to the axes, and scales by the variance, of what is left, and the constant is large. This is
    an order of magnitude more precise, and bears only a very small learning rate afterwards.
    """
    residual = latents
    for level, quantizer in enumerate(quantizers):
        seen = (residual if fine else latents).transpose(1, 2).flatten(0, 1)
        _project_to_principal_axes(quantizer, seen, FINE_CONSTANT if fine else COARSE_CONSTANT, fine or not level)
        projected = quantizer.in_proj(residual)
        _fit_codebook(quantizer, projected, generator)
        residual = residual - _quantize(quantizer, projected)


def restart_dead_codes(
    quantizers: Sequence[DacVectorQuantize], latents: Tensor, generator: torch.Generator | None, min_usage: float
) -> Tensor:
    """Move codes used less than `min_usage` of their uniform share to latents that occur, level by level (Mimi's rule).

    Returns:
        how many codes were moved at each level, `[L]` int64.
    """
    residual, restarted = latents, []
    for quantizer in quantizers:
        projected, size = quantizer.in_proj(residual), len(quantizer.codebook.weight)
        counts = quantizer.decode_latents(projected)[1].flatten().bincount(minlength=size)
        dead = counts < min_usage * counts.sum() / size
        quantizer.codebook.weight[dead] = _draw_latents(projected, int(dead.sum()), generator)
        restarted.append(int(dead.sum()))
        residual = residual - _quantize(quantizer, projected)
    return torch.tensor(restarted)


def project_codes(quantizer: DacVectorQuantize, codes: Tensor) -> Tensor:
    """A level's codes `[M, d]` through its output projection -> `[M, D]`."""
    return quantizer.out_proj(codes.T[None])[0].T


def _project_to_principal_axes(
    quantizer: DacVectorQuantize, latents: Tensor, constant: float, is_centred: bool
) -> None:
    """Sets the projections of a level from latents `[M, D]`; centred, what it quantizes has their mean, else a mean of 0."""
    num_axes = min(quantizer.codebook_dim - 1, latents.shape[1])
    offset = latents.mean(0)
    variances, axes = torch.linalg.eigh((latents - offset).T @ (latents - offset) / len(latents))
    axes, scale = axes[:, -num_axes:], variances[-num_axes:].sum().sqrt()  # [D, axes], scalar
    offset = offset * is_centred
    for parameter in (*quantizer.in_proj.parameters(), *quantizer.out_proj.parameters()):
        parameter.zero_()
    in_bias, out_bias = cast(Tensor, quantizer.in_proj.bias), cast(Tensor, quantizer.out_proj.bias)
    quantizer.in_proj.weight[:num_axes, :, 0] = axes.T / scale
    in_bias[:num_axes] = -offset @ axes / scale
    in_bias[-1] = constant
    quantizer.out_proj.weight[:, :num_axes, 0] = axes * scale
    out_bias.copy_(offset)


def _quantize(quantizer: DacVectorQuantize, projected: Tensor) -> Tensor:
    """Projected latents `[B, d, N]` -> what this level says of the latent, `[B, D, N]`."""
    return quantizer.out_proj(quantizer.decode_latents(projected)[0])


def _draw_latents(projected: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """`count` of the projected latents `[B, d, N]`, with repetition, by their length: `[count, d]`.

    Most latents are short, and drawn alike they would leave few codes to the long ones, which cost most.
    """
    latents = projected.transpose(1, 2).flatten(0, 1)
    weights = latents[:, :-1].norm(dim=1).cpu()
    if not count or not weights.any():
        return latents[:count]
    sums = weights.double().cumsum(0)  # torch.multinomial takes no more than 2^24 weights
    places = torch.searchsorted(sums, torch.rand(count, generator=generator).double() * sums[-1])
    return latents[places.clamp(max=len(latents) - 1).to(latents.device)]


def _fit_codebook(quantizer: DacVectorQuantize, projected: Tensor, generator: torch.Generator | None) -> None:
    """k-means over projected latents `[B, d, N]`, by the quantizer's own look-up; empty centres are drawn anew."""
    latents = projected.transpose(1, 2).flatten(0, 1)  # [B * N, d]
    codebook = quantizer.codebook.weight
    codebook.copy_(_draw_latents(projected, len(codebook), generator))
    for _ in range(KMEANS_ROUNDS):
        nearest = quantizer.decode_latents(projected)[1].flatten()
        counts = nearest.bincount(minlength=len(codebook))
        sums = torch.zeros_like(codebook).index_add_(0, nearest, latents)
        codebook.copy_(sums / counts.clamp(min=1)[:, None])
        codebook[counts == 0] = _draw_latents(projected, int((counts == 0).sum()), generator)
