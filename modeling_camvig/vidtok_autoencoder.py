"""The causal FSQ video autoencoder of VidTok (microsoft/VidTok, arXiv 2412.13061), in our own code, for its open weights.

What always holds: with the same weights, latents, ids and frames are the original's. An id is 6 digits of 8 levels, that
of latent channel 0 the least significant, as in `FiniteScalarQuantizer`. It is strictly causal: normalisation is over the
channels of one place, attention within one latent frame, and convolutions see the past alone, which is 3 copies of frame 0
and zeros before them. So a picture's ids are those of the first latent frame of every video that starts with it.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .plain_autoencoder import PlainAutoencoder, halves_time
from .quantizers import FiniteScalarQuantizer


class TanhQuantizer(FiniteScalarQuantizer):
    """VidTok's rounding: digit = round(3.5035 tanh(z + shift) - 0.5) + 4 for 8 levels, and the code is (digit - 4) / 4.

    Codes here are `CodeBook`'s, evenly spaced on [-1, 1]; the decoder's own are `decoder_codes`. Even levels only.
    """

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """latent `[..., D]` -> (code `[..., D]`, auxiliary loss, scalar)."""
        latent = latent.float()
        half = (self.steps - 1) * 1.001 / 2
        bounded = torch.tanh(latent + torch.atanh(0.5 / half)) * half - 0.5  # -steps / 2 .. steps / 2 - 1 once rounded
        digits = bounded + (bounded.round() - bounded).detach() + self.steps // 2
        return digits / (self.steps - 1) * 2 - 1, self.latent_penalty * latent.square().mean()

    def decoder_codes(self, codes: Tensor) -> Tensor:
        """codes `[..., D]` in [-1, 1] -> what the original's decoder sees, (digit - levels / 2) / (levels / 2)."""
        middle = self.steps // 2
        return ((codes + 1) / 2 * (self.steps - 1) - middle) / middle


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each place of `[B, C, ...]`, computed in float32."""

    def __init__(self, channels: int):
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        places = input.movedim(1, -1).float()
        normed = F.layer_norm(places, self.normalized_shape, self.weight.float(), self.bias.float(), self.eps)
        return normed.movedim(-1, 1).to(input.dtype)


class FrameConv(nn.Conv2d):
    """A convolution of each frame by itself, of weights `[C', C, k, k]`: zeros around the picture."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3):
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, input: Tensor) -> Tensor:
        """`[B, C, T, H, W]` -> `[B, C', T, H', W']`."""
        frames = super().forward(input.transpose(1, 2).flatten(0, 1))
        return frames.unflatten(0, (len(input), -1)).transpose(1, 2)


class HalvingFrameConv(FrameConv):
    """Half the height and width: stride 2, with zeros after the last row and column alone."""

    def __init__(self, channels: int):
        super().__init__(channels, channels)
        self.stride, self.padding = (2, 2), (0, 0)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.pad(input, (0, 1, 0, 1)))


class PlaceConv(nn.Conv1d):
    """A causal convolution over time at each place by itself, of weights `[C', C, 3]`: zeros before time 0."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3)

    def forward(self, input: Tensor) -> Tensor:
        """`[B, C, T, H, W]` -> `[B, C, T, H, W]`."""
        return F.conv3d(F.pad(input, (0, 0, 0, 0, 2, 0)), self.weight[..., None, None], self.bias)


class CausalConv(nn.Conv3d):
    """A convolution over the present and the past: zeros around each picture and before time 0."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, time_stride: int = 1):
        side = kernel_size // 2
        super().__init__(in_channels, out_channels, kernel_size, (time_stride, 1, 1), padding=(0, side, side))

    def forward(self, input: Tensor) -> Tensor:
        """`[B, C, T, H, W]` -> `[B, C', T / s, H, W]` for a time stride s, the last frame of each s seen in full."""
        return super().forward(F.pad(input, (0, 0, 0, 0, self.kernel_size[0] - self.stride[0], 0)))


class ResidualBlock(nn.Module):
    """shortcut(x) + conv(silu(norm(conv(silu(norm(x)))))), with convolutions of one of the three shapes above."""

    def __init__(self, conv1: nn.Module, conv2: nn.Module, in_channels: int, channels: int):
        super().__init__()
        self.norm1, self.conv1 = ChannelNorm(in_channels), conv1
        self.norm2, self.conv2 = ChannelNorm(channels), conv2
        self.shortcut = nn.Identity() if in_channels == channels else FrameConv(in_channels, channels, 1)

    def forward(self, video: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(video)))
        return self.shortcut(video) + self.conv2(F.silu(self.norm2(hidden)))


class FrameAttention(nn.Module):
    """x + attention among all places of a latent frame, one head."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.query, self.key, self.value, self.project = (CausalConv(channels, channels, 1) for _ in range(4))

    def forward(self, video: Tensor) -> Tensor:
        normed = self.norm(video)
        tokens = (each(normed).flatten(3).permute(0, 2, 3, 1) for each in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(*tokens)  # [B, T, H W, C]
        return video + self.project(mixed.permute(0, 3, 1, 2).unflatten(3, video.shape[3:]))


class HalveTime(nn.Module):
    """2n frames -> n: a learned mixture of the mean of three frames and a strided convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = CausalConv(channels, channels, time_stride=2)
        self.mix = nn.Parameter(torch.tensor([2.0]))

    def forward(self, video: Tensor) -> Tensor:
        mean = F.avg_pool3d(F.pad(video, (0, 0, 0, 0, 1, 0)), (3, 1, 1), stride=(2, 1, 1))
        share = torch.sigmoid(self.mix)
        return share * mean + (1 - share) * self.conv(video)


class DoubleTime(nn.Module):
    """n frames -> 2n: each twice, then a learned mixture with their convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = CausalConv(channels, channels)
        self.mix = nn.Parameter(torch.tensor([2.0]))

    def forward(self, video: Tensor) -> Tensor:
        twice = video.repeat_interleave(2, dim=2)
        share = torch.sigmoid(self.mix)
        return share * twice + (1 - share) * self.conv(twice)


class DoubleSpace(nn.Module):
    """Each pixel as 2 x 2, then a convolution of each frame."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = FrameConv(channels, channels)

    def forward(self, video: Tensor) -> Tensor:
        return self.conv(video.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4))


class Level(nn.Module):
    """Blocks over space and blocks over time in turn, then steps to the next level: over space, and over time."""

    def __init__(self, in_channels: int, channels: int, blocks: int, space: nn.Module | None, time: nn.Module | None):
        super().__init__()
        widths = [in_channels] + [channels] * blocks
        self.space_blocks = nn.ModuleList(
            ResidualBlock(FrameConv(width, channels), FrameConv(channels, channels), width, channels)
            for width in widths[:-1]
        )
        self.time_blocks = nn.ModuleList(
            ResidualBlock(PlaceConv(channels), PlaceConv(channels), channels, channels) for _ in range(blocks)
        )
        self.space, self.time = space or nn.Identity(), time or nn.Identity()

    def forward(self, video: Tensor) -> Tensor:
        for over_space, over_time in zip(self.space_blocks, self.time_blocks, strict=True):
            video = over_time(over_space(video))
        return self.time(self.space(video))


def _middle(channels: int) -> nn.Sequential:
    first, last = (
        ResidualBlock(CausalConv(channels, channels), CausalConv(channels, channels), channels, channels)
        for _ in range(2)
    )
    return nn.Sequential(first, FrameAttention(channels), last)


class VidTokEncoder(nn.Module):
    """video `[B, 3, T, H, W]` -> latent `[B, D, t, h, w]`."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        sizes = config.hidden_sizes
        self.copies = config.temporal_downsample - 1
        self.conv_in = CausalConv(3, sizes[0])
        self.levels = nn.Sequential(
            *(
                Level(
                    sizes[max(level - 1, 0)],
                    size,
                    config.blocks_per_level,
                    HalvingFrameConv(size) if level < len(sizes) - 1 else None,
                    HalveTime(size) if halve else None,
                )
                for level, (size, halve) in enumerate(zip(sizes, [*halves_time(config), False], strict=True))
            )
        )
        self.middle = _middle(sizes[-1])
        self.norm_out = ChannelNorm(sizes[-1])
        self.conv_out = CausalConv(sizes[-1], len(config.code_levels))

    def forward(self, video: Tensor) -> Tensor:
        video = torch.cat([video[:, :, :1].expand(-1, -1, self.copies, -1, -1), video], dim=2)
        hidden = self.middle(self.levels(self.conv_in(video)))
        return self.conv_out(F.silu(self.norm_out(hidden)))


class VidTokDecoder(nn.Module):
    """codes `[B, D, t, h, w]` -> video `[B, 3, T, H, W]`; `levels` are numbered from fine to coarse and run backwards."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        sizes = config.hidden_sizes
        self.copies = config.temporal_downsample - 1
        self.conv_in = CausalConv(len(config.code_levels), sizes[-1])
        self.middle = _middle(sizes[-1])
        self.levels = nn.ModuleList(
            Level(
                sizes[min(level + 1, len(sizes) - 1)],
                size,
                config.blocks_per_level + 1,
                DoubleSpace(size) if level else None,
                DoubleTime(size) if double else None,
            )
            for level, (size, double) in enumerate(zip(sizes, _doubles_time(config), strict=True))
        )
        self.norm_out = ChannelNorm(sizes[0])
        self.conv_out = CausalConv(sizes[0], 3)

    def forward(self, codes: Tensor) -> Tensor:
        video = self.middle(self.conv_in(codes))
        for level in reversed(self.levels):
            video = level(video)
        return self.conv_out(F.silu(self.norm_out(video)))[:, :, self.copies :]


def _doubles_time(config: CamViGVisualTokenizerConfig) -> list[bool]:
    """For each level: is time doubled there? At levels 1.., as many as there are halvings; not the encoder's mirror."""
    doublings = int(math.log2(config.temporal_downsample))
    return [1 <= level <= doublings for level in range(len(config.hidden_sizes))]


class VidTokAutoencoder(PlainAutoencoder):
    """Frames <-> ids, as `PlainAutoencoder`."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__(config)
        self.quantizer = TanhQuantizer(config.code_levels)

    def build_networks(self, config: CamViGVisualTokenizerConfig) -> tuple[nn.Module, nn.Module]:
        return VidTokEncoder(config), VidTokDecoder(config)

    def decode_codes(self, codes: Tensor) -> Tensor:
        """codes `[B, t, h, w, D]` in [-1, 1] -> video `[B, 3, T, H, W]`, not clamped."""
        return super().decode_codes(cast(TanhQuantizer, self.quantizer).decoder_codes(codes))
