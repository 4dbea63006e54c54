"""Experiment (a), "mixture": clips with paths against plain video, 100/0, 70/30 and 0/100; the paper's three first experiments.

The paper (section on training mixtures) reports in words that camera data alone loses the motion of things, video alone
has no camera control, and 70/30 keeps both.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from .experiments import Choices, Experiment, Scale
from .plots import COLOURS, figure_of, finish, save
from .recipes import ARMS_OF_MIXTURE, arm_pipeline, eval_of_arm, mixture_arms, moving_eval
from .stages import Stage
from .tables import Scores, flow_table, model_table, motion_tables, number, read_scores, table

CONTROLS = ("static", "planar_warp", "depth_warp", "reconstruction", "noise_floor")
ARM_COLOURS = {"paths": "#2b5fb3", "mixed": "#c8361d", "video": "#1b7f3b"}


def stages_of(scale: Scale, choices: Choices) -> list[Stage]:
    evaluations = [
        stage
        for arm in ARMS_OF_MIXTURE
        for stage in (eval_of_arm(arm, scale), moving_eval(arm, arm_pipeline(arm), scale))
    ]
    return [*mixture_arms(scale), *evaluations]


def findings_of(scale: Scale, work: Path, picture: Path) -> str:
    rest = {arm: read_scores(work, f"{arm}-rooms") for arm in ARMS_OF_MIXTURE}
    moving = {arm: read_scores(work, f"{arm}-moving") for arm in ARMS_OF_MIXTURE}
    _draw(rest, moving, picture, scale)
    return "\n\n".join(
        [
            _summary(rest, moving),
            "## Rooms at rest",
            flow_table(_named(rest)),
            model_table(_named(rest)),
            "## Rooms with moving objects",
            motion_tables(_named(moving)),
            flow_table(_named(moving)),
        ]
    )


def _named(scores: dict[str, Scores]) -> dict[str, Scores]:
    return {ARMS_OF_MIXTURE[arm]: one for arm, one in scores.items()}


def _summary(rest: dict[str, Scores], moving: dict[str, Scores]) -> str:
    """An arm a row: what it follows, and what it keeps."""
    rows = []
    for arm in ARMS_OF_MIXTURE:
        flow, motion = rest[arm]["flow_mse"], moving[arm]["motion"]
        kept, amount = motion["kept"] or {}, motion["amount"] or {}
        rows.append(
            [
                ARMS_OF_MIXTURE[arm],
                *(number(flow[kind]) for kind in ("model", "static", "wrong_path", "no_camera")),
                *(number(motion["camera_mse"][kind]) for kind in ("model", "static")),
                *(number(amount.get(kind), ".2f") for kind in ("model", "no_camera", "reconstruction")),
                *(number(kept.get(kind), ".2f") for kind in ("model", "reconstruction")),
            ]
        )
    at_rest = ["flow MSE at rest", "static", "wrong path", "no camera"]
    with_objects = ["camera error among moving objects", "static"]
    own = ["amount of own motion", "no camera", "reconstruction", "motion kept", "reconstruction"]
    return table(["paths / video", *at_rest, *with_objects, *own], rows)


def _draw(rest: dict[str, Scores], moving: dict[str, Scores], picture: Path, scale: Scale) -> None:
    figure, (left, right) = figure_of(2)
    _draw_following(left, rest)
    for arm, one in moving.items():
        if one["motion"]["amount"]:
            _draw_point(right, one, "model", ARM_COLOURS[arm], "o", ARMS_OF_MIXTURE[arm])
            _draw_point(right, one, "no_camera", ARM_COLOURS[arm], "x", f"{ARMS_OF_MIXTURE[arm]}, no camera")
    for kind in CONTROLS:
        if moving["mixed"]["motion"]["amount"]:
            _draw_point(right, moving["mixed"], kind, COLOURS[kind], "s", kind)
    finish(
        right,
        "amount of own motion (1: as much as in the true video)",
        "camera error, px²",
        "rooms with moving objects",
    )
    save(figure, picture, scale)


def _draw_following(axes: Axes, rest: dict[str, Scores]) -> None:
    for place, (arm, one) in enumerate(rest.items()):
        low, high = one["intervals"]["model"]
        axes.bar(place, one["flow_mse"]["model"], color=ARM_COLOURS[arm], alpha=0.75)
        axes.plot([place, place], [low, high], color="#333333")
        for kind in ("wrong_path", "mirrored_path", "no_camera"):
            axes.plot(
                place, one["flow_mse"][kind], "_", markersize=24, color=COLOURS[kind], label="" if place else kind
            )
    for kind in CONTROLS:
        if rest["mixed"]["flow_mse"].get(kind) is not None:
            axes.axhline(rest["mixed"]["flow_mse"][kind], linestyle="--", linewidth=1, color=COLOURS[kind], label=kind)
    axes.set_xticks(range(len(rest)), [ARMS_OF_MIXTURE[arm] for arm in rest])
    finish(axes, "clips with paths / plain video, %", "flow MSE, px²", "rooms at rest (bars: 95%)")


def _draw_point(axes: Axes, scores: Scores, kind: str, colour: str, marker: str, label: str) -> None:
    x, y = scores["motion"]["amount"].get(kind), scores["motion"]["camera_mse"].get(kind)
    if x is not None and y is not None:
        axes.plot(x, y, marker, color=colour, label=label, linestyle="")


EXPERIMENT = Experiment(
    name="mixture",
    question="What do clips with camera paths and plain video each teach, alone and at 70/30?",
    method=(
        "Three trainings of the small transformer with the same steps, batches and seed; the share of samples that are clips with "
        "paths is 100%, 70% and 0%. Clips with paths are rooms at rest; plain video is other rooms with moving objects, stored as "
        "video, without path and depth, so that its motion is estimated as a real video's is. The camera of an arm that trained on "
        "video alone is a token that it has never read: what it can do stands under `no_camera`. Their visual tokenizer is "
        "camvig-tiny's, trained 1,200 steps further on rooms with and without moving objects: its own loses what moves by "
        "itself. What an arm can keep at most stands under `reconstruction`. One picture does not say which way a thing will "
        "move, so a model that moves things in its own way keeps nothing of the true motion: the amount of own motion tells it "
        "from one that freezes them."
    ),
    stages_of=stages_of,
    findings_of=findings_of,
)
