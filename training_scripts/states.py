"""States for resuming: folders `states/00000250`, each whole or refused, the newest k kept.

What always holds: a state is written under a hidden name and gets its own by a rename, after a manifest `complete.json`
with the size and the checksum of each of its files; a state without one, or that differs from it, is skipped with a
warning and the one before is taken. So a run may be killed, or lose its disk, at any moment. All processes are expected
to see one file system.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

MANIFEST = "complete.json"
_CHUNK = 1 << 24


class StateFolder:
    """The states of one run. Only the main process changes anything; `barrier` makes the others wait for it."""

    def __init__(self, folder: Path, keep: int, is_main: bool, barrier: Callable[[], None]):
        self.folder, self.keep, self.is_main, self.barrier = folder, keep, is_main, barrier

    def save(self, step: int, write: Callable[[Path], Any], progress: dict[str, Any]):
        """Let every process `write` its part, then make it the state of `step`.

        Raises:
            OSError: it could not be written, most often because the disk is full; what was written is removed, and the
                states before stay.
        """
        temporary, final = self.folder / f".{step:08d}.new", self.folder / f"{step:08d}"
        if self.is_main:
            self._clean()
            temporary.mkdir(parents=True)
        self.barrier()
        try:
            write(temporary)
            self.barrier()
            if self.is_main:
                write_manifest(temporary, progress)
                replace_folder(temporary, final)
                self._drop_old()
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise OSError(self._failure(step, error)) from error

    def load(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest whole state and its progress; None where no run was begun.

        Raises:
            ValueError: there are states, but none is whole.
        """
        states = self._states()
        for state in reversed(states):
            problem = damage(state)
            if problem is None:
                return state, json.loads((state / MANIFEST).read_text(encoding="utf-8"))["progress"]
            warnings.warn(f"skipped the damaged state {state}: {problem}", stacklevel=2)
        if states:
            raise ValueError(
                f"expected a whole state in {self.folder}, got {len(states)} damaged ones: "
                "remove the folder to start from the beginning"
            )
        return None

    def _states(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]*") if path.is_dir())

    def _drop_old(self):
        for state in self._states()[: -self.keep]:
            discard(state)

    def _clean(self):
        """What a killed save, or a killed removal, has left."""
        for leftover in self.folder.glob(".*"):
            shutil.rmtree(leftover)

    def _failure(self, step: int, error: BaseException) -> str:
        whole = [state for state in self._states() if damage(state) is None]
        last = f"the last state is {whole[-1]}" if whole else "there is no state before"
        free = shutil.disk_usage(self.folder).free / 1e9
        reason = " ".join(str(error).split())
        return (
            f"expected to write the state of step {step} to {self.folder} ({free:.1f} GB free), got: {reason}; {last}: "
            "make room and start the same command again"
        )


def write_manifest(folder: Path, progress: dict[str, Any]):
    files = {str(file.relative_to(folder)): _fingerprint(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    content = json.dumps({"progress": progress, "files": files}, indent=1)
    (folder / MANIFEST).write_text(content, encoding="utf-8")


def damage(state: Path) -> str | None:
    """What is wrong with a state, None if it is whole."""
    try:
        files = json.loads((state / MANIFEST).read_text(encoding="utf-8"))["files"]
        for name, fingerprint in files.items():
            if _fingerprint(state / name) != fingerprint:
                return f"{name} is not what was written"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return " ".join(str(error).split())
    return None


def replace_folder(temporary: Path, final: Path):
    """Gives a folder its name; what had the name is removed. Killed in between, one of them is whole under some name."""
    discard(final)
    os.replace(temporary, final)


def discard(folder: Path):
    """Removes a folder by way of a hidden name, so that nothing half removed has its name."""
    if folder.exists():
        hidden = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(hidden, ignore_errors=True)
        os.replace(folder, hidden)
        shutil.rmtree(hidden)


def _fingerprint(file: Path) -> list[int]:
    """[bytes, CRC-32]: it tells damage, not intent."""
    checksum = 0
    with open(file, "rb") as content:
        while chunk := content.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return [file.stat().st_size, checksum]
