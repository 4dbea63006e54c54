"""`metrics.jsonl`: what a run measured, `{"step": ..., "split": ..., "loss": ...}` a line, in exact floats.

Nothing in it depends on the clock, so two runs of one command write the same bytes, however often one was killed: lines
after the state that a run goes on from are dropped, because they come again. Seconds stand in `times.jsonl` beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..camera_paths.atomic_file import write_then_rename

METRICS, TIMES = "metrics.jsonl", "times.jsonl"


def append(file: Path, row: dict[str, Any]):
    """Adds a line. Raises OSError, with what to do, where it cannot be written, as on a full disk."""
    try:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
    except OSError as error:
        raise OSError(f"expected to write a line to {file}, got: {error}: make room and start again") from error


def drop_after(file: Path, step: int):
    """Removes the lines of later steps, and a last line that is cut."""
    if not file.exists():
        return
    lines = [line for line in file.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    with write_then_rename(file) as temporary:
        temporary.write_text("".join(line for line in lines if json.loads(line)["step"] <= step), encoding="utf-8")
