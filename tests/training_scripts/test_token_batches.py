"""Batches of a mixture of caches: exact shares, every row once a pass, and the same samples however they are shared out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from camvig.dataset_builders.token_cache import TokenCache, write_part
from camvig.training_scripts.token_batches import TokenBatches


def make_cache(folder, count: int, has_path: bool, first: int) -> TokenCache:
    """Rows that are told by their image id."""
    columns = {"video_ids": [1, 2, 3], "camera_ids": [4], "camera_to_world": [0.0], "intrinsics": [0.0]}
    origin = {"source": "test", "variant": "as rendered", "move": "", "has_path": has_path}
    rows = [{**columns, **origin, "image_ids": [first + row], "clip_index": row} for row in range(count)]
    write_part(folder / "part.parquet", rows, "fingerprint")
    return TokenCache(folder, "fingerprint")


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("caches")
    return [make_cache(folder / "paths", 50, True, 0), make_cache(folder / "videos", 17, False, 1000)]


def make(caches, batch_size=5, missing=0.2, seed=3) -> TokenBatches:
    return TokenBatches(caches, [0.7, 0.3], batch_size, missing, seed)


def test_shares_are_exact_and_passes_whole(caches):
    ids = torch.cat([make(caches)(number)["image_ids"] for number in range(400)])[:, 0].tolist()
    assert sum(row < 1000 for row in ids) == 1400  # of 2,000
    for rows in ([row for row in ids if row < 1000][:1350], [row for row in ids if row >= 1000][:595]):
        counts = Counter(rows)
        assert set(counts.values()) == {len(rows) // len(counts)} and len(counts) in (50, 17)
    first, second = ids[:70], ids[70:140]
    assert first != second


def test_the_samples_do_not_depend_on_how_they_are_shared_out(caches):
    large = make(caches, 10)(7)
    halves = [make(caches, 5)(number) for number in (14, 15)]
    assert set(large) == {"image_ids", "video_ids", "camera_ids", "camera_is_missing"}
    for name, values in large.items():
        assert torch.equal(values, torch.cat([half[name] for half in halves]))


def test_cameras_are_missing_where_there_is_no_path_and_in_a_share_of_the_others(caches):
    batches = [make(caches, 20)(number) for number in range(100)]
    has_path = torch.cat([batch["image_ids"][:, 0] for batch in batches]) < 1000
    is_missing = torch.cat([batch["camera_is_missing"] for batch in batches])
    assert is_missing[~has_path].all()
    share = is_missing[has_path].float().mean().item()
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 1400)
    assert all(make(caches, 20, missing=1.0)(number)["camera_is_missing"].all() for number in range(3))


def test_another_seed_is_another_order(caches):
    assert not torch.equal(make(caches, 20)(0)["image_ids"], make(caches, 20, seed=4)(0)["image_ids"])


def test_shares_that_do_not_fit_are_refused(caches):
    with pytest.raises(ValueError, match=r"expected a share for each of 2 caches that sum to 1, got \[0.7, 0.7\]"):
        TokenBatches(caches, [0.7, 0.7], 5, 0.0, 0)
