"""Trains what a motion tokenizer paints where the picture shows nothing, on ids that a transformer wrote (`write_ids`).

    accelerate launch -m camvig.training_scripts.train_canvas --config training_scripts/configs/canvas_tiny.yaml

A decoder trained on true ids believes them to the bit, and those that a transformer writes are guesses: here it learns what they
are worth. What always holds: only the canvas trains, so ids, flow, depth and blending are those of `training.init_from`, and
clips are decoded as the pipeline decodes scenes at rest. Run again after a kill, it goes on where it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..dataset_builders.clip_cache import ClipCache, shards_in
from ..dataset_builders.clip_variants import relative_path
from ..dataset_builders.exact_flow import flow_to_first_frame
from ..dataset_builders.procedural_rooms import LICENCE
from ..modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from ..pipelines.sampling_settings import first_mirrored
from .stage_config import parse_stage
from .train_visual_tokenizer import MUON_PATTERN
from .training_loop import Trainer
from .visual_batches import video_tensor
from .visual_losses import mean_over, pixel_loss, temporal_change
from .visual_validation import chunks, flow_mse_ratio, video_psnr

TRAINED = re.compile(r"autoencoder\.decoder\.canvas\.")


@dataclass
class CanvasDataArguments:
    """What a canvas is trained on, and what its losses count."""

    clips: str
    """Folder of lossless clips with depth, as `camvig data render-rooms` writes them."""
    written_ids: str
    """Folder of the ids that a transformer wrote for them (`write_ids`)."""
    validation_clips: int = 128
    """The last clips of the folder, which are not trained on."""
    hidden_weight: float = 1.0
    """What the error of the pixels counts that frame 0 does not show."""


class WrittenClips:
    """Clips with the ids that were written for them; ValueError where the two folders do not go together."""

    def __init__(self, clips: Path, written_ids: Path):
        shards = shards_in(clips)
        files = [written_ids / f"{shard.name}.npy" for shard in shards]
        if missing := [file.name for file in files if not file.exists()]:
            raise ValueError(f"expected ids for all clips of {clips} in {written_ids}, {missing[0]} is missing")
        self.cache = ClipCache(shards)
        self.ids = np.concatenate([np.load(file) for file in files])
        if len(self.ids) != len(self.cache):
            raise ValueError(f"expected ids of {len(self.cache)} clips in {written_ids}, got {len(self.ids)}")

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, numbers: np.ndarray) -> dict[str, Tensor]:
        """`video [B, 3, T, S, S]`, `ids [B, K, t, h, w]`, of which the later half is of the mirrored clip, `poses`, `intrinsics`,
        `visibility [B, T-1, 1, S, S]`."""
        clips = [self.cache[int(number)] for number in numbers]
        visibility = np.stack([flow_to_first_frame(clip)[1] for clip in clips])[:, :, None].astype(np.float32)
        poses, intrinsics = (np.stack(part) for part in zip(*map(relative_path, clips), strict=True))
        return {
            "video": video_tensor(np.stack([clip["frames"] for clip in clips])),
            "ids": torch.from_numpy(self.ids[numbers].astype(np.int64)),
            "poses": torch.from_numpy(poses),
            "intrinsics": torch.from_numpy(intrinsics),
            "visibility": torch.from_numpy(visibility),
        }


def to_decode(batch: dict[str, Tensor]) -> dict[str, Any]:
    """Ids, those of the mirrored clips, and cameras, as `CamViGVisualTokenizer.decode` takes them."""
    ids, plain = batch["ids"], first_mirrored(batch["ids"].shape[1])
    mirrored_ids = ids[:, plain:] if ids.shape[1] > 1 else None
    return {"ids": ids[:, :plain], "mirrored_ids": mirrored_ids, "cameras": (batch["poses"], batch["intrinsics"])}


def canvas_losses(model, batch: dict[str, Tensor], progress: float, hidden_weight: float) -> dict[str, Tensor]:
    """Errors of all pixels, of how they change, and of hidden ones; of these also their PSNR, where clips count alike."""
    video, hidden = batch["video"], 1 - batch["visibility"]
    decoded = model(video[:, :, :1], **to_decode(batch))
    error = decoded["reconstruction"] - video[:, :, 1:].transpose(1, 2)
    losses = {
        "pixels": pixel_loss(error),
        "temporal": temporal_change(error).abs().mean(),
        "hidden": mean_over(error.abs() + 2 * error.square(), hidden),
        "hidden_log_mse": hidden_log_mse(error, hidden),
    }
    hidden_part = losses["hidden"] + 0.1 * losses["hidden_log_mse"]
    return {"loss": losses["pixels"] + losses["temporal"] + hidden_weight * hidden_part, **losses}


def hidden_log_mse(error: Tensor, hidden: Tensor) -> Tensor:
    """Mean over the clips with hidden pixels of log(1 + 10^3 MSE) of these; error `[B, N, C, H, W]`, hidden with one channel."""
    count = hidden.flatten(1).sum(1)
    mse = (error.square().mean(2, keepdim=True) * hidden).flatten(1).sum(1) / count.clamp(min=1)
    return (torch.log1p(1e3 * mse) * (count > 0)).sum() / (count > 0).sum().clamp(min=1)


@torch.no_grad()
def validate_canvas(model: CamViGVisualTokenizer, batch: dict[str, Tensor]) -> dict[str, float]:
    """PSNR of all pixels and of hidden ones, dB, and flow MSE over that of a static video."""
    parts = [
        model.decode(reference=part["video"][:, :, 0], **to_decode(part)).video.float()
        for part in chunks({name: values.to(model.device) for name, values in batch.items()})
    ]
    video, hidden = torch.cat(parts).cpu(), batch["visibility"][:, :, 0] == 0
    return {
        "psnr": video_psnr(video, batch["video"]),
        "psnr_hidden": video_psnr(video, batch["video"], hidden),
        "flow_mse_ratio": flow_mse_ratio(video, batch["video"]),
    }


def main():
    config, data, arguments = parse_stage(__doc__, CamViGVisualTokenizerConfig, CanvasDataArguments)
    if not config.has_canvas or not arguments.init_from:
        raise SystemExit("expected model.has_canvas and training.init_from, the tokenizer whose canvas it is")
    clips = WrittenClips(Path(data.clips), Path(data.written_ids))
    count = len(clips) - data.validation_clips
    model = CamViGVisualTokenizer(config)
    for name, weight in model.named_parameters():
        weight.requires_grad_(bool(TRAINED.match(name)))

    def batch_at(number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((arguments.seed, number))
        return clips.batch(rng.integers(count, size=arguments.batch_size))

    source = {"source": "procedural rooms", "rows": count, "licences": [LICENCE]}
    Trainer(
        model,
        MUON_PATTERN,
        batch_at,
        partial(canvas_losses, hidden_weight=data.hidden_weight),
        partial(validate_canvas, batch=clips.batch(np.arange(count, len(clips)))),
        arguments,
        data=data,
        sources=[{"cache": "clips", "share": 1.0, "sources": [source]}],
    ).train()


if __name__ == "__main__":
    main()
