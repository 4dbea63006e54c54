"""The same work on many clips, on as many cores as torch uses: OpenCV, NumPy, torch and COLMAP let other threads run meanwhile.

What always holds: results are in the order of the clips, and are those of one thread; the first error is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from tqdm.contrib.concurrent import thread_map

Result = TypeVar("Result")


def in_threads(function: Callable[..., Result], *columns: Iterable[Any], desc: str | None = None) -> list[Result]:
    """`function` of each row of the columns, which have one length; with `desc` a progress bar."""
    rows = list(zip(*columns, strict=True))
    threads = torch.get_num_threads()
    return thread_map(
        lambda row: function(*row), rows, max_workers=threads, desc=desc, disable=desc is None, mininterval=5
    )
