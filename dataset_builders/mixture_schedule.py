"""Whose turn it is in a mixture: an endless order of sources that keeps their shares and yet is hard to foresee.

What always holds: after every whole block of `BLOCK` samples each source has had its share of all samples so far, to within one
sample (two sources; a few with more); inside a block the order is shuffled. So in any 2,000 samples in a row a share of 0.7
is off by at most 2 x 20 x 0.7 x 0.3 samples for the blocks that are cut, plus 2: by 0.6%. The order follows from the
shares, the seed and the shard alone.

Drawing each sample's source by itself, as `datasets.interleave_datasets(probabilities=...)` does, cannot promise that: the
standard deviation of a share of 0.7 over 2,000 draws is sqrt(0.7 x 0.3 / 2000) = 1.02%, so one run in three is off by
more than 1%.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

BLOCK = 20


class MixtureSchedule:
    """Iterate for the indices of sources; `state` says where it stands after each, as JSON."""

    def __init__(self, shares: Sequence[float], seed: int, shard: int, state: dict[str, Any] | None = None):
        """`shares` sum to 1; `state` is None at the start, or what another schedule's was."""
        self.shares = np.asarray(shares, np.float64)
        self.seed, self.shard = seed, shard
        self.state = state or {"block": 0, "counts_before_block": [0] * len(self.shares), "inside": 0}

    def __iter__(self) -> Iterator[int]:
        while True:
            block, inside = self.state["block"], self.state["inside"]
            turns, counts = self._turns(block, self.state["counts_before_block"])
            for turn in turns[inside:]:
                self.state = {**self.state, "inside": self.state["inside"] + 1}
                yield turn
            self.state = {"block": block + 1, "counts_before_block": counts, "inside": 0}

    def _turns(self, block: int, counts_before: list[int]) -> tuple[list[int], list[int]]:
        """The block's sources in their order, and the counts after it: each sample is of the source most behind."""
        counts, turns = np.array(counts_before), []
        for _ in range(BLOCK):
            source = int(np.argmax(self.shares * (counts.sum() + 1) - counts))
            counts[source] += 1
            turns.append(source)
        order = np.random.default_rng([self.seed, self.shard, block]).permutation(BLOCK)
        return [turns[place] for place in order], counts.tolist()
