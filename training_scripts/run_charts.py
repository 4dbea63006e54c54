"""Which curves of a run are drawn, in which order and together with what: the transformer's by name, any other by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .run_folder import RunFolder
from .svg_charts import Series, line_chart

TRAINING, HELD_OUT = "train", "validation"
SPLIT_NAMES = {TRAINING: "training", HELD_OUT: "held-out"}
FLOW = {
    "flow_mse": "true path",
    "flow_mse_reconstruction": "tokenizer",
    "flow_mse_static": "static",
    "flow_mse_wrong_path": "wrong path",
    "flow_mse_no_camera": "no camera",
}
LOSSES = {"loss": "true path", "loss_wrong_path": "wrong path", "loss_no_camera": "no camera"}


@dataclass(frozen=True)
class Chart:
    """One chart of the page."""

    title: str
    note: str
    svg: str


def run_charts(run: RunFolder) -> list[Chart]:
    """Every number that the run logged is in one of them."""
    has_tokens = bool(_members(run, HELD_OUT, r"loss_frame_\d+") or _members(run, TRAINING, r"loss_frame_\d+"))
    unit = ", nats a token" if has_tokens else ""
    charts = [
        _chart(f"Loss{unit}", "", _splits(run, "loss"), log=not has_tokens),
        _chart(
            f"Held-out loss{unit}",
            "the gaps tell how much the path is used",
            _named(run, HELD_OUT, LOSSES) if len(_present(run, HELD_OUT, LOSSES)) > 1 else [],
        ),
        _chart(
            "Flow MSE of generated clips, px²",
            "lower is better; static: the picture, not moving; tokenizer: the true ids, decoded",
            _named(run, HELD_OUT, FLOW),
            from_zero=True,
        ),
        *(_family(run, split, r"loss_frame_(\d+)", "of each latent frame", "frame", "ramp") for split in SPLIT_NAMES),
        *(_family(run, split, r"loss_factor_(\d+)", "of each factor of an id", "factor", "") for split in SPLIT_NAMES),
        *(_chart(_words(name), "", _splits(run, name)) for name in _others(run)),
        _rate_chart(run),
    ]
    return [chart for chart in charts if chart.svg]


def _chart(title: str, note: str, series: Sequence[Series], from_zero: bool = False, log: bool = False) -> Chart:
    return Chart(title, note, line_chart(title, series, from_zero, log))


def _splits(run: RunFolder, name: str) -> list[Series]:
    """A quantity on training batches and on held-out clips."""
    styles = {TRAINING: "series-quiet", HELD_OUT: "series-0"}
    found = {split: run.points(split, name) for split in SPLIT_NAMES}
    return [
        Series(
            SPLIT_NAMES[split], points, styles[split] if all(found.values()) else "series-0", markers=split == HELD_OUT
        )
        for split, points in found.items()
        if points
    ]


def _named(run: RunFolder, split: str, names: dict[str, str]) -> list[Series]:
    """Quantities of one split under names of their own; the first one stands out."""
    return [
        Series(names[name], run.points(split, name), f"series-{list(names).index(name)}")
        for name in _present(run, split, names)
    ]


def _family(run: RunFolder, split: str, pattern: str, what: str, label: str, style: str) -> Chart:
    """Quantities that differ in a number; with the style "ramp" they are an ordered family."""
    names = _members(run, split, pattern)
    series = [
        Series(
            f"{label} {_number(pattern, name)}",
            run.points(split, name),
            style or f"series-{place % 5}",
            place / max(1, len(names) - 1),
            markers=split == HELD_OUT,
        )
        for place, name in enumerate(names)
    ]
    return _chart(f"{SPLIT_NAMES[split].capitalize()} loss {what}, nats a token", "", series)


def _rate_chart(run: RunFolder) -> Chart:
    points = [(row["step"], row["samples_per_second"]) for row in run.times if "samples_per_second" in row]
    return _chart("Samples a second", "", [Series("", points, markers=False)] if points else [], from_zero=True)


def _members(run: RunFolder, split: str, pattern: str) -> list[str]:
    names = [name for name in run.names(split) if re.fullmatch(pattern, name)]
    return sorted(names, key=lambda name: _number(pattern, name))


def _number(pattern: str, name: str) -> int:
    match = re.fullmatch(pattern, name)
    return int(match[1]) if match and match.groups() else 0


def _present(run: RunFolder, split: str, names: dict[str, str]) -> list[str]:
    return [name for name in names if name in run.names(split)]


def _others(run: RunFolder) -> list[str]:
    """What no chart above shows, in the order in which it was logged."""
    both = dict.fromkeys([*run.names(TRAINING), *run.names(HELD_OUT)])
    shown = {*LOSSES, *FLOW}
    return [name for name in both if name not in shown and not re.fullmatch(r"loss_(frame|factor)_\d+", name)]


def _words(name: str) -> str:
    known = {"flow_mse_ratio": "Flow MSE over that of a static video"}
    words = name.replace("_", " ")
    return known.get(name, words[:1].upper() + words[1:])
