"""Write a file whole or not at all: under a temporary name first, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_then_rename(file: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `file` to write to; rename it to `file` at the end, remove it after an error."""
    file = Path(file)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
