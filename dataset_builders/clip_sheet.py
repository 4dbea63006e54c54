"""A contact sheet of clips, to look at before training on them: a row a clip, five of its frames, and the depth of two where known.

What always holds: the clips are spread evenly over the folder; every fourth frame is shown, and near is bright in the depth.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

from .clip_depth import decode_depth
from .clip_rows import camera_path_of
from .clip_videos import decode_video
from .render_clips import clip_files

SHOWN_FRAMES = (0, 4, 8, 12, 16)
SIDE = 128  # pixels of a frame on the sheet
NEAREST = 0.25  # scene depths; what is nearer is white
TEXT_HEIGHT = 16


def clip_sheet(folder: Path, count: int) -> np.ndarray:
    """Some of the clips of a folder as one picture [H, W, 3] uint8. `ValueError` where there are none."""
    files = clip_files(folder) if folder.is_dir() else []
    lengths = [pq.read_metadata(file).num_rows for file in files]
    total = sum(lengths)
    if not total:
        raise ValueError(f"expected a folder of clips (*.parquet), got {folder}: none there")
    chosen = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
    rows, first = [], 0
    for file, length in zip(files, lengths, strict=True):
        inside = [number - first for number in sorted(chosen) if first <= number < first + length]
        rows += pq.read_table(file).take(inside).to_pylist() if inside else []
        first += length
    strips = [_strip(row) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    return np.concatenate([cv2.copyMakeBorder(s, 0, 0, 0, width - s.shape[1], cv2.BORDER_CONSTANT) for s in strips])


def _strip(row: dict) -> np.ndarray:
    frames = decode_video(row["video"]["bytes"])
    tiles = [_tile(frames[number]) for number in SHOWN_FRAMES]
    if row.get("depth"):
        depth = decode_depth(row["depth"], frames.shape[1:3])
        near = np.where(np.isfinite(depth), NEAREST / np.maximum(depth, NEAREST), 0)
        tiles += [_tile(np.repeat((near[number, ..., None] * 255).astype(np.uint8), 3, axis=2)) for number in (0, 16)]
    what = camera_path_of(row).describe() if row["has_path"] else "no camera path"
    label = np.zeros((TEXT_HEIGHT, SIDE * len(tiles), 3), np.uint8)
    text = f"{row['scene_id']}  {row['move']}: {what}".replace("°", " deg").encode("ascii", "replace").decode()
    cv2.putText(label, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (220, 220, 220), 1, cv2.LINE_AA)
    return np.concatenate([label, np.concatenate(tiles, axis=1)])


def _tile(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
