"""Batches of cached ids for the transformer: a mixture of caches in exact shares, each batch a function of its number.

What holds: sample n of a run (over all steps and processes) is a row that follows from n, the shares and the seed alone
(`mixture_schedule`): every row of a cache once a pass over it, in an order that seed and pass fix. Whether its camera is
dropped follows from n too. So one process with batches of 2n samples and two with batches of n train on the same samples,
and a run goes on exactly without remembering anything.

Most camera tokenizers give all paths ids of one length, and nothing is padded. Those of kind "dct" pad: then the samples of each
window of `WINDOW` change places, so that those of about one length follow one another in groups of `GROUP`, the groups in an
order of the seed and the window. A batch in one group pads little, and the transformer cuts off what all of a batch pad.
A sample without its path has one camera token, so such samples come in batches of their own: VideoPoet's alternation between
groups of one length.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..dataset_builders.mixture_schedule import place_of
from ..dataset_builders.token_cache import TokenCache

WINDOW, GROUP = 1024, 64
"""Samples whose order is changed together, and of a group; both are our choice. Batches that divide `GROUP` pad least."""


class TokenBatches:
    """Call it with a batch's number for `image_ids`, `video_ids`, `camera_ids` (int64) and `camera_is_missing` (bool `[B]`).

    Args:
        caches: where the ids come from, of the same tokenizers.
        shares: of the samples, one a cache; they sum to 1.
        batch_size: samples a batch.
        missing_camera_share: share of the samples with a path that train with the missing-camera token all the same;
            those without one always do. 1 is training without any path.
        seed: of the order and of what is dropped.
        padding_id: the camera id that paths of different lengths are padded with; None where all are of one length.
    """

    def __init__(
        self,
        caches: Sequence[TokenCache],
        shares: Sequence[float],
        batch_size: int,
        missing_camera_share: float,
        seed: int,
        padding_id: int | None = None,
    ):
        if len(caches) != len(shares) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"expected a share for each of {len(caches)} caches that sum to 1, got {list(shares)}")
        self.caches, self.shares = list(caches), tuple(shares)
        self.batch_size, self.missing_camera_share, self.seed = batch_size, missing_camera_share, seed
        self.camera_lengths: list[np.ndarray] | None = None
        if padding_id is not None:
            columns = [cache.columns for cache in self.caches]
            self.camera_lengths = [
                np.where(one["has_path"], (one["camera_ids"] != padding_id).sum(1), 1) for one in columns
            ]
            self._by_length = lru_cache(maxsize=2)(self._window_by_length)

    def __call__(self, number: int) -> dict[str, Tensor]:
        places = range(number * self.batch_size, (number + 1) * self.batch_size)
        samples = places if self.camera_lengths is None else [self._sample_at(place) for place in places]
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

    def _sample_at(self, place: int) -> int:
        """The sample that is trained on as number `place`, where samples are grouped by their length."""
        window, inside = divmod(place, WINDOW)
        return window * WINDOW + int(self._by_length(window)[inside])

    def _window_by_length(self, window: int) -> np.ndarray:
        """The samples of a window, 0 .. WINDOW - 1, in the order in which they are trained on."""
        lengths = np.array([self._camera_length(window * WINDOW + inside) for inside in range(WINDOW)])
        groups = np.argsort(lengths, kind="stable").reshape(-1, GROUP)
        return np.random.default_rng((self.seed, 2, window)).permutation(groups).ravel()

    def _camera_length(self, sample: int) -> int:
        assert self.camera_lengths is not None
        source, row = self.place_of(sample)
        return 1 if self._is_dropped(sample) else int(self.camera_lengths[source][row])

    def _row(self, sample: int) -> dict[str, np.ndarray]:
        source, row = self.place_of(sample)
        return {name: values[0] for name, values in self.caches[source].rows(np.array([row])).items()}

    def _is_dropped(self, sample: int) -> bool:
        return bool(np.random.default_rng((self.seed, 1, sample)).random() < self.missing_camera_share)


@lru_cache(maxsize=8)
def _order(rows: int, seed: int, source: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, source, epoch)).permutation(rows)
