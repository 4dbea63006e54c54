"""Experiment (d), "camera-tokens": the paper's audio codec against tokens made for camera paths, at equal training.

The paper takes a SoundStream codec over a 1-D signal whose layout it does not publish, and compares it with nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .experiments import Choices, Experiment, Scale
from .plots import COLOURS, figure_of, finish, save
from .recipes import SCRIPT, SCRIPTS, VISUAL_TOKENIZER, eval_of_arm, fit_stage, fitted, train_stage, uniform_arm
from .stages import CHECKPOINTS, WORK, Stage
from .tables import Scores, flow_table, model_table, number, read_scores, table, validation_losses


@dataclass(frozen=True)
class Arm:
    """One kind of camera tokens."""

    kind: str
    words: str
    tokens: str
    has_time: bool
    tokenizer: str


ARMS = (
    Arm("uniform", "even bins", "114 of 256 bins", True, fitted("uniform")),
    Arm(
        "codec",
        "camvig-tiny's codec, over poses",
        "4 x 17 of 1,024",
        True,
        f"{CHECKPOINTS}/camvig-tiny/camera_tokenizer",
    ),
    Arm(
        "spectrum",
        "camera-codec-compact, over a spectrum",
        "4 x 17 of 1,024",
        False,
        f"{CHECKPOINTS}/camera-codec-compact",
    ),
    Arm("dct", "cosines with byte pairs", "at most 72 of 2,048", False, fitted("dct")),
)


def stages_of(scale: Scale, choices: Choices) -> list[Stage]:
    stages = [*uniform_arm(scale), eval_of_arm("uniform", scale)]
    for arm in ARMS[1:]:
        if arm.kind == "dct":
            stages.append(fit_stage("dct", scale))
        changes = (f"data.token_cache={WORK}/ids_{arm.kind}",)
        stages += [
            _retokenize_stage(arm),
            train_stage(arm.kind, arm.kind, arm.tokenizer, changes, scale),
            eval_of_arm(arm.kind, scale),
        ]
    return stages


def _retokenize_stage(arm: Arm) -> Stage:
    """The ids of the arm "uniform" with other camera ids."""
    words = (*SCRIPT, f"{SCRIPTS}.retokenize_cameras", "--ids", f"{WORK}/ids_uniform")
    words += ("--visual-tokenizer", VISUAL_TOKENIZER, "--camera-tokenizer", fitted("uniform"))
    words += ("--new-camera-tokenizer", arm.tokenizer, "--out", f"{WORK}/ids_{arm.kind}")
    return Stage(f"ids-{arm.kind}", words, f"ids_{arm.kind}", 0.7)


def findings_of(scale: Scale, work: Path, picture: Path) -> str:
    scores = {arm: read_scores(work, f"{arm.kind}-rooms") for arm in ARMS}
    _draw(scores, picture, scale)
    columns = {arm.words: one for arm, one in scores.items()}
    return "\n\n".join(
        [
            _arm_table(scores, work, scale.steps),
            flow_table(columns),
            model_table(columns),
            "Flow MSE of the model over that of a still picture, by family of moves (clips):",
            _move_table(columns),
        ]
    )


def _arm_table(scores: dict[Arm, Scores], work: Path, last_step: int) -> str:
    rows = []
    for arm, one in scores.items():
        losses = validation_losses(work / f"transformer_{arm.kind}")[last_step]
        rows.append(
            [
                arm.words,
                arm.tokens,
                "yes" if arm.has_time else "no",
                number(one["flow_mse"]["model"]),
                number(one["flow_mse"]["static"]),
                number(one["flow_mse"]["wrong_path"]),
                *(number(losses[name]) for name in ("loss", "loss_wrong_path", "loss_no_camera")),
            ]
        )
    head = [
        "camera tokens",
        "a path",
        "have a time",
        "flow MSE",
        "static",
        "wrong path",
        "loss",
        "wrong path",
        "no path",
    ]
    return table(head, rows)


def _move_table(columns: dict[str, Scores]) -> str:
    families = list(next(iter(columns.values()))["flow_mse_by_move"])
    rows = []
    for family in families:
        found = [one["flow_mse_by_move"][family] for one in columns.values()]
        shares = [number(each["model"] / each["static"] if each["static"] else None, ".2f") for each in found]
        rows.append([f"{family} ({found[0]['clips']})", *shares])
    return table(["move", *columns], rows)


def _draw(scores: dict[Arm, Scores], picture: Path, scale: Scale) -> None:
    """Bars of the model with intervals; the controls are lines that all arms share, or marks of each."""
    figure, (axes,) = figure_of(1, width=8)
    for place, one in enumerate(scores.values()):
        low, high = one["intervals"]["model"]
        axes.bar(place, one["flow_mse"]["model"], color=COLOURS["model"], alpha=0.75, label="" if place else "model")
        axes.plot([place, place], [low, high], color="#333333")
        for kind in ("wrong_path", "mirrored_path", "no_camera"):
            axes.plot(
                place, one["flow_mse"][kind], "_", markersize=24, color=COLOURS[kind], label="" if place else kind
            )
    first = next(iter(scores.values()))
    for kind in ("static", "planar_warp", "reconstruction", "depth_warp", "noise_floor"):
        if first["flow_mse"].get(kind) is not None:
            axes.axhline(first["flow_mse"][kind], linestyle="--", linewidth=1, color=COLOURS[kind], label=kind)
    axes.set_xticks(range(len(scores)), [arm.words.replace(", ", ",\n") for arm in scores], fontsize=8)
    finish(axes, "camera tokens", "flow MSE, px²", "rooms of the validation split (bars: 95%)")
    save(figure, picture, scale)


EXPERIMENT = Experiment(
    name="camera-tokens",
    question="At equal training, do an audio codec's camera tokens or tokens made for paths give the better video?",
    method=(
        "The same small transformer, clips, visual ids, steps and seed; only the camera's tokens differ. Even bins and cosines are "
        "fitted to sampled paths; the two codecs are the embedded ones, of which the compact one also heard real paths in its "
        "training. How precise each is, without any model: [camera tokenizers](../camera_tokenizers.md)."
    ),
    stages_of=stages_of,
    findings_of=findings_of,
)
