"""How a chained video decays: flow, pictures and sharpness by stretch and by frame, and whether a figure of eight closes.

What always holds: arrays have an entry a clip, a stretch and a step of it; step s of stretch j leads to frame 16 j + s + 1 of the
video; means are over clips, intervals are 95% by bootstrap over clips, ratios are of means over the same clips. True motion is
not the same in all stretches, so decay is read from `over_static`, not from `flow_mse` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...metrics.flow_mse import dis_flow, flow_cosine, flow_mse_between, motion_ratio
from ...metrics.frame_quality import gradient_energy, mean_psnr, picture_psnr, psnr
from .flow_scores import difference, interval, mean, ratio
from .long_clips import LongEvalClip
from .long_videos import ChainedVideos, joined_frames

PAPER_FRAMES = 17  # of a stretch: k of them are the 17, 34, 51, 68 generated frames of k stretches


@dataclass(frozen=True)
class LongScores:
    """Of N videos of one kind with k stretches of 16 steps."""

    mse: np.ndarray  # [N, k] px^2
    mse_by_step: np.ndarray  # [N, k, 16]
    cosine: np.ndarray  # [N, k]; NaN where the true stretch does not move
    motion_ratio: np.ndarray  # [N, k]; likewise
    psnr: np.ndarray  # [N, k] dB
    psnr_by_step: np.ndarray  # [N, k, 16]
    energy: np.ndarray  # [N, k, 16] gradient energy of frames 1..


def long_scores(videos: ChainedVideos, clips: list[LongEvalClip]) -> LongScores:
    """All scores of the videos of one kind, in the order of their clips."""
    rows = [
        [_of_stretch(*pair) for pair in zip(video, _truth(clip), strict=True)]
        for video, clip in zip(videos, clips, strict=True)
    ]
    return LongScores(*(np.array([[stretch[name] for stretch in row] for row in rows]) for name in range(7)))


def _truth(clip: LongEvalClip) -> list[np.ndarray]:
    return [stretch.frames for stretch in clip.stretches]


def _of_stretch(video: np.ndarray, truth: np.ndarray) -> tuple:
    flow, true_flow = dis_flow(video), dis_flow(truth)
    return (
        flow_mse_between(flow, true_flow),
        [flow_mse_between(*pair) for pair in zip(flow, true_flow, strict=True)],
        flow_cosine(flow, true_flow),
        motion_ratio(flow, true_flow),
        psnr(video, truth),
        [picture_psnr(*pair) for pair in zip(video[1:], truth[1:], strict=True)],
        gradient_energy(video)[1:],
    )


def summarise(scores: dict[str, LongScores], truth: LongScores, seed: int) -> dict[str, Any]:
    """Figures by stretch (lists of k), by frame (lists of 16 k) and by length, a key a kind."""
    stretches = range(truth.mse.shape[1])

    def by_stretch(of: Any) -> dict[str, list]:
        return {kind: [of(found, number) for number in stretches] for kind, found in scores.items()}

    static = scores["static"]
    return {
        "flow_mse": by_stretch(lambda found, at: mean(found.mse[:, at])),
        "intervals": by_stretch(lambda found, at: interval(found.mse[:, at], seed)),
        "over_static": by_stretch(lambda found, at: ratio(found.mse[:, at], static.mse[:, at], seed)),
        "flow_cosine": by_stretch(lambda found, at: mean(found.cosine[:, at])),
        "motion_ratio": by_stretch(lambda found, at: mean(found.motion_ratio[:, at])),
        "psnr": by_stretch(lambda found, at: mean_psnr(found.psnr[:, at]).mean),
        "psnr_intervals": by_stretch(lambda found, at: interval(found.psnr[:, at], seed)),
        "sharpness": by_stretch(
            lambda found, at: ratio(found.energy[:, at].mean(axis=1), truth.energy[:, at].mean(axis=1), seed)
        ),
        "flow_mse_by_frame": {kind: found.mse_by_step.mean(axis=0).ravel().tolist() for kind, found in scores.items()},
        "psnr_by_frame": {kind: _psnr_by_frame(found) for kind, found in scores.items()},
        "sharpness_by_frame": {
            kind: (found.energy.mean(axis=0) / truth.energy.mean(axis=0)).ravel().tolist()
            for kind, found in scores.items()
        },
        "lengths": [_of_length(scores, number + 1, seed) for number in stretches],
    }


def _psnr_by_frame(found: LongScores) -> list[float]:
    return [mean_psnr(frame).mean for frame in found.psnr_by_step.reshape(len(found.psnr_by_step), -1).T]


def _of_length(scores: dict[str, LongScores], stretches: int, seed: int) -> dict[str, Any]:
    """The whole video up to a stretch."""
    up_to = {kind: found.mse[:, :stretches].mean(axis=1) for kind, found in scores.items()}
    return {
        "stretches": stretches,
        "generated_frames": stretches * PAPER_FRAMES,
        "different_frames": stretches * (PAPER_FRAMES - 1) + 1,
        "flow_mse": {kind: mean(errors) for kind, errors in up_to.items()},
        "over_static": {kind: ratio(errors, up_to["static"], seed) for kind, errors in up_to.items()},
    }


def comparisons(scores: dict[str, LongScores], seed: int) -> dict[str, list[dict[str, Any]]]:
    """Differences of flow MSE by stretch, paired by clip: what decay is made of."""
    pairs = {
        "drift": ("model", "restart"),  # of pictures: the same paths from true frames
        "drift_known_depth": ("model_known_depth", "restart_known_depth"),
        "scale": ("restart", "restart_known_depth"),  # what the depth of a stretch's first picture is worth
        "scale_chained": ("model", "model_known_depth"),
        "model_minus_planar_warp": ("model", "planar_warp"),
        "model_minus_reconstruction": ("model", "reconstruction"),
        "model_minus_static": ("model", "static"),
        "model_minus_wrong_path": ("model", "wrong_path"),
    }
    return {
        name: [
            difference(scores[one].mse[:, at], scores[other].mse[:, at], seed) for at in range(scores[one].mse.shape[1])
        ]
        for name, (one, other) in pairs.items()
    }


def loop_closure(videos: dict[str, ChainedVideos], clips: list[LongEvalClip]) -> list[dict[str, Any]]:
    """For each frame at which figures of eight return: how far every kind's frame is from the first picture.

    `shift_px` is the mean length of the optical flow from frame 0 to that frame, 0 where the loop closes; `psnr` is of the two
    frames. A video that never moves closes every loop, and so does the wrong path where it is another figure of eight: read them
    beside the flow MSE. Flow between frames so far apart is coarse, the more so the blurrier they are.
    """
    rows = []
    for frame in sorted({frame for clip in clips for frame in clip.returns}):
        there = [index for index, clip in enumerate(clips) if frame in clip.returns]
        pairs = {
            kind: [np.stack([clips[index].frames[0], joined_frames(found[index])[frame]]) for index in there]
            for kind, found in videos.items()
        }
        rows.append(
            {
                "frame": frame,
                "clips": len(there),
                "psnr": {kind: mean_psnr(picture_psnr(*pair) for pair in found).mean for kind, found in pairs.items()},
                "shift_px": {
                    kind: mean([float(np.linalg.norm(dis_flow(pair)[0], axis=-1).mean()) for pair in found])
                    for kind, found in pairs.items()
                },
            }
        )
    return rows


def by_move(scores: dict[str, LongScores], clips: list[LongEvalClip], seed: int) -> dict[str, dict[str, Any]]:
    """For each family of moves: its clips, and the flow MSE by stretch of every kind, with the model's over the static one's."""
    families = [clip.move.rpartition("_")[0] for clip in clips]
    table = {}
    for family in dict.fromkeys(families):
        chosen = np.array([one == family for one in families])
        table[family] = {
            "clips": int(chosen.sum()),
            "flow_mse": {kind: found.mse[chosen].mean(axis=0).tolist() for kind, found in scores.items()},
            "over_static": [
                ratio(scores["model"].mse[chosen, at], scores["static"].mse[chosen, at], seed)
                for at in range(scores["model"].mse.shape[1])
            ],
        }
    return table
