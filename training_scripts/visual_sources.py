"""Where the plain visual tokenizer's frames come from: clips that `camvig data` made, folders of pictures, rendered rooms.

What always holds: clip i of a source is always the same; reading is safe in several threads; what cannot be read is left out
in favour of the next clip, named in a warning, and counted, and past a limit the run stops.
"""

from __future__ import annotations

import json
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol, cast

import datasets
import numpy as np

from ..dataset_builders.clip_cache import ClipCache
from ..dataset_builders.clip_videos import decode_video
from ..dataset_builders.render_clips import clip_files
from ..pipelines.picture_files import load_picture

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


class FrameSource(Protocol):
    """Clips by number."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """For messages."""
        ...

    def frames(self, index: int) -> np.ndarray:
        """`[T, H, W, 3]` uint8, T at least 1. ValueError or OSError if it cannot be read."""
        ...


class ClipDataset:
    """A folder of clips: Parquet files (`camvig data render-clips`, `cut-videos`) or a dataset that `save_to_disk` wrote."""

    def __init__(self, folder: Path, cache_dir: Path):
        self.folder = folder
        files = clip_files(folder) if folder.is_dir() else []
        if not files and not (folder / "state.json").is_file():
            raise ValueError(
                f"expected a folder of clips (*.parquet, or a saved dataset), got {folder}: none there; "
                f"`camvig data cut-videos` makes one of videos, with a folder in it for each split"
            )
        if files:  # read once into the cache, then by memory mapping
            rows = datasets.Dataset.from_parquet([str(file) for file in files], cache_dir=str(cache_dir))
        else:
            rows = datasets.load_from_disk(str(folder))
        if not isinstance(rows, datasets.Dataset) or "video" not in rows.column_names or not len(rows):
            raise ValueError(f"expected rows with a column video in {folder}, got {rows}")
        self.licences = sorted(set(rows["licence"]) - {""}) if "licence" in rows.column_names else []
        self.rows = rows.select_columns([name for name in ("video", "clip_id") if name in rows.column_names])
        self.rows = self.rows.cast_column("video", datasets.Video(decode=False))

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        return str(self.rows[index].get("clip_id", f"{self.folder.name}:{index}"))

    def frames(self, index: int) -> np.ndarray:
        video = cast(dict[str, Any], self.rows[index]["video"])
        return decode_video(video["bytes"] or Path(video["path"]).read_bytes())


class PictureFolder:
    """All pictures of a folder and the folders in it; each is a clip of one frame."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURE_SUFFIXES)
        if not self.files:
            raise ValueError(f"expected a folder of pictures ({', '.join(sorted(PICTURE_SUFFIXES))}), got {folder}")

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        return self.files[index].relative_to(self.folder).as_posix()

    def frames(self, index: int) -> np.ndarray:
        return np.asarray(load_picture(self.files[index]))[None]


class RenderedClips:
    """Clips of rooms and panoramas from the cache of rendered clips."""

    def __init__(self, cache: ClipCache):
        self.cache = cache

    def __len__(self) -> int:
        return len(self.cache)

    def name(self, index: int) -> str:
        return f"rendered:{index}"

    def frames(self, index: int) -> np.ndarray:
        return np.asarray(self.cache[index]["frames"])


class Sources:
    """Several sources as one; every clip counts alike."""

    def __init__(self, sources: Sequence[FrameSource], num_frames: int, max_unreadable: int = 100):
        if not sources:
            raise ValueError("expected clips to train on (data.clips, data.pictures, data.room_clips), got none")
        self.sources, self.num_frames, self.max_unreadable = sources, num_frames, max_unreadable
        self.ends = list(accumulate(map(len, sources)))
        self.unreadable: dict[str, str] = {}
        """Name of each clip that was left out -> why."""

    def __len__(self) -> int:
        return self.ends[-1]

    def clip(self, index: int) -> tuple[str, np.ndarray]:
        """(name, frames `[T, H, W, 3]` uint8, T at least `num_frames`) of a clip, or of the next that can be read.

        Raises ValueError if none of all clips can be read, or more than `max_unreadable` could not.
        """
        for following in range(len(self)):
            place = (index + following) % len(self)
            number = bisect_right(self.ends, place)
            source, within = self.sources[number], place - (self.ends[number - 1] if number else 0)
            try:
                frames = source.frames(within)
                if len(frames) >= self.num_frames:
                    return source.name(within), frames
                reason = f"it has {len(frames)} of {self.num_frames} frames"
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())
            self._leave_out(source.name(within), reason)
        raise ValueError(f"expected clips of {self.num_frames} frames, got none; the last: {reason}")

    def _leave_out(self, name: str, reason: str):
        if name in self.unreadable:
            return
        self.unreadable[name] = reason
        warnings.warn(f"left out the clip {name}: {reason} ({len(self.unreadable)} so far)", stacklevel=3)
        if len(self.unreadable) > self.max_unreadable:
            raise ValueError(
                f"expected at most {self.max_unreadable} clips that cannot be used, got more: "
                + json.dumps(dict(list(self.unreadable.items())[:5]))
            )
