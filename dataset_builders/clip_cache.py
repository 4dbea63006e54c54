"""A folder of rendered clips, lossless, for training tokenizers: shards of .npy arrays, read by memory mapping.

A shard holds `SHARD_CLIPS` clips, the last of a folder perhaps fewer, and appears as a whole (written under a temporary name,
then renamed), so a killed run goes on with the shards that are missing and a reader never sees half of one. Clip i of a split is
always the same clip. Shards whose clips have objects that move by themselves also hold what exact flow needs of these.
"""

from __future__ import annotations

import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

SHARD_CLIPS = 128
_ARRAYS = {
    "frames": np.uint8,  # [N, T, H, W, 3]
    "depth": np.float16,  # [N, T, H, W], along the optical axis
    "camera_to_world": np.float32,  # [N, T, 4, 4]
    "intrinsics": np.float32,  # [N, T, 4], normalised
    "median_depth": np.float32,  # [N], of frame 0
    "depth_is_known": np.bool_,  # [N]; False where depth is a stand-in for "far away"
}
_OBJECT_ARRAYS = {
    "object_ids": np.uint8,  # [N, T, H, W], 0 = at rest, k = moving object k - 1 of object_to_world
    "object_to_world": np.float32,  # [N, T, K, 4, 4]; clips of fewer than K objects are filled up with identities
}
"""Only in shards of which a clip has moving objects."""


ClipMaker = Callable[[int], Any]
"""Index -> clip, with the attributes of `_ARRAYS` (shapes without N) and its `move`, as `RoomClip` has them, and those of
`_OBJECT_ARRAYS` if things may move in it; a module-level function or a partial of one, so that processes can share it."""


def write_clip_cache(folder: Path, make_clip: ClipMaker, count: int, num_processes: int = 1) -> list[Path]:
    """Renders clips 0..count-1 into `folder` where shards are missing; the folders of their shards, in order.

    Raises ValueError if the folder has a shard of another number of clips than it should have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, count, SHARD_CLIPS)
    shards = {
        _shard_folder(folder, number): (start, min(start + SHARD_CLIPS, count)) for number, start in enumerate(starts)
    }
    for shard, (start, stop) in shards.items():
        if shard.exists() and (found := _num_clips(shard)) != stop - start:
            raise ValueError(
                f"{shard}: expected {stop - start} clips, got {found}: take another folder for {count} clips"
            )
    jobs = [(shard, make_clip, clips) for shard, clips in shards.items() if not shard.exists()]
    if num_processes == 1:
        _drain(map(_write_shard, jobs), len(jobs))
    else:
        with get_context("spawn").Pool(num_processes) as pool:
            _drain(pool.imap_unordered(_write_shard, jobs), len(jobs))
    return list(shards)


def shards_in(folder: Path) -> list[Path]:
    """All shards of a folder, in order. Raises ValueError if one is missing between others: its run was killed."""
    shards = sorted(folder.glob("shard-?????"))
    if shards and shards[-1] != _shard_folder(folder, len(shards) - 1):
        raise ValueError(
            f"expected {shards[-1].name} to be the {len(shards)}th shard of {folder}; render the missing ones"
        )
    return shards


def _drain(results: Iterable[None], count: int):
    for _ in tqdm(results, total=count, desc=f"rendering shards of {SHARD_CLIPS} clips", mininterval=5):
        pass


def _shard_folder(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard:05d}"


def _moves(shard: Path) -> list[str]:
    return json.loads((shard / "moves.json").read_text(encoding="utf-8"))


def _num_clips(shard: Path) -> int:
    return len(_moves(shard))


def _write_shard(job: tuple[Path, ClipMaker, tuple[int, int]]):
    shard, make_clip, numbers = job
    clips = [make_clip(index) for index in range(*numbers)]
    temporary = shard.with_name(f"{shard.name}.{os.getpid()}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name, dtype in _ARRAYS.items():
        np.save(temporary / f"{name}.npy", np.stack([np.asarray(getattr(clip, name), dtype) for clip in clips]))
    for name, values in _object_arrays(clips).items():
        np.save(temporary / f"{name}.npy", values)
    (temporary / "moves.json").write_text(json.dumps([clip.move for clip in clips]), encoding="utf-8")
    os.replace(temporary, shard)


def _object_arrays(clips: list[Any]) -> dict[str, np.ndarray]:
    """`_OBJECT_ARRAYS` of some clips; empty where nothing moves in any of them."""
    moved = [np.asarray(getattr(clip, "object_to_world", np.zeros((0, 0, 4, 4)))) for clip in clips]
    most = max(poses.shape[1] for poses in moved)
    if most == 0:
        return {}
    filled = [
        np.concatenate([poses, np.broadcast_to(np.eye(4), (len(poses), most - poses.shape[1], 4, 4))], axis=1)
        for poses in moved
    ]
    values = {"object_ids": [clip.object_ids for clip in clips], "object_to_world": filled}
    return {name: np.stack(values[name]).astype(dtype) for name, dtype in _OBJECT_ARRAYS.items()}


class ClipCache:
    """Read access by clip index over shards: `cache[i]` is a dictionary of the arrays of one clip, plus its `move`.

    Only clips of shards with moving objects have `object_ids` and `object_to_world`. Shards may be of any length.
    Raises ValueError for no shards.
    """

    def __init__(self, shards: list[Path]):
        if not shards:
            raise ValueError("expected at least one shard of rendered clips, got none")
        self._shards = [{**_arrays_of(shard), "move": _moves(shard)} for shard in shards]
        self.starts = [0, *accumulate(len(shard["move"]) for shard in self._shards)]
        """Number of the first clip of each shard, then how many there are."""

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self):
            raise IndexError(f"expected a clip of 0 to {len(self) - 1}, got {index}")
        number = bisect_right(self.starts, index) - 1
        return {name: values[index - self.starts[number]] for name, values in self._shards[number].items()}


def _arrays_of(shard: Path) -> dict[str, np.ndarray]:
    names = [*_ARRAYS, *(name for name in _OBJECT_ARRAYS if (shard / f"{name}.npy").exists())]
    return {name: np.load(shard / f"{name}.npy", mmap_mode="r") for name in names}
