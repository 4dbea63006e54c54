"""What the transformer's loss is made of: nats a token in each latent frame, and in each factor of the visual id.

Latent frame 0 is the given picture and has no loss; frames are numbered from 1. Factor 0 is the least significant part of
an id (`CamViGConfig.visual_factors`). The mean over frames is the loss, and so is the sum over factors.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor


def loss_parts(per_factor_loss: Tensor, latent_frames: int) -> dict[str, Tensor]:
    """Nats `[B, (t-1)*h*w, F]` -> scalars `loss_frame_1` .. `loss_frame_<t-1>` and `loss_factor_0` .. ."""
    nats = per_factor_loss.detach().float().unflatten(1, (latent_frames - 1, -1))  # [B, t-1, h*w, F]
    frames = nats.sum(-1).mean((0, 2)).unbind()
    factors = nats.mean((0, 1, 2)).unbind()
    return {
        **{f"loss_frame_{number}": value for number, value in enumerate(frames, start=1)},
        **{f"loss_factor_{number}": value for number, value in enumerate(factors)},
    }


def token_losses(model: Any, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
    """The losses of a training step: `loss`, nats a video token, and its parts; `padding_share` where ids are padded."""
    output = model(**batch, return_logits=False)
    latent_frames = 1 + batch["video_ids"].shape[1] // batch["image_ids"].shape[1]
    padding = {} if output.padding_share is None else {"padding_share": output.padding_share}
    return {"loss": output.loss, **loss_parts(output.per_factor_loss, latent_frames), **padding}
