"""Write a file or a folder whole or not at all: under a temporary name first, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_then_rename(file: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `file` to write to; rename it to `file` at the end, remove it after an error.

    What is written may be a folder, which takes no other folder's place unless that one is empty: `ValueError`.
    """
    file = Path(file)
    if file.is_dir() and any(file.iterdir()):
        raise ValueError(f"expected a name that is free to write to, got {file}: a folder that is not empty")
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.tmp{file.suffix}")
    try:
        yield temporary
        os.replace(temporary, file)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)
