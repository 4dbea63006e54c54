"""How well the frames of a clip match the true ones: PSNR in dB, and SSIM (Wang et al., IEEE TIP 2004).

Frame 0 of a clip never counts: it is the user's own picture (`picture_psnr` and `picture_ssim` judge single pictures). A
value belongs to one clip; a benchmark reports the mean over clips. Two values of PSNR are no ordinary number and are kept
visible: NaN where no pixel was to be judged (a clip in which nothing is hidden has no PSNR of its hidden pixels), infinity
where all judged pixels are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from .clip_arrays import check_clip, check_same_shape

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # pixels: the paper's Gaussian window
SSIM_STABILISERS = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # the paper's C1 and C2


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
    return _decibels(squares)


def picture_psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """PSNR in dB of one picture [H, W, 3] uint8."""
    _check_pictures(picture, truth)
    return _decibels(np.square(np.subtract(picture, truth, dtype=np.float32)))


def mean_psnr(values: Iterable[float]) -> MeanPsnr:
    """The mean of the PSNR of several clips; empty and identical clips are left out of it, and counted."""
    decibels = np.array(list(values), np.float64)
    ordinary = decibels[np.isfinite(decibels)]
    mean = float(ordinary.mean()) if len(ordinary) else float("nan")
    return MeanPsnr(mean, len(ordinary), int(np.isnan(decibels).sum()), int(np.isposinf(decibels).sum()))


def ssim(generated: np.ndarray, truth: np.ndarray) -> float:
    """Mean over frames 1.. of a clip [T, H, W, 3] uint8 of the SSIM of each with its true one; 1.0 if they are equal."""
    check_clip(generated)
    check_same_shape(generated, truth)
    check_clip(truth)
    return float(np.mean([picture_ssim(*pair) for pair in zip(generated[1:], truth[1:], strict=True)]))


def picture_ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """SSIM of one picture [H, W, 3] uint8 of at least 11 pixels a side, the mean over places and colour channels.

    Population variances under a Gaussian window of 11 pixels (sigma 1.5), at places where the whole window lies inside.
    The paper defines it for grey pictures; for colour we take the mean of the three channels, as is usual.
    """
    _check_pictures(picture, truth)
    if min(picture.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"expected pictures of at least {SSIM_WINDOW} pixels a side, got {list(picture.shape)}")
    c1, c2 = SSIM_STABILISERS
    x, y = picture.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    variances = _window_mean(x * x) - mean_x**2 + _window_mean(y * y) - mean_y**2
    covariance = _window_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((luminance * (2 * covariance + c2) / (variances + c2)).mean())


def _window_mean(values: np.ndarray) -> np.ndarray:  # [H, W, 3] -> [H - 10, W - 10, 3]
    margin = SSIM_WINDOW // 2
    blurred = cv2.GaussianBlur(values, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
    return blurred[margin:-margin, margin:-margin]


def _decibels(squares: np.ndarray) -> float:
    if squares.size == 0:
        return float("nan")
    error = squares.mean(dtype=np.float64)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def _check_pictures(picture: np.ndarray, truth: np.ndarray) -> None:
    for each in (picture, truth):
        if each.dtype != np.uint8 or each.ndim != 3 or each.shape[-1] != 3 or each.size == 0:
            raise ValueError(f"expected a picture [H, W, 3] of uint8, got {list(each.shape)} of {each.dtype}")
    check_same_shape(picture, truth)


def gradient_energy(frames: np.ndarray) -> np.ndarray:
    """How sharp each frame of a clip [T, H, W, 3] uint8 is: [T] float64, in grey levels squared (our choice).

    The mean over pixels of the squared differences of grey to the right and below. Blur lowers it, noise raises it; set it beside
    that of the true frame.
    """
    check_clip(frames)
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]).astype(np.float64)
    right, below = np.diff(grey, axis=2), np.diff(grey, axis=1)
    return np.square(right).mean(axis=(1, 2)) + np.square(below).mean(axis=(1, 2))
