"""Which curves of a run are drawn, in which order and together with what: the transformer's by name, any other by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..pipelines.svg_charts import Series, line_chart
from .run_folder import RunFolder

TRAINING, HELD_OUT = "train", "validation"
FRAMES, FACTORS = r"loss_frame_(\d+)", r"loss_factor_(\d+)"
SPLIT_NAMES = {TRAINING: "training", HELD_OUT: "held-out"}
FLOW = {
    "flow_mse": ("true path", "series-0"),
    "flow_mse_reconstruction": ("tokenizer", "series-1"),
    "flow_mse_static": ("static", "series-2"),
    "flow_mse_wrong_path": ("wrong path", "series-3"),
    "flow_mse_no_camera": ("no camera", "series-4"),
}
LOSSES = {
    "loss": ("true path", "series-0"),
    "loss_wrong_path": ("wrong path", "series-3"),
    "loss_no_camera": ("no camera", "series-4"),
}
"""Quantity -> its label in the chart, and its colour."""


@dataclass(frozen=True)
class Chart:
    """One chart of the page."""

    title: str
    note: str
    svg: str


def run_charts(run: RunFolder) -> list[Chart]:
    """Every number that the run logged is in one of them."""
    has_tokens = bool(_members(run, HELD_OUT, FRAMES) or _members(run, TRAINING, FRAMES))
    unit = ", nats a token" if has_tokens else ""
    chart = partial(_chart, run)
    charts = [
        chart(f"Loss{unit}", _splits(run, "loss"), log=not has_tokens),
        chart(
            f"Held-out loss{unit}",
            _named(run, LOSSES) if len(_present(run, LOSSES)) > 1 else [],
            "the gaps tell how much the path is used",
        ),
        chart(
            "Flow MSE of generated clips, px²",
            _named(run, FLOW),
            "lower is better; static: the picture, not moving; tokenizer: the true ids, decoded",
            from_zero=True,
        ),
        *(chart(*_family(run, split, FRAMES, "of each latent frame", "frame", is_ramp=True)) for split in SPLIT_NAMES),
        *(chart(*_family(run, split, FACTORS, "of each factor of an id", "factor")) for split in SPLIT_NAMES),
        *(chart(_words(name), _splits(run, name)) for name in _others(run)),
        chart("Samples a second", _rate(run), from_zero=True),
    ]
    return [chart for chart in charts if chart.svg]


def _chart(
    run: RunFolder, title: str, series: Sequence[Series], note: str = "", from_zero: bool = False, log: bool = False
) -> Chart:
    return Chart(title, note, line_chart(title, series, run.step, from_zero, log))


def _splits(run: RunFolder, name: str) -> list[Series]:
    """A quantity on training batches and on held-out clips; its last value alone where it is of one of them."""
    found = {split: run.points(split, name) for split in SPLIT_NAMES}
    if not all(found.values()):
        return [Series("", points, markers=split == HELD_OUT) for split, points in found.items() if points]
    return [
        Series("training", found[TRAINING], "series-2", markers=False),
        Series("held-out", found[HELD_OUT], "series-0"),
    ]


def _named(run: RunFolder, names: dict[str, tuple[str, str]]) -> list[Series]:
    """Held-out quantities under names of their own."""
    return [Series(names[name][0], run.points(HELD_OUT, name), names[name][1]) for name in _present(run, names)]


def _family(
    run: RunFolder, split: str, pattern: str, what: str, label: str, is_ramp: bool = False
) -> tuple[str, list[Series], str]:
    """Title, lines and unit of quantities that differ in a number; a ramp's have one hue, in order."""
    names = _members(run, split, pattern)
    series = [
        Series(
            f"{label} {_number(pattern, name)}",
            run.points(split, name),
            "ramp" if is_ramp else f"series-{place % 5}",
            place / max(1, len(names) - 1),
            markers=split == HELD_OUT,
        )
        for place, name in enumerate(names)
    ]
    return f"{SPLIT_NAMES[split].capitalize()} loss {what}", series, "nats a token"


def _rate(run: RunFolder) -> list[Series]:
    points = [(row["step"], row["samples_per_second"]) for row in run.times if "samples_per_second" in row]
    return [Series("", points, markers=False)] if points else []


def _members(run: RunFolder, split: str, pattern: str) -> list[str]:
    names = [name for name in run.names(split) if re.fullmatch(pattern, name)]
    return sorted(names, key=lambda name: _number(pattern, name))


def _number(pattern: str, name: str) -> int:
    match = re.fullmatch(pattern, name)
    assert match
    return int(match[1])


def _present(run: RunFolder, names: dict[str, tuple[str, str]]) -> list[str]:
    return [name for name in names if name in run.names(HELD_OUT)]


def _others(run: RunFolder) -> list[str]:
    """What no chart above shows, in the order in which it was logged."""
    both = dict.fromkeys([*run.names(TRAINING), *run.names(HELD_OUT)])
    shown = {*LOSSES, *FLOW}
    return [name for name in both if name not in shown and not re.fullmatch(f"{FRAMES}|{FACTORS}", name)]


def _words(name: str) -> str:
    known = {"flow_mse_ratio": "Flow MSE over that of a static video"}
    words = name.replace("_", " ")
    return known.get(name, words[:1].upper() + words[1:])
