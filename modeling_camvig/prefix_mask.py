"""Which token sees which, and where they stand: the mask and the positions of a prefix language model.

The prefix sees itself in both directions, the video part is causal. Camera ids of kind "dct" end in padding, which no token
sees; columns that are padding in all samples of a batch are cut off before the decoder, and what follows keeps its place, since
position ids count the cut ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .configuration_camvig import CamViGConfig


def without_common_padding(
    camera_ids: Tensor, camera_is_missing: Tensor, config: CamViGConfig
) -> tuple[Tensor, Tensor | None]:
    """Kind "dct": checked ids `[B, n]` -> those up to the longest path's last, and each sample's number of them `[B]`.

    Other kinds have no padding: the same ids, and None.
    """
    if config.camera_kind != "dct":
        return camera_ids, None
    lengths = (camera_ids != config.camera_codebook_size - 1).sum(1).clamp(min=1)
    lengths = torch.where(camera_is_missing, 1, lengths)
    return camera_ids[:, : int(lengths.max())], lengths


def decoder_positions(camera_tokens: int, first: int, inputs: Tensor, config: CamViGConfig) -> Tensor | None:
    """Kind "dct": positions `[1, N]` of inputs `[B, N, D]` from the `first` on, counting camera tokens that were cut.

    None for other kinds, whose tokens stand where they are.
    """
    if config.camera_kind != "dct":
        return None
    positions = torch.arange(first, first + inputs.shape[1], device=inputs.device)
    cut = config.num_camera_tokens - camera_tokens
    return torch.where(positions > camera_tokens, positions + cut, positions)[None]


def prefix_lm_mask(inputs: Tensor, prefix_length: int, camera_lengths: Tensor | None, attention: str) -> Tensor:
    """inputs `[B, N, D]` -> `[1, 1, N, N]`, one mask for the batch; with `camera_lengths` `[B, 1, N, N]`, without padding.

    For the attention "sdpa" it is bool, True where a query (row) may see a key (column); elsewhere it is added to the scores.
    """
    index = torch.arange(inputs.shape[1], device=inputs.device)
    visible = ((index <= index[:, None]) | (index < prefix_length))[None, None]
    if camera_lengths is not None:
        visible = visible & seen_keys(len(index), camera_lengths)
    return as_mask(visible, inputs, attention)


def seen_keys(length: int, camera_lengths: Tensor) -> Tensor:
    """bool `[B, 1, 1, N]`: which of the first `length` keys are no padding. The camera's follow <camera>."""
    index = torch.arange(length, device=camera_lengths.device)
    is_padding = (index > camera_lengths[:, None]) & (index <= camera_lengths.max())
    return ~is_padding[:, None, None]


def as_mask(visible: Tensor, inputs: Tensor, attention: str) -> Tensor:
    """bool, True where a key may be seen -> what the decoder's attention takes."""
    if attention == "sdpa":
        return visible
    added = torch.zeros(visible.shape, dtype=inputs.dtype, device=inputs.device)
    return added.masked_fill(~visible, torch.finfo(inputs.dtype).min)
