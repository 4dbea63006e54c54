"""Training curves: `metrics.jsonl` (one JSON object a line, with `step` and `split`) drawn as one PNG."""

from __future__ import annotations

import json
import math
from pathlib import Path

_NOT_CURVES = {"step", "split", "wall_seconds", "cpu_seconds"}
"""(Older files have the seconds in each line.)"""
_SPLITS = {"train": "-", "validation": "o-"}


def plot_curves(metrics_file: Path, picture_file: Path):
    """A small panel a quantity, training and validation over each other where both have it."""
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in metrics_file.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["split"] in _SPLITS]
    names = sorted({name for row in rows for name in row} - _NOT_CURVES)
    columns = min(4, max(1, len(names)))
    lines = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.6 * columns, 2.6 * lines), layout="constrained")
    for axes, name in zip(figure.subplots(lines, columns, squeeze=False).flat, names, strict=False):
        for split, style in _SPLITS.items():
            points = [(row["step"], row[name]) for row in rows if row["split"] == split and name in row]
            if points:
                axes.plot(*zip(*points, strict=True), style, label=split, markersize=3, linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=6)
    figure.savefig(picture_file, dpi=90)
