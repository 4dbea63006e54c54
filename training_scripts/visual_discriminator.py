"""The discriminator of the plain visual tokenizer: patches of clips, true or reconstructed? It is no part of a checkpoint.

3-D convolutions, strided in space and time (VQGAN's patch discriminator with a time axis; MAGVIT-v2's is residual and judges
whole clips, so this is our choice). Trained by a hinge or the non-saturating loss with LeCAM's regularisation (arXiv
2104.03310): real and reconstructed logits may not run away from the moving average of each other's means. The averages are
buffers, so they are in the states for resuming, and a clip that is not finite leaves them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .adversary import Adversary

LOSSES = ("hinge", "non_saturating")
_LECAM_DECAY = 0.99


@dataclass
class DiscriminatorArguments:
    """The discriminator and how it trains; its weight in the tokenizer's loss is `losses.adversarial`."""

    channels: int = 64
    """Of its first layer; each of the next has twice as many, up to eight times."""
    levels: int = 4
    """Layers that halve height and width; the last two halve time too."""
    loss: str = "hinge"
    """"hinge" or "non_saturating"."""
    start: float = 0.25
    """Share of the steps after which it starts to train and to count."""
    learning_rate: float = 1e-4
    """Its AdamW's; follows the run's schedule."""
    lecam: float = 0.05
    """Weight of LeCAM's regularisation; 0 for none."""
    adaptive: bool = True
    """Scale its gradient to the length of the other losses' gradient at the reconstruction (VQGAN), before its weight."""

    def __post_init__(self):
        if self.loss not in LOSSES:
            raise ValueError(f"expected loss {', '.join(map(repr, LOSSES))}, got {self.loss!r}")
        if self.channels < 8 or self.channels % 8 or self.levels < 2:
            raise ValueError(
                f"expected channels in multiples of 8, levels of at least 2, got {self.channels}, {self.levels}"
            )
        if not 0 <= self.start <= 1:
            raise ValueError(f"expected start from 0 to 1, got {self.start}")


class VideoDiscriminator(nn.Module):
    """video `[B, 3, T, H, W]` -> logits `[B, 1, t, h, w]`, of which each sees a patch; positive for true. T may be 1."""

    real_mean: Tensor  # [] moving averages of the logits
    fake_mean: Tensor
    updates: Tensor

    def __init__(self, channels: int, levels: int):
        super().__init__()
        sizes = [channels * min(8, 2**level) for level in range(levels)]
        layers: list[nn.Module] = []
        for level, size in enumerate(sizes):
            stride = (2 if level >= levels - 2 else 1, 2, 2)
            layers.append(nn.Conv3d(sizes[level - 1] if level else 3, size, 3, stride, padding=1))
            layers.extend([nn.GroupNorm(8, size)] if level else [])
            layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers, nn.Conv3d(sizes[-1], 1, 3, padding=1))
        for name in ("real_mean", "fake_mean", "updates"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, video: Tensor) -> Tensor:
        return self.layers(video).float()

    @torch.no_grad()
    def remember(self, real: Tensor, fake: Tensor):
        """Takes the means of logits into the moving averages, without a bias towards the zeros they start from."""
        for mean, logits in ((self.real_mean, real), (self.fake_mean, fake)):
            rate = torch.clamp(1 / (self.updates + 1), min=1 - _LECAM_DECAY)
            new = mean + rate * (logits.mean() - mean)
            mean.copy_(torch.where(new.isfinite(), new, mean))
        self.updates += 1


def adversarial_loss(fake: Tensor, loss: str) -> Tensor:
    """What the tokenizer minimises: the logits of its reconstruction are to be high."""
    return -fake.mean() if loss == "hinge" else F.softplus(-fake).mean()


def discriminator_loss(real: Tensor, fake: Tensor, loss: str) -> Tensor:
    """What the discriminator minimises."""
    if loss == "hinge":
        return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


def lecam_loss(real: Tensor, fake: Tensor, real_mean: Tensor, fake_mean: Tensor) -> Tensor:
    return F.relu(real - fake_mean).square().mean() + F.relu(real_mean - fake).square().mean()


def _losses(
    module, batch: dict, outputs: dict[str, Tensor], progress: float, arguments: DiscriminatorArguments
) -> dict[str, Tensor]:
    """The adversary's losses of a step; {} before its start."""
    if progress < arguments.start:
        return {}
    video = batch["video"]
    real, fake = module(torch.cat([video, outputs["reconstruction"].to(video.dtype)])).chunk(2)
    discriminator = getattr(module, "module", module)  # without the wrapper of data-parallel training
    discriminator.remember(real, fake)
    losses = {"discrimination": discriminator_loss(real, fake, arguments.loss)}
    losses |= {"real": real.mean(), "fake": fake.mean()}
    total = losses["discrimination"]
    if arguments.lecam:
        losses["lecam"] = lecam_loss(real, fake, discriminator.real_mean, discriminator.fake_mean)
        total = total + arguments.lecam * losses["lecam"]
    return {"loss": total, **losses}


def build_adversary(arguments: DiscriminatorArguments) -> Adversary:
    """A new discriminator for the trainer."""
    module = VideoDiscriminator(arguments.channels, arguments.levels)
    optimizer = torch.optim.AdamW(module.parameters(), arguments.learning_rate, betas=(0.5, 0.9), weight_decay=0.0)
    return Adversary(module, optimizer, partial(_losses, arguments=arguments))
