"""Depth from one picture: what a scene at rest needs beside the path (`rigid_flow`), read from its pixels and not from its ids.

The picture autoencoder's depth head knows what 18 bits a token let through; `PictureDepth` sees the picture. Always true: its first
half is that of the picture's encoder, whose weights it can start from; what it says has no scale, only how much nearer than
the median a point is.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .motion_layers import ResidualBlock, SpatialAttention

FINEST_CHANNELS = 32


class PictureTrunk(nn.Module):
    """A picture -> features: two places a token and side, then one."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        fine, coarse = config.hidden_sizes
        self.patch = config.spatial_downsample // 2
        blocks = range(config.blocks_per_level)
        self.patchify = nn.Conv2d(3 * self.patch**2, fine, 3, padding=1)
        self.fine_encoder = nn.ModuleList(ResidualBlock(fine) for _ in blocks)
        self.down = nn.Conv2d(fine, coarse, 4, stride=2, padding=1)
        self.coarse_encoder = nn.Sequential(
            ResidualBlock(coarse),
            *(m for _ in blocks for m in (SpatialAttention(coarse, config.latent_size), ResidualBlock(coarse))),
        )

    def features(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, 3, S, S]` in [-1, 1] -> fine `[B, C, 2h, 2w]`, coarse `[B, C', h, w]`."""
        x = self.patchify(F.pixel_unshuffle(picture, self.patch).to(self.patchify.weight.dtype))
        for block in self.fine_encoder:
            x = block(x)
        return x, self.coarse_encoder(self.down(x))


class PictureDepth(PictureTrunk):
    """The features of all levels, and back to four places a token and side."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__(config)
        fine, coarse = config.hidden_sizes
        blocks = range(config.blocks_per_level)
        self.up = nn.Conv2d(coarse, 4 * fine, 1)
        self.fine_blocks = nn.Sequential(*(ResidualBlock(fine) for _ in blocks))
        self.up_again = nn.Conv2d(fine, 4 * FINEST_CHANNELS, 1)
        self.patchify_finest = nn.Conv2d(3 * (self.patch // 2) ** 2, FINEST_CHANNELS, 3, padding=1)
        self.finest_blocks = nn.Sequential(*(ResidualBlock(FINEST_CHANNELS) for _ in blocks))
        self.norm = nn.GroupNorm(8, FINEST_CHANNELS)
        self.to_depth = nn.Conv2d(FINEST_CHANNELS, 1, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """`[B, 3, S, S]` in [-1, 1] -> log inverse depth relative to its median `[B, 1, 4h, 4w]` float32."""
        fine, coarse = self.features(picture)
        fine = self.fine_blocks(fine + F.pixel_shuffle(self.up(coarse), 2))
        pixels = F.pixel_unshuffle(picture, self.patch // 2).to(fine.dtype)
        finest = self.finest_blocks(self.patchify_finest(pixels) + F.pixel_shuffle(self.up_again(fine), 2))
        return self.to_depth(F.silu(self.norm(finest))).float()
