"""The figures of `camvig eval --json` as Markdown tables, several evaluations side by side; no number is typed by hand.

What always holds: a table of flow MSE has every control that was measured, with its interval, and says why others are missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...pipelines.measured_results import FLOW_ROWS, read_results

Scores = dict[str, Any]
NONE = "–"
OTHER_ROWS = (
    ("normalised_flow_mse", "flow MSE over the true clip's mean squared flow, clip by clip", ".2f"),
    ("flow_cosine", "direction of the motion: 1 is right", ".3f"),
    ("motion_ratio", "amount of motion: 1 is right", ".2f"),
    ("psnr", "PSNR, dB", ".1f"),
    ("ssim", "SSIM", ".3f"),
    ("perceptual", "perceptual distance", ".3f"),
)


def read_scores(work: Path, name: str) -> Scores:
    """What the stage `eval-<name>` left."""
    return read_results(work / "eval" / f"{name}.json")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def number(value: float | None, form: str = ".3f") -> str:
    return NONE if value is None else f"{value:{form}}"


def with_interval(value: float | None, interval: Sequence[float | None] | None, form: str = ".3f") -> str:
    """ "0.346 (0.243 to 0.483)"."""
    if value is None or not interval or None in interval:
        return number(value, form)
    return f"{value:{form}} ({interval[0]:{form}} to {interval[1]:{form}})"


def flow_table(columns: dict[str, Scores]) -> str:
    """Flow MSE of every kind with its 95% interval, a column an evaluation, and what is missing."""
    rows = [
        [words, *(with_interval(one["flow_mse"].get(kind), one["intervals"].get(kind)) for one in columns.values())]
        for kind, words in FLOW_ROWS.items()
    ]
    head = ["flow MSE, px² (95% interval over clips)", *columns]
    return "\n\n".join([table(head, rows), about_clips(columns), *missing(columns)])


def model_table(columns: dict[str, Scores]) -> str:
    """The model alone: beside its controls, and by other measures."""
    kinds = ("static", "wrong_path", "mirrored_path", "no_camera", "planar_warp", "reconstruction")
    rows = [
        [f"flow MSE over that of {kind}", *(_ratio(one, f"model_over_{kind}") for one in columns.values())]
        for kind in kinds
        if any(f"model_over_{kind}" in one["ratios"] for one in columns.values())
    ]
    rows += [
        [words, *(number((one.get(key) or {}).get("model"), form) for one in columns.values())]
        for key, words, form in OTHER_ROWS
    ]
    return table(["the model", *columns], rows)


def _ratio(scores: Scores, name: str) -> str:
    found = scores["ratios"].get(name)
    return NONE if found is None else with_interval(found["value"], found["interval"], ".2f")


MOTION_ROWS = {
    "camera_mse": "camera error, px², where nothing moves by itself",
    "kept": "motion kept: 1 is the things' own motion, 0 none of it",
    "agreement": "direction of the things' own motion: 1 is right",
    "amount": "amount of motion where things move, over the true amount",
    "false_motion": "motion of things that are at rest, px²",
}
"""Of `motion` in the results of rooms with moving objects."""


def motion_table(columns: dict[str, Scores], name: str) -> str:
    """One of `MOTION_ROWS` for every kind with its 95% interval, a column an evaluation."""
    rows = [
        [kind, *(_motion(one, name, kind) for one in columns.values())]
        for kind in FLOW_ROWS
        if any(one["motion"][name] and one["motion"][name].get(kind) is not None for one in columns.values())
    ]
    return table([MOTION_ROWS[name], *columns], rows)


def _motion(scores: Scores, name: str, kind: str) -> str:
    values, intervals = scores["motion"][name], scores["motion"].get(f"{name}_intervals")
    return NONE if not values else with_interval(values.get(kind), (intervals or {}).get(kind))


def motion_tables(columns: dict[str, Scores]) -> str:
    return "\n\n".join(motion_table(columns, name) for name in MOTION_ROWS)


def about_clips(columns: dict[str, Scores]) -> str:
    """Which clips, how many, with which sampling: a sentence for all columns, or a list where they differ."""
    said = {name: _about_clips(one) for name, one in columns.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "\n".join(f"- {name}: {sentence}" for name, sentence in said.items())


def _about_clips(scores: Scores) -> str:
    settings = scores["settings"]
    mean_of = f", mean of {settings['mean_of']} draws" if settings.get("mean_of", 1) > 1 else ""
    decoded = ", scenes at rest" if settings.get("rigid_scene") else ""
    return (
        f"{scores['clips']} clips of {scores['scenes']} scenes of `{scores['data']}`, {scores['split']} split, "
        f"{scores['frames']} frames of {scores['frame_size']} pixels; temperature {settings['temperature']:g}, "
        f"guidance {settings['guidance_scale']:g}{mean_of}{decoded}."
    )


def missing(columns: dict[str, Scores]) -> list[str]:
    """A sentence for each figure that is not there; the pairs of `bias` and poses are not asked for here."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for column, one in columns.items():
        for name, reason in one["unavailable"].items():
            if name in FLOW_ROWS:
                reasons.setdefault((name, reason), []).append(column)
    return [
        f"No `{name}`{'' if len(found) == len(columns) else ' of ' + ', '.join(found)}: {reason}."
        for (name, reason), found in sorted(reasons.items())
    ]


def validation_losses(run: Path) -> dict[int, dict[str, float]]:
    """Step -> teacher-forced losses of a training run (`metrics.jsonl`): `loss`, `loss_wrong_path`, `loss_no_camera`."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["step"]: row for row in map(json.loads, lines) if row.get("split") == "validation"}
