"""The files that a command writes: their names checked before any work, each file there whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from ..camera_paths.atomic_file import write_then_rename


def check_output_files(*files: tuple[Path | None, str]) -> None:
    """Raise `ValueError` unless each of these (name, suffix) can be written; None is a file that is not asked for."""
    for file, suffix in files:
        if file is not None:
            check_output_file(file, suffix)


def write_output_files(*files: tuple[Path | None, Callable[[Path], None]]) -> list[Path]:
    """Write those of these (name, what writes it) that are asked for, in folders that may be missing yet; gives their names."""
    asked_for = [(file, write) for file, write in files if file is not None]
    for file, _ in asked_for:
        file.parent.mkdir(parents=True, exist_ok=True)
    for file, write in asked_for:
        write(file)
    return [file for file, _ in asked_for]


def check_output_file(file: Path, suffix: str) -> None:
    """Raise `ValueError` unless a file of this kind can be written under this name."""
    if file.suffix.lower() != suffix or file.is_dir():
        raise ValueError(f"expected an output file name that ends in {suffix}, got {file}")
    check_folder(file.parent)


def check_folder(folder: Path) -> None:
    """Raise `ValueError` unless files can be written to the folder, which may be missing yet."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        reason = "no permission to write there" if existing.is_dir() else f"{existing} is a file"
        raise ValueError(f"expected an output folder that can be written to, got {folder}: {reason}")


def write_json(content: dict, file: Path) -> None:
    """Write JSON, whole or not at all."""
    with write_then_rename(file) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
