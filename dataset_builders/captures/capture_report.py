"""What `camvig data check` says and draws of a capture: do its poses fit its pictures, and where did its cameras stand?

What always holds: a view does not fit where the points that it shares with its neighbours lie far from their epipolar lines
in *every* pair with enough of them; a view beside it has other neighbours, with which it fits.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...camera_paths.plots import draw_figure, frustum, frustum_size, write_png
from ...camera_paths.units import UNIT_IN_WORDS
from .capture import Capture, Skipped
from .capture_matches import PairMatches, match_neighbours, triangulate
from .capture_pictures import load_picture

LEAST_MATCHES = 15  # of a pair that says something
MISFIT_PX = 3.0  # and so many times the median over all pairs
MISFIT_RATIO = 6.0
SHEET_COLUMNS, SHEET_ROWS, TILE_HEIGHT = 8, 4, 110
FRUSTA, POINTS = 60, 3000  # most that are drawn
BOX_PERCENTILES = (3, 97)  # of the points that the drawing shows
RIGHT, FORWARD, UP = 0, 2, 1


@dataclass(frozen=True)
class Misfit:
    """A view whose pose does not fit its picture."""

    name: str
    error_px: float  # median over the best of its pairs


@dataclass(frozen=True)
class CaptureReport:
    """Numbers about a capture. Errors are in pixels of pictures of at most 512 along the shorter side."""

    name: str
    num_views: int
    sizes: dict[str, int]  # "WIDTHxHEIGHT": how many
    unit: str
    num_depth_maps: int
    distorted: bool  # whether its lens bends lines
    num_pairs: int  # of neighbouring views with enough matches
    num_matches: int
    median_epipolar_error_px: float | None  # over all matches; None without any
    worst_pair_error_px: float | None  # median of the worst pair
    median_depth: float | None  # as said, else of points that neighbouring views both show, in `unit`
    misfits: tuple[Misfit, ...]
    unmatched: tuple[str, ...]  # views that share too few points with any neighbour to be judged
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def capture_report(capture: Capture, pairs: list[PairMatches] | None = None) -> CaptureReport:
    """Match neighbouring views (or take `match_neighbours`'s answer) and see how well the poses explain the matches."""
    pairs = match_neighbours(capture) if pairs is None else pairs
    judged = [pair for pair in pairs if len(pair.errors_px) >= LEAST_MATCHES]
    errors = np.concatenate([pair.errors_px for pair in pairs]) if pairs else np.zeros(0)
    medians = [float(np.median(pair.errors_px)) for pair in judged]
    best = {view: min(error for pair, error in zip(judged, medians, strict=True) if view in (pair.first, pair.second))
            for view in {view for pair in judged for view in (pair.first, pair.second)}}  # fmt: skip
    limit = max(MISFIT_PX, MISFIT_RATIO * float(np.median(medians))) if medians else MISFIT_PX
    depths = triangulate(capture, pairs).depths
    names = [file.name for file in capture.image_files]
    return CaptureReport(
        name=capture.name,
        num_views=len(capture),
        sizes=dict(Counter(f"{width}x{height}" for width, height in capture.sizes.tolist())),
        unit=capture.unit,
        num_depth_maps=sum(file is not None for file in capture.depth_files),
        distorted=bool(capture.distortion.any()),
        num_pairs=len(judged),
        num_matches=len(errors),
        median_epipolar_error_px=float(np.median(errors)) if len(errors) else None,
        worst_pair_error_px=max(medians, default=None),
        median_depth=capture.median_depth or (float(np.median(depths)) if len(depths) else None),
        misfits=tuple(Misfit(names[view], error) for view, error in sorted(best.items()) if error > limit),
        unmatched=tuple(name for view, name in enumerate(names) if view not in best),
        skipped=capture.skipped,
        notes=capture.notes,
    )


def report_lines(report: CaptureReport) -> list[str]:
    """The report in words, a line each."""
    sizes = ", ".join(f"{count} of {size}" for size, count in report.sizes.items())
    lines = [f"{report.name}: {report.num_views} views ({sizes}), in {UNIT_IN_WORDS[report.unit]}"]
    if report.num_depth_maps:
        lines.append(f"depth maps: {report.num_depth_maps}")
    if report.median_epipolar_error_px is None:
        lines.append("epipolar error: unknown, neighbouring views share no points")
    else:
        lines.append(
            f"epipolar error: {report.median_epipolar_error_px:.2f} px, the median of {report.num_matches:,} matches"
            + ("" if report.worst_pair_error_px is None else f"; worst pair {report.worst_pair_error_px:.2f} px")
        )
    if report.median_depth is not None:
        lines.append(f"median depth: {report.median_depth:.3g} {UNIT_IN_WORDS[report.unit]}")
    lines += [f"does not fit: {misfit.name}, {misfit.error_px:.1f} px in its best pair" for misfit in report.misfits]
    if report.unmatched:
        names = ", ".join(report.unmatched[:5]) + " ..." * (len(report.unmatched) > 5)
        lines.append(f"not judged, too few matches: {len(report.unmatched)} ({names})")
    lines += [f"skipped: {skipped.name}: {skipped.reason}" for skipped in report.skipped]
    return lines + [f"note: {note}" for note in report.notes]


def draw_capture(capture: Capture, file: str | os.PathLike[str], pairs: list[PairMatches] | None = None) -> None:
    """Write a .png: a contact sheet of views, and the cameras and the scene's points from above and from the side."""
    pairs = match_neighbours(capture) if pairs is None else pairs
    misfits = {misfit.name for misfit in capture_report(capture, pairs).misfits}
    sheet = _contact_sheet(capture)
    points = triangulate(capture, pairs).positions
    plot = _draw_cameras(capture, points, misfits, sheet.shape[1])
    write_png(np.vstack([sheet, plot]), file)


def _contact_sheet(capture: Capture) -> np.ndarray:
    """Evenly spread views in rows, [H, W, 3] uint8."""
    count = min(len(capture), SHEET_COLUMNS * SHEET_ROWS)
    width = round(TILE_HEIGHT * max(width / height for width, height in capture.sizes))
    tiles = []
    for view in np.linspace(0, len(capture) - 1, count).round().astype(int):
        picture = load_picture(capture, int(view)).rgb
        scale = min(TILE_HEIGHT / picture.shape[0], width / picture.shape[1])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:TILE_HEIGHT, :width]
        tile = np.full((TILE_HEIGHT + 4, width + 4, 3), 255, np.uint8)
        tile[: len(small), : small.shape[1]] = small
        tiles.append(tile)
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % SHEET_COLUMNS)
    rows = [np.hstack(tiles[start : start + SHEET_COLUMNS]) for start in range(0, len(tiles), SHEET_COLUMNS)]
    return np.vstack(rows)


def _draw_cameras(capture: Capture, points: np.ndarray, misfits: set[str], width_px: int) -> np.ndarray:
    """Frusta from above and from the side, [H, width_px, 3] uint8; those that do not fit in red."""
    figure = Figure(figsize=(10, 5), dpi=width_px / 10, layout="constrained")
    positions = capture.camera_to_world[:, :3, 3]
    size = frustum_size(positions) * 0.4
    points = points[np.random.default_rng(0).permutation(len(points))[:POINTS]]
    drawn = set(np.linspace(0, len(capture) - 1, min(FRUSTA, len(capture))).round().astype(int).tolist())
    wrong = {view for view, file in enumerate(capture.image_files) if file.name in misfits}
    y_up = np.array([1.0, -1.0, 1.0])
    for axes, columns, title in zip(
        figure.subplots(1, 2), ([RIGHT, FORWARD], [FORWARD, UP]), ("above", "the side"), strict=True
    ):
        axes.scatter(*(points * y_up)[:, columns].T, s=1, color="#b5b9c0", linewidths=0)
        for view in sorted(drawn | wrong):
            outline = frustum(capture.camera_to_world[view], capture.intrinsics[view], size) * y_up
            axes.plot(*outline[:, columns].T, color="#c8361d" if view in wrong else "#2b5fb3", linewidth=0.7)
        axes.set_title(f"cameras from {title} ({UNIT_IN_WORDS[capture.unit]})", fontsize=9)
        _frame(axes, np.concatenate([positions, _inner(points)]) * y_up, columns)
    return draw_figure(figure)[:, :width_px]


def _inner(points: np.ndarray) -> np.ndarray:
    """Two corners of the box in which most points lie; none without points."""
    return np.percentile(points, BOX_PERCENTILES, axis=0) if len(points) else np.zeros((0, 3))


def _frame(axes: Axes, shown: np.ndarray, columns: list[int]) -> None:
    low, high = shown.min(axis=0)[columns], shown.max(axis=0)[columns]
    half = 0.56 * (np.ptp(shown, axis=0).max() or 1.0)
    middle = (low + high) / 2
    axes.set(xlim=middle[0] + half * np.array([-1, 1]), ylim=middle[1] + half * np.array([-1, 1]))
    axes.set_aspect("equal")
    axes.grid(color="#e3e5e8", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7)
