"""Line charts as SVG text, to stand in an HTML page: no script, no font and no colour of their own.

Colours come from the page's style sheet by class (`series-0` ..; `ramp` for an ordered family), so that a page has a dark
and a light form. Lines end in their labels; points that carry markers tell their values when pointed at. Numbers that are
not finite are left out, and the line is broken there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from matplotlib.ticker import LogLocator, MaxNLocator

WIDTH, HEIGHT = 380, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 124, 10, 26
LABEL_HEIGHT = 14
MOST_POINTS = 240
"""Lines of more points are drawn as means over equal stretches of steps."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line."""

    label: str
    points: Sequence[Point]  # (step, value)
    style: str = "series-0"  # class in the page's style sheet
    share: float = 0.0  # place in an ordered family, 0 to 1 (`ramp`)
    markers: bool = True


@dataclass(frozen=True)
class Scale:
    """Data -> pixels along one axis."""

    low: float
    high: float
    start: float
    stop: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        forward: Callable[[float], float] = math.log10 if self.is_log else float
        low, high = forward(self.low), forward(self.high)
        return self.start + (forward(value) - low) / ((high - low) or 1.0) * (self.stop - self.start)


def line_chart(
    name: str,
    series: Sequence[Series],
    last_step: float,
    from_zero: bool = False,
    log: bool = False,
    step_name: str = "step",
) -> str:
    """An `<svg>` with the steps 0 to `last_step` along x; `name` is what a screen reader says. "" if there is nothing to draw."""
    drawn = [(one, thinned(one.points)) for one in series]
    values = [y for _, points in drawn for _, y in points if math.isfinite(y)]
    if not values:
        return ""
    is_log = log and min(values) > 0
    y_ticks = _ticks(0.0 if from_zero else min(values), max(values), is_log)
    x = Scale(0, last_step or 1, LEFT, WIDTH - RIGHT)
    y = Scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP, is_log)
    parts = [
        *_grid(x, y, y_ticks, step_name),
        *(_line(one, points, x, y, step_name) for one, points in drawn),
        *_labels(drawn, x, y),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">'
        f"<title>{escape(name)}</title>{''.join(parts)}</svg>"
    )


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most `MOST_POINTS`: means over stretches; a stretch with a number that is not finite is a gap."""
    if len(points) <= MOST_POINTS:
        return list(points)
    size = math.ceil(len(points) / MOST_POINTS)
    stretches = [points[start : start + size] for start in range(0, len(points), size)]
    return [(stretch[-1][0], sum(y for _, y in stretch) / len(stretch)) for stretch in stretches]


def _ticks(low: float, high: float, is_log: bool) -> list[float]:
    """Round numbers that enclose the data."""
    if is_log:
        subs = (1.0, 3.0) if high / low < 1e4 else (1.0,)
        # Ticks for the data alone may end below its highest value
        ticks = LogLocator(subs=subs).tick_values(low / 10, high * 10)
        below = [tick for tick in ticks if tick <= low]
        above = [tick for tick in ticks if tick >= high]
        return [tick for tick in ticks if max(below) <= tick <= min(above)]
    if high == low:
        low, high = (low - abs(low) / 2, high + abs(high) / 2) if low else (0.0, 1.0)
    return [float(tick) for tick in MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]


def _grid(x: Scale, y: Scale, y_ticks: Sequence[float], step_name: str) -> list[str]:
    parts = []
    for tick in y_ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    whole = MaxNLocator(nbins=4, integer=True, steps=[1, 2, 5, 10]).tick_values(x.low, x.high)
    for tick in (tick for tick in whole if x.low <= tick <= x.high):
        parts.append(
            f'<text class="tick" x="{x(tick):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{short(float(tick))}</text>'
        )
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT + 24}" y="{HEIGHT - 8}">{escape(step_name)}</text>')
    return parts


def _line(one: Series, points: Sequence[Point], x: Scale, y: Scale, step_name: str) -> str:
    runs: list[list[str]] = [[]]
    for step, value in points:
        if math.isfinite(value):
            runs[-1].append(f"{x(step):.1f},{y(value):.1f}")
        else:
            runs.append([])
    lines = "".join(f'<polyline points="{" ".join(run)}"/>' for run in runs if run)
    dots = "".join(
        f'<circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="3"><title>{escape(one.label)}, '
        f"{escape(step_name)} {step:g}: {value:.4g}</title></circle>"
        for step, value in (points if one.markers or len(points) == 1 else [])
        if math.isfinite(value)
    )
    return f'<g class="{one.style}" style="--share:{100 * one.share:.0f}%">{lines}{dots}</g>'


def _labels(drawn: Sequence[tuple[Series, Sequence[Point]]], x: Scale, y: Scale) -> list[str]:
    """The last value of each line beside its end, moved apart where they would cover each other."""
    ends = [(one, [point for point in points if math.isfinite(point[1])]) for one, points in drawn]
    labels = ((y(points[-1][1]), one, points[-1]) for one, points in ends if points)
    wanted = sorted(labels, key=lambda label: label[0])
    places = spread([place for place, _, _ in wanted], LABEL_HEIGHT, TOP + 4, HEIGHT - BOTTOM)
    parts = []
    for (at, one, (step, value)), place in zip(wanted, places, strict=True):
        start, end = x(step) + 5, WIDTH - RIGHT + 10
        parts.append(
            f'<g class="{one.style}" style="--share:{100 * one.share:.0f}%">'
            f'<path class="leader" d="M{start:.1f} {at:.1f}L{end - 3:.1f} {place:.1f}"/>'
            f'<text class="label" x="{end:.1f}" y="{place + 4:.1f}">{escape(f"{one.label} {short(value)}".strip())}</text></g>'
        )
    return parts


def spread(places: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Sorted places -> as near as may be, at least `distance` apart, from `low` to `high` where there is room."""
    moved: list[float] = []
    for place in places:
        moved.append(max([place, low, *(last + distance for last in moved[-1:])]))
    for index in reversed(range(len(moved))):
        ceiling = moved[index + 1] - distance if index + 1 < len(moved) else high
        moved[index] = min(moved[index], ceiling)
    assert all(later - earlier >= distance - 1e-6 for earlier, later in pairwise(moved))
    return moved


def short(value: float) -> str:
    """A number as a chart shows it: about three digits, thousands as k and M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and value % (size / 10) == 0):
            return f"{value / size:.4g}{suffix}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
