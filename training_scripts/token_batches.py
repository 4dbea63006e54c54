"""Batches of cached ids for the transformer: a mixture of caches in exact shares, each batch a function of its number.

What holds: sample n of a run (over all steps and processes) is a row that follows from n, the shares and the seed alone
(`mixture_schedule`): every row of a cache once a pass over it, in an order that seed and pass fix. Whether its camera is
dropped follows from n too. So one process with batches of 2n samples and two with batches of n train on the same samples,
and a run goes on exactly without remembering anything. All rows of a run are of one length: nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..dataset_builders.mixture_schedule import place_of
from ..dataset_builders.token_cache import TokenCache


class TokenBatches:
    """Call it with a batch's number for `image_ids`, `video_ids`, `camera_ids` (int64) and `camera_is_missing` (bool `[B]`).

    Args:
        caches: where the ids come from, of the same tokenizers.
        shares: of the samples, one a cache; they sum to 1.
        batch_size: samples a batch.
        missing_camera_share: share of the samples with a path that train with the missing-camera token all the same;
            those without one always do. 1 is training without any path.
        seed: of the order and of what is dropped.
    """

    def __init__(
        self,
        caches: Sequence[TokenCache],
        shares: Sequence[float],
        batch_size: int,
        missing_camera_share: float,
        seed: int,
    ):
        if len(caches) != len(shares) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"expected a share for each of {len(caches)} caches that sum to 1, got {list(shares)}")
        self.caches, self.shares = list(caches), tuple(shares)
        self.batch_size, self.missing_camera_share, self.seed = batch_size, missing_camera_share, seed

    def __call__(self, number: int) -> dict[str, Tensor]:
        samples = range(number * self.batch_size, (number + 1) * self.batch_size)
        rows = [self._row(sample) for sample in samples]
        is_missing = [not row.pop("has_path") or self._is_dropped(n) for n, row in zip(samples, rows, strict=True)]
        batch = {name: np.stack([row[name] for row in rows]).astype(np.int64) for name in rows[0]}
        return {name: torch.from_numpy(ids) for name, ids in batch.items()} | {
            "camera_is_missing": torch.tensor(is_missing)
        }

    def place_of(self, sample: int) -> tuple[int, int]:
        """(cache, row) of a sample of the run."""
        source, taken = place_of(sample, self.shares, self.seed)
        epoch, place = divmod(taken, len(self.caches[source]))
        return source, int(_order(len(self.caches[source]), self.seed, source, epoch)[place])

    def _row(self, sample: int) -> dict[str, np.ndarray]:
        source, row = self.place_of(sample)
        return {name: values[0] for name, values in self.caches[source].rows(np.array([row])).items()}

    def _is_dropped(self, sample: int) -> bool:
        return bool(np.random.default_rng((self.seed, 1, sample)).random() < self.missing_camera_share)


@lru_cache(maxsize=8)
def _order(rows: int, seed: int, source: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, source, epoch)).permutation(rows)
