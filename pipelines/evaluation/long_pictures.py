"""Pictures of how long videos decay: curves over frames, and a sheet of stills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from ...camera_paths import plots
from ..video_files import write_png
from .long_clips import STEPS, LongEvalClip
from .long_videos import ChainedVideos, joined_frames

STYLES = {
    "model": ("model", "#c8361d", "-", 2.2),
    "model_known_depth": ("model, depth known", "#e0902f", "-", 1.4),
    "restart": ("from true frames", "#2b5fb3", "-", 1.8),
    "reconstruction": ("tokenizer alone", "#1b7f3b", "-", 1.4),
    "planar_warp": ("flat picture (oracle)", "#8e44ad", "-", 1.4),
    "static": ("static", "#22252a", "--", 1.2),
    "wrong_path": ("wrong path", "#8a8f98", "--", 1.2),
    "no_camera": ("no camera", "#8a8f98", ":", 1.2),
    "noise_floor": ("noise floor", "#22252a", ":", 1.0),
}
"""Kind -> label, colour, line, width."""
SHEET_ROWS = {
    "true": "true",
    "restart": "from true frames",
    "model": "model",
    "reconstruction": "tokenizer alone",
    "planar_warp": "flat picture",
}
SHEET_CLIPS, GAP, LABEL_WIDTH, CAPTION_HEIGHT = 6, 4, 110, 18


def write_decay_plot(figures: dict[str, Any], file: Path) -> None:
    """A PNG: flow MSE, PSNR and sharpness over the frames, mean over clips; lines where stretches meet."""
    figure = Figure(figsize=(8.0, 9.0), dpi=100, layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    figure.suptitle(
        f"{figures['checkpoint']}, {figures['clips']} rooms, {figures['stretches']} stretches of 17 frames", fontsize=10
    )
    for axes, name, label in (
        (panels[0], "flow_mse_by_frame", "flow MSE (px², logarithmic)"),
        (panels[1], "psnr_by_frame", "PSNR (dB)"),
        (panels[2], "sharpness_by_frame", "gradient energy over the true one"),
    ):
        _draw(axes, figures[name], figures["stretches"], label)
    panels[0].set_yscale("log")
    panels[2].axhline(1.0, color="#22252a", linewidth=0.6)
    panels[2].set_ylim(0, None)
    panels[2].set_xlabel("frame")
    panels[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
    plots.write_png(plots.draw_figure(figure), file)


def _draw(axes: Axes, by_frame: dict[str, list[float]], stretches: int, label: str) -> None:
    for kind, (name, colour, line, width) in STYLES.items():
        values = np.array(by_frame[kind], np.float64)
        if np.isfinite(values).any():
            axes.plot(np.arange(1, len(values) + 1), values, line, color=colour, linewidth=width, label=name)
    for number in range(1, stretches):
        axes.axvline(number * STEPS, color="#d5d8dd", linewidth=1.0, zorder=0)
    axes.set_ylabel(label, fontsize=9)
    axes.margins(x=0.01)


def write_long_sheet(videos: dict[str, ChainedVideos], clips: list[LongEvalClip], file: Path) -> None:
    """A PNG: a block a clip, a row a kind, the first frame, and the middle and the last of each stretch."""
    frames = np.arange(0, len(clips[0].frames), STEPS // 2)
    chosen = np.unique(np.linspace(0, len(clips) - 1, min(SHEET_CLIPS, len(clips))).round().astype(int))
    side = clips[0].frames.shape[1]
    width, height = LABEL_WIDTH + len(frames) * (side + GAP), CAPTION_HEIGHT + len(SHEET_ROWS) * (side + GAP)
    page = Image.new("RGB", (width, len(chosen) * height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for block, index in enumerate(chosen):
        top = block * height
        draw.text((2, top + 2), clips[index].move.replace("_", " "), fill="#22252a", font=font)
        for column, frame in enumerate(frames):
            draw.text((LABEL_WIDTH + column * (side + GAP), top + 2), f"{frame}", fill="#22252a", font=font)
        for row, (kind, label) in enumerate(SHEET_ROWS.items()):
            y = top + CAPTION_HEIGHT + row * (side + GAP)
            video = clips[index].frames if kind == "true" else joined_frames(videos[kind][index])
            draw.text((2, y + side // 2 - 6), label, fill="#22252a", font=font)
            for column, frame in enumerate(frames):
                page.paste(Image.fromarray(video[frame]), (LABEL_WIDTH + column * (side + GAP), y))
    write_png(page, file)
