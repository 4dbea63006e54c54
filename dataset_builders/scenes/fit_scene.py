"""`fit_scene`: a capture's folder -> a scene's folder, with a report on views that were kept out of the fit.

What always holds: every `HELD_OUT_EVERY`th view is read after the fit only, to measure it; nothing of the scene depends
on its picture.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ...camera_paths.atomic_file import write_then_rename
from ...camera_paths.plots import write_png
from ..captures.capture import Capture
from ..captures.capture_pictures import load_picture, size_of_view
from .fit_pixels import load_fit_pixels, scene_bounds
from .fit_voxels import Budget, FitSettings, fit_voxel_field
from .radiance_field import RadianceField
from .scene_files import save_scene
from .voxel_field import VoxelField

HELD_OUT_EVERY = 8
MOST_TRAIN_VIEWS = 24  # that psnr.train is measured on, evenly spread
SHEET_VIEWS = 6


@dataclass(frozen=True)
class ViewFigures:
    """One view, and how far its rendering is from it."""

    name: str
    psnr: float  # dB, over the pixels that the lens saw


def split_views(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the views to fit and of those to hold out: every `HELD_OUT_EVERY`th, from the first on."""
    views = np.arange(count)
    return views[views % HELD_OUT_EVERY != 0], views[views % HELD_OUT_EVERY == 0]


def fit_scene(capture: Capture, out: str | os.PathLike[str], report: str | os.PathLike[str], minutes: float | None = None,
              steps: int | None = None, shorter_side: int = 128, seed: int = 0, licence: str = "not stated", credit: str = "",
              settings: FitSettings | None = None) -> dict:  # fmt: skip
    """Fit, save the scene in `out`, write the report (.json) and a sheet of held-out views beside it (.png); the report.

    For at most `minutes` of wall-clock, reading included, or for a number of steps. `ValueError` where the capture has too few
    views or `out` is not free.
    """
    out, report = Path(out), Path(report)
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ValueError(f"expected a free name for the scene, got {out}, which is there already")
    train, _ = split_views(len(capture))
    if len(train) < 2:
        raise ValueError(
            f"{capture.folder}: expected at least 3 views, so that 2 are fitted and 1 is held out, got {len(capture)}"
        )
    if shorter_side < 16:
        raise ValueError(f"expected at least 16 pixels along the shorter side, got {shorter_side}")
    budget, began, processor = Budget(minutes, steps), time.monotonic(), time.process_time()
    fitted = capture.chosen(train)
    pixels = load_fit_pixels(fitted, shorter_side)
    bounds = scene_bounds(fitted, pixels, shorter_side)
    field, steps_taken = fit_voxel_field(fitted, pixels, bounds, budget, seed, licence, settings)
    times = {"minutes": (time.monotonic() - began) / 60, "processor_minutes": (time.process_time() - processor) / 60}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_scene(replace(field, credit=credit), out)
    figures = measure_fit(field, capture, shorter_side) | times | {
        "steps": steps_taken, "shorter_side": shorter_side, "seed": seed, "scene": field.name, "unit": field.unit,
        "vertices": len(field.grid.density), "side": field.grid.side,
        "skipped": [asdict(skipped) for skipped in capture.skipped], "settings": asdict(settings or FitSettings()),
    }  # fmt: skip
    report.parent.mkdir(parents=True, exist_ok=True)
    with write_then_rename(report) as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write_png(held_out_sheet(field, capture, shorter_side), report.with_suffix(".png"))
    return figures


def measure_fit(field: VoxelField, capture: Capture, shorter_side: int) -> dict:
    """PSNR of the held-out views, one by one, and of some of those that were fitted."""
    train, held_out = split_views(len(capture))
    some = train[np.unique(np.linspace(0, len(train) - 1, MOST_TRAIN_VIEWS).round().astype(int))]
    figures = [_view_figures(field, capture, int(view), shorter_side) for view in held_out]
    train_psnr = [_view_figures(field, capture, int(view), shorter_side).psnr for view in some]
    psnr = {"held_out": float(np.mean([each.psnr for each in figures])), "train": float(np.mean(train_psnr))}
    return {"psnr": psnr, "held_out_views": [asdict(each) for each in figures], "train_views_measured": len(some)}


def _view_figures(field: RadianceField, capture: Capture, view: int, shorter_side: int) -> ViewFigures:
    size = size_of_view(capture, view, shorter_side)
    picture = load_picture(capture, view, size)
    rendering = field.render(capture.camera_to_world[view][None], capture.intrinsics[view][None], size)
    squares = (rendering.rgb[0] - picture.rgb / np.float32(255))[picture.is_known] ** 2
    return ViewFigures(
        capture.image_files[view].name, float(-10 * np.log10(max(squares.mean(dtype=np.float64), 1e-10)))
    )


def held_out_sheet(field: RadianceField, capture: Capture, shorter_side: int) -> np.ndarray:
    """A picture [H, W, 3] uint8 of some held-out views: truth, rendering and inverse depth, black where there is none."""
    _, held_out = split_views(len(capture))
    chosen = held_out[np.unique(np.linspace(0, len(held_out) - 1, SHEET_VIEWS).round().astype(int))]
    columns = []
    for view in chosen:
        size = size_of_view(capture, int(view), shorter_side)
        rendering = field.render(capture.camera_to_world[view][None], capture.intrinsics[view][None], size)
        nearness = 1 / rendering.depth[0]
        nearness = np.clip(nearness / max(float(np.percentile(nearness, 99)), 1e-9), 0, 1)
        depth = np.repeat((255 * nearness).astype(np.uint8)[..., None], 3, axis=2)
        rgb = (255 * rendering.rgb[0] + 0.5).astype(np.uint8)
        columns.append(np.vstack([load_picture(capture, int(view), size).rgb, rgb, depth]))
    tallest = max(len(column) for column in columns)
    return np.hstack(
        [np.pad(each, ((0, tallest - len(each)), (0, 4), (0, 0)), constant_values=255) for each in columns]
    )
