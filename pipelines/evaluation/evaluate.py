"""The project's own exam: does a generated video move as the true one does? Controls stand beside every number.

What always holds: everything is drawn from the seed, so two runs give the same figures, but for the seconds. A number that cannot
be had is None, and `unavailable` says why. The keys of earlier records (`flow_mse` of the model, reconstruction, static, wrong_path
and no_camera, `psnr`, `psnr_hidden`, `flow_mse_by_move`, `mirror`) mean what they always did: means over clips, px^2 and dB of the
compared frames. What each number is and what each control proves: docs/evaluation.md.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ...metrics.flow_mse import dis_flow
from ..pipeline_camvig import CamViGPipeline
from ..sampling_settings import SamplingSettings
from .bias import bias_of
from .controls import depth_warp, planar_warp, reencoded, static_video
from .eval_clips import EvalClip
from .flow_scores import (
    FlowScores,
    by_move,
    comparisons,
    flow_errors,
    flow_scores,
    in_worst_scene,
    summarise_flow,
    without_worst_scene,
)
from .generation import PipelineSource, to_picture
from .in_threads import in_threads
from .motion_scores import MotionScores, MotionTruth, motion_of_clip, motion_scores, summarise_motion
from .picture_scores import PictureScores, picture_scores, summarise_pictures
from .pose_scores import NO_PYCOLMAP, can_recover_poses, pose_scores, spread_indices
from .requests import Missing, Request, Videos, VideoSource, height_of, requests_of, side_of

KINDS = (
    "model",
    "reconstruction",
    "static",
    "wrong_path",
    "mirrored_path",
    "no_camera",
    "planar_warp",
    "depth_warp",
    "noise_floor",
)
"""Of the figures, in the order of the report."""
PICTURE_KINDS = ("model", "reconstruction", "static", "planar_warp", "depth_warp", "noise_floor")
NO_DEPTH = "the clips have no depth"
NOT_ASKED_FOR = "not asked for"
PAIRS = {"left_right": ("left", "right"), "up_down": ("up", "down")}


@dataclass(frozen=True)
class Evaluation:
    """All that was measured."""

    figures: dict[str, Any]  # what the JSON says; NaN is not yet None
    clips: list[EvalClip]
    videos: dict[str, Videos]  # by kind
    flow: dict[str, FlowScores]
    pictures: dict[str, PictureScores]


def evaluate(
    clips: list[EvalClip],
    source: VideoSource,
    seed: int = 0,
    pose_clips: int = 16,
    pose_trials: int = 2,
    with_bias: bool = True,
) -> Evaluation:
    """Measure a system on clips, with every control.

    Args:
        clips: at least 2.
        source: a checkpoint, or a folder of videos.
        seed: clip i is generated from seed + i; also of pose recovery and intervals.
        pose_clips: how many clips, spread evenly, poses are recovered of, which takes seconds a video; 0 = none.
        pose_trials: of the recovery.
        with_bias: also compare left with right and up with down, which takes as many more videos again.
    """
    clock = Clock()
    true_flows = in_threads(dis_flow, [clip.frames for clip in clips])
    requests = requests_of(clips, true_flows, seed)
    videos, unavailable, planes = _all_videos(clips, true_flows, source, requests, clock)
    flow, motion = _flow_and_motion(clips, true_flows, videos)
    clock.lap("flow")
    pictures = {kind: picture_scores(videos[kind], clips) for kind in PICTURE_KINDS if kind in videos}
    clock.lap("pictures")
    bias, mirror = dict.fromkeys(PAIRS), {"clips": 0}
    if with_bias:
        bias, mirror = _bias(clips, true_flows, source, requests, flow["model"].mse, seed, unavailable)
    else:
        unavailable |= {f"bias.{kind}": NOT_ASKED_FOR for kind in PAIRS}
    clock.lap("bias")
    pose = _poses(clips, videos["model"], seed, pose_clips, pose_trials, unavailable)
    clock.lap("poses")
    figures = {
        **summarise_flow(flow, KINDS, seed),
        **comparisons(flow, seed),
        "without_worst_scene": without_worst_scene(clips, flow, seed),
        **summarise_pictures(pictures, PICTURE_KINDS),
        "flow_mse_by_move": by_move(clips, flow, seed),
        "motion": summarise_motion(motion, KINDS, seed) if motion else None,
        "pose": pose,
        "bias": bias,
        "mirror": mirror,
        "planar_warp_depths": planes,
        "unavailable": unavailable,
        "clips": len(clips),
        "scenes": len({clip.scene for clip in clips}),
        "frames": len(clips[0].frames),
        "frame_size": clips[0].frames.shape[1],
        "seed": seed,
        "per_clip": _per_clip(clips, flow, motion),
        "seconds": clock.seconds,
    }
    return Evaluation(figures, clips, videos, flow, pictures)


class Clock:
    """Seconds on the wall and of the processor, by stage."""

    def __init__(self):
        self.seconds: dict[str, dict[str, float]] = {}
        self.last = time.perf_counter(), time.process_time()

    def lap(self, name: str) -> None:
        now = time.perf_counter(), time.process_time()
        wall, processor = (round(after - before, 2) for after, before in zip(now, self.last, strict=True))
        self.seconds[name], self.last = {"wall": wall, "processor": processor}, now


def _all_videos(
    clips: list[EvalClip],
    true_flows: list[np.ndarray],
    source: VideoSource,
    requests: dict[str, list[Request]],
    clock: Clock,
) -> tuple[dict[str, Videos], dict[str, str], list[float | None]]:
    """By kind, why some are missing, and the depths that the planar warp chose (None: infinite)."""
    made: dict[str, Videos | Missing] = {
        kind: source.videos(kind, requests[kind]) for kind in ("model", "wrong_path", "mirrored_path", "no_camera")
    }
    clock.lap("generation")
    made["reconstruction"] = source.reconstruct(clips)
    clock.lap("reconstruction")
    planes = in_threads(planar_warp, clips, true_flows)
    made |= {
        "static": [static_video(clip.frames) for clip in clips],
        "planar_warp": [plane.frames for plane in planes],
        "depth_warp": Missing(NO_DEPTH),
        "noise_floor": in_threads(reencoded, clips),
    }
    if all(clip.depth is not None for clip in clips):
        made["depth_warp"] = in_threads(depth_warp, clips)
    clock.lap("controls")
    videos = {kind: found for kind, found in made.items() if not isinstance(found, Missing)}
    unavailable = {kind: found.reason for kind, found in made.items() if isinstance(found, Missing)}
    if "model" not in videos:
        raise ValueError(unavailable["model"])
    if "depth_warp" in unavailable:
        unavailable |= dict.fromkeys(
            ("psnr_hidden", "ssim_hidden", "perceptual_hidden", "flow_mse_hidden", "motion"), NO_DEPTH
        )
    return videos, unavailable, [plane.depth if math.isfinite(plane.depth) else None for plane in planes]


def _flow_and_motion(
    clips: list[EvalClip], true_flows: list[np.ndarray], videos: dict[str, Videos]
) -> tuple[dict[str, FlowScores], dict[str, MotionScores]]:
    """By kind; motion is empty unless all clips have depth."""
    flow, motion, truths = {}, {}, []
    if all(clip.depth is not None for clip in clips):
        truths = in_threads(MotionTruth.of, clips, true_flows)
    for kind in (kind for kind in KINDS if kind in videos):
        flows = in_threads(dis_flow, videos[kind])
        flow[kind] = flow_scores(flows, clips, true_flows)
        if truths:
            motion[kind] = motion_scores(flows, truths)
    return flow, motion


def _bias(
    clips: list[EvalClip],
    true_flows: list[np.ndarray],
    source: VideoSource,
    requests: dict[str, list[Request]],
    errors: np.ndarray,
    seed: int,
    unavailable: dict[str, str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`bias`, and `mirror`: its left and right on the moves that are called so, as earlier records have it."""
    place = {clip.name: index for index, clip in enumerate(clips)}
    sides = [side_of(clip.move, flow) for clip, flow in zip(clips, true_flows, strict=True)]
    heights = [height_of(flow) for flow in true_flows]
    rest = ~in_worst_scene(clips, errors)
    bias, mirror = {}, {"clips": 0}
    for kind, directions in (("left_right", sides), ("up_down", heights)):
        asked = requests[kind]
        if not asked:
            some = kind == "up_down" and any(heights)
            unavailable[f"bias.{kind}"] = (
                f"{NO_DEPTH}, or no clip can be played backwards" if some else "no clip moves so"
            )
            bias[kind] = None
            continue
        videos = source.videos(kind, asked)
        if isinstance(videos, Missing):
            unavailable[f"bias.{kind}"], bias[kind] = videos.reason, None
            continue
        chosen = np.array([place[request.name] for request in asked])
        opposite = flow_errors(
            videos, in_threads(dis_flow, [request.truth for request in asked if request.truth is not None])
        )
        pairs = PAIRS[kind], [directions[index] for index in chosen], errors[chosen], opposite, seed
        bias[kind] = bias_of(*pairs) | {"without_worst_scene": bias_of(*pairs, among=rest[chosen])}
        if kind == "left_right":
            named = np.array([clips[index].move.endswith(("_left", "_right")) for index in chosen])
            mirror = bias_of(*pairs, among=named)
    return bias, mirror


def _poses(
    clips: list[EvalClip],
    videos: Videos,
    seed: int,
    count: int,
    trials: int,
    unavailable: dict[str, str],
) -> dict[str, Any] | None:
    if not count or not can_recover_poses():
        unavailable["pose"] = NO_PYCOLMAP if count else NOT_ASKED_FOR
        return None
    chosen = spread_indices(len(clips), count)
    others = [clips[(index + 1) % len(clips)].path for index in chosen]
    made = {"model": [videos[index] for index in chosen], "ground_truth": [clips[index].frames for index in chosen]}
    return pose_scores(made, [clips[index].path for index in chosen], others, trials, seed)


def _per_clip(
    clips: list[EvalClip], flow: dict[str, FlowScores], motion: dict[str, MotionScores]
) -> list[dict[str, Any]]:
    return [
        {
            "name": clip.name,
            "scene": clip.scene,
            "move": clip.move,
            "flow_mse": {kind: float(found.mse[index]) for kind, found in flow.items()},
            "motion": {kind: motion_of_clip(found, index) for kind, found in motion.items()} or None,
        }
        for index, clip in enumerate(clips)
    ]


def evaluate_pipeline(
    pipeline: CamViGPipeline,
    clips: list[EvalClip],
    seed: int = 0,
    pose_clips: int = 16,
    pose_trials: int = 2,
    with_bias: bool = True,
    *,
    sampling: SamplingSettings | None = None,
) -> Evaluation:
    """`evaluate` of a checkpoint, with its sampling settings (its own if None) and how long one video alone takes."""
    sampling = sampling or SamplingSettings.of(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    found = evaluate(clips, PipelineSource(pipeline, sampling), seed, pose_clips, pose_trials, with_bias)
    found.figures.update(timing(pipeline, clips[0], seed, sampling), settings=asdict(sampling))
    return found


@torch.no_grad()
def timing(pipeline: CamViGPipeline, clip: EvalClip, seed: int, sampling: SamplingSettings) -> dict[str, float]:
    """Seconds of one video alone, ids and frames, and the tokens a second of its ids."""
    picture = to_picture(clip.frames[0]).to(pipeline.transformer.device)
    started = time.perf_counter()
    prompts = pipeline.encode_prompts([picture], [clip.path], sampling)
    before = time.perf_counter()
    ids = pipeline.generate_candidates(prompts, 1, torch.Generator().manual_seed(seed), sampling)
    after = time.perf_counter()
    pipeline.decode_video(ids[0, 0], picture, clip.path if sampling.rigid_scene else None)
    return {
        "seconds_per_video": time.perf_counter() - started,
        "tokens_per_second": pipeline.transformer.config.num_video_tokens / (after - before),
    }
