"""How much of a codebook a set of ids uses: ids, digits, and the entropy of both.

An id is digits in mixed bases, the first the least significant, as the visual tokenizer's quantizers write them (18 of 2 levels, or
6 of 8). Entropies are those of the observed frequencies: that of whole ids can never exceed log2 of their number, so
for a vocabulary that is larger than the sample the entropy of the digits, at most log2 of the vocabulary, says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CodebookUsage:
    """What `codebook_usage` counts."""

    ids: int  # how many there are
    distinct_ids: int
    vocabulary_share: float  # of all ids that could occur, those that do
    id_entropy_bits: float
    digit_values_share: float  # of all values of all digits, those that occur
    digit_entropy_bits: float  # sum over the digits: what an id's digits carry if they are independent


def codebook_usage(ids: np.ndarray, levels: Sequence[int]) -> CodebookUsage:
    """Ids of any shape, 0 <= id < prod(levels), -> their usage.

    Raises ValueError for no ids, ids that are no whole numbers, or ids out of range.
    """
    vocabulary = int(np.prod(np.array(levels, dtype=object)))
    if not np.issubdtype(ids.dtype, np.integer) or ids.size == 0:
        raise ValueError(f"expected whole numbers as ids, at least one, got {list(ids.shape)} of {ids.dtype}")
    if ids.min() < 0 or ids.max() >= vocabulary:
        raise ValueError(f"expected ids in 0..{vocabulary - 1}, got {ids.min()}..{ids.max()}")
    flat = ids.reshape(-1).astype(np.int64)
    counts = np.unique(flat, return_counts=True)[1]
    digit_counts, rest = [], flat
    for base in levels:
        digit_counts.append(np.bincount(rest % base, minlength=base))
        rest = rest // base
    return CodebookUsage(
        ids=flat.size,
        distinct_ids=len(counts),
        vocabulary_share=len(counts) / vocabulary,
        id_entropy_bits=_entropy_bits(counts),
        digit_values_share=sum(int((each > 0).sum()) for each in digit_counts) / sum(levels),
        digit_entropy_bits=sum(map(_entropy_bits, digit_counts)),
    )


def _entropy_bits(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(max(0.0, -(shares * np.log2(shares)).sum()))
