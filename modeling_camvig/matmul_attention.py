"""A third attention beside transformers' own "sdpa" and "eager": two plain matrix products, for training on CPUs.

`attn_implementation=MATMUL_ATTENTION` (or `model.set_attn_implementation(...)`) turns it on. It stays in the dtype of its
inputs, and the prefix, which sees only itself, never meets the video's keys. Whether it is quicker than "sdpa" depends on
the machine: `benchmarks/transformer_step.py` tells. The numbers are those of the other two, up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv

MATMUL_ATTENTION = "camvig_matmul"


def matmul_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """query `[B, heads, N, D]`, key and value `[B, kv_heads, M, D]`, added mask `[1 or B, 1, N, M]` -> `[B, N, heads, D]`.

    The mask is that of a prefix language model: the last that the first row sees ends the prefix. One of each sample also hides
    keys inside the prefix. Without a mask, all see all.
    """
    groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    query, key = query.to(value.dtype) * scale, key.to(value.dtype)  # autocast leaves norms and rotations in float32
    length = seen = (
        int((attention_mask[0, 0, 0] == 0).nonzero().max()) + 1 if attention_mask is not None else key.shape[2]
    )
    hidden = None
    if attention_mask is not None and len(attention_mask) > 1:
        hidden = attention_mask[:, :, :length, :seen].to(query.dtype)
    output = _attend(query[:, :, :length], key[:, :, :seen], value[:, :, :seen], hidden, dropout)
    if length < query.shape[2]:
        assert attention_mask is not None
        rest = attention_mask[:, :, length:].to(query.dtype)
        output = torch.cat([output, _attend(query[:, :, length:], key, value, rest, dropout)], dim=2)
    return output.transpose(1, 2).contiguous(), None


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    with torch.autocast(query.device.type, enabled=False):  # softmax of CPU bfloat16 is computed in float32 inside
        scores = query @ key.transpose(2, 3)
        if mask is not None:
            scores += mask  # in place: the product's gradient does not need it
        weights = torch.softmax(scores, dim=-1)
        return nn.functional.dropout(weights, dropout) @ value


AttentionInterface.register(MATMUL_ATTENTION, matmul_attention)
