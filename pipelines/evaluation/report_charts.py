"""The plots of the report, as SVG text that takes its colours from the page's style sheet (`svg_charts`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ..svg_charts import Scale, Series, line_chart, short

BAR_HEIGHT, BAR_LEFT, BAR_WIDTH = 26, 150, 640
SIDE, MARGIN = 340, 44
STYLES = {"model": "series-0", "planar_warp": "series-3", "reconstruction": "series-1", "static": "series-2"}
LINES = ("model", "reconstruction", "planar_warp", "static", "wrong_path")


def interval_bars(name: str, rows: Sequence[tuple[str, str, float, tuple[float, float]]]) -> str:
    """Rows of (kind, label, mean, interval) as bars with whiskers, from 0."""
    ends = [max(value, high if math.isfinite(high) else value) for _, _, value, (_, high) in rows]
    x = Scale(0, max(ends) or 1.0, BAR_LEFT, BAR_WIDTH - 60)
    parts = []
    for place, (kind, label, value, (low, high)) in enumerate(rows):
        y = place * BAR_HEIGHT
        style, end = STYLES.get(kind, "series-quiet"), x(value)
        parts.append(f'<text class="tick" x="{BAR_LEFT - 8}" y="{y + 17}" text-anchor="end">{escape(label)}</text>')
        parts.append(
            f'<g class="{style}"><rect class="bar" x="{BAR_LEFT}" y="{y + 5}" width="{end - BAR_LEFT:.1f}" height="15"/></g>'
        )
        if math.isfinite(low) and math.isfinite(high):
            end = x(high)
            parts.append(
                f'<path class="whisker" d="M{x(low):.1f} {y + 12.5}H{x(high):.1f}M{x(low):.1f} {y + 8}v9M{x(high):.1f} {y + 8}v9"/>'
            )
        parts.append(f'<text class="tick" x="{max(end, x(value)) + 6:.1f}" y="{y + 17}">{value:.3f}</text>')
    return _svg(name, BAR_WIDTH, len(rows) * BAR_HEIGHT, parts)


def errors_over_frames(by_frame: dict[str, list[float]], labels: dict[str, str]) -> str:
    """Flow MSE of each step of a clip, a line a kind."""
    series = [
        Series(labels[kind], list(enumerate(by_frame[kind], start=1)), STYLES.get(kind, "series-4"), markers=True)
        for kind in LINES
        if kind in by_frame
    ]
    last = max(len(values) for values in by_frame.values())
    return line_chart("flow MSE by frame", series, last, from_zero=True, step_name="frame")


def scatter(name: str, points: Sequence[tuple[str, float, float]], x_name: str, y_name: str) -> str:
    """Points of (label, x, y) above 0 on logarithmic axes of one range, with the line on which both are equal."""
    drawn = [(label, x, y) for label, x, y in points if x > 0 and y > 0 and math.isfinite(x) and math.isfinite(y)]
    if not drawn:
        return ""
    low = 10 ** math.floor(math.log10(min(min(x, y) for _, x, y in drawn)))
    high = 10 ** math.ceil(math.log10(max(max(x, y) for _, x, y in drawn)))
    high = high if high > low else 10 * low
    across, up = Scale(low, high, MARGIN, SIDE - 10, True), Scale(low, high, SIDE - MARGIN, 10, True)
    parts = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        tick = 10.0**power
        parts.append(f'<line class="grid" x1="{MARGIN}" x2="{SIDE - 10}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>')
        parts.append(
            f'<text class="tick" x="{MARGIN - 6}" y="{up(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>'
        )
        parts.append(
            f'<text class="tick" x="{across(tick):.1f}" y="{SIDE - MARGIN + 16}" text-anchor="middle">{short(tick)}</text>'
        )
    parts.append(f'<line class="whisker" x1="{across(low)}" y1="{up(low)}" x2="{across(high)}" y2="{up(high)}"/>')
    parts += [
        f'<g class="series-0"><circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.5"><title>{escape(label)}: '
        f"{escape(x_name)} {x:.3g}, {escape(y_name)} {y:.3g}</title></circle></g>"
        for label, x, y in drawn
    ]
    parts.append(
        f'<text class="tick" x="{(SIDE + MARGIN) / 2}" y="{SIDE - 10}" text-anchor="middle">{escape(x_name)}</text>'
    )
    parts.append(f'<text class="tick" x="2" y="8">{escape(y_name)}</text>')
    return _svg(name, SIDE, SIDE, parts)


def _svg(name: str, width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name)}">'
        f"<title>{escape(name)}</title>{''.join(parts)}</svg>"
    )
