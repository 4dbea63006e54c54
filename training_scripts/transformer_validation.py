"""Validation of the transformer on rooms of the validation split: does it use the path, and does the video follow it?

Losses are nats a token with the right path, with another clip's path and with none; the gaps between them tell how much
the path is used. A few clips are generated and scored by flow MSE relative to a static video.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..dataset_builders.clip_variants import relative_path
from ..dataset_builders.rooms.room_clips import room_clips
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .visual_batches import clip_arrays, collate
from .visual_validation import flow_mse_ratio

_CHUNK = 16


@torch.no_grad()
def validation_clips(visual: CamViGVisualTokenizer, camera: CamViGCameraTokenizer, count: int) -> dict[str, Tensor]:
    """Clips of the validation split, encoded: `video`, `image_ids`, `video_ids`, `camera_ids`."""
    clips = [vars(clip) for clip in room_clips("validation", count, size=visual.config.image_size)]
    batch = collate([clip_arrays(clip) for clip in clips])
    image_ids, video_ids = visual.encode_clip(batch["video"], batch["flow"], batch["visibility"])
    poses, intrinsics = (torch.from_numpy(np.stack(values)) for values in zip(*map(relative_path, clips), strict=True))
    camera_ids = camera.encode(poses, intrinsics)
    return {
        "video": batch["video"],
        "image_ids": image_ids,
        "video_ids": video_ids,
        "camera_ids": camera_ids,
    }


def mean_loss(
    model: CamViGForConditionalGeneration, clips: dict[str, Tensor], camera_ids: Tensor, missing: bool
) -> float:
    """Nats a token, teacher-forced."""
    losses = []
    for start in range(0, len(camera_ids), _CHUNK):
        part = slice(start, start + _CHUNK)
        is_missing = torch.full_like(camera_ids[part, 0], missing, dtype=torch.bool)
        output = model(clips["image_ids"][part], clips["video_ids"][part], camera_ids[part], is_missing)
        losses.append(output.per_token_loss.float().mean(1))
    return float(torch.cat(losses).mean())


def validate_transformer(
    model: CamViGForConditionalGeneration, clips: dict[str, Tensor], visual: CamViGVisualTokenizer, generated: int
) -> dict[str, float]:
    """Losses with the right, a wrong and no path, and the flow MSE of generated clips over that of static ones."""
    camera_ids = clips["camera_ids"]
    results = {
        "loss": mean_loss(model, clips, camera_ids, missing=False),
        "loss_wrong_path": mean_loss(model, clips, camera_ids.roll(1, 0), missing=False),
        "loss_no_camera": mean_loss(model, clips, camera_ids, missing=True),
    }
    if generated:
        results["flow_mse_ratio"] = _generated_ratio(model, clips, visual, generated)
    return results


def _generated_ratio(model, clips: dict[str, Tensor], visual: CamViGVisualTokenizer, count: int) -> float:
    generator = torch.Generator().manual_seed(0)
    ids = model.generate_video(
        clips["image_ids"][:count], clips["camera_ids"][:count], generator=generator, temperature=0.7
    )
    truth = clips["video"][:count]
    return flow_mse_ratio(visual.decode(ids, truth[:, :, 0]).video, truth)
