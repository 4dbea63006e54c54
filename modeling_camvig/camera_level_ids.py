"""Ids of a codec's residual codes, level-major as in the paper (CamViG section 3): all of level 0, then all of level 1, ...

Level l owns the ids `l * codebook_size .. (l + 1) * codebook_size - 1`, so no two levels share one. The first levels alone are
ids too, of a coarser path.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .configuration_camera_tokenizer import CamViGCameraTokenizerConfig


def codes_to_ids(codes: Tensor, codebook_size: int) -> Tensor:
    """Codes `[B, L, N]` -> ids `[B, L * N]`."""
    first_ids = torch.arange(codes.shape[1], device=codes.device) * codebook_size
    return (codes + first_ids[:, None]).flatten(1)


def ids_to_codes(ids: Tensor, config: CamViGCameraTokenizerConfig) -> Tensor:
    """Ids `[B, k * N]` of the first k levels -> codes `[B, k, N]`; `ValueError` for ids that are not their level's."""
    frames, size = config.codec_frames, config.codebook_size
    if ids.ndim != 2 or ids.shape[1] % frames or not 0 < ids.shape[1] <= config.num_levels * frames:
        raise ValueError(f"expected ids [B, {config.num_levels * frames}], got {list(ids.shape)}")
    levels = torch.arange(ids.shape[1], device=ids.device) // frames
    wrong = ids // size != levels
    if wrong.any():
        level = int(levels.expand_as(ids)[wrong][0])
        raise ValueError(
            f"expected ids {level * size}..{(level + 1) * size - 1} at level {level}, got {int(ids[wrong][0])}"
        )
    return ids.unflatten(1, (-1, frames)) % size
