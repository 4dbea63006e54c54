"""Clips side by side, to look at: animated pictures for the report, and a sheet of stills.

What always holds: the columns are labelled, in one order, and those that were not measured are left out.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..video_files import write_png
from .evaluate import Evaluation

COLUMNS = {
    "true": "true",
    "model": "model",
    "reconstruction": "tokenizer alone",
    "planar_warp": "flat picture",
    "depth_warp": "true depth",
    "wrong_path": "wrong path",
}
"""Kind -> label."""
SHEET_COLUMNS = ("true", "reconstruction", "model", "planar_warp", "wrong_path")
LEAST_SIDE = 128  # pixels of a video in the report
GAP, LABEL_HEIGHT = 6, 18
WEBP_QUALITY = 80
SHEET_CLIPS, SHEET_FRAMES = 16, 5


def animated_clip(found: Evaluation, index: int) -> bytes:
    """A clip and what was made of it, side by side, as an animated WebP."""
    columns = [(label, _videos(found, kind)[index]) for kind, label in COLUMNS.items() if _videos(found, kind)]
    side = columns[0][1].shape[1]
    scale = max(1, round(LEAST_SIDE / side))
    strip = [[_grown(video[time], scale) for _, video in columns] for time in range(len(columns[0][1]))]
    pictures = [_labelled(_joined(row), [label for label, _ in columns], side * scale + GAP) for row in strip]
    duration = round(1000 / found.clips[index].path.fps)
    with io.BytesIO() as buffer:
        pictures[0].save(
            buffer,
            "WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=[*[duration] * (len(pictures) - 1), 4 * duration],
            loop=0,
            quality=WEBP_QUALITY,
            method=4,
        )
        return buffer.getvalue()


def write_sheet(found: Evaluation, file: Path) -> None:
    """A PNG: a row a clip; the true frames, the reconstructed, the generated, the flat picture's, and those of a wrong path."""
    kinds = [kind for kind in SHEET_COLUMNS if _videos(found, kind)]
    chosen = np.linspace(0, len(found.clips[0].frames) - 1, SHEET_FRAMES).round().astype(int)
    rows = []
    for index in range(min(SHEET_CLIPS, len(found.clips))):
        blocks = [np.concatenate(list(_videos(found, kind)[index][chosen]), axis=1) for kind in kinds]
        rows.append(_joined(blocks))
    width = found.clips[0].frames.shape[1] * SHEET_FRAMES + GAP
    write_png(_labelled(np.concatenate(rows), [COLUMNS[kind] for kind in kinds], width), file)


def _videos(found: Evaluation, kind: str) -> list[np.ndarray]:
    return [clip.frames for clip in found.clips] if kind == "true" else found.videos.get(kind, [])


def _grown(frame: np.ndarray, scale: int) -> np.ndarray:
    return frame if scale == 1 else cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _joined(frames: list[np.ndarray]) -> np.ndarray:
    gap = np.full((frames[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for frame in frames for part in (gap, frame)]
    return np.concatenate(parts[1:], axis=1)


def _labelled(picture: np.ndarray, labels: list[str], step: int) -> Image.Image:
    """The picture below a line of labels, one every `step` pixels."""
    page = Image.new("RGB", (picture.shape[1], picture.shape[0] + LABEL_HEIGHT), "white")
    page.paste(Image.fromarray(picture), (0, LABEL_HEIGHT))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for place, label in enumerate(labels):
        draw.text((place * step, 1), label, fill="#22252a", font=font)
    return page
