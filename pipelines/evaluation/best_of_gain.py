"""What best-of-N is worth: the flow MSE of the candidate that a score chooses among N, beside chance and an oracle.

From M candidates a clip, best-of-N is the mean over all N of the M: with the candidates ordered by score, the one at place r
(0 is the best) is the best of N in C(M - 1 - r, N - 1) of C(M, N) draws. So each N uses every candidate, and N = M is simply
the best of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np
from torch import Tensor

from ...camera_paths.camera_path import CameraPath
from ...metrics.flow_mse import dis_flow, flow_mse_between
from ..clip_score import score_clip
from ..pipeline_camvig import CamViGPipeline
from ..sampling_settings import SamplingSettings
from .eval_clips import EvalClip
from .generation import generate, to_picture
from .pose_scores import spread_indices

COUNTS = (1, 2, 4, 8)
GAIN_CLIPS = 16


def best_of_chances(candidates: int, count: int) -> np.ndarray:
    """Chance [M] of each place in the order to be the best of `count` drawn from M candidates; sums to 1."""
    if not 1 <= count <= candidates:
        raise ValueError(f"expected best of 1 to {candidates} candidates, got {count}")
    places = range(candidates)
    return np.array([comb(candidates - 1 - place, count - 1) / comb(candidates, count) for place in places])


def best_of_errors(scores: np.ndarray, errors: np.ndarray, count: int) -> np.ndarray:
    """Scores (more is better) and errors [C, M] -> the error of the best by score among `count`, a clip: [C]."""
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(errors, order, axis=1) @ best_of_chances(errors.shape[1], count)


def gain_table(scores: np.ndarray, errors: np.ndarray, counts: Sequence[int] = COUNTS) -> dict[str, dict[str, float]]:
    """Mean error by N as text: `score`, the best by score; `oracle`, by the error itself; `random`, any candidate."""
    return {
        "score": {str(count): float(best_of_errors(scores, errors, count).mean()) for count in counts},
        "oracle": {str(count): float(best_of_errors(-errors, errors, count).mean()) for count in counts},
        "random": {str(count): float(errors.mean()) for count in counts},
    }


def sample_candidates(
    pipeline: CamViGPipeline,
    pictures: list[Tensor],
    paths: list[CameraPath],
    candidates: int,
    seed: int = 0,
    settings: SamplingSettings | None = None,
) -> np.ndarray:
    """Videos [C, M, T, S, S, 3] uint8 of pictures `[1, 3, S, S]` and paths, video m of clip c from the seed `seed` + 1000 m + c."""
    clips = len(paths)
    rounds = [
        generate(pipeline, pictures, paths, [seed + 1000 * number + clip for clip in range(clips)], settings)
        for number in range(candidates)
    ]
    return np.stack([np.stack(videos) for videos in rounds], axis=1)


def measured_gain(
    pipeline: CamViGPipeline,
    clips: list[EvalClip],
    candidates: int,
    seed: int,
    settings: SamplingSettings,
) -> dict[str, Any]:
    """`best_of_gain` on at most 16 clips, spread evenly, for 1, 2, 4, ... and all of `candidates`."""
    chosen = [clips[index] for index in spread_indices(len(clips), GAIN_CLIPS)]
    paths, counts = [clip.path for clip in chosen], sorted({*(n for n in COUNTS if n < candidates), candidates})
    pictures = [to_picture(clip.frames[0]) for clip in chosen]
    videos = sample_candidates(pipeline, pictures, paths, candidates, seed, settings)
    table = best_of_gain(videos, paths, [clip.frames for clip in chosen], counts)
    return {"clips": len(chosen), "counts": counts, **table}


def best_of_gain(
    candidates: np.ndarray, paths: list[CameraPath], truths: list[np.ndarray], counts: Sequence[int] = COUNTS
) -> dict[str, dict[str, float]]:
    """`gain_table` of flow MSE, px^2 of the frames, by the score that users have: nothing but the path is known.

    Candidates [C, M, T, S, S, 3] and the true clips [T, S, S, 3], all uint8.
    """
    scores = np.array(
        [[score_clip(video, path).rank for video in videos] for videos, path in zip(candidates, paths, strict=True)]
    )
    return gain_table(scores, flow_errors_of(candidates, truths), counts)


def flow_errors_of(candidates: np.ndarray, truths: list[np.ndarray]) -> np.ndarray:
    """Flow MSE [C, M] of candidates [C, M, T, S, S, 3] against their true clips."""
    true_flows = [dis_flow(truth) for truth in truths]
    return np.array(
        [
            [flow_mse_between(dis_flow(video), flow) for video in videos]
            for videos, flow in zip(candidates, true_flows, strict=True)
        ]
    )
