"""What `CamViGPipeline` returns: videos as images, arrays or tensors, and the ids they were made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.utils.outputs import BaseOutput
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from .clip_score import ClipScore


@dataclass
class CamViGPipelineOutput(BaseOutput):
    """Videos, and the ids they were made of.

    Args:
        frames: "pil": a list of PIL images a video; "np": `[B, T, H, W, 3]` float32 in [0, 1]; "pt": `[B, T, 3, H, W]`
            float32 in [0, 1]. Videos of different sizes are a list of `[T, ...]` in place of one array or tensor.
        video_ids: `[B, t, h, w]` int64, with a `mean_of` above 1 `[B, mean_of, t, h, w]`; the first latent frame is the picture's.
        camera_ids: `[n]` int64 a video, or None for a missing camera.
        generation_seconds: how long the transformer wrote, all videos and candidates together.
        scores: how well each video follows its path, None for a missing camera; None as a whole unless scores were asked for.
        candidate_scores: of all candidates of each video, in the order in which they were drawn; likewise.
        chosen: the number of the candidate that each video is; likewise.
    """

    frames: Any = None
    video_ids: Tensor | None = None
    camera_ids: list[Tensor | None] | None = None
    generation_seconds: float | None = None
    scores: list[ClipScore | None] | None = None
    candidate_scores: list[list[ClipScore]] | None = None
    chosen: list[int] | None = None


def postprocess_videos(videos: list[Tensor], output_type: str) -> Any:
    """Videos `[T, 3, H, W]` in [0, 1] -> what `output_type` names; see `CamViGPipelineOutput.frames`."""
    if output_type == "pil":
        return [_to_images(video) for video in videos]
    same_size = len({tuple(video.shape) for video in videos}) == 1
    if output_type == "pt":
        return torch.stack(videos) if same_size else videos
    arrays = [video.permute(0, 2, 3, 1).cpu().numpy() for video in videos]
    return np.stack(arrays) if same_size else arrays


def _to_images(video: Tensor) -> list[Image.Image]:
    array = (video * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(frame) for frame in array]
