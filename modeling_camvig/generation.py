"""Sampling video ids from the transformer: one prefill of each prefix, then one token a step over a key-value cache.

Written by hand rather than over `generate()`: the length is fixed, a token is several factors drawn one after another,
guidance works on each factor's logits, and randomness comes from `torch.Generator`s. All that is known before the first
video token (places, the image's copy features, the aligned camera) is summed once; a step adds one embedding.
Samples with the same image and camera, as several draws of one video, share a prefill.
Greedy decoding gives exactly the ids that repeated full forward passes would (proved by a test, float32).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from .embeddings import ChainedFactorHead, join_factors
from .key_value_cache import key_value_cache
from .prefix_mask import as_mask, decoder_positions, prefix_lm_mask, seen_keys, without_common_padding

if TYPE_CHECKING:
    from .modeling_camvig import CamViGForConditionalGeneration


class FactorSampler:
    """Draws one factor of the next token from its logits, for a batch, guidance included."""

    def __init__(
        self,
        generator: torch.Generator | list[torch.Generator] | None,
        temperature: float,
        top_k: int,
        top_p: float,
        guidance_scale: float | None,
    ):
        self.generator = generator
        self.greedy = temperature == 0
        self.guidance_scale = guidance_scale
        self.warpers = LogitsProcessorList()
        if not self.greedy and temperature != 1.0:
            self.warpers.append(TemperatureLogitsWarper(temperature))
        if top_k:
            self.warpers.append(TopKLogitsWarper(top_k))
        if top_p < 1.0:
            self.warpers.append(TopPLogitsWarper(top_p))

    def __call__(self, logits: Tensor) -> Tensor:
        """logits `[B, V]`, or with guidance `[2B, V]` (given, then missing) -> `[B]`, or twice the same `[2B]`."""
        if self.guidance_scale is None:
            return self._draw(logits)
        given, missing = logits.chunk(2)
        return self._draw(missing + self.guidance_scale * (given - missing)).repeat(2)

    def _draw(self, logits: Tensor) -> Tensor:
        if self.greedy:
            return logits.argmax(-1)
        probabilities = self.warpers(None, logits).softmax(-1)  # type: ignore[arg-type]
        return choose(probabilities, self._uniform(len(logits)).to(logits.device))

    def _uniform(self, count: int) -> Tensor:
        """`[count]` numbers in [0, 1), drawn where the generators are, which may not be where the model is."""
        if isinstance(self.generator, list):
            return torch.cat([torch.rand(1, generator=one, device=one.device).cpu() for one in self.generator])
        device = None if self.generator is None else self.generator.device
        return torch.rand(count, generator=self.generator, device=device)


def choose(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The choices `[B]` at which the summed probabilities `[B, V]` first exceed `uniform` `[B]`, parts of the sum in [0, 1).

    What `torch.multinomial` draws, but from one number a sample, so that samples with generators of their own are drawn together. A
    float32 number below 1 times the sum is always below the sum.
    """
    sums = probabilities.float().cumsum(-1)
    return torch.searchsorted(sums, uniform[:, None] * sums[:, -1:], right=True)[:, 0]


def write_video(
    model: CamViGForConditionalGeneration,
    image_ids: Tensor,
    camera_ids: Tensor,
    camera_is_missing: Tensor,
    sampler: FactorSampler,
    callback: Callable[[int, int], None] | None,
) -> Tensor:
    """Write all video tokens of a batch.

    Args:
        image_ids: `[B, h*w]`, checked; as are `camera_ids` `[B, L*n]` and `camera_is_missing` `[B]`. If the sampler
            guides, the batch holds each sample twice: with its camera, then (second half) without.

    Returns:
        `[B, (t-1)*h*w]` int64.
    """
    image_ids, camera_ids, camera_is_missing, sample = distinct_prefixes(image_ids, camera_ids, camera_is_missing)
    camera_ids, camera_lengths = without_common_padding(camera_ids, camera_is_missing, model.config)
    prefix, context = model.embed_prefix(image_ids, camera_ids, camera_is_missing)
    frame_tokens, total = image_ids.shape[1], context.shape[1]
    from_previous = model.video_context.from_previous
    cache = key_value_cache(model.decoder.config, prefix.shape[1] + total - 1)
    inputs = torch.cat([prefix[:, :-1], prefix[:, -1:] + context[:, :1]], dim=1)
    first, seen = 0, None if camera_lengths is None else seen_keys(prefix.shape[1] + total, camera_lengths)
    # the prefix alone: all see all
    mask: Tensor | None = prefix_lm_mask(inputs, prefix.shape[1], camera_lengths, model.attention)
    ids = image_ids.new_empty(len(sample), total)
    for step in range(total):
        positions = decoder_positions(camera_ids.shape[1], first, inputs, model.config)
        output = model.decoder(
            inputs_embeds=inputs, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        hidden = output.last_hidden_state[:, -1]
        if step == 0:
            hidden, context, seen = hidden[sample], context[sample], None if seen is None else seen[sample]
            cache.batch_select_indices(sample)
        ids[:, step] = _next_ids(model.head, hidden, sampler)
        if callback is not None:
            callback(step + 1, total)
        if step + 1 == total:
            break
        embedding = model.video_embedding(ids[:, step : step + 1])
        if from_previous is not None and step + frame_tokens < total:
            context[:, step + frame_tokens] += from_previous(embedding[:, 0])
        inputs, first = embedding + context[:, step + 1 : step + 2], prefix.shape[1] + step
        mask = None if seen is None else as_mask(seen[..., : first + 1], inputs, model.attention)
    return ids


def distinct_prefixes(
    image_ids: Tensor, camera_ids: Tensor, camera_is_missing: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The prefixes `[U, ...]` of `B` samples, each once, and the number in them of each sample's own `[B]`."""
    columns = [image_ids, camera_ids, camera_is_missing[:, None].long()]
    rows, sample = torch.cat(columns, dim=1).unique(dim=0, return_inverse=True)
    image, camera, missing = rows.split([column.shape[1] for column in columns], dim=1)
    return image, camera, missing[:, 0].bool(), sample


def _next_ids(head: ChainedFactorHead, hidden: Tensor, sampler: FactorSampler) -> Tensor:
    """hidden `[B, D]` -> ids `[B]`: the factors in the head's order, each given those before it."""
    parts: list[Tensor] = []
    for _ in head.factors:
        parts.append(sampler(head.logits(hidden, parts)))
    return join_factors(parts, head.factors)


def check_sampling(
    generator: torch.Generator | list[torch.Generator] | None,
    temperature: float,
    top_k: int,
    top_p: float,
    guidance_scale: float,
    batch_size: int,
):
    """One clear line for arguments that cannot be sampled with."""
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"expected a finite temperature >= 0, got {temperature}")
    if top_k != int(top_k) or top_k < 0:
        raise ValueError(f"expected top_k a whole number >= 0, got {top_k}")
    if not 0 < top_p <= 1:
        raise ValueError(f"expected top_p in (0, 1], got {top_p}")
    if not 0 <= guidance_scale < float("inf"):
        raise ValueError(f"expected a finite guidance_scale >= 0, got {guidance_scale}")
    if isinstance(generator, list) and len(generator) != batch_size:
        raise ValueError(f"expected one generator a sample ({batch_size}), got {len(generator)}")
