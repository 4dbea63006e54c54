"""Easing: how the progress of a move, from 0 to 1, is spread over its frames. Our choice of curves.

Every curve starts at exactly 0, ends at exactly 1 and never goes back. MultiCamVideo's exponential easing,
(1 - exp(-a t)) / (1 - exp(-a)), is not among them: at a = 2 it is within 4% of ease-out, at a = -2 of ease-in.
"""

from __future__ import annotations

from typing import Literal, TypedDict, get_args

import numpy as np

Easing = Literal["linear", "ease-in", "ease-out", "ease-in-out"]
EASINGS: tuple[str, ...] = get_args(Easing)


class MoveTiming(TypedDict, total=False):
    """The keyword arguments that every elementary move takes."""

    num_frames: int  # default 17, the paper's clip
    fps: float  # default 8
    easing: Easing  # default "linear"


def progress(num_frames: int, easing: str = "linear") -> np.ndarray:
    """The share of a move that is done at each of `num_frames` frames: [T] from 0.0 to 1.0."""
    if num_frames < 2:
        raise ValueError(f"expected at least 2 frames for a move, got {num_frames}")
    time = np.linspace(0.0, 1.0, num_frames)
    match easing:
        case "linear":
            return time
        case "ease-in":
            return time**2
        case "ease-out":
            return 1 - (1 - time) ** 2
        case "ease-in-out":
            return time**2 * (3 - 2 * time)
    raise ValueError(f"expected easing to be one of {', '.join(EASINGS)}, got {easing!r}")
