"""Batches of a mixture of caches: exact shares, every row once a pass, and the same samples however they are shared out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from camvig import CamViGCameraTokenizer, CamViGCameraTokenizerConfig
from camvig.dataset_builders.path_samples import sample_model_paths
from camvig.dataset_builders.token_cache import TokenCache, write_part
from camvig.training_scripts.token_batches import WINDOW, TokenBatches


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


@pytest.fixture(scope="module")
def padded_cache(tmp_path_factory) -> tuple[TokenCache, int]:
    """1,000 sampled paths in the ids of a fitted tokenizer of kind "dct" with its default settings, and its id of padding."""
    tokenizer = CamViGCameraTokenizer(CamViGCameraTokenizerConfig(kind="dct"))
    paths = [torch.from_numpy(values) for values in sample_model_paths(1000, 0)]
    tokenizer.fit(*paths)
    origin = {"source": "test", "variant": "as rendered", "move": "", "has_path": True, "video_ids": [1]}
    rows = [
        {
            **origin,
            "image_ids": [row],
            "camera_ids": ids,
            "camera_to_world": [0.0],
            "intrinsics": [0.0],
            "clip_index": row,
        }
        for row, ids in enumerate(tokenizer.encode(*paths).tolist())
    ]
    folder = tmp_path_factory.mktemp("padded")
    write_part(folder / "part.parquet", rows, "fingerprint")
    return TokenCache(folder, "fingerprint"), tokenizer.config.codebook_size - 1


def padding_share(batches: TokenBatches, padding: int, is_cut: bool, count: int) -> float:
    """Of all tokens of camvig-tiny's sequence: 5 special ones, 64 of the image, 255 of the video, and the camera's."""
    lengths = []
    for number in range(count):
        batch = batches(number)
        lengths.append(torch.where(batch["camera_is_missing"], 1, (batch["camera_ids"] != padding).sum(1)))
    together = torch.stack(lengths)
    width = together.amax(1, keepdim=True) if is_cut else torch.full((count, 1), 72)
    return float((width - together).sum() / (324 + width).expand_as(together).sum())


@pytest.mark.parametrize("missing", [0.12, 0.38])  # the second as in the paper's mixture, with dropped paths
def test_samples_of_one_length_follow_one_another_so_that_little_is_padded(padded_cache, missing):
    cache, padding = padded_cache
    as_they_come = TokenBatches([cache], [1.0], 16, missing, 0)
    grouped = TokenBatches([cache], [1.0], 16, missing, 0, padding)
    windows = 2 * WINDOW // 16
    shares = [
        padding_share(batches, padding, is_cut, windows)
        for batches, is_cut in ((as_they_come, False), (as_they_come, True), (grouped, True))
    ]
    print(f"missing {missing}: padding {shares[0]:.4f}, cut {shares[1]:.4f}, cut and grouped {shares[2]:.4f}")
    assert shares[2] < 0.02 and shares[2] < shares[1] / 2 < shares[0] / 2


def test_grouped_samples_are_the_same_ones_in_an_order_of_their_own(padded_cache):
    cache, padding = padded_cache

    def images(batch_size: int, padding_id: int | None, seed: int = 0) -> list[int]:
        batches = TokenBatches([cache], [1.0], batch_size, 0.2, seed, padding_id)
        return torch.cat([batches(number)["image_ids"] for number in range(2 * WINDOW // batch_size)])[:, 0].tolist()

    as_they_come, grouped = images(64, None), images(64, padding)
    for window in (slice(0, WINDOW), slice(WINDOW, 2 * WINDOW)):
        assert sorted(grouped[window]) == sorted(as_they_come[window]) and grouped[window] != as_they_come[window]
    assert images(16, padding) == grouped != images(64, padding, seed=1)
    batches = TokenBatches([cache], [1.0], 64, 0.2, 0, padding)
    assert batches(20)["image_ids"][:, 0].tolist() == grouped[20 * 64 : 21 * 64]  # without those before it


def test_shares_that_do_not_fit_are_refused(caches):
    with pytest.raises(ValueError, match=r"expected a share for each of 2 caches that sum to 1, got \[0.7, 0.7\]"):
        TokenBatches(caches, [0.7, 0.7], 5, 0.0, 0)
