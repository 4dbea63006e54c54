"""Folders of clips, read one clip at a time: Parquet files of rows (`clip_rows`), or lossless shards (`clip_cache`).

What always holds: a clip is a dictionary of its frames and cameras, whatever it is stored in: what `camvig data tokenize`, the
validation and `camvig eval` read is the same. Nothing that a run is still writing is taken for a clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from .clip_cache import ClipCache, shards_in
from .clip_checks import median_depth
from .clip_depth import decode_depth
from .clip_length import FPS
from .clip_rows import camera_path_of
from .clip_videos import decode_video
from .render_clips import clip_files
from .scenes.scene_paths import in_usual_scale


@dataclass(frozen=True)
class Part:
    """The clips of one file, or of one shard."""

    source: str  # see `source_name`
    number: int
    file: Path | None  # of Parquet, or
    cache: ClipCache | None  # of which it is shard `number`

    def clips(self) -> Iterator[dict]:
        """Each clip: frames `[T, H, W, 3]`, has_path, intrinsics; with a path camera_to_world and median_depth; depth or None;
        its move, fps, clip_id and scene_id ("" in shards, which do not say it); where things move by themselves, of known depth,
        object_ids `[T, H, W]` and object_to_world `[T, K, 4, 4]`."""
        yield from self.chosen(range(len(self)))

    def chosen(self, numbers: Sequence[int]) -> Iterator[dict]:
        """As `clips`, those of some numbers."""
        if self.cache is not None:
            for number in (self.cache.starts[self.number] + n for n in numbers):
                said = {"has_path": True, "fps": FPS, "clip_id": f"{self.source}-{number:06d}", "scene_id": ""}
                yield {**self.cache[number], **said}
        elif numbers:
            yield from map(clip_of_row, pq.read_table(self.file).take(list(numbers)).to_pylist())

    def __len__(self) -> int:
        if self.cache is not None:
            return self.cache.starts[self.number + 1] - self.cache.starts[self.number]
        return pq.read_metadata(self.file).num_rows


def parts_of(folder: Path) -> list[Part]:
    """The files or shards of a folder, in order. `ValueError` if it holds none."""
    files, source = clip_files(folder) if folder.is_dir() else [], source_name(folder)
    if files:
        return [Part(source, number, file, None) for number, file in enumerate(files)]
    shards = shards_in(folder) if folder.is_dir() else []
    if not shards:
        raise ValueError(
            f"expected a folder of clips (*.parquet, or shards of rendered clips), got {folder}: none there"
        )
    cache = ClipCache(shards)
    return [Part(source, number, None, cache) for number in range(len(shards))]


def source_name(folder: Path) -> str:
    """A folder's name; with that of the folder around it if it is a split's."""
    folder = folder.resolve()
    return f"{folder.parent.name}-{folder.name}" if folder.name in ("train", "validation", "test") else folder.name


def clip_of_row(row: dict) -> dict:
    """A row of a clip dataset -> a clip as `Part.clips` gives it."""
    frames = decode_video(row["video"]["bytes"])
    said = {name: row[name] for name in ("has_path", "move", "fps", "clip_id", "scene_id")}
    clip = {**said, "licence": row.get("licence", ""), "frames": frames, "depth": None}
    if not row["has_path"]:
        return clip | {"intrinsics": np.array(row["intrinsics"]), "camera_to_world": np.array(row["camera_to_world"])}
    path = camera_path_of(row)
    clip |= {"intrinsics": path.intrinsics, "camera_to_world": path.camera_to_world, "median_depth": 1.0}
    if row.get("depth"):
        depth = decode_depth(row["depth"], frames.shape[1:3])
        poses, scaled = in_usual_scale(depth, path.camera_to_world)
        clip |= {"camera_to_world": poses, "depth": scaled, "median_depth": median_depth(scaled[0])}
    return clip


def even_clips(folder: Path, count: int) -> Iterator[dict]:
    """At most `count` clips, with a path or without, evenly from the first to the last of the folder."""
    parts = parts_of(folder)
    starts = [0, *accumulate(len(part) for part in parts)]
    chosen = np.unique(np.linspace(0, starts[-1] - 1, min(count, starts[-1])).round().astype(int))
    for part, first in zip(parts, starts, strict=False):
        yield from part.chosen([number for number in (chosen - first).tolist() if 0 <= number < len(part)])


def spread_clips(folder: Path, count: int) -> Iterator[dict]:
    """At most `count` clips that have a path: the first of each file or shard, about as many of one as of another."""
    parts = parts_of(folder)
    share = math.ceil(count / len(parts))
    chosen = (clip for part in parts for clip in islice((c for c in part.clips() if c["has_path"]), share))
    return islice(chosen, count)
