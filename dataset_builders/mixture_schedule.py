"""Whose turn it is in a mixture: an endless order of sources that keeps their shares and yet is hard to foresee.

What always holds: after every whole block of `BLOCK` samples each source has had its share of all samples so far, to within one
sample (two sources; a few with more); inside a block the order is shuffled. So in any 2,000 samples in a row a share of 0.7
is off by at most 2 x 20 x 0.7 x 0.3 samples for the blocks that are cut, plus 2: by 0.6%. Where a sample stands alone
says its source and its number in it (`place_of`), given the shares, the seed and the shard: nothing has to be remembered.

Drawing each sample's source by itself, as `datasets.interleave_datasets(probabilities=...)` does, cannot promise that: the
standard deviation of a share of 0.7 over 2,000 draws is sqrt(0.7 x 0.3 / 2000) = 1.02%, so one run in three is off by
more than 1%.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

BLOCK = 20


class MixtureSchedule:
    """Iterate for the indices of sources; `state` says where it stands after each, as JSON."""

    def __init__(self, shares: Sequence[float], seed: int, shard: int, state: dict[str, Any] | None = None):
        """`shares` sum to 1; `state` is None at the start, or what another schedule's was."""
        self.shares, self.seed, self.shard = tuple(shares), seed, shard
        self.state = state or {"taken": 0}

    def __iter__(self) -> Iterator[int]:
        while True:
            source, _ = place_of(self.state["taken"], self.shares, self.seed, self.shard)
            self.state = {"taken": self.state["taken"] + 1}
            yield source


def place_of(sample: int, shares: tuple[float, ...], seed: int, shard: int = 0) -> tuple[int, int]:
    """(source of sample number `sample`, how many samples of that source come before it)."""
    block, inside = divmod(sample, BLOCK)
    turns, before = _block(block, shares, seed, shard)
    source = turns[inside]
    return source, before[source] + turns[:inside].count(source)


@lru_cache(maxsize=64)
def _block(block: int, shares: tuple[float, ...], seed: int, shard: int) -> tuple[list[int], list[int]]:
    """The block's sources in their order, and each source's samples before it."""
    before, after = _counts(block * BLOCK, shares), _counts((block + 1) * BLOCK, shares)
    turns = [source for source in range(len(shares)) for _ in range(after[source] - before[source])]
    order = np.random.default_rng([seed, shard, block]).permutation(BLOCK)
    return [turns[place] for place in order], before


def _counts(samples: int, shares: Sequence[float]) -> list[int]:
    """Each source's share of a number of samples, in whole samples: rounded source after source, of what is left."""
    counts, left, of_left = [], samples, Fraction(1)
    for share in (Fraction(share).limit_denominator(10**6) for share in shares[:-1]):
        counts.append(round(left * share / of_left) if of_left > 0 else 0)  # in exact numbers it can never fall
        left, of_left = left - counts[-1], of_left - share
    return [*counts, left]
