"""Chained videos of a checkpoint and of every control, for clips of several stretches.

    model                  each stretch from the last frame of the one before; its path in the scene depths of the first picture
    model_known_depth      the same, but each path in the scene depths of the true frame at which the stretch begins
    restart                each stretch from the TRUE frame, paths as the model's: no errors come along
    restart_known_depth    the same with the paths of model_known_depth
    wrong_path, no_camera  as the model, along the next clip's path, and without one
    reconstruction         the true ids of each stretch, decoded onto the last decoded frame
    planar_warp            each stretch the flat picture of its last frame, at the depth that fits the true flow best (an oracle)
    static                 the first picture, repeated
    noise_floor            the true frames through H.264

What always holds: a video is a list of its stretches, `[17, S, S, 3]` uint8 each, so that a stretch from a true frame can stand
beside the one before; stretch j of clip i is sampled from the same seed in all kinds, so kinds are in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from ...camera_paths.camera_path import CameraPath
from ...dataset_builders.clip_videos import decode_video, encode_video
from ...metrics.flow_mse import dis_flow
from ..pipeline_camvig import CamViGPipeline
from ..sampling_settings import SamplingSettings
from .controls import planar_warp, static_video
from .generation import generate, reconstruct, to_picture
from .long_clips import STEPS, LongEvalClip
from .requests import Videos

ChainedVideos = list[list[np.ndarray]]
"""A list of stretches a clip."""
KINDS = (
    "model",
    "model_known_depth",
    "restart",
    "restart_known_depth",
    "wrong_path",
    "no_camera",
    "reconstruction",
    "planar_warp",
    "static",
    "noise_floor",
)
SEED_STEP = 100_000  # between the seeds of two stretches of a clip


def long_videos(pipeline: CamViGPipeline, clips: list[LongEvalClip], seed: int) -> dict[str, ChainedVideos]:
    """All of `KINDS`; stretch j of clip i is sampled from `seed` + i + j * `SEED_STEP`."""
    user_paths, true_paths = [clip.paths for clip in clips], [[one.path for one in clip.stretches] for clip in clips]
    none: list[list[CameraPath | None]] = [[None] * len(paths) for paths in user_paths]
    model = chained(pipeline, clips, user_paths, seed, "model")
    begun = [video[0] for video in model]  # the first stretch is the same whatever the others begin with
    made = {
        "model": model,
        "model_known_depth": chained(pipeline, clips, true_paths, seed, "model, depth known", begun),
        "restart": chained(pipeline, clips, user_paths, seed, "restart", begun, restarts=True),
        "restart_known_depth": chained(pipeline, clips, true_paths, seed, "restart, depth known", begun, restarts=True),
        "wrong_path": chained(pipeline, clips, user_paths[1:] + user_paths[:1], seed, "wrong path"),
        "no_camera": chained(pipeline, clips, none, seed, "no camera"),
        "reconstruction": [_reconstruction(pipeline, clip) for clip in tqdm(clips, desc="reconstruction")],
        "planar_warp": [_planar_warp(clip) for clip in clips],
        "static": [[static_video(clip.frames)[: STEPS + 1]] * len(clip.stretches) for clip in clips],
        "noise_floor": [cut_frames(decode_video(encode_video(clip.frames, clip.path.fps))) for clip in clips],
    }
    assert tuple(made) == KINDS
    return made


def chained(
    pipeline: CamViGPipeline,
    clips: list[LongEvalClip],
    paths: Sequence[Sequence[CameraPath | None]],
    seed: int,
    description: str | None = None,
    begun: Videos | None = None,
    restarts: bool = False,
) -> ChainedVideos:
    """Videos of all clips at once, stretch after stretch; with `restarts` each from the true frame.

    `begun` are the first stretches where they have been made before.
    """
    pictures, rows = [to_picture(clip.frames[0]) for clip in clips], []
    for number in tqdm(range(len(clips[0].stretches)), desc=description, disable=description is None, mininterval=5):
        if number == 0 and begun is not None:
            videos = begun
        else:
            seeds = [seed + index + number * SEED_STEP for index in range(len(clips))]
            videos = generate(pipeline, pictures, [each[number] for each in paths], seeds)
        rows.append(videos)
        last = [clip.stretches[number].frames[-1] for clip in clips] if restarts else [video[-1] for video in videos]
        pictures = [to_picture(frame) for frame in last]
    return [list(stretches) for stretches in zip(*rows, strict=True)]


def _reconstruction(pipeline: CamViGPipeline, clip: LongEvalClip) -> Videos:
    videos, picture = [], to_picture(clip.frames[0])
    rigid_scene = SamplingSettings.of(pipeline).rigid_scene
    for stretch in clip.stretches:
        videos.append(reconstruct(pipeline, stretch, picture, rigid_scene=rigid_scene))
        picture = to_picture(videos[-1][-1])
    return videos


def _planar_warp(clip: LongEvalClip) -> Videos:
    videos, picture = [], clip.frames[0]
    for stretch in clip.stretches:
        begun = replace(stretch, frames=np.concatenate([picture[None], stretch.frames[1:]]))
        videos.append(planar_warp(begun, dis_flow(stretch.frames)).frames)
        picture = videos[-1][-1]
    return videos


def cut_frames(frames: np.ndarray) -> Videos:
    """`[16 k + 1, S, S, 3]` -> k stretches."""
    return [frames[first : first + STEPS + 1] for first in range(0, len(frames) - 1, STEPS)]


def joined_frames(stretches: Videos) -> np.ndarray:
    """k stretches -> `[16 k + 1, S, S, 3]`; where two meet, the last frame of the earlier."""
    return np.concatenate([stretches[0], *(stretch[1:] for stretch in stretches[1:])])
