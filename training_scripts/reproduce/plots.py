"""What the plots of all experiments have in common: one look, intervals as bars, whole files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...camera_paths.plots import draw_figure, write_png
from .experiments import Scale

COLOURS = {
    "model": "#c8361d",
    "reconstruction": "#1b7f3b",
    "static": "#555555",
    "wrong_path": "#8e44ad",
    "mirrored_path": "#d08a1d",
    "no_camera": "#2b5fb3",
    "planar_warp": "#2a9d8f",
    "depth_warp": "#7aa874",
    "noise_floor": "#aaaaaa",
}
MADE_BY_THE_MODEL = ("model", "wrong_path", "mirrored_path", "no_camera")


def figure_of(panels: int, width: float = 6.2, height: float = 4.0) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * panels, height), dpi=130, layout="constrained")
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def save(figure: Figure, file: Path, scale: Scale) -> None:
    """Writes it; what is no result says so."""
    if not scale.is_result:
        figure.text(
            0.5, 0.5, f"scale {scale.name}: no result", fontsize=32, color="red", alpha=0.3, ha="center", rotation=20
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_png(draw_figure(figure), file)


def line(axes: Axes, xs: Sequence[float], values: Sequence[float], kind: str, **more: Any) -> None:
    """A kind over x, with its name."""
    style = {"marker": "o", "markersize": 4, "linestyle": "-", **more}
    axes.plot(xs, values, color=COLOURS.get(kind, "#333333"), label=kind, **style)


def band(axes: Axes, xs: Sequence[float], intervals: Sequence[Sequence[float]], kind: str) -> None:
    low, high = zip(*intervals, strict=True)
    axes.fill_between(xs, low, high, color=COLOURS.get(kind, "#333333"), alpha=0.15, linewidth=0)


def finish(axes: Axes, x_label: str, y_label: str, title: str) -> None:
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
