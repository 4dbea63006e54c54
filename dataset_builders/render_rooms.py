"""Clips of procedural rooms in a folder, with moving objects if wanted: what `camvig data render-rooms` does.

What always holds: clip i of a folder is clip `start` + i of the split's endless list (`room_clips`, two clips a scene), whoever
renders it; a shard or file appears whole or not at all, so a run that was killed goes on with those that are missing; a folder
has one plan and another is refused. Two kinds of folders, both of which `camvig data tokenize` reads:

    lossless    shards (`clip_cache`) with paths, depth and, where things move, what exact flow needs
    plain       Parquet files of rows (`clip_rows`, with the columns of `ProceduralRooms`) as ordinary video leaves them: mp4, no
                path and no depth, so that flow is estimated and training takes them for video without a camera
"""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import datasets
from tqdm import tqdm

from ..camera_paths.atomic_file import write_then_rename
from .clip_cache import shards_in, write_clip_cache
from .clip_rows import no_path_columns
from .procedural_rooms import FEATURES, GENERATOR_VERSION, SMALLEST_SIZE, clip_row
from .render_clips import CLIPS_PER_FILE, PLAN_NAME, clip_files, keep_plan
from .rooms.moving_placement import MAX_MOVING_OBJECTS
from .rooms.room_clips import RoomClip, room_clips
from .rooms.room_textures import SPLIT_CODES


@dataclass(frozen=True)
class RoomsPlan:
    """What a folder holds when it is complete."""

    clips: int
    kind: Literal["lossless", "plain"] = "lossless"
    split: str = "train"
    start: int = 0  # number of the first clip in the split
    size: int = 64  # pixels a side
    moving_objects: int = 0  # in each clip, as far as they find a place
    generator_version: str = GENERATOR_VERSION

    def __post_init__(self):
        if self.kind not in ("lossless", "plain"):
            raise ValueError(f"expected clips of kind lossless or plain, got {self.kind!r}")
        if self.split not in SPLIT_CODES:
            raise ValueError(f"expected a split of {', '.join(SPLIT_CODES)}, got {self.split!r}")
        if self.clips < 1 or self.start < 0:
            raise ValueError(f"expected at least 1 clip and a start of at least 0, got {self.clips} and {self.start}")
        if not SMALLEST_SIZE <= self.size <= 1024:
            raise ValueError(f"expected pictures of {SMALLEST_SIZE} to 1024 pixels, got {self.size}")
        if not 0 <= self.moving_objects <= MAX_MOVING_OBJECTS:
            raise ValueError(f"expected 0 to {MAX_MOVING_OBJECTS} moving objects, got {self.moving_objects}")

    def room(self, index: int) -> RoomClip:
        """Clip `index` of the folder, rendered by one thread: the processes share the cores."""
        clips = room_clips(self.split, 1, self.start + index, self.size, moving_objects=self.moving_objects, threads=1)
        return next(clips)


def render_rooms(plan: RoomsPlan, folder: Path, num_processes: int = 1) -> None:
    """Render what is missing of a plan into a folder.

    Raises ValueError for a folder of another plan, or one with clips that have no plan.
    """
    if not (folder / PLAN_NAME).exists() and folder.is_dir() and (clip_files(folder) or shards_in(folder)):
        raise ValueError(f"expected a folder without clips to render rooms into, got {folder}, which has some")
    keep_plan(plan, folder)
    if plan.kind == "lossless":
        write_clip_cache(folder, plan.room, plan.clips, num_processes)
    else:
        _write_plain(plan, folder, num_processes)


def _write_plain(plan: RoomsPlan, folder: Path, num_processes: int) -> None:
    starts = range(0, plan.clips, CLIPS_PER_FILE)
    files = {first: folder / f"rooms-{first:07d}.parquet" for first in starts}
    missing = [(plan, first, file) for first, file in files.items() if not file.exists()]
    with tqdm(total=len(files), initial=len(files) - len(missing), unit="file", desc="rendering", mininterval=5) as bar:
        if num_processes == 1:
            for _ in map(_write_file, missing):
                bar.update()
            return
        with get_context("spawn").Pool(num_processes) as pool:
            for _ in pool.imap_unordered(_write_file, missing):
                bar.update()


def _write_file(job: tuple[RoomsPlan, int, Path]) -> None:
    plan, first, file = job
    numbers = range(first, min(first + CLIPS_PER_FILE, plan.clips))
    rows = [plain_row(plan.room(number), plan.moving_objects) for number in numbers]
    with write_then_rename(file) as temporary:
        datasets.Dataset.from_list(rows, features=FEATURES).to_parquet(temporary)


def plain_row(clip: RoomClip, moving_objects: int) -> dict[str, Any]:
    """A row of `ProceduralRooms` that keeps its path to itself: only the aspect of its lens is told."""
    return {**clip_row(clip, moving_objects), **no_path_columns(clip.path.aspect)}
