"""Cached ids as Parquet: what the transformer trains on, so that fine-tuning never reads pixels.

A row is one clip: `image_ids [h*w]`, `video_ids [(t-1)*h*w]`, `camera_ids [L*N]` (int32 lists), `camera_to_world [T*16]`
and `intrinsics [T*4]` (float32 lists, relative path in scene depths), `has_path` (without one the columns of the path mean
nothing, and a model gets its missing-camera token), and where it came from. Part files appear as a whole; each knows the
licences of its clips and the fingerprint of the tokenizers that made it, and a cache of others is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
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
SCHEMA = pa.schema(
    [(name, pa.list_(kind)) for name, kind in _LISTS.items()] + [("has_path", pa.bool_()), *_SOURCE.items()]
)
FINGERPRINT_KEY = b"camvig.tokenizers"
LICENCES_KEY = b"camvig.licences"
TRAINING_COLUMNS = ("image_ids", "video_ids", "camera_ids", "has_path")


def part_file(folder: Path, source: str, part: int) -> Path:
    return folder / f"{source}-{part:05d}.parquet"


def write_part(file: Path, rows: list[dict], tokenizers: str, licences: Iterable[str] = ()):
    """Writes one part: rows with the columns of `SCHEMA`, and the fingerprint of the tokenizers that made them.

    A row may have a `licence`, that of its clip; the part knows all of them together, and those in `licences`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    stated = sorted({*licences, *(row["licence"] for row in rows if row.get("licence"))})
    about = {FINGERPRINT_KEY: tokenizers.encode(), LICENCES_KEY: json.dumps(stated).encode()}
    table = pa.Table.from_pylist(rows, schema=SCHEMA).replace_schema_metadata(about)
    with write_then_rename(file) as temporary:
        pq.write_table(table, temporary)


def parts_in(folder: Path) -> list[Path]:
    """The finished parts, in order; not those that are being written, which are hidden."""
    return sorted(file for file in folder.glob("*.parquet") if not file.name.startswith("."))


def check_tokenizers(folder: Path, tokenizers: str) -> None:
    """Raise `ValueError` if a part in the folder was made by tokenizers of another fingerprint."""
    for file in parts_in(folder):
        found = (pq.read_metadata(file).metadata or {}).get(FINGERPRINT_KEY, b"unknown").decode()
        if found != tokenizers:
            raise ValueError(
                f"{file}: expected ids of the tokenizers {tokenizers} (a fingerprint of their weights), got ids of {found}: "
                "tokenize the clips again, into another folder"
            )


def licences_of(file: Path) -> list[str]:
    """Of the clips of a part; [] where none is known."""
    return json.loads((pq.read_metadata(file).metadata or {}).get(LICENCES_KEY, b"[]"))


def sources_in(folder: Path) -> list[dict]:
    """What a cache is made of: `{"source": name, "rows": count, "licences": [...]}`, by name; [] licences where none is known."""
    rows, licences = Counter(), {}
    for file in parts_in(folder):
        sources = Counter(pq.read_table(file, columns=["source"])["source"].to_pylist())
        rows += sources
        for source in sources:
            licences.setdefault(source, set()).update(licences_of(file))
    return [{"source": name, "rows": rows[name], "licences": sorted(licences[name])} for name in sorted(rows)]


class TokenCache:
    """All rows of a folder in memory: ids as int32 arrays `[rows, length]`, `has_path` as bool `[rows]`."""

    def __init__(self, folder: str | Path, tokenizers: str, columns: tuple[str, ...] = TRAINING_COLUMNS):
        files = parts_in(Path(folder))
        if not files:
            raise ValueError(f"expected cached ids (*.parquet) in {folder}, found none; run camvig data tokenize first")
        check_tokenizers(Path(folder), tokenizers)
        table = pa.concat_tables(pq.read_table(file, columns=list(columns)) for file in files)
        self.columns = {name: _array(table[name]) for name in columns}

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[indices] for name, values in self.columns.items()}


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if not pa.types.is_list(column.type):
        return column.to_numpy()
    lengths = sorted({length for chunk in column.chunks for length in np.unique(np.diff(chunk.offsets.to_numpy()))})
    if len(lengths) != 1:
        found = ", ".join(map(str, lengths))
        raise ValueError(f"expected ids of one length, so of one pair of tokenizers, got lengths {found}")
    flat = pa.concat_arrays(chunk.flatten() for chunk in column.chunks)
    return flat.to_numpy().reshape(len(column), -1)
