"""Inflation: the weights of a picture tokenizer (`num_frames` 1) become those of a video tokenizer of the same sizes.

Each flat kernel goes into the last time slice of the deep one, with zeros before it, as MAGVIT-v2 does with causal
kernels (arXiv 2310.05737), so at first every frame is seen alone; a layer that doubles time writes each picture out twice.
What holds afterwards: frame 0 of every video is coded and decoded exactly as the picture tokenizer does it, so are all
frames of a still picture, and of a moving one latent frame k is frame 4k's picture.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .visual_tokenizer import CamViGVisualTokenizer


def check_inflatable(image: CamViGVisualTokenizerConfig, video: CamViGVisualTokenizerConfig):
    """Raises ValueError unless a picture tokenizer's weights fit a video tokenizer but for time."""
    if (image.kind, image.architecture, image.num_frames) != ("plain", "camvig", 1) or video.num_frames == 1:
        raise ValueError(
            f"expected a plain camvig tokenizer of 1 frame to inflate to more frames, got kind {image.kind!r}, "
            f"architecture {image.architecture!r} and {image.num_frames} frames, to {video.num_frames}"
        )
    for name in ("kind", "architecture", "quantizer", "spatial_downsample", "hidden_sizes", "blocks_per_level"):
        ours, theirs = getattr(video, name), getattr(image, name)
        ours, theirs = (list(value) if isinstance(value, tuple) else value for value in (ours, theirs))
        if ours != theirs:
            raise ValueError(f"expected a picture tokenizer with {name} {ours} to inflate, got {theirs}")


def inflated(image: CamViGVisualTokenizer, video: CamViGVisualTokenizer) -> dict[str, Tensor]:
    """The state dict of `video` (whose own weights only give the shapes), with the weights of `image` inflated."""
    configs = (cast(CamViGVisualTokenizerConfig, model.config) for model in (image, video))
    check_inflatable(*configs)
    shapes = {name: tensor.shape for name, tensor in video.state_dict().items()}
    return {name: _inflate(weight, shapes[name]) for name, weight in image.state_dict().items()}


def _inflate(weight: Tensor, shape: torch.Size) -> Tensor:
    """`[O, I, 1, k, k]` -> `[O', I, K, k, k]`, or a bias `[O]` -> `[O']`, where O' is O, or 2 O in a layer that doubles time."""
    if weight.ndim and shape[0] == 2 * weight.shape[0]:  # channels are (channel, time, row, column)
        weight = weight.unflatten(0, (-1, 1, 4)).repeat_interleave(2, dim=1).flatten(0, 2)
    if weight.shape == shape:
        return weight.clone()
    deep = weight.new_zeros(shape)
    deep[:, :, -1:] = weight
    return deep
