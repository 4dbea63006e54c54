"""Charts as SVG: well-formed, every point in its place, and nothing drawn where there is no number."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from camvig.pipelines.svg_charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Series,
    line_chart,
    short,
    spread,
    thinned,
)

SVG_TAG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str) -> list[list[tuple[float, float]]]:
    """Points of every polyline, in pixels."""
    root = ElementTree.fromstring(svg)
    return [
        [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]
        for line in root.iter("polyline")
    ]


def test_points_are_where_their_numbers_are():
    svg = line_chart("Loss", [Series("a", [(0, 0.0), (50, 10.0), (100, 5.0)])], last_step=100, from_zero=True)
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    assert drawn(svg) == [[(LEFT, bottom), ((LEFT + right) / 2, TOP), (right, (TOP + bottom) / 2)]]


def test_logarithmic_axes_space_factors_equally():
    svg = line_chart("Loss", [Series("a", [(1, 1.0), (2, 10.0), (3, 100.0)])], last_step=3, log=True)
    (_, one), (_, ten), (_, hundred) = drawn(svg)[0]
    assert one - ten == pytest.approx(ten - hundred, abs=0.11)


@pytest.mark.parametrize(
    ("low", "high"), [(2.86, 82.8), (1.0, 1.0), (0.5, 2.0), (2.5, 1055.0), (9e-4, 7e3), (1e-12, 1e9)]
)
def test_logarithmic_ticks_enclose_the_data(low, high):
    (line,) = drawn(line_chart("Loss", [Series("a", [(1, low), (2, high)])], last_step=2, log=True))
    assert all(TOP <= y <= HEIGHT - BOTTOM for _, y in line)


def test_a_number_that_is_not_finite_breaks_the_line():
    points = [(1, 1.0), (2, 2.0), (3, math.nan), (4, 1.0), (5, math.inf), (6, 3.0)]
    svg = line_chart("Loss", [Series("a", points)], last_step=6)
    assert [len(line) for line in drawn(svg)] == [2, 1, 1]
    assert line_chart("Loss", [Series("a", [(1, math.nan)])], last_step=1) == line_chart("Loss", [], 1) == ""


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-9, 1e12])
def test_a_constant_is_a_line_inside_the_chart(value):
    (line,) = drawn(line_chart("Loss", [Series("a", [(1, value), (2, value)])], last_step=2))
    assert all(TOP <= y <= HEIGHT - BOTTOM for _, y in line)


def test_labels_are_escaped_and_name_the_last_value():
    svg = line_chart("a < b", [Series("<script>", [(1, 1234.5)])], last_step=1)
    assert "<script>" not in svg and "&lt;script&gt; 1235" in svg.replace("1234", "1235")
    ElementTree.fromstring(svg)


def test_labels_never_cover_each_other():
    series = [Series(str(number), [(0, 0.0), (10, 1 + number / 1000)]) for number in range(6)]
    svg = line_chart("Loss", series, last_step=10)
    places = sorted(float(place) for place in re.findall(r'class="label" x="[^"]*" y="([^"]*)"', svg))
    assert len(places) == 6 and all(later - earlier > 13 for earlier, later in pairwise(places))


def test_spread_moves_no_more_than_it_must():
    assert spread([10, 50, 90], 14, 0, 100) == [10, 50, 90]
    assert spread([50, 50], 14, 0, 100) == [50, 64]
    assert spread([95, 99], 14, 0, 100) == [86, 100]


def test_long_lines_are_thinned_to_means():
    points = [(step, float(step % 2)) for step in range(4 * MOST_POINTS)]
    assert thinned(points)[0] == (3, 0.5) and len(thinned(points)) == MOST_POINTS
    assert thinned(points[:5]) == points[:5]


@pytest.mark.parametrize(
    "value, text",
    [(0.0, "0"), (1000, "1k"), (2500, "2.5k"), (12345, "12.35k"), (250, "250"), (3e6, "3M"), (0.002, "0.002")],
)
def test_numbers_in_short(value, text):
    assert short(value) == text
