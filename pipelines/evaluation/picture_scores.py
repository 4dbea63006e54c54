"""How well single frames match: PSNR, SSIM and a perceptual distance, over whole frames and what the first frame does not show.

What always holds: frame 0 never counts; a mean is over clips. PSNR in the hidden region is that of its pixels alone. SSIM and
the perceptual distance look at surroundings, so there the hidden pixels are put into the true frame and the whole frame is compared
(our choice): what they measure is the hidden region's part in the error, which grows with its size, equally for all kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...metrics.frame_quality import SSIM_WINDOW, mean_psnr, psnr, ssim
from ...metrics.perceptual_distance import SMALLEST_SIDE, perceptual_distance
from .eval_clips import EvalClip
from .flow_scores import mean
from .in_threads import in_threads
from .requests import Videos


@dataclass(frozen=True)
class PictureScores:
    """Of N videos of one kind; [N] each. Those of hidden regions are NaN where nothing is hidden or depth is not known."""

    psnr: np.ndarray  # dB
    ssim: np.ndarray
    perceptual: np.ndarray
    psnr_hidden: np.ndarray
    ssim_hidden: np.ndarray
    perceptual_hidden: np.ndarray


def picture_scores(videos: Videos, clips: list[EvalClip]) -> PictureScores:
    """All scores of videos, in the order of their clips."""
    rows = in_threads(_of_clip, videos, clips)
    return PictureScores(*(np.array(column) for column in zip(*rows, strict=True)))


def _of_clip(video: np.ndarray, clip: EvalClip) -> tuple[float, ...]:
    truth, hidden, nan = clip.frames, clip.hidden, float("nan")
    whole = psnr(video, truth), _ssim(video, truth), _perceptual(video, truth)
    if hidden is None or not hidden.any():
        return (*whole, nan, nan, nan)
    mixed = truth.copy()
    mixed[1:][hidden] = video[1:][hidden]
    return (*whole, psnr(video, truth, hidden), _ssim(mixed, truth), _perceptual(mixed, truth))


def _ssim(video: np.ndarray, truth: np.ndarray) -> float:
    return ssim(video, truth) if min(truth.shape[1:3]) >= SSIM_WINDOW else float("nan")


@torch.no_grad()
def _perceptual(video: np.ndarray, truth: np.ndarray) -> float:
    if min(truth.shape[1:3]) < SMALLEST_SIDE:
        return float("nan")
    pictures = [torch.from_numpy(frames[1:]).permute(0, 3, 1, 2).float() / 127.5 - 1 for frames in (video, truth)]
    return float(perceptual_distance(*pictures).mean())


def summarise_pictures(scores: dict[str, PictureScores], kinds: tuple[str, ...]) -> dict[str, Any]:
    """Means over clips, a key a kind; None where a kind could not be measured."""
    names = list(PictureScores.__dataclass_fields__)
    return {name: {kind: _mean(name, scores[kind]) if kind in scores else None for kind in kinds} for name in names}


def _mean(name: str, scores: PictureScores) -> float:
    values = getattr(scores, name)
    return mean_psnr(values).mean if name.startswith("psnr") else mean(values)
