"""The video autoencoder of Open-MAGVIT2 (TencentARC/SEED-Voken, arXiv 2409.04410), in our own code, for its open weights.

What always holds: with the same weights, latents, ids and frames are the original's. Its ids are in the bit order of
`LookupFreeQuantizer`: bit k of an id is the sign of latent channel k, channel 0 the least significant.

It is NOT strictly causal: group normalisation takes its statistics over all frames of a clip, and the decoder's adaptive
norm over all codes. So the ids of a picture, which is encoded as a video of one frame, are not those of the first latent
frame of a video that starts with it, and a decoded frame changes a little with later ids.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .plain_autoencoder import PlainAutoencoder, halves_time

GROUPS, EPSILON = 32, 1e-6


def _group_norm(channels: int, affine: bool = True) -> nn.GroupNorm:
    """Statistics over all frames of a clip, unlike our own `FrameGroupNorm`."""
    return nn.GroupNorm(GROUPS, channels, eps=EPSILON, affine=affine)


class ZeroPaddedCausalConv3d(nn.Conv3d):
    """A convolution that sees the present and the past: zeros around each picture and before time 0."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, bias: bool = True, stride=(1, 1, 1)):
        side = kernel_size // 2
        super().__init__(in_channels, out_channels, kernel_size, stride, padding=(0, side, side), bias=bias)

    def forward(self, video: Tensor) -> Tensor:
        """video `[B, C, T, H, W]` -> `[B, C', ceil(T / s), H / s', W / s']` for stride (s, s', s')."""
        return super().forward(F.pad(video, (0, 0, 0, 0, self.kernel_size[0] - 1, 0)))


class ResidualBlock(nn.Module):
    """shortcut(x) + conv(silu(norm(conv(silu(norm(x)))))), none of the convolutions with a bias."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.norm1 = _group_norm(in_channels)
        self.conv1 = ZeroPaddedCausalConv3d(in_channels, channels, bias=False)
        self.norm2 = _group_norm(channels)
        self.conv2 = ZeroPaddedCausalConv3d(channels, channels, bias=False)
        self.shortcut = (
            nn.Identity() if in_channels == channels else ZeroPaddedCausalConv3d(in_channels, channels, 1, bias=False)
        )

    def forward(self, video: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(video)))
        return self.shortcut(video) + self.conv2(F.silu(self.norm2(hidden)))


def _residual_blocks(in_channels: int, channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels if i else in_channels, channels) for i in range(count)))


class Upsample(nn.Module):
    """Depth to space: twice the height and width, and with `double_time` 1 + n frames become 1 + 2n.

    Each frame is written out as two, and the second of all (index 1) is dropped; our own `CausalUpsample` drops the first.
    A channel of the depth is (time, row, column, channel), the slowest first.
    """

    def __init__(self, channels: int, double_time: bool):
        super().__init__()
        self.time_factor = 2 if double_time else 1
        self.conv = ZeroPaddedCausalConv3d(channels, channels * self.time_factor * 4)

    def forward(self, video: Tensor) -> Tensor:
        depth = self.conv(video).unflatten(1, (self.time_factor, 2, 2, -1))  # [B, time, 2, 2, C, T, H, W]
        space = depth.permute(0, 4, 5, 1, 6, 2, 7, 3)  # [B, C, T, time, H, 2, W, 2]
        frames = space.flatten(6, 7).flatten(4, 5).flatten(2, 3)
        return frames if self.time_factor == 1 else torch.cat([frames[:, :, :1], frames[:, :, 2:]], dim=2)


class AdaptiveGroupNorm(nn.Module):
    """Group normalisation whose gain and bias come from the standard deviation and the mean of the codes of the clip."""

    def __init__(self, digits: int, channels: int):
        super().__init__()
        self.norm = _group_norm(channels, affine=False)
        self.gain = nn.Linear(digits, channels)
        self.bias = nn.Linear(digits, channels)

    def forward(self, video: Tensor, codes: Tensor) -> Tensor:
        """video `[B, C, T, H, W]`, codes `[B, D, t, h, w]`."""
        flat = codes.flatten(2)
        gain, bias = self.gain((flat.var(-1) + EPSILON).sqrt()), self.bias(flat.mean(-1))  # [B, C]
        return gain[..., None, None, None] * self.norm(video) + bias[..., None, None, None]


class EncoderLevel(nn.Module):
    """Residual blocks, then a strided convolution to the next level (the coarsest has none)."""

    def __init__(self, in_channels: int, channels: int, blocks: int, time_stride: int | None):
        super().__init__()
        self.blocks = _residual_blocks(in_channels, channels, blocks)
        self.downsample: nn.Module = nn.Identity()
        if time_stride is not None:
            self.downsample = ZeroPaddedCausalConv3d(channels, channels, stride=(time_stride, 2, 2))

    def forward(self, video: Tensor) -> Tensor:
        return self.downsample(self.blocks(video))


class DecoderLevel(nn.Module):
    """Adaptive norm, residual blocks, then depth to space to the next finer level (the finest has none)."""

    def __init__(self, in_channels: int, channels: int, blocks: int, digits: int, double_time: bool | None):
        super().__init__()
        self.adaptive_norm = AdaptiveGroupNorm(digits, in_channels)
        self.blocks = _residual_blocks(in_channels, channels, blocks)
        self.upsample = nn.Identity() if double_time is None else Upsample(channels, double_time)

    def forward(self, video: Tensor, codes: Tensor) -> Tensor:
        return self.upsample(self.blocks(self.adaptive_norm(video, codes)))


class OpenMagvit2Encoder(nn.Module):
    """video `[B, 3, T, H, W]` -> latent `[B, D, t, h, w]`."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        sizes, blocks = config.hidden_sizes, config.blocks_per_level
        strides = [2 if halve else 1 for halve in halves_time(config)] + [None]
        self.conv_in = ZeroPaddedCausalConv3d(3, sizes[0], bias=False)
        self.levels = nn.Sequential(
            *(EncoderLevel(sizes[max(level - 1, 0)], size, blocks, strides[level]) for level, size in enumerate(sizes))
        )
        self.middle = _residual_blocks(sizes[-1], sizes[-1], blocks)
        self.norm_out = _group_norm(sizes[-1])
        self.conv_out = ZeroPaddedCausalConv3d(sizes[-1], len(config.code_levels), kernel_size=1)

    def forward(self, video: Tensor) -> Tensor:
        hidden = self.middle(self.levels(self.conv_in(video)))
        return self.conv_out(F.silu(self.norm_out(hidden)))


class OpenMagvit2Decoder(nn.Module):
    """codes `[B, D, t, h, w]` -> video `[B, 3, T, H, W]`; `levels` are numbered from fine to coarse and run backwards."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        sizes, blocks, digits = config.hidden_sizes, config.blocks_per_level, len(config.code_levels)
        doubles = [None, *halves_time(config)]
        self.conv_in = ZeroPaddedCausalConv3d(digits, sizes[-1])
        self.middle = _residual_blocks(sizes[-1], sizes[-1], blocks)
        self.levels = nn.ModuleList(
            DecoderLevel(sizes[min(level + 1, len(sizes) - 1)], size, blocks, digits, doubles[level])
            for level, size in enumerate(sizes)
        )
        self.norm_out = _group_norm(sizes[0])
        self.conv_out = ZeroPaddedCausalConv3d(sizes[0], 3)

    def forward(self, codes: Tensor) -> Tensor:
        video = self.middle(self.conv_in(codes))
        for level in reversed(self.levels):
            video = level(video, codes)
        return self.conv_out(F.silu(self.norm_out(video)))


class OpenMagvit2Autoencoder(PlainAutoencoder):
    """Frames <-> ids, as `PlainAutoencoder`, but for what the head of this file says of time."""

    def build_networks(self, config: CamViGVisualTokenizerConfig) -> tuple[nn.Module, nn.Module]:
        if any(size % GROUPS for size in config.hidden_sizes):
            raise ValueError(f"expected hidden_sizes in multiples of {GROUPS}, got {list(config.hidden_sizes)}")
        return OpenMagvit2Encoder(config), OpenMagvit2Decoder(config)

    def encode_ids(self, video: Tensor) -> Tensor:
        """video `[B, 3, T, H, W]` -> ids `[B, t, h, w]` int64, in one pass over each clip, as the original.

        One clip at a time, so that rounding does not depend on the batch.
        """
        latent = torch.cat([self.encode_latent(clip.contiguous()) for clip in video.split(1)])
        codes, _ = self.quantizer(latent)
        return self.quantizer.codes_to_ids(codes.detach())
