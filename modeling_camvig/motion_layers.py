"""What both halves of the motion autoencoder are built of: moving a picture by a flow, residual blocks, attention within a frame.

Always true: normalisation never crosses frames, so blocks are causal in time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pixel_centres(height: int, width: int, device: torch.device) -> Tensor:
    """`[2, H, W]`: x and y of each pixel, in widths and heights of the picture."""
    x = (torch.arange(width, device=device) + 0.5) / width
    y = (torch.arange(height, device=device) + 0.5) / height
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))


def resize_frames(x: Tensor, height: int, width: int) -> Tensor:
    """`[B, N, C, h, w]` -> `[B, N, C, H, W]`, bilinear; the same where nothing changes."""
    if x.shape[-2:] == (height, width):
        return x
    resized = F.interpolate(x.flatten(0, 1), (height, width), mode="bilinear", align_corners=False)
    return resized.unflatten(0, x.shape[:2])


def mirrored_flow(flow: Tensor) -> Tensor:
    """Flow `[B, N, 2, H, W]` of the frames mirrored left to right."""
    return torch.stack([-flow[:, :, 0], flow[:, :, 1]], dim=2).flip(-1)


def warp(picture: Tensor, flow: Tensor, padding_mode: str = "border", mode: str = "bilinear") -> Tensor:
    """Moves a picture: pixel p of frame n is read at p + flow[n, p], beyond its edges as `padding_mode` says.

    Args:
        picture: `[B, C, H, W]`.
        flow: `[B, N, 2, H, W]`, in units of width (x) and height (y).
        padding_mode: "border" (its last pixel) or "reflection" (its mirror image), as of `F.grid_sample`.
        mode: "bilinear", or "bicubic": sharper, and may leave the range of the picture's values.

    Returns:
        `[B, N, C, H, W]` float32.
    """
    batch, count, _, height, width = flow.shape
    centres = pixel_centres(height, width, flow.device) * 2 - 1
    grid = centres.permute(1, 2, 0) + 2 * flow.float().permute(0, 1, 3, 4, 2)
    pictures = picture.float()[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
    moved = F.grid_sample(pictures, grid.flatten(0, 1), mode, padding_mode, align_corners=False)
    return moved.unflatten(0, (batch, count))


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3x3 convolution, twice; with `causal`, the second half also hears the latent frame before."""

    def __init__(self, channels: int, causal: bool = False):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.previous = nn.Conv2d(channels, channels, 1, bias=False) if causal else None
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:  # [B * t, C, h, w]
        hidden = self.conv1(F.silu(self.norm1(x)))
        if self.previous is not None:
            earlier = self.previous(hidden).unflatten(0, (-1, frames))
            hidden = hidden + F.pad(earlier[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0)).flatten(0, 1)
        return x + self.conv2(F.silu(self.norm2(hidden)))


class SpatialAttention(nn.Module):
    """Self-attention over the places of one frame, heads of 32 channels."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        self.num_heads = channels // 32
        self.norm = nn.GroupNorm(8, channels)
        self.place = nn.Parameter(torch.zeros(channels, size, size))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w]
        qkv = self.qkv(self.norm(x) + self.place).flatten(2).unflatten(1, (3, self.num_heads, 32))
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        attended = F.scaled_dot_product_attention(query, key, value)
        return x + self.project(attended.transpose(-1, -2).reshape(x.shape))
