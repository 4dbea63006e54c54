"""Experiment (b), "training-steps": flow MSE over the training steps of one arm.

The paper shows that flow MSE falls while training goes on, without publishing numbers or the number of steps.
"""

from __future__ import annotations

from pathlib import Path

from .experiments import Choices, Experiment, Scale
from .plots import MADE_BY_THE_MODEL, band, figure_of, finish, line, save
from .recipes import WORK, assemble_stage, eval_of_arm, eval_stage, fitted, uniform_arm
from .stages import Stage
from .tables import Scores, flow_table, model_table, number, read_scores, table, validation_losses

LOSSES = {"loss": "model", "loss_wrong_path": "wrong_path", "loss_no_camera": "no_camera"}


def stages_of(scale: Scale, choices: Choices) -> list[Stage]:
    stages = uniform_arm(scale)
    for step in scale.kept_steps:
        stages.append(assemble_stage("uniform", step, fitted("uniform")))
        stages.append(eval_stage(_eval_name(step), f"{WORK}/pipelines/uniform-{step}", scale))
    return [*stages, eval_of_arm("uniform", scale)]


def _eval_name(step: int) -> str:
    return f"uniform-{step}-rooms"


def findings_of(scale: Scale, work: Path, picture: Path) -> str:
    scores = {step: read_scores(work, _eval_name(step)) for step in scale.kept_steps}
    scores[scale.steps] = read_scores(work, "uniform-rooms")
    losses = validation_losses(work / "transformer_uniform")
    _draw(scores, losses, picture, scale)
    columns = {f"step {step}": one for step, one in scores.items()}
    return "\n\n".join(
        [
            flow_table(columns),
            model_table(columns),
            "Losses of held-out clips during training, nats a token, teacher-forced: with the clip's path, with "
            "another clip's, and with none. The gaps say how much of the path the model uses.",
            _loss_table({step: losses[step] for step in scores if step in losses}),
        ]
    )


def _loss_table(losses: dict[int, dict[str, float]]) -> str:
    rows = [
        [
            str(step),
            *(number(row[name]) for name in LOSSES),
            *(number(row[name] - row["loss"]) for name in LOSSES if name != "loss"),
        ]
        for step, row in losses.items()
    ]
    return table(["step", "right path", "wrong path", "no path", "wrong - right", "none - right"], rows)


def _draw(scores: dict[int, Scores], losses: dict[int, dict[str, float]], picture: Path, scale: Scale) -> None:
    figure, (left, right) = figure_of(2)
    steps = list(scores)
    last = scores[steps[-1]]
    for kind in MADE_BY_THE_MODEL:
        line(left, steps, [one["flow_mse"][kind] for one in scores.values()], kind)
        band(left, steps, [one["intervals"][kind] for one in scores.values()], kind)
    for kind in ("static", "planar_warp", "reconstruction", "depth_warp", "noise_floor"):
        if last["flow_mse"].get(kind) is not None:
            line(left, [steps[0], steps[-1]], [last["flow_mse"][kind]] * 2, kind, linestyle="--", marker="")
    left.set_yscale("log")
    finish(left, "training steps", "flow MSE, px²", "rooms of the validation split (bands: 95%)")
    for name, kind in LOSSES.items():
        line(right, list(losses), [row[name] for row in losses.values()], kind)
    finish(right, "training steps", "nats a token", "held-out loss: right path, wrong path, none")
    save(figure, picture, scale)


EXPERIMENT = Experiment(
    name="training-steps",
    question="How does flow MSE fall over training, and when does the model begin to use the path?",
    method=(
        "One training of the small transformer (4 layers of 192, even-bins camera tokens, camvig-tiny's visual tokenizer) on clips "
        "of rooms with exact paths; its models are kept on the way. They are of one run: its learning rate falls over the second "
        "half, so a model of step 600 is not what a run of 600 steps would give."
    ),
    stages_of=stages_of,
    findings_of=findings_of,
)
