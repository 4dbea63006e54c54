"""A folder of rendered clips, lossless, for training tokenizers: shards of .npy arrays, read by memory mapping.

A shard holds `SHARD_CLIPS` clips and appears as a whole (written under a temporary name, then renamed), so a killed run
goes on with the shards that are missing and a reader never sees half of one. Clip i of a split is always the same clip.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
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


ClipMaker = Callable[[int], Any]
"""Index -> clip, with the attributes of `_ARRAYS` (shapes without N) and its `move`, as `RoomClip` has them; a module-level
function or a partial of one, so that processes can share it."""


def write_clip_cache(folder: Path, make_clip: ClipMaker, count: int, num_processes: int = 1) -> list[Path]:
    """Renders clips 0..count-1 into `folder` where shards are missing; the folders of their shards, in order.

    Raises ValueError unless `count` is a multiple of `SHARD_CLIPS`.
    """
    if count % SHARD_CLIPS:
        raise ValueError(f"expected a number of clips in multiples of {SHARD_CLIPS}, got {count}")
    folder.mkdir(parents=True, exist_ok=True)
    missing = [shard for shard in range(count // SHARD_CLIPS) if not _shard_folder(folder, shard).exists()]
    jobs = [(folder, make_clip, shard) for shard in missing]
    if num_processes == 1:
        _drain(map(_write_shard, jobs), len(jobs))
    else:
        with get_context("spawn").Pool(num_processes) as pool:
            _drain(pool.imap_unordered(_write_shard, jobs), len(jobs))
    return [_shard_folder(folder, shard) for shard in range(count // SHARD_CLIPS)]


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


def _write_shard(job: tuple[Path, ClipMaker, int]):
    folder, make_clip, shard = job
    clips = [make_clip(index) for index in range(shard * SHARD_CLIPS, (shard + 1) * SHARD_CLIPS)]
    temporary = folder / f"shard-{shard:05d}.{os.getpid()}.new"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name, dtype in _ARRAYS.items():
        np.save(temporary / f"{name}.npy", np.stack([np.asarray(getattr(clip, name), dtype) for clip in clips]))
    (temporary / "moves.json").write_text(json.dumps([clip.move for clip in clips]), encoding="utf-8")
    os.replace(temporary, _shard_folder(folder, shard))


class ClipCache:
    """Read access by clip index over shards: `cache[i]` is a dictionary of the arrays of one clip, plus its `move`."""

    def __init__(self, shards: list[Path]):
        if not shards:
            raise ValueError("expected at least one shard of rendered clips, got none")
        self._shards = [
            {name: np.load(shard / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
            | {"move": json.loads((shard / "moves.json").read_text(encoding="utf-8"))}
            for shard in shards
        ]

    def __len__(self) -> int:
        return SHARD_CLIPS * len(self._shards)

    def __getitem__(self, index: int) -> dict:
        shard = self._shards[index // SHARD_CLIPS]
        return {name: values[index % SHARD_CLIPS] for name, values in shard.items()}
