"""Dead digits of a lookup-free or finite-scalar code, and how the plain tokenizer gets them back.

These codes have no vectors that could be moved to the data, as a vector quantizer's dead codes are. What dies is a digit: a
channel of the latent that has one value for (nearly) all inputs, so that an id has a bit less, or three. A restart gives it
a new meaning without disturbing what works:

- its row of the encoder's last projection becomes the direction of the features before it that the other digits explain
  least (the first principal component of what is left after regressing the features on those digits), shifted and scaled
  so that the probe's latents have median 0 and deviation 1: half of the signs flip, all levels occur;
- the decoder forgets the digit: what its constant value added goes into the bias and its weights become zero. So a
  reconstruction is what it was (but for the edge, where the convolution pads zeros), and training finds out what
  the digit is good for.

What a restart cannot undo is the reason of the collapse, so it is warned of. The optimizer's moments of these weights and the
moving average of all weights (training.ema_decay) are not touched: they follow within some tens of steps, or 1 / (1 - decay).
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from ..modeling_camvig.plain_autoencoder import PlainAutoencoder

DEAD_SHARE = 0.999
"""A digit is dead if one value has more than this share of all latents (our choice)."""


def digit_counts(ids: Tensor, levels: list[int]) -> list[Tensor]:
    """Ids `[...]` -> how often each digit has each of its values: D tensors `[levels]`."""
    counts, rest = [], ids.flatten()
    for level in levels:
        counts.append(torch.bincount(rest % level, minlength=level))
        rest = rest // level
    return counts


def dead_digits(ids: Tensor, levels: list[int]) -> list[int]:
    """Numbers of the digits that (nearly) never change."""
    counts = digit_counts(ids, levels)
    return [digit for digit, count in enumerate(counts) if count.max() > DEAD_SHARE * ids.numel()]


@torch.no_grad()
def restart_dead_digits(autoencoder: PlainAutoencoder, video: Tensor) -> list[int]:
    """Restarts the digits that are dead on a probe `[B, 3, T, H, W]`; their numbers. Warns if there are any.

    Deterministic. With an architecture of open weights, whose codes reach the decoder by other ways too, it only warns.
    """
    features, latent = _features_and_latent(autoencoder, video)  # [N, F], [N, D]
    codes = autoencoder.quantizer(latent)[0]
    dead = dead_digits(autoencoder.quantizer.codes_to_ids(codes), autoencoder.quantizer.levels)
    if not dead:
        return []
    told = f"the digits {', '.join(map(str, dead))} of the code have one value in {len(latent)} latents"
    if type(autoencoder) is not PlainAutoencoder:
        warnings.warn(f"{told}; {type(autoencoder).__name__} cannot restart them", stacklevel=2)
        return dead
    warnings.warn(f"{told}; they are restarted: is losses.batch_entropy too small?", stacklevel=2)
    alive = [digit for digit in range(latent.shape[1]) if digit not in dead]
    directions = _least_explained(features, codes[:, alive], len(dead))
    for digit, direction in zip(dead, directions, strict=True):
        _forget(autoencoder, digit, codes[:, digit].mean())
        _aim(autoencoder, digit, direction, features)
    return dead


def _features_and_latent(autoencoder: PlainAutoencoder, video: Tensor) -> tuple[Tensor, Tensor]:
    """What the encoder's last projection gets `[N, F]` and gives `[N, D]`, in float32."""
    seen: list[Tensor] = []
    last = autoencoder.last_projection if type(autoencoder) is PlainAutoencoder else None
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) if last is not None else None
    try:
        latent = torch.cat([autoencoder.encode_latent(clip) for clip in video.split(1)])
    finally:
        if hook is not None:
            hook.remove()
    features = torch.cat(seen).movedim(1, -1).flatten(0, -2).float() if seen else latent.flatten(0, -2)
    return features, latent.flatten(0, -2).float()


def _least_explained(features: Tensor, codes: Tensor, count: int) -> Tensor:
    """The `count` first principal directions `[count, F]` of features, less what codes explain of them linearly."""
    known = torch.cat([codes, codes.new_ones(len(codes), 1)], dim=1).double()
    gram = known.T @ known + 1e-6 * len(known) * torch.eye(known.shape[1], dtype=known.dtype, device=known.device)
    left = features.double() - known @ torch.linalg.solve(gram, known.T @ features.double())
    values, vectors = torch.linalg.eigh(left.T @ left)
    directions = vectors[:, values.argsort(descending=True)[:count]].T
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return (directions * largest.sign()).float()  # of two equal answers the one that points forward


def _forget(autoencoder: PlainAutoencoder, digit: int, value: Tensor):
    first = autoencoder.first_projection
    assert first.bias is not None
    first.bias += value * first.weight[:, digit].sum((1, 2, 3))
    first.weight[:, digit] = 0


def _aim(autoencoder: PlainAutoencoder, digit: int, direction: Tensor, features: Tensor):
    last, along = autoencoder.last_projection, features @ direction
    assert last.bias is not None
    scale = along.std().clamp(min=1e-6)
    last.weight[digit] = (direction / scale)[:, None, None, None]
    last.bias[digit] = -along.median() / scale
