"""How well the frames of a generated clip match the true ones, pixel by pixel: PSNR in dB.

Frame 0 never counts: it is the user's own picture. A PSNR belongs to one clip; a benchmark reports the mean over clips.
Two values are no ordinary number and are kept visible: NaN where no pixel was to be judged (a clip in which nothing is
hidden has no PSNR of its hidden pixels), infinity where all judged pixels are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .clip_arrays import check_clip, check_same_shape


class MeanPsnr(NamedTuple):
    """A mean over clips, and what it leaves out."""

    mean: float  # dB, over the clips with an ordinary value; NaN if there is none
    num_clips: int  # that the mean is over
    num_empty: int  # left out: no pixel to judge (NaN)
    num_identical: int  # left out: every pixel equal (infinite)


def psnr(generated: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """PSNR in dB of frames 1.. of a clip [T, H, W, 3] uint8, over the pixels where `mask` [T-1, H, W] is true.

    Without a mask all pixels count. For the pixels that frame 0 does not show, pass `visibility == 0`. The squared
    error is averaged over all counted pixels of the clip before the logarithm, against a peak of 255.
    """
    check_clip(generated)
    check_same_shape(generated, truth)
    check_clip(truth)
    squares = np.square(np.subtract(generated[1:], truth[1:], dtype=np.float32)).mean(axis=-1)  # [T-1, H, W]
    if mask is not None:
        if mask.shape != squares.shape or mask.dtype != np.bool_:
            raise ValueError(
                f"expected a mask {list(squares.shape)} of bool, one less than the frames, "
                f"got {list(mask.shape)} of {mask.dtype}"
            )
        squares = squares[mask]
    if squares.size == 0:
        return float("nan")
    error = squares.mean(dtype=np.float64)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def mean_psnr(values: Iterable[float]) -> MeanPsnr:
    """The mean of the PSNR of several clips; empty and identical clips are left out of it, and counted."""
    decibels = np.array(list(values), np.float64)
    ordinary = decibels[np.isfinite(decibels)]
    mean = float(ordinary.mean()) if len(ordinary) else float("nan")
    return MeanPsnr(mean, len(ordinary), int(np.isnan(decibels).sum()), int(np.isposinf(decibels).sum()))
