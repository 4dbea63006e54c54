"""A contact sheet of clips, to look at before training on them: a row a clip, five of its frames, and the depth of two where known.

What always holds: the clips are spread evenly over the folder; every fourth frame is shown, and near is bright in the depth.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..camera_paths.camera_path import CameraPath
from .clip_folders import even_clips
from .clip_variants import relative_path

SHOWN_FRAMES = (0, 4, 8, 12, 16)
SIDE = 128  # pixels of a frame on the sheet
NEAREST = 0.25  # scene depths; what is nearer is white
TEXT_HEIGHT = 16


def clip_sheet(folder: Path, count: int) -> np.ndarray:
    """Some of the clips of a folder as one picture [H, W, 3] uint8. `ValueError` where there are none."""
    strips = [_strip(clip) for clip in even_clips(folder, count)]
    if not strips:
        raise ValueError(f"expected a folder of clips, got {folder}: its files hold none")
    width = max(strip.shape[1] for strip in strips)
    return np.concatenate([cv2.copyMakeBorder(s, 0, 0, 0, width - s.shape[1], cv2.BORDER_CONSTANT) for s in strips])


def _strip(clip: dict) -> np.ndarray:
    tiles = [_tile(clip["frames"][number]) for number in SHOWN_FRAMES]
    if clip["depth"] is not None:
        depth = np.asarray(clip["depth"], np.float32)[[0, 16]] / clip["median_depth"]
        near = NEAREST / np.maximum(depth, NEAREST)
        tiles += [_tile(np.repeat((picture[..., None] * 255).astype(np.uint8), 3, axis=2)) for picture in near]
    what = "no camera path"
    if clip["has_path"]:
        what = CameraPath(*relative_path(clip), fps=clip["fps"], unit="scene_depth").describe()
    label = np.zeros((TEXT_HEIGHT, SIDE * len(tiles), 3), np.uint8)
    text = (
        f"{clip['scene_id'] or clip['clip_id']}  {clip['move']}: {what}".replace("°", " deg")
        .encode("ascii", "replace")
        .decode()
    )
    cv2.putText(label, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (220, 220, 220), 1, cv2.LINE_AA)
    return np.concatenate([label, np.concatenate(tiles, axis=1)])


def _tile(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
