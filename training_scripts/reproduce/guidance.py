"""Experiment (f), "guidance": scenes with moving objects; what is lost as control grows.

Control grows with the guidance on the camera path, and with the share of clips with paths in training.
"""

from __future__ import annotations

from pathlib import Path

from .experiments import Choices, Experiment, Scale
from .plots import figure_of, finish, save
from .recipes import ARMS_OF_MIXTURE, arm_pipeline, mixture_arms, moving_eval
from .stages import Stage
from .tables import Scores, flow_table, motion_tables, read_scores

SCALES_OF_GUIDANCE = ("1", "1.5", "3")
OF_ARMS = "1.5"
"""What the arms of the mixture say themselves; their evaluation is shared with the experiment on mixtures."""
MODELS = {"checkpoint": "the checkpoint", **{arm: f"arm {share}" for arm, share in ARMS_OF_MIXTURE.items()}}
STYLES = {"checkpoint": "#333333", "paths": "#2b5fb3", "mixed": "#c8361d", "video": "#1b7f3b"}


def stages_of(scale: Scale, choices: Choices) -> list[Stage]:
    stages = mixture_arms(scale)
    for model in MODELS:
        pipeline = choices.checkpoint if model == "checkpoint" else arm_pipeline(model)
        free = ("--no-rigid-scene",) if model == "checkpoint" else ()  # the arms say nothing else
        stages += [moving_eval(model, pipeline, scale, _given(model, one), free) for one in SCALES_OF_GUIDANCE]
    return stages


def _given(model: str, guidance: str) -> str | None:
    """What the command is told."""
    return None if guidance == OF_ARMS and model != "checkpoint" else guidance


def findings_of(scale: Scale, work: Path, picture: Path) -> str:
    scores = {
        model: {
            guidance: read_scores(work, f"{model}-moving" + (f"-guidance-{given}" if given else ""))
            for guidance in SCALES_OF_GUIDANCE
            for given in [_given(model, guidance)]
        }
        for model in MODELS
    }
    _draw(scores, picture, scale)
    parts = []
    for model, by_guidance in scores.items():
        columns = {f"guidance {guidance}": one for guidance, one in by_guidance.items()}
        name = f"{MODELS[model]}, {by_guidance['1']['checkpoint']}" if model == "checkpoint" else MODELS[model]
        parts += [f"## {name}", motion_tables(columns), flow_table(columns)]
    return "\n\n".join(parts)


def _draw(scores: dict[str, dict[str, Scores]], picture: Path, scale: Scale) -> None:
    figure, panels = figure_of(2)
    for axes, name, label in zip(
        panels, ("camera_mse", "amount"), ("camera error, px²", "amount of own motion"), strict=True
    ):
        for model, by_guidance in scores.items():
            found = {float(guidance): one["motion"][name] for guidance, one in by_guidance.items()}
            known = {guidance: values["model"] for guidance, values in found.items() if values}
            axes.plot(list(known), list(known.values()), "o-", color=STYLES[model], label=MODELS[model])
        controls = scores["mixed"]["1.5"]["motion"][name] or {}
        for kind, style in (
            ("static", "--"),
            ("reconstruction", "-."),
            ("depth_warp", ":"),
            ("planar_warp", (0, (1, 4))),
        ):
            if controls.get(kind):
                axes.axhline(controls[kind], linestyle=style, color="#888888", linewidth=1, label=kind)
        axes.set_yscale("log")
        finish(axes, "guidance on the camera path", label, "rooms with moving objects, validation split")
    save(figure, picture, scale)


EXPERIMENT = Experiment(
    name="guidance",
    question="Where things move by themselves, what is lost as control of the camera grows?",
    method=(
        "Rooms with up to two moving objects each, whose true flow is known in two parts, the camera's and the things' own. "
        "Guidance on the path of 1 (plain sampling), 1.5 and 3, for the three arms of the experiment on mixtures, and for "
        "the checkpoint, which never saw things that move, with its own tokenizer and free to move them (`--no-rigid-scene`)."
    ),
    stages_of=stages_of,
    findings_of=findings_of,
)
