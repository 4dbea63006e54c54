"""What every metric asks of a clip: frames `[T, H, W, 3]` uint8 RGB, and two clips of one shape where it compares."""

from __future__ import annotations

import numpy as np


def check_clip(frames: np.ndarray) -> None:
    """Raise `ValueError` unless `frames` is a clip of at least two frames [T, H, W, 3] of uint8."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < 2 or frames.size == 0:
        raise ValueError(
            f"expected frames [T, H, W, 3] of uint8 with T of at least 2, got {list(frames.shape)} of {frames.dtype}"
        )


def check_same_shape(generated: np.ndarray, truth: np.ndarray) -> None:
    """Raise `ValueError` unless both arrays have one shape."""
    if generated.shape != truth.shape:
        raise ValueError(
            f"expected the generated and the true clip in one shape, got {list(generated.shape)} "
            f"and {list(truth.shape)}"
        )
