"""A run's folder, read: what was measured, when, how it was started, and its sample sheets; for finished and killed runs alike.

What always holds: nothing but the folder is needed, and nothing in it is changed. The last line of a file may be cut, because
the run was killed while it was written: it is left out. Any other line that cannot be read is left out and named in
`problems`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .metrics_file import METRICS, TIMES
from .run_record import STARTS

SHEETS = "sheets"
Row = dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """What a folder of a run holds."""

    folder: Path
    rows: list[Row]  # of metrics.jsonl
    times: list[Row]  # of times.jsonl
    starts: list[Row]  # of starts.jsonl
    summary: Row  # training.json; {} while no model is saved
    sheets: list[tuple[int, Path]]  # (step, picture), in order
    problems: list[str] = field(default_factory=list)

    @cached_property
    def steps(self) -> int | None:
        """Steps of the whole run, None if nothing in the folder says."""
        planned = [start["config"]["training"]["steps"] for start in self.starts] + [self.summary.get("steps")]
        return next((steps for steps in reversed(planned) if steps), None)

    @cached_property
    def step(self) -> int:
        """The last step of which anything is known."""
        return max([0, *(row["step"] for row in (*self.rows, *self.times)), self.summary.get("step", 0)])

    @property
    def is_finished(self) -> bool:
        return bool(self.summary) and self.step == self.steps and (self.folder / "model").is_dir()

    @property
    def wall_seconds(self) -> float:
        return max([0.0, *(row.get("wall", 0.0) for row in self.times), self.summary.get("wall_seconds", 0.0)])

    @property
    def cpu_seconds(self) -> float:
        return max([0.0, *(row.get("cpu", 0.0) for row in self.times), self.summary.get("cpu_seconds", 0.0)])

    def names(self, split: str) -> list[str]:
        """Quantities of a split that are numbers, in the order in which they first come."""
        found = {
            name: None
            for row in self.rows
            if row.get("split") == split
            for name, value in row.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        return [name for name in found if name not in ("step", "wall_seconds", "cpu_seconds")]

    def points(self, split: str, name: str) -> list[tuple[float, float]]:
        """(step, value) of a quantity."""
        chosen = (row for row in self.rows if row.get("split") == split and name in row)
        return [(row["step"], float(row[name])) for row in chosen]

    def last(self, split: str, name: str) -> float | None:
        points = self.points(split, name)
        return points[-1][1] if points else None


def read_run(folder: str | Path) -> RunFolder:
    """Reads a run's folder.

    Raises:
        ValueError: no such folder, or one without a metrics.jsonl and a starts.jsonl.
    """
    folder = Path(folder)
    if not (folder / METRICS).is_file() and not (folder / STARTS).is_file():
        what = f"no {METRICS} there" if folder.is_dir() else ("a file" if folder.exists() else "no such folder")
        raise ValueError(f"expected the folder of a run (training.output_dir), got {folder}: {what}")
    problems: list[str] = []
    rows, times, starts = (read_lines(folder / name, problems) for name in (METRICS, TIMES, STARTS))
    return RunFolder(
        folder=folder,
        rows=rows,
        times=times,
        starts=[start for start in starts if "config" in start],
        summary=_read_json(folder / "training.json", problems),
        sheets=sorted((int(file.stem), file) for file in (folder / SHEETS).glob("*.png") if file.stem.isdigit()),
        problems=problems,
    )


def read_lines(file: Path, problems: list[str]) -> list[Row]:
    """The objects of a JSON-lines file, each with a `step`; what cannot be read is added to `problems` and left out."""
    if not file.is_file():
        return []
    rows = []
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines[:-1], start=1):  # after the last line break nothing is whole
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
        else:
            problems.append(f"line {number} of {file.name} is damaged and left out: {line[:60]!r}")
    return rows


def _read_json(file: Path, problems: list[str]) -> Row:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        content = error
    if not isinstance(content, dict):
        problems.append(f"{file.name} is damaged and left out")
        return {}
    return content
