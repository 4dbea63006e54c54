"""`mixture`: rows of several clip datasets in one endless stream, in fixed shares; the paper trains on 70% NeRF, 30% video.

    rows = mixture({"nerf": nerf_clips, "video": video_clips}, nerf=0.7, video=0.3, seed=0)
    for row in rows: ...

What always holds, for each process's own stream: the shares are kept to within 1% in any 2,000 rows (`mixture_schedule`);
the same seed gives the same rows; `load_state_dict(state_dict())` goes on with the very next row. Processes and the
workers of a torch DataLoader share the sources out: within one pass over a source no row comes twice. (A source starts its
next pass where it ends, so processes of unequal speed may be in two passes at a time.)

A source is a `datasets.Dataset` (or anything with a length and rows by index), shuffled anew for each pass; or a
`datasets.IterableDataset`, in its own order, which is set to the next epoch for each pass. What of a stream's order is in a
shuffle buffer is lost when resuming (`datasets` refills the buffer); shuffle such a source's shards, or take it as a
`Dataset`, where resuming must be exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import datasets
import numpy as np
from datasets.distributed import split_dataset_by_node
from torch.utils.data import IterableDataset, get_worker_info

from .mixture_schedule import MixtureSchedule

Row = dict[str, Any]
Source = datasets.Dataset | datasets.IterableDataset | Sequence[Row]


def mixture(
    sources: Mapping[str, Source], /, *, seed: int = 0, rank: int = 0, world_size: int = 1, **shares: float
) -> Mixture:
    """The rows of `sources`, endless, in `shares` that sum to 1: `mixture(sources, nerf=0.7, video=0.3)`.

    `rank` and `world_size` are the process's number and the number of processes: give each its own mixture, and do not
    let Accelerate's `prepare` share it out again. Raises ValueError where sources and shares do not fit each other.
    """
    if sources.keys() != shares.keys():
        raise ValueError(f"expected a share for each of the sources {sorted(sources)}, got {sorted(shares)}")
    if min(shares.values(), default=-1) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"expected shares of at least 0 that sum to 1, got {shares}")
    if not 0 <= rank < world_size:
        raise ValueError(f"expected a rank from 0 to world_size - 1, got rank {rank} of {world_size}")
    return Mixture({name: sources[name] for name in shares}, shares, seed, rank, world_size)


class Mixture(IterableDataset):
    """What `mixture` makes. Each iteration starts at the state that was loaded last, or at the beginning."""

    def __init__(self, sources: dict[str, Source], shares: dict[str, float], seed: int, rank: int, world_size: int):
        self.sources, self.shares, self.seed = sources, shares, seed
        self.rank, self.world_size = rank, world_size
        self._loaded: dict[str, Any] | None = None
        self._schedule: MixtureSchedule | None = None
        self._readers: dict[str, _RowReader | _StreamReader] = {}

    def __iter__(self) -> Iterator[Row]:
        loaded = self._loaded or {}
        if loaded and loaded["mixture"] != self._identity():
            raise ValueError(f"expected the state of this mixture, {self._identity()}, got one of {loaded['mixture']}")
        shard, _ = self._place()
        self._schedule = MixtureSchedule(list(self.shares.values()), self.seed, shard, loaded.get("schedule"))
        states = loaded.get("sources", {})
        self._readers = {name: self._reader(name, states.get(name)) for name in self.sources}
        rows = [iter(reader) for reader in self._readers.values()]
        return (next(rows[turn]) for turn in self._schedule)

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands after the last row that it gave here, as JSON; {} before the first.

        Of a DataLoader with workers each worker has a stream of its own: torchdata's StatefulDataLoader keeps their states.
        """
        if self._schedule is None:
            return self._loaded or {}
        return {
            "mixture": self._identity(),
            "schedule": self._schedule.state,
            "sources": {name: reader.state_dict() for name, reader in self._readers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next iteration goes on after the row at which `state` was taken, of the same mixture in the same place.

        A state of other shares or lengths, another seed or another place raises ValueError then.
        """
        self._loaded, self._schedule = state, None

    def _identity(self) -> dict[str, Any]:
        lengths = {
            name: len(source)
            for name, source in self.sources.items()
            if not isinstance(source, datasets.IterableDataset)
        }
        return {"shares": self.shares, "seed": self.seed, "shard": list(self._place()), "rows": lengths}

    def _place(self) -> tuple[int, int]:
        """The number of this stream, and of how many: processes times the DataLoader workers of each."""
        worker = get_worker_info()
        if worker is None:
            return self.rank, self.world_size
        return self.rank * worker.num_workers + worker.id, self.world_size * worker.num_workers

    def _reader(self, name: str, state: dict[str, Any] | None) -> _RowReader | _StreamReader:
        source = self.sources[name]
        if isinstance(source, datasets.IterableDataset):
            return _StreamReader(name, source, self.rank, self.world_size, state)
        if not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
            raise ValueError(f"expected source {name!r} to be a datasets dataset or a sequence, got {type(source)}")
        seed = [self.seed, list(self.sources).index(name)]
        return _RowReader(name, source, seed, *self._place(), state)


class _RowReader:
    """Every `num_shards`-th row of a source with indices, from number `shard` on, in passes of one permutation each."""

    def __init__(self, name: str, rows, seed: list[int], shard: int, num_shards: int, state: dict[str, Any] | None):
        if not len(rows):
            raise ValueError(f"expected at least 1 row in source {name!r}, got none")
        self.rows, self.seed, self.shard, self.num_shards = rows, seed, shard, num_shards
        self.taken = state["taken"] if state else 0

    def __iter__(self) -> Iterator[Row]:
        permutation, of_epoch = np.empty(0, np.int64), None
        while True:
            epoch, place = divmod(self.taken * self.num_shards + self.shard, len(self.rows))
            if epoch != of_epoch:
                permutation = np.random.default_rng([*self.seed, epoch]).permutation(len(self.rows))
                of_epoch = epoch
            row = self.rows[int(permutation[place])]
            self.taken += 1
            yield row

    def state_dict(self) -> dict[str, Any]:
        return {"taken": self.taken}


class _StreamReader:
    """One process's part of a stream, pass after pass. In a DataLoader worker, `datasets` takes the worker's part itself."""

    def __init__(
        self, name: str, source: datasets.IterableDataset, rank: int, world_size: int, state: dict[str, Any] | None
    ):
        self.name = name
        self.stream = cast(datasets.IterableDataset, split_dataset_by_node(source, rank, world_size))
        self.epoch = state["epoch"] if state else 0
        self.loaded = state["stream"] if state else None
        worker = get_worker_info()
        if worker is not None and self.stream.num_shards < worker.num_workers:
            raise ValueError(
                f"expected at least {worker.num_workers} shards in stream {name!r} for as many DataLoader workers, "
                f"got {self.stream.num_shards}: use fewer workers, reshard() it, or take it as a Dataset"
            )

    def __iter__(self) -> Iterator[Row]:
        is_resumed = self.loaded is not None
        if self.loaded is not None:
            self.stream.load_state_dict(self.loaded)
        while True:
            self.stream.set_epoch(self.epoch)
            is_empty = True
            for row in self.stream:
                is_empty = False
                yield row
            if is_empty and not is_resumed:  # a resumed pass may have been at its end
                raise ValueError(f"expected at least 1 row in this process's part of stream {self.name!r}, got none")
            is_resumed = False
            self.epoch += 1

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "stream": self.stream.state_dict()}
