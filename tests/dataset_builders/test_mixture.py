"""The mixture keeps its shares, goes on exactly, and shares its rows out without doubling one."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import datasets
import numpy as np
import pytest
from torch.utils.data import DataLoader

from camvig.dataset_builders.mixture import mixture
from camvig.dataset_builders.mixture_schedule import BLOCK, MixtureSchedule


def rows_of(name: str, count: int) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"source": [name] * count, "number": list(range(count))})


def sources(num_shards: int = 4) -> dict:
    return {"nerf": rows_of("nerf", 101), "video": rows_of("video", 40).to_iterable_dataset(num_shards=num_shards)}


def make(**more):
    return mixture(sources(), nerf=0.7, video=0.3, **more)


def taken(stream, count: int) -> list[tuple[str, int]]:
    return [(row["source"], row["number"]) for row in islice(iter(stream), count)]


@pytest.mark.parametrize(
    "shares", [(0.7, 0.3), (0.5, 0.25, 0.25), (0.99, 0.01), (1 / 3, 2 / 3), (0.61, 0.29, 0.07, 0.03)]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_any_2000_in_a_row_have_the_shares_to_within_1_percent(shares, seed):
    turns = np.fromiter(islice(MixtureSchedule(shares, seed, shard=3), 12_000), int)
    for source, share in enumerate(shares):
        sums = np.concatenate([[0], np.cumsum(turns == source)])
        assert np.abs((sums[2000:] - sums[:-2000]) / 2000 - share).max() < 0.01
        assert np.abs(sums[::BLOCK] - share * np.arange(len(sums))[::BLOCK]).max() < len(shares)


def test_the_order_is_of_its_seed_and_shard_and_not_a_pattern():
    def turns(seed: int, shard: int) -> list[int]:
        return list(islice(MixtureSchedule((0.7, 0.3), seed, shard), 400))

    assert turns(0, 0) == turns(0, 0)
    assert len({tuple(turns(seed, shard)) for seed in range(3) for shard in range(3)}) == 9
    order = turns(0, 0)
    assert len({tuple(order[start : start + BLOCK]) for start in range(0, 400, BLOCK)}) == 20
    # knowing the last 3 turns helps little in guessing the next: a pattern would give 1, always guessing "nerf" 0.7
    guesses: dict[tuple, Counter] = {}
    for place in range(3, 400):
        guesses.setdefault(tuple(order[place - 3 : place]), Counter())[order[place]] += 1
    assert sum(max(counts.values()) for counts in guesses.values()) / 397 < 0.8


def test_the_rows_have_the_shares_and_every_pass_has_every_row():
    rows = taken(make(), 2000)
    assert Counter(source for source, _ in rows) == pytest.approx({"nerf": 1400, "video": 600}, abs=20)
    nerf = [number for source, number in rows if source == "nerf"]
    assert sorted(nerf[:101]) == sorted(nerf[101:202]) == list(range(101))
    assert nerf[:101] != nerf[101:202] != list(range(101))
    assert [number for source, number in rows if source == "video"][:80] == [*range(40), *range(40)]


@pytest.mark.parametrize("stop", [1, 19, 20, 133, 134, 135, 1001])
def test_it_goes_on_exactly(stop):
    whole = taken(make(), stop + 500)
    stream = make()
    rows = iter(stream)
    for _ in range(stop):
        next(rows)
    state = json.loads(json.dumps(stream.state_dict()))
    other = make()
    other.load_state_dict(state)
    assert other.state_dict() == state
    assert taken(other, 500) == whole[stop:]
    stream.load_state_dict(state)  # the same object goes back, too
    assert taken(stream, 500) == whole[stop:]


def test_it_goes_on_exactly_when_stopped_twice():
    whole = taken(make(seed=5), 600)
    state, rows = {}, []
    for _ in range(6):
        stream = make(seed=5)
        stream.load_state_dict(state)
        rows += taken(stream, 100)
        state = json.loads(json.dumps(stream.state_dict()))
    assert rows == whole


def test_processes_share_the_rows_out():
    # 101 + 40 rows, of which 3 processes take 33 x 3 nerf rows and 13 x 3 video rows in their first passes
    streams = [taken(make(rank=rank, world_size=3), 400) for rank in range(3)]
    for rows in streams:
        assert Counter(source for source, _ in rows)["nerf"] == pytest.approx(280, abs=4)
    for name, first in (("nerf", 33), ("video", 13)):
        parts = [[number for source, number in rows if source == name][:first] for rows in streams]
        assert len({number for part in parts for number in part}) == 3 * first


def test_the_workers_of_a_loader_share_the_rows_out():
    loader = DataLoader(make(), batch_size=None, num_workers=2)
    rows = [(row["source"], row["number"]) for row in islice(loader, 80)]
    assert len(set(rows)) == 80  # 28 nerf and 12 video rows each of two workers
    assert Counter(source for source, _ in rows) == {"nerf": 56, "video": 24}


class WhatAWorkerSays:
    """Item 0: the error of starting a mixture in a DataLoader's worker. (Torch takes 10 s to end workers that raise.)"""

    def __init__(self, stream):
        self.stream = stream

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> str:
        with pytest.raises(ValueError) as error:
            iter(self.stream)
        return str(error.value)


def test_a_stream_of_too_few_shards_for_the_workers_is_refused():
    stream = mixture(sources(num_shards=1), nerf=0.7, video=0.3)
    assert taken(stream, 2)  # without workers it is fine
    said = list(DataLoader(WhatAWorkerSays(stream), batch_size=None, num_workers=2))  # type: ignore[arg-type]
    assert len(said) == 1 and "at least 2 shards in stream 'video' for as many DataLoader workers, got 1" in said[0]


def test_plain_lists_and_a_share_of_nothing():
    rows = taken(mixture({"a": [{"source": "a", "number": 1}], "b": rows_of("b", 3)}, a=1.0, b=0.0), 50)
    assert set(rows) == {("a", 1)}


def test_a_state_of_another_mixture_is_refused():
    stream = make(seed=1)
    taken(stream, 10)
    longer = mixture({**sources(), "nerf": rows_of("nerf", 102)}, nerf=0.7, video=0.3, seed=1)
    for other in (make(seed=2), make(seed=1, rank=0, world_size=2), longer):
        other.load_state_dict(stream.state_dict())
        with pytest.raises(ValueError, match="expected the state of this mixture"):
            iter(other)


@pytest.mark.parametrize(
    ("shares", "more", "message"),
    [
        ({"nerf": 0.7}, {}, r"a share for each of the sources \['nerf', 'video'\], got \['nerf'\]"),
        ({"nerf": 0.7, "video": 0.4}, {}, "sum to 1"),
        ({"nerf": 1.2, "video": -0.2}, {}, "at least 0"),
        ({"nerf": 0.7, "video": 0.3}, {"rank": 2, "world_size": 2}, "rank 2 of 2"),
    ],
)
def test_what_does_not_fit_is_refused(shares, more, message):
    with pytest.raises(ValueError, match=message):
        mixture(sources(), **shares, **more)


def test_empty_and_unfit_sources_are_refused():
    with pytest.raises(ValueError, match="at least 1 row in source 'a'"):
        iter(mixture({"a": []}, a=1.0))
    with pytest.raises(ValueError, match=r"in this process's part of stream 'a', got none"):
        next(iter(mixture({"a": rows_of("a", 1).to_iterable_dataset()}, rank=1, world_size=2, a=1.0)))
    with pytest.raises(ValueError, match="expected source 'a' to be"):
        iter(mixture({"a": iter([{}])}, a=1.0))  # type: ignore[dict-item]
