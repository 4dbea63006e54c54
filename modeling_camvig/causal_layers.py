"""Layers over video features `[B, C, T, H, W]` that are strictly causal in time.

What always holds here: frame t of an output depends on frames 0..t of the input alone. Convolutions pad time in front
only, by repeating frame 0 (our choice: a video then begins as if its first picture had always stood still), and
normalisation takes its statistics from one frame. After MAGVIT-v2 (arXiv 2310.05737, section 3.2): causal 3-D
convolutions, strided ones down, depth-to-space up.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer


class CausalConv3d(nn.Conv3d):
    """A convolution that sees the present and the past: zeros around each picture, frame 0 repeated before time 0.

    With `kernel_frames` 1 it sees the present alone: a network of such layers is one for pictures.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: tuple[int, int, int] = (1, 1, 1),
        kernel_frames: int | None = None,
    ):
        side, kernel = kernel_size // 2, (kernel_frames or kernel_size, kernel_size, kernel_size)
        super().__init__(in_channels, out_channels, kernel, stride, padding=(0, side, side))

    def forward(self, video: Tensor) -> Tensor:
        """video `[B, C, T, H, W]` -> `[B, C', ceil(T / s), H / s', W / s']` for stride (s, s', s')."""
        past = video[:, :, :1].expand(-1, -1, self.kernel_size[0] - 1, -1, -1)
        return super().forward(torch.cat([past, video], dim=2))


class FrameGroupNorm(nn.GroupNorm):
    """Group normalisation of each frame by itself: statistics over the channels of a group and the pixels of one frame.

    Groups hold at least 4 channels, so that a thin network's norm does not erase each channel's mean over the picture.
    """

    def __init__(self, channels: int):
        super().__init__(math.gcd(32, max(1, channels // 4)), channels, eps=1e-6)

    def forward(self, video: Tensor) -> Tensor:
        frames = video.transpose(1, 2)  # [B, T, C, H, W]
        normed = super().forward(frames.flatten(0, 1))
        return normed.unflatten(0, frames.shape[:2]).transpose(1, 2)


class CausalResidualBlock(GradientCheckpointingLayer):
    """x + conv(silu(norm(conv(silu(norm(x)))))); with activation checkpointing only x is kept for the backward pass."""

    def __init__(self, channels: int, kernel_frames: int = 3):
        super().__init__()
        self.norm_in = FrameGroupNorm(channels)
        self.conv_in = CausalConv3d(channels, channels, kernel_frames=kernel_frames)
        self.norm_out = FrameGroupNorm(channels)
        self.conv_out = CausalConv3d(channels, channels, kernel_frames=kernel_frames)

    def forward(self, video: Tensor) -> Tensor:
        hidden = self.conv_in(F.silu(self.norm_in(video)))
        return video + self.conv_out(F.silu(self.norm_out(hidden)))


class CausalDownsample(CausalConv3d):
    """A strided convolution: half the height and width, and with `halve_time` 1 + 2n frames become 1 + n."""

    def __init__(self, in_channels: int, out_channels: int, halve_time: bool, kernel_frames: int = 3):
        stride = (2 if halve_time else 1, 2, 2)
        super().__init__(in_channels, out_channels, stride=stride, kernel_frames=kernel_frames)


class CausalUpsample(nn.Module):
    """Depth to space: twice the height and width, and with `double_time` 1 + n frames become 1 + 2n.

    Each frame is written out as two, and the first of all is dropped: frame 0 stays alone, and frame n >= 1 becomes
    frames 2n - 1 and 2n, the mirror of `CausalDownsample`.
    """

    def __init__(self, in_channels: int, out_channels: int, double_time: bool, kernel_frames: int = 3):
        super().__init__()
        self.time_factor = 2 if double_time else 1
        self.conv = CausalConv3d(in_channels, out_channels * self.time_factor * 4, kernel_frames=kernel_frames)

    def forward(self, video: Tensor) -> Tensor:
        depth = self.conv(video).unflatten(1, (-1, self.time_factor, 2, 2))  # [B, C, time, 2, 2, T, H, W]
        space = depth.permute(0, 1, 5, 2, 6, 3, 7, 4)  # [B, C, T, time, H, 2, W, 2]
        return space.flatten(6, 7).flatten(4, 5).flatten(2, 3)[:, :, self.time_factor - 1 :]
