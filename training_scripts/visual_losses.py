"""Training losses of the visual tokenizer. All are ours: CamViG freezes a MAGVIT-v2 tokenizer and does not describe its training.

Every loss is a mean over what it is about (visible pixels, hidden pixels, pixels whose place in frame 0 is defined), so
weights do not depend on clip or batch size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def plain_losses(model, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
    """Pixels, their gradients and their change over time, for a tokenizer of kind "plain"."""
    reconstruction, auxiliary, _ = model(batch["video"])
    error = reconstruction.float() - batch["video"]
    losses = {"pixels": pixel_loss(error.transpose(1, 2)), "temporal": error.diff(dim=2).abs().mean()}
    return {"loss": losses["pixels"] + losses["temporal"] + auxiliary, **losses}


def motion_losses(
    model,
    batch: dict[str, Tensor],
    progress: float,
    flow_weight: Sequence[float] = (16.0, 6.0),
    hidden_weight: float = 0.3,
) -> dict[str, Tensor]:
    """All losses of a tokenizer of kind "motion"; flow counts from `flow_weight[0]` to `[1]` as training goes on."""
    video, visible = batch["video"], batch["visibility"]
    output = model(video, flow=batch["flow"], visibility=visible, pictures=batch["pictures"])
    target = video[:, :, 1:].transpose(1, 2)
    error = output["reconstruction"] - target
    flow_error = 2 * (output["flow"] - batch["flow"])
    defined = visible + 0.12 * batch["in_front"]
    losses = {
        "pixels": pixel_loss(error),
        "log_mse": log_mse(error),
        "temporal": temporal_change(error).abs().mean(),
        "hidden": mean_over(error.abs() + 2 * error.square(), 1 - visible),
        "moved": mean_over((output["moved"] - target).abs(), visible),
        "flow": mean_over(flow_error.abs() + 3 * flow_error.square(), defined),
        "flow_temporal": _flow_temporal(flow_error, defined),
        "weight": F.binary_cross_entropy_with_logits(output["weight_logit"].float(), visible),
        "picture": pixel_loss(output["pictures"] - batch["pictures"]),
        "depth": _depth_loss(output["log_inverse_depth"], batch),
    }
    flow = (1 - progress) * flow_weight[0] + progress * flow_weight[1]
    total = losses["pixels"] + 1.5 * losses["temporal"] + hidden_weight * losses["hidden"] + 0.5 * losses["moved"]
    total = total + 0.03 * losses["log_mse"] + flow * losses["flow"] + 3 * flow * losses["flow_temporal"]
    total = total + 0.1 * losses["weight"]
    total = total + losses["picture"] + losses["depth"] + output["auxiliary_loss"]
    return {"loss": total, **losses}


def pixel_loss(error: Tensor) -> Tensor:
    """L1, L2, spatial gradients and 4x4 means of an error `[..., C, H, W]`."""
    gradients = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    pooled = F.avg_pool2d(error.flatten(0, -4), 4).abs().mean()
    return error.abs().mean() + 0.5 * error.square().mean() + 0.4 * gradients + 0.5 * pooled


def log_mse(error: Tensor) -> Tensor:
    """Mean over clips of log(1 + 10^4 MSE) of an error `[B, ...]`: PSNR up to a factor, where clips count alike."""
    return torch.log1p(1e4 * error.square().flatten(1).mean(1)).mean()


def temporal_change(error: Tensor) -> Tensor:
    """`[B, N, ...]` -> the change from frame to frame, frame 0 (without error) included."""
    return torch.diff(error, dim=1, prepend=torch.zeros_like(error[:, :1]))


def mean_over(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of `values [B, N, C, H, W]` over its channels and, weighted, over the rest; `weight` has one channel."""
    return (values.mean(2, keepdim=True) * weight).sum() / weight.sum().clamp(min=1.0)


def _flow_temporal(flow_error: Tensor, weight: Tensor) -> Tensor:
    change = temporal_change(flow_error)
    return mean_over(change.abs() + 30 * change.square(), weight)


def _depth_loss(log_inverse_depth: Tensor, batch: dict[str, Tensor]) -> Tensor:
    known = batch["picture_depth_is_known"][:, None, None, None]
    error = (log_inverse_depth - batch["picture_depth"]).abs() * known
    return error.mean() / known.mean().clamp(min=1e-3)
