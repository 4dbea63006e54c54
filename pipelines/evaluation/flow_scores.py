"""Optical-flow scores of many videos against their true clips, and their means over clips with bootstrap intervals.

What always holds: flow is that of `metrics.flow_mse` (DIS), in pixels of the compared frames; the true flow of a clip is computed
once; a mean is over clips, each counted once; a score that a clip does not have is NaN there, left out of means and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ...metrics.bootstrap import bootstrap_difference, bootstrap_interval, bootstrap_ratio, known_values
from ...metrics.flow_mse import (
    dis_flow,
    flow_cosine,
    flow_mse_between,
    flow_mse_by_region,
    hidden_sources,
    motion_ratio,
    normalised_flow_mse,
)
from .eval_clips import EvalClip
from .in_threads import in_threads
from .requests import Videos

FAMILIES = ("dolly", "truck", "pedestal", "orbit", "pan", "tilt", "roll", "zoom", "free", "static")


@dataclass(frozen=True)
class FlowScores:
    """Of N videos of one kind; [N] each, px^2 for the flow MSEs."""

    mse: np.ndarray
    normalised: np.ndarray
    cosine: np.ndarray
    motion_ratio: np.ndarray
    mse_seen: np.ndarray  # what frame 0 shows
    mse_hidden: np.ndarray  # what comes into view later; NaN without depth, or where nothing does
    mse_by_step: np.ndarray  # [N, T-1], of the flow from frame t to t + 1

    def of(self, chosen: np.ndarray) -> FlowScores:
        """Those of some videos, `[N]` bool."""
        return FlowScores(*(getattr(self, field.name)[chosen] for field in fields(self)))


def flow_scores(flows: list[np.ndarray], clips: list[EvalClip], true_flows: list[np.ndarray]) -> FlowScores:
    """All scores of the flows of videos, in the order of their clips."""
    rows = in_threads(_of_clip, flows, clips, true_flows)
    return FlowScores(*(np.array(column) for column in zip(*rows, strict=True)))


def _of_clip(flow: np.ndarray, clip: EvalClip, true_flow: np.ndarray) -> tuple:
    seen = hidden = float("nan")
    if clip.depth is not None:
        regions = flow_mse_by_region(flow, true_flow, hidden_sources(clip.to_first_frame[1]))
        seen, hidden = regions[:2]
    steps = [flow_mse_between(*pair) for pair in zip(flow, true_flow, strict=True)]
    return (
        flow_mse_between(flow, true_flow),
        normalised_flow_mse(flow, true_flow),
        flow_cosine(flow, true_flow),
        motion_ratio(flow, true_flow),
        seen,
        hidden,
        steps,
    )


def flow_errors(videos: Videos, true_flows: list[np.ndarray]) -> np.ndarray:
    """Flow MSE of each video, px^2."""
    return np.array([flow_mse_between(*pair) for pair in zip(in_threads(dis_flow, videos), true_flows, strict=True)])


def mean(values: Any) -> float:
    """Of the values that are known; NaN if none is."""
    known = known_values(values).values
    return float(known.mean()) if len(known) else float("nan")


def interval(values: Any, seed: int) -> list[float]:
    """95% of the mean of the values that are known: [low, high]."""
    return list(bootstrap_interval(known_values(values).values, seed=seed))


def difference(values: np.ndarray, others: np.ndarray, seed: int) -> dict[str, Any]:
    """mean(values - others), paired by clip, over the clips that have both."""
    first, second = _both_known(values, others)
    return {"value": mean(first - second), "interval": list(bootstrap_difference(first, second, seed=seed))}


def ratio(values: np.ndarray, others: np.ndarray, seed: int) -> dict[str, Any]:
    """mean(values) / mean(others), paired by clip, over the clips that have both; NaN where that is 0."""
    first, second = _both_known(values, others)
    below = mean(second)
    if not below > 0:
        return {"value": float("nan"), "interval": [float("nan")] * 2}
    return {"value": mean(first) / below, "interval": list(bootstrap_ratio(first, second, seed=seed))}


def _both_known(values: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(values) & np.isfinite(others)
    return values[known], others[known]


def families_of(clips: list[EvalClip]) -> dict[str, np.ndarray]:
    """Family of moves -> which clips are of it, `[N]` bool; those of the film-maker first."""
    families = [clip.move.split("_")[0] for clip in clips]
    order = [*FAMILIES, *sorted(set(families) - set(FAMILIES))]
    return {name: np.array([family == name for family in families]) for name in order if name in families}


def by_move(clips: list[EvalClip], scores: dict[str, FlowScores], seed: int) -> dict[str, dict[str, Any]]:
    """For each family of moves its clips, the flow MSE of every kind, and the model's direction and amount of motion."""
    model, table = scores["model"], {}
    for family, chosen in families_of(clips).items():
        table[family] = {
            "clips": int(chosen.sum()),
            **{kind: mean(found.mse[chosen]) for kind, found in scores.items()},
            "interval": interval(model.mse[chosen], seed),
            "normalised_flow_mse": mean(model.normalised[chosen]),
            "flow_cosine": mean(model.cosine[chosen]),
            "motion_ratio": mean(model.motion_ratio[chosen]),
        }
    return table


def summarise_flow(scores: dict[str, FlowScores], kinds: tuple[str, ...], seed: int) -> dict[str, Any]:
    """Means and intervals over clips, a key a kind; None where a kind could not be measured."""

    def table(name: str) -> dict[str, float | None]:
        return {kind: mean(getattr(scores[kind], name)) if kind in scores else None for kind in kinds}

    return {
        "flow_mse": table("mse"),
        "intervals": {kind: interval(scores[kind].mse, seed) if kind in scores else None for kind in kinds},
        "normalised_flow_mse": table("normalised"),
        "flow_cosine": table("cosine"),
        "motion_ratio": table("motion_ratio"),
        "flow_mse_seen": table("mse_seen"),
        "flow_mse_hidden": table("mse_hidden"),
        "flow_mse_by_frame": {kind: found.mse_by_step.mean(axis=0).tolist() for kind, found in scores.items()},
    }


def comparisons(scores: dict[str, FlowScores], seed: int) -> dict[str, Any]:
    """The model beside each control, paired by clip: differences of flow MSE, and ratios of its means."""
    mse = {kind: found.mse for kind, found in scores.items()}
    others = [kind for kind in mse if kind not in ("model", "noise_floor")]
    over = [(top, below) for top, below in (("model", kind) for kind in others)]
    over += [("wrong_path", "model")] if "wrong_path" in mse else []
    return {
        "differences": {f"model_minus_{kind}": difference(mse["model"], mse[kind], seed) for kind in others},
        "ratios": {f"{top}_over_{below}": ratio(mse[top], mse[below], seed) for top, below in over},
    }


def in_worst_scene(clips: list[EvalClip], errors: np.ndarray) -> np.ndarray:
    """Which clips are of the scene that has most of all clips' error, `[N]` bool."""
    scenes = np.array([clip.scene for clip in clips])
    worst = max(dict.fromkeys(scenes), key=lambda scene: errors[scenes == scene].sum())
    return scenes == worst


def without_worst_scene(clips: list[EvalClip], scores: dict[str, FlowScores], seed: int) -> dict[str, Any] | None:
    """How much hangs on one scene: the part of the model's error that the worst has, and `comparisons` without it.

    None where less than two clips would be left, or none that moves, or where there is no error.
    """
    errors = scores["model"].mse
    worst = in_worst_scene(clips, errors)
    if (~worst).sum() < 2 or not errors.sum() > 0 or not scores["static"].mse[~worst].any():
        return None
    return {
        "scene": clips[int(worst.argmax())].scene,
        "clips": int(worst.sum()),
        "share_of_error": float(errors[worst].sum() / errors.sum()),
        **comparisons({kind: found.of(~worst) for kind, found in scores.items()}, seed),
    }
