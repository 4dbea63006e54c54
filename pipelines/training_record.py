"""How a checkpoint was trained, as Markdown for its card: from `TRAINING.md`, or from the `training.json` of its runs.

What always holds: what a record does not hold is called "not recorded"; nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

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
    runs = {file.stem: read_run(file) for file in files}
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(_row(name, run) for name, run in runs.items())]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    configurations = [_configuration(name, run["config"]) for name, run in runs.items() if _has_sections(run)]
    return "\n\n".join([table, "All settings of each run are in `training/`.", *configurations])


def without_local_paths(value: Any) -> Any:
    """The same JSON with the last name alone of every absolute path, which says something of one machine only."""
    if isinstance(value, dict):
        return {name: without_local_paths(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_local_paths(inner) for inner in value]
    is_path = isinstance(value, str) and re.match(r"[/~]|[A-Za-z]:[\\/]", value)
    return re.split(r"[\\/]", value.rstrip("/\\"))[-1] if is_path else value


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
    steps, batch = run.get("step", run.get("steps")), run.get("samples_per_step", run.get("batch_size"))
    return (
        name,
        _data(run.get("data")),
        f"{steps:,} x {batch}" if steps and batch else NOT_RECORDED,
        _said(run, "seed"),
        _hours(run.get("wall_seconds")),
        _hours(run.get("cpu_seconds")),
        _said(run, "commit"),
        "below" if _has_sections(run) else _said(run, "config"),
    )


def _data(data: Any) -> str:
    """The caches of a run with their shares, rows and licences, or the names that older records have."""
    if not isinstance(data, list) or not all(isinstance(cache, dict) for cache in data):
        return _said({"data": data}, "data")
    return "; ".join(_cache(cache, alone=len(data) == 1) for cache in data) or NOT_RECORDED


def _cache(cache: dict[str, Any], alone: bool) -> str:
    sources = ", ".join(
        f"{source['source']}: {source['rows']:,} ({', '.join(source['licences']) or 'licence not recorded'})"
        for source in cache["sources"]
    )
    share = "" if alone else f"{cache['share']:.0%} "
    return f"{share}{cache['cache']} of {sources}"


def _has_sections(run: dict[str, Any]) -> bool:
    return isinstance(run.get("config"), dict)


def _configuration(name: str, config: dict[str, Any]) -> str:
    text = yaml.safe_dump(config, sort_keys=False).strip()
    return f"<details><summary>Configuration of {name}</summary>\n\n```yaml\n{text}\n```\n\n</details>"


def _said(run: dict[str, Any], key: str) -> str:
    value = run.get(key)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or NOT_RECORDED
    return NOT_RECORDED if value is None or isinstance(value, dict) else str(value)


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return NOT_RECORDED
    return f"{seconds / 3600:.2f} h" if seconds >= 360 else f"{seconds / 60:.1f} min"
