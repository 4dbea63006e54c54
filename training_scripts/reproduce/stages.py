"""A stage: one public command, what it leaves behind, and what was recorded when it ran.

What always holds: a stage is done when its record says so, its command is still the recorded one, and its result is there. A
record is written before the command starts, so a result that another command began is never taken for this one's.

In the words of a command `{work}` is the work folder, `{configs}` the folder of the training configurations and `{checkpoints}`
that of the embedded checkpoints; records keep these words, so a work folder may be moved.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ...camera_paths.atomic_file import write_then_rename

WORK, CONFIGS, CHECKPOINTS = "{work}", "{configs}", "{checkpoints}"
IN_A_CHECKOUT = {CONFIGS: "training_scripts/configs", CHECKPOINTS: "checkpoints"}
RECORDS = "stages"


@dataclass(frozen=True)
class Stage:
    """One command of an experiment; experiments share the stages that have one name."""

    name: str
    words: tuple[str, ...]
    """"camvig ..." or "python -m ...", as a user would type it."""
    result: str
    """File or folder in the work folder that is there when the command has ended well."""
    minutes: float
    """On two cores, at full scale: an estimate."""

    def command(self, work: Path) -> list[str]:
        """What is run: this Python, whatever `camvig` and `python` are on the path."""
        places = {WORK: str(work), CONFIGS: _folder("training_scripts", "configs"), CHECKPOINTS: _folder("checkpoints")}
        first, *rest = [_replaced(word, places) for word in self.words]
        return [sys.executable, *(["-m", "camvig.cli"] if first == "camvig" else []), *rest]

    def shown(self, work: str) -> str:
        """What a user would type at the root of a checkout."""
        return shlex.join(_replaced(word, {WORK: work, **IN_A_CHECKOUT}) for word in self.words)

    def record_file(self, work: Path) -> Path:
        return work / RECORDS / f"{self.name}.json"

    def log_file(self, work: Path) -> Path:
        return work / RECORDS / f"{self.name}.log"

    def record(self, work: Path) -> dict[str, Any]:
        """What is known of its runs; {} before the first. ValueError if the command was another one, or the file is damaged."""
        file = self.record_file(work)
        if not file.is_file():
            return {}
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            recorded = list(found["command"])
        except (ValueError, LookupError, TypeError):
            raise ValueError(f"expected the record of a stage in {file}, got something else: delete it") from None
        if recorded != list(self.words):
            raise ValueError(
                f"expected {work / self.result} to be made by: {self.shown(str(work))} -- got another command on record: "
                f"{shlex.join(recorded)} -- delete {work / self.result} and {file}, or choose another --work-dir"
            )
        return found

    def is_done(self, work: Path) -> bool:
        """ValueError as `record` raises it."""
        return bool(self.record(work).get("finished")) and (work / self.result).exists()

    def write_record(self, work: Path, found: dict[str, Any]) -> None:
        file = self.record_file(work)
        file.parent.mkdir(parents=True, exist_ok=True)
        with write_then_rename(file) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _replaced(word: str, places: dict[str, str]) -> str:
    for name, folder in places.items():
        word = word.replace(name, folder)
    return word


def _folder(package: str, *inside: str) -> str:
    """Of the installed package, or of the checkout that stands for it."""
    return str(Path(str(resources.files(f"camvig.{package}"))).joinpath(*inside))
