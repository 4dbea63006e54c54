"""Videos of a `CamViGPipeline` at the model's own size, in batches, one seed each: what evaluation and validation measure.

What always holds: pictures `[1, 3, S, S]` in [-1, 1] are already squashed to the model's square, as their intrinsics say; videos
are `[T, S, S, 3]` uint8; what is random comes from the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...camera_paths.camera_path import CameraPath
from ...dataset_builders.estimated_flow import estimated_backward_flow
from ..pipeline_camvig import CamViGPipeline
from ..sampling_settings import SamplingSettings
from .eval_clips import EvalClip
from .requests import Request, Videos

BATCH_SIZE = 16
LARGEST_BATCH = 64
"""Draws at a time where a video is the mean of several."""


class PipelineSource:
    """A checkpoint as a `VideoSource`."""

    def __init__(self, pipeline: CamViGPipeline, settings: SamplingSettings):
        self.pipeline, self.settings = pipeline, settings

    def videos(self, kind: str, requests: list[Request]) -> Videos:
        """Generated, all of them."""
        pictures = [to_picture(request.picture) for request in requests]
        paths, seeds = [request.path for request in requests], [request.seed for request in requests]
        return generate(self.pipeline, pictures, paths, seeds, self.settings, description=kind.replace("_", " "))

    def reconstruct(self, clips: list[EvalClip]) -> Videos:
        """The true frames through the visual tokenizer; the motion kind gets exact flow where there is depth, else estimated."""
        decode = partial(reconstruct, self.pipeline, rigid_scene=self.settings.rigid_scene)
        return [decode(clip) for clip in tqdm(clips, desc="reconstruction", mininterval=5)]


def generate_with_controls(
    pipeline: CamViGPipeline,
    pictures: list[Tensor],
    paths: list[CameraPath],
    seeds: list[int],
) -> dict[str, Videos]:
    """As `generate`, three times: `model` with the true paths, `wrong_path` with the next clip's, `no_camera` with none.

    Never as a scene at rest: what the ids themselves say of motion is what training is to better.
    """
    settings = SamplingSettings.of(pipeline, rigid_scene=False)
    asked = {"model": paths, "wrong_path": paths[1:] + paths[:1], "no_camera": [None] * len(paths)}
    return {name: generate(pipeline, pictures, given, seeds, settings) for name, given in asked.items()}


@torch.no_grad()
def generate(
    pipeline: CamViGPipeline,
    pictures: list[Tensor],
    paths: list[CameraPath] | list[None] | list[CameraPath | None],
    seeds: list[int],
    settings: SamplingSettings | None = None,
    description: str | None = None,
) -> Videos:
    """Pictures and paths, one seed each -> videos; a progress bar with a description. Without settings the checkpoint's."""
    videos, settings = [], settings or SamplingSettings.of(pipeline)
    starts = range(0, len(pictures), BATCH_SIZE)
    for start in tqdm(starts, desc=description, mininterval=5) if description else starts:
        part = slice(start, start + BATCH_SIZE)
        on_device = [picture.to(pipeline.transformer.device) for picture in pictures[part]]
        ids = draw_ids(pipeline, on_device, paths[part], seeds[part], settings)
        seen_by = paths[part] if settings.rigid_scene else [None] * len(ids)
        videos += [to_frames(pipeline.decode_video(*given)) for given in zip(ids, on_device, seen_by, strict=True)]
    return videos


@torch.no_grad()
def draw_ids(
    pipeline: CamViGPipeline,
    pictures: list[Tensor],
    paths: Sequence[CameraPath | None],
    seeds: Sequence[int],
    settings: SamplingSettings,
) -> Tensor:
    """The ids of one batch of videos, `[B, t, h, w]`, or `[B, mean_of, t, h, w]`."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    prompts = pipeline.encode_prompts(pictures, paths, settings)
    return pipeline.generate_candidates(prompts, 1, generators, settings, largest_batch=LARGEST_BATCH)[0]


@torch.no_grad()
def reconstruct(
    pipeline: CamViGPipeline, clip: EvalClip, reference: Tensor | None = None, *, rigid_scene: bool = False
) -> np.ndarray:
    """The true frames of a clip through the visual tokenizer, `[T, S, S, 3]` uint8; as a scene at rest, if that is asked for.

    The motion kind moves the first frame, or the pixels of another `reference` `[1, 3, S, S]` in [-1, 1].
    """
    picture = (to_picture(clip.frames[0]) if reference is None else reference).to(pipeline.visual_tokenizer.device)
    return to_frames(pipeline.decode_video(true_ids(pipeline, clip), picture, clip.path if rigid_scene else None))


@torch.no_grad()
def true_ids(pipeline: CamViGPipeline, clip: EvalClip) -> Tensor:
    """The ids `[t, h, w]` of a clip's true frames; of the motion kind by exact flow where there is depth, else by estimated."""
    tokenizer = pipeline.visual_tokenizer
    device = tokenizer.device
    video = torch.cat([to_picture(frame) for frame in clip.frames])[None].transpose(1, 2).to(device)
    if tokenizer.config.kind == "plain":
        return tokenizer.encode(video)[0]
    flow, visibility, _ = clip.to_first_frame if clip.depth is not None else estimated_backward_flow(clip.frames)
    visible = torch.from_numpy(visibility)[None, :, None].float().to(device)
    return tokenizer.encode(video, torch.from_numpy(flow)[None].to(device), visible)[0]


def to_picture(frame: np.ndarray) -> Tensor:
    """`[S, S, 3]` uint8 -> `[1, 3, S, S]` in [-1, 1], in the pipeline's layout: convolutions round otherwise in another."""
    return torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].contiguous().float() / 127.5 - 1


def to_frames(video: Tensor) -> np.ndarray:
    """`[T, 3, S, S]` in [0, 1] -> `[T, S, S, 3]` uint8."""
    return (video * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
