"""Validation of the visual tokenizer on clips that training never sees: pixels, flow, depth, use of the codes; sample grids."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..dataset_builders.rooms.room_clips import room_clips
from ..metrics.flow_mse import dis_flow, flow_mse_between
from ..metrics.frame_quality import mean_psnr, psnr
from ..metrics.perceptual_distance import perceptual_distance
from ..modeling_camvig.motion_autoencoder import MotionAutoencoder
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .dead_digits import dead_digits, digit_counts
from .visual_batches import clip_arrays, collate, square, video_tensor
from .visual_losses import mean_over, temporal_change
from .visual_sources import Sources

_CHUNK = 8


def validation_batch(split: str, count: int, size: int) -> dict[str, Tensor]:
    """The first `count` clips of a split, without augmentation."""
    return collate([clip_arrays(vars(clip)) for clip in room_clips(split, count, size=size)])


def chunks(batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    count = len(batch["video"])
    return [{k: v[i : i + _CHUNK] for k, v in batch.items()} for i in range(0, count, _CHUNK)]


def held_out_clips(sources: Sources, count: int, size: int) -> dict[str, Tensor]:
    """`count` clips spread evenly over a source, their middle squares, from frame 0."""
    chosen = np.linspace(0, len(sources) - 1, min(count, len(sources))).round().astype(int)
    clips = [square(sources.clip(int(index))[1][: sources.num_frames], size) for index in chosen]
    return {"video": video_tensor(np.stack(clips))}


def validate_plain(model: CamViGVisualTokenizer, batch: dict[str, Tensor]) -> dict[str, float]:
    """PSNR and perceptual distance of all frames, and how codes are used: see `code_numbers`."""
    pieces = []
    for part in chunks(batch):
        ids = model.encode(part["video"].to(model.device))
        pieces.append((ids.cpu(), model.decode(ids).video.float().cpu()))
    ids, frames = (torch.cat(values) for values in zip(*pieces, strict=True))
    return quality(frames, batch["video"]) | code_numbers(ids, model.config.code_levels)


def quality(video: Tensor, truth: Tensor) -> dict[str, float]:
    """psnr (dB, mean over all frames) and perceptual distance of videos `[B, 3, T, H, W]`."""
    pictures, true = (clips.transpose(1, 2).flatten(0, 1) for clips in (video, truth))
    with torch.autocast(pictures.device.type, enabled=False):
        distances = [perceptual_distance(*pair) for pair in zip(pictures.split(32), true.split(32), strict=True)]
    return {"psnr": picture_psnr(pictures, true), "perceptual": float(torch.cat(distances).mean())}


def code_numbers(ids: Tensor, levels: list[int]) -> dict[str, float]:
    """distinct_codes: share of the ids that is no repetition; used_codes: how many of the vocabulary occur;
    digit_entropy: mean over digits of their entropy, as a share of the most that is possible; dead_digits: see `dead_digits`."""
    counts = [count.double() / ids.numel() for count in digit_counts(ids, levels)]
    entropies = [-(share * share.clamp(min=1e-12).log()).sum() / math.log(len(share)) for share in counts]
    return {
        "distinct_codes": distinct(ids),
        "used_codes": float(ids.unique().numel()),
        "digit_entropy": float(torch.stack(entropies).mean()),
        "dead_digits": float(len(dead_digits(ids, levels))),
    }


def sample_grid(model: CamViGVisualTokenizer, video: Tensor, clips: int = 8, frames: int = 5) -> np.ndarray:
    """Some frames of the first clips, real above reconstruction: a picture `[2 * rows, frames, 3]` uint8.

    A clip has a row of `frames` frames, evenly spread; pictures (T = 1) stand side by side in one row.
    """
    truth = video[:clips].to(model.device)
    pairs = torch.stack([truth, model.decode(model.encode(truth)).video.to(truth.dtype)])  # [2, B, 3, T, H, W]
    count = pairs.shape[3]
    shown = torch.linspace(0, count - 1, min(frames, count)).round().long().unique().to(pairs.device)
    pixels = ((pairs.index_select(3, shown).float().clamp(-1, 1) + 1) * 127.5).round().byte()
    rows = pixels.permute(1, 0, 4, 3, 5, 2) if count > 1 else pixels.permute(3, 0, 4, 1, 5, 2)
    return rows.flatten(3, 4).flatten(0, 2).cpu().numpy()  # [B * 2 * H, T * W, 3]


def validate_motion(model: CamViGVisualTokenizer, batch: dict[str, Tensor]) -> dict[str, float]:
    """PSNR (all, moved only, hidden), flow errors in pixels, flow MSE relative to a static video, picture and depth."""
    autoencoder = cast(MotionAutoencoder, model.autoencoder)
    pieces = []
    for part in chunks(batch):
        ids = model.encode(part["video"], part["flow"], part["visibility"])
        decoded = model.decode(ids, part["video"][:, :, 0])
        codes = autoencoder.quantizer.ids_to_codes(ids[:, 0])
        picture, depth = autoencoder.picture.decode(codes)
        pieces.append((ids, decoded.video, decoded.flow, picture.float(), depth))
    ids, video, flow, picture, depth = (torch.cat(values) for values in zip(*pieces, strict=True))
    truth, visible = batch["video"], batch["visibility"]
    error = flow.float() - batch["flow"]
    change, true_change = temporal_change(error).square(), temporal_change(batch["flow"]).square()
    true_depth = batch["log_inverse_depth"][:, 0]
    return {
        "psnr": video_psnr(video, truth),
        "psnr_hidden": video_psnr(video, truth, visible[:, :, 0] == 0),
        "flow_error_px": float(mean_over(error.norm(dim=2, keepdim=True), visible)) * truth.shape[-1],
        "flow_change_error_ratio": float(mean_over(change, visible) / mean_over(true_change, visible)),
        "flow_mse_ratio": flow_mse_ratio(video, truth),
        "picture_psnr": picture_psnr(picture, truth[:, :, 0]),
        "depth_l1": float((depth[:, 0] - true_depth).abs().mean()),
        "depth_l1_constant": float((true_depth - true_depth.median()).abs().mean()),
        "distinct_codes": distinct(ids[:, 1:]),
        "distinct_picture_codes": distinct(ids[:, :1]),
    }


def to_uint8(video: Tensor) -> Tensor:
    """`[B, 3, T, H, W]` in [-1, 1] -> `[B, T, H, W, 3]` uint8."""
    return ((video.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 4, 1)


def flow_mse_ratio(video: Tensor, truth: Tensor) -> float:
    """Flow MSE against the truth, over that of a static video; as in the metric, over all clips together."""
    error = power = 0.0
    for generated, true in zip(to_uint8(video).numpy(), to_uint8(truth).numpy(), strict=True):
        true_flow = dis_flow(true)
        error += flow_mse_between(dis_flow(generated), true_flow)
        power += flow_mse_between(0 * true_flow, true_flow)
    return error / power


def video_psnr(video: Tensor, truth: Tensor, mask: Tensor | None = None) -> float:
    """Mean over clips of the PSNR of frames 1.. in dB, as `camvig eval` reports it; `mask [B, T-1, H, W]` bool."""
    masks = [None] * len(video) if mask is None else mask.numpy()
    clips = zip(to_uint8(video).numpy(), to_uint8(truth).numpy(), masks, strict=True)
    return mean_psnr(psnr(*clip) for clip in clips).mean


def picture_psnr(pictures: Tensor, truth: Tensor) -> float:
    """Mean over pictures `[B, 3, H, W]` in [-1, 1] of the PSNR in dB."""
    error = ((pictures.clamp(-1, 1) - truth) / 2).square().flatten(1).mean(1)
    return float(-10 * error.clamp(min=1e-10).log10().mean())


def distinct(ids: Tensor) -> float:
    """Share of the ids that are not a repetition."""
    return ids.unique().numel() / ids.numel()
