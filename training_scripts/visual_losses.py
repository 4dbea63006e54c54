"""Training losses of the visual tokenizer. CamViG freezes a MAGVIT-v2 tokenizer and does not describe its training: those of
the plain kind follow MAGVIT-v2 (arXiv 2310.05737) with weights of ours, those of the motion kind are ours.

Every loss is a mean over what it is about (visible pixels, hidden pixels, pixels whose place in frame 0 is defined), so
weights do not depend on clip or batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..metrics.perceptual_distance import PerceptualDistance, lpips_distance
from .adversary import Adversary
from .visual_discriminator import DiscriminatorArguments, adversarial_loss

PERCEPTUAL_NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "embedded": PerceptualDistance,
    "lpips-vgg": partial(lpips_distance, "vgg"),
    "lpips-alex": partial(lpips_distance, "alex"),
}


@dataclass
class PlainLossWeights:
    """What each loss of the plain kind counts (`PlainLosses`); a weight of 0 leaves it out."""

    pixels: float = 1.0
    """Mean absolute error of the pixels in [-1, 1]."""
    temporal: float = 1.0
    """The same of the change from frame to frame."""
    perceptual: float = 0.1
    """Perceptual distance of the frames."""
    perceptual_network: str = "embedded"
    """"embedded" (`metrics.perceptual_distance`), or LPIPS of "lpips-vgg" or "lpips-alex" where its weights are."""
    sample_entropy: float = 0.1
    """LFQ: how uncertain the signs are."""
    batch_entropy: float = 0.1
    """LFQ: how unevenly codes are used (the entropy is subtracted)."""
    commitment: float = 0.05
    """LFQ: distance of latents from their signs. FSQ: latents beyond where rounding can follow."""
    adversarial: float = 0.1
    """The discriminator, where there is one."""

    def __post_init__(self):
        if self.perceptual_network not in PERCEPTUAL_NETWORKS:
            known = ", ".join(map(repr, PERCEPTUAL_NETWORKS))
            raise ValueError(f"expected perceptual_network {known}, got {self.perceptual_network!r}")


class PlainLosses:
    """Losses of a tokenizer of kind "plain": called by the trainer as (model, batch, progress).

    Pixels, perceptual distance, entropies and commitment; the discriminator from `discriminator.start` on. Beside the
    losses stand numbers of how codes are used in the batch, and the reconstruction for the discriminator.
    """

    def __init__(
        self,
        weights: PlainLossWeights,
        adversary: Adversary | None = None,
        discriminator: DiscriminatorArguments | None = None,
    ):
        self.weights, self.adversary, self.discriminator = weights, adversary, discriminator
        self.distance = PERCEPTUAL_NETWORKS[weights.perceptual_network]() if weights.perceptual else None

    def __call__(self, model, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        video, weights = batch["video"], self.weights
        output = dict(model(video))
        ids, reconstruction = output.pop("ids"), output.pop("reconstruction").float()
        losses = {"pixels": (reconstruction - video).abs().mean(), **output}
        if weights.temporal and video.shape[2] > 1:
            losses["temporal"] = (reconstruction - video).diff(dim=2).abs().mean()
        if self.distance is not None:
            losses["perceptual"] = self._perceptual(reconstruction, video)
        signs = {"batch_entropy": -1.0}
        total = sum(getattr(weights, name) * signs.get(name, 1.0) * loss for name, loss in losses.items())
        assert isinstance(total, Tensor)
        if self.adversary and self.discriminator and progress >= self.discriminator.start and weights.adversarial:
            losses |= self._adversarial(reconstruction, total, self.adversary, self.discriminator)
            total = total + weights.adversarial * losses["adversarial_scale"] * losses["adversarial"]
        return {"loss": total, **losses, **code_usage(ids), "reconstruction": reconstruction}

    def _perceptual(self, reconstruction: Tensor, video: Tensor) -> Tensor:
        """Mean over all frames."""
        assert self.distance is not None
        self.distance.to(video.device)
        return self.distance(*(clips.transpose(1, 2).flatten(0, 1) for clips in (reconstruction, video))).mean()

    def _adversarial(
        self, reconstruction: Tensor, others: Tensor, adversary: Adversary, discriminator: DiscriminatorArguments
    ) -> dict[str, Tensor]:
        loss = adversarial_loss(adversary.module(reconstruction), discriminator.loss)
        scale = torch.ones_like(loss)
        if discriminator.adaptive:
            lengths = [torch.autograd.grad(of, reconstruction, retain_graph=True)[0].norm() for of in (others, loss)]
            scale = (lengths[0] / lengths[1].clamp(min=1e-8)).clamp(max=1e4).detach()
        return {"adversarial": loss, "adversarial_scale": scale}


def code_usage(ids: Tensor) -> dict[str, Tensor]:
    """Ids -> `distinct_codes`, the share of them that is no repetition."""
    return {"distinct_codes": torch.tensor(ids.unique().numel() / ids.numel(), device=ids.device)}


HIDDEN_FLOW = 0.25
"""What the flow counts of points that lie in front of frame 0's camera and that it does not show: the canvas moves by it."""


def motion_losses(
    model,
    batch: dict[str, Tensor],
    progress: float,
    flow_weight: Sequence[float] = (16.0, 6.0),
    hidden_weight: float = 0.3,
    moving_weight: float = 1.0,
) -> dict[str, Tensor]:
    """All losses of a tokenizer of kind "motion"; flow counts from `flow_weight[0]` to `[1]` as training goes on.

    `moving_weight`: what a pixel of a thing that moves by itself counts where the losses are about motion; one at rest counts 1.
    """
    video, visible = batch["video"], batch["visibility"]
    counts = 1 + (moving_weight - 1) * batch["moving"]
    output = model(video, flow=batch["flow"], visibility=visible, pictures=batch["pictures"])
    target = video[:, :, 1:].transpose(1, 2)
    error = output["reconstruction"] - target
    flow_error = 2 * (output["flow"] - batch["flow"])
    defined = counts * (visible + HIDDEN_FLOW * batch["in_front"])
    losses = {
        "pixels": pixel_loss(error),
        "log_mse": log_mse(error),
        "temporal": temporal_change(error).abs().mean(),
        "hidden": mean_over(error.abs() + 2 * error.square(), 1 - visible),
        "moved": mean_over((output["moved"] - target).abs(), counts * visible),
        "flow": mean_over(flow_error.abs() + 3 * flow_error.square(), defined),
        "flow_temporal": _flow_temporal(flow_error, defined),
        "weight": F.binary_cross_entropy_with_logits(output["weight_logit"].float(), visible),
        "picture": pixel_loss(output["pictures"] - batch["pictures"]),
        "depth": _depth_loss(output["log_inverse_depth"], batch),
    }
    flow = (1 - progress) * flow_weight[0] + progress * flow_weight[1]
    total = losses["pixels"] + 1.5 * losses["temporal"] + hidden_weight * losses["hidden"] + 0.5 * losses["moved"]
    total = total + 0.03 * losses["log_mse"] + flow * losses["flow"] + 3 * flow * losses["flow_temporal"]
    total = total + 0.2 * losses["weight"]
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
