"""Cached ids as Parquet: what the transformer trains on, so that fine-tuning never reads pixels.

A row is one clip: `image_ids [h*w]`, `video_ids [(t-1)*h*w]`, `camera_ids [L*N]` (int32 lists), `camera_to_world [T*16]`
and `intrinsics [T*4]` (float32 lists, relative path in scene depths), and where it came from. Part files appear as a whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..camera_paths.atomic_file import write_then_rename

_LISTS = {
    "image_ids": pa.int32(),
    "video_ids": pa.int32(),
    "camera_ids": pa.int32(),
    "camera_to_world": pa.float32(),
    "intrinsics": pa.float32(),
}
_SOURCE = {"source": pa.string(), "clip_index": pa.int32(), "variant": pa.string(), "move": pa.string()}
SCHEMA = pa.schema([(name, pa.list_(kind)) for name, kind in _LISTS.items()] + list(_SOURCE.items()))


def part_file(folder: Path, source: str, part: int) -> Path:
    return folder / f"{source}-{part:05d}.parquet"


def write_part(file: Path, rows: list[dict]):
    """Writes one part: rows with the columns of `SCHEMA`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with write_then_rename(file) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)


class TokenCache:
    """All rows of a folder in memory: `image_ids`, `video_ids`, `camera_ids` as int32 arrays `[rows, length]`."""

    def __init__(self, folder: str | Path, columns: tuple[str, ...] = ("image_ids", "video_ids", "camera_ids")):
        files = sorted(Path(folder).glob("*.parquet"))
        if not files:
            raise ValueError(f"expected cached ids (*.parquet) in {folder}, found none; run cache_token_ids first")
        table = pa.concat_tables(pq.read_table(file, columns=list(columns)) for file in files)
        self.columns = {name: _matrix(table[name]) for name in columns}

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[indices] for name, values in self.columns.items()}


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    lengths = sorted({length for chunk in column.chunks for length in np.unique(np.diff(chunk.offsets.to_numpy()))})
    if len(lengths) != 1:
        found = ", ".join(map(str, lengths))
        raise ValueError(f"expected ids of one length, so of one pair of tokenizers, got lengths {found}")
    flat = pa.concat_arrays(chunk.flatten() for chunk in column.chunks)
    return flat.to_numpy().reshape(len(column), -1)
