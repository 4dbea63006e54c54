"""How a checkpoint was trained, as Markdown for its card: from `TRAINING.md`, or from the `training.json` of its runs.

What always holds: what a record does not hold is called "not recorded"; nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NOT_RECORDED = "not recorded"
COLUMNS = ("run", "data", "steps x batch", "seed", "wall", "processor time", "commit", "config")


def training_record(folder: Path) -> str:
    """The record of a checkpoint folder: its TRAINING.md, and a table of `training/*.json`; "Not recorded." without either."""
    parts = []
    if (folder / "TRAINING.md").is_file():
        text = (folder / "TRAINING.md").read_text(encoding="utf-8").strip()
        text = re.sub(r"\A# .*\n+", "", text)
        parts.append(re.sub(r"^(#+ )", r"##\1", text, flags=re.MULTILINE))
    runs = sorted((folder / "training").glob("*.json"))
    if runs:
        parts.append(runs_table(runs))
    return "\n\n".join(parts) or "Not recorded."


def runs_table(files: Sequence[Path]) -> str:
    """A row for each `training.json`, which the training loop writes."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(_row(file.stem, read_run(file)) for file in files)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    return f"{table}\n\nAll settings of each run are in `training/`."


def read_run(file: Path) -> dict[str, Any]:
    """A run's `training.json`.

    Raises:
        ValueError: no such file, or no JSON object.
    """
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"expected the training.json of a run in {file}, got {' '.join(str(error).split())}") from None
    if not isinstance(run, dict):
        raise ValueError(f"expected the training.json of a run in {file}, got {type(run).__name__}")
    return run


def _row(name: str, run: dict[str, Any]) -> tuple[str, ...]:
    steps, batch = run.get("step", run.get("steps")), run.get("batch_size")
    return (
        name,
        _said(run, "data"),
        f"{steps:,} x {batch}" if steps and batch else NOT_RECORDED,
        _said(run, "seed"),
        _hours(run.get("wall_seconds")),
        _hours(run.get("cpu_seconds")),
        _said(run, "commit"),
        _said(run, "config"),
    )


def _said(run: dict[str, Any], key: str) -> str:
    value = run.get(key)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or NOT_RECORDED
    return NOT_RECORDED if value is None or isinstance(value, dict) else str(value)


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return NOT_RECORDED
    return f"{seconds / 3600:.2f} h" if seconds >= 360 else f"{seconds / 60:.1f} min"
