"""The experiments by name, and what `camvig reproduce` does with one."""

from __future__ import annotations

from pathlib import Path

from . import camera_tokens, generalisation, guidance, long_paths, mixture, training_steps
from .experiments import SCALES, Choices, Experiment, Scale
from .page import write_page
from .runner import Say, check_scale, run_stages
from .stages import Stage

_MODULES = (mixture, training_steps, long_paths, camera_tokens, generalisation, guidance)
EXPERIMENTS: dict[str, Experiment] = {one.EXPERIMENT.name: one.EXPERIMENT for one in _MODULES}
"""In the order of the questions: (a) to (f)."""
DEFAULT_DOCS = Path("docs/reproduce")


def find_experiment(name: str) -> Experiment:
    """ValueError with the known names for any other."""
    if name not in EXPERIMENTS:
        raise ValueError(f"expected an experiment, {', '.join(EXPERIMENTS)}, got {name!r}")
    return EXPERIMENTS[name]


def find_scale(name: str) -> Scale:
    if name not in SCALES:
        raise ValueError(f"expected a scale, {', '.join(SCALES)}, got {name!r}")
    return SCALES[name]


def list_experiments() -> str:
    """Names, questions, and hours at full scale."""
    lines = []
    for one in EXPERIMENTS.values():
        hours = hours_of(one.stages_of(SCALES["full"], Choices.anything()))
        lines.append(f"{one.name}: {one.question} About {hours:.1f} hours on two cores, from nothing.")
    lines.append("Without bfloat16 units trainings take several times as long.")
    return "\n".join([*lines, "Experiments share stages: what one has made the next does not make again."])


def hours_of(stages: list[Stage]) -> float:
    return sum(stage.minutes for stage in stages) / 60


def plan(experiment: Experiment, scale: Scale, work: Path, choices: Choices) -> str:
    """Each command line, whether it is done, and the hours that are left."""
    check_scale(work, scale.name)
    lines, left = [], []
    for stage in experiment.stages_of(scale, choices):
        done = stage.is_done(work)
        if not done:
            left.append(stage)
        lines.append(
            f"# {stage.name}: {'done' if done else f'about {stage.minutes:g} minutes'}\n{stage.shown(str(work))}"
        )
    said = f"# left: about {hours_of(left):.1f} hours on two cores"
    return "\n".join([*lines, said if scale.name == "full" else f"{said} at full scale; this is scale {scale.name}"])


def reproduce(
    experiment: Experiment, scale: Scale, work: Path, docs: Path | None, choices: Choices, say: Say
) -> list[Path]:
    """Runs what is not done, writes the page and its picture; gives both. Without `docs`, "full" writes into docs/reproduce."""
    stages = experiment.stages_of(scale, choices)
    run_stages(stages, work, scale.name, say)
    folder = docs or (DEFAULT_DOCS if scale.name == "full" else work / "docs")
    return write_page(experiment, scale, stages, work, folder)
