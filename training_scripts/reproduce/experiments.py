"""What an experiment is, how much of everything there is at each scale, and what the command line can choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .stages import Stage


@dataclass(frozen=True)
class Scale:
    """How much of everything: "full" is the experiments, "third" less training, "debug" only shows that all of it runs."""

    name: str
    room_clips: int  # with paths, and as many plain ones
    augment: bool
    steps: int
    kept_steps: tuple[int, ...]  # at which the models of the arm "uniform" are measured too
    eval_clips: int
    fit_changes: tuple[str, ...] = ()  # of the configurations
    train_changes: tuple[str, ...] = ()
    tokenizer_changes: tuple[str, ...] = ()
    warning: str = ""
    """The first words of a page."""
    is_result: bool = True

    @property
    def work_dir(self) -> str:
        """Where clips, models and results stay, unless another folder is chosen."""
        return "runs/reproduce" if self.name == "full" else f"runs/reproduce-{self.name}"


SCALES = {
    "full": Scale("full", 2048, True, 1500, (150, 300, 600, 1000), 48),
    "third": Scale(
        "third",
        2048,
        True,
        500,
        (150, 300),
        32,
        train_changes=("training.steps=500",),
        warning="**Scale third: trainings of 500 steps instead of 1,500, evaluations of at most 32 clips instead of 48.**",
    ),
    "debug": Scale(
        "debug",
        4,
        False,
        2,
        (1,),
        2,
        ("data.paths=200", "data.validation_paths=8"),
        ("training.steps=2", "training.batch_size=2", "training.warmup_steps=1", "data.validation_clips=2"),
        (
            "data.room_clips=4",
            "data.moving_room_clips=4",
            "data.panorama_clips=0",
            "data.validation_clips=2",
            "training.steps=2",
            "training.batch_size=2",
            "training.warmup_steps=1",
        ),
        "**Scale debug: it shows that all of it runs, and nothing else.**",
        is_result=False,
    ),
}


@dataclass(frozen=True)
class Choices:
    """What the command line can choose besides."""

    checkpoint: str = "camvig-tiny"
    captures: Path | None = None
    posed: Path | None = None

    @classmethod
    def anything(cls) -> Choices:
        """For a list of what there is, before anybody has chosen."""
        return cls(captures=Path(), posed=Path())


@dataclass(frozen=True)
class Experiment:
    """One question, the commands that answer it, and what their results become."""

    name: str
    question: str
    method: str
    """What a reader must know of how it is asked, in a few sentences of Markdown."""
    stages_of: Callable[[Scale, Choices], list[Stage]]
    """In order. ValueError where a choice is missing or wrong."""
    findings_of: Callable[[Scale, Path, Path], str]
    """(scale, work folder, picture to write) -> tables in Markdown, and a plot."""
