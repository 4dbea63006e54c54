"""The plain visual autoencoder: ids alone give the frames (CamViG section 3; MAGVIT-v2, arXiv 2310.05737).

A causal 3-D convolutional encoder, an 18-bit quantizer without a table, and a mirrored decoder. What always holds:
latent frame k is computed from frames 0..4k and decoded into frames 4k-3..4k (frame 0 for k = 0) from latents 0..k, so
the ids of a picture are the first latent frame's ids of every video that starts with it, and a decoded video never
changes when later ids do. Ours: no adaptive normalisation in the decoder.

With `num_frames` 1 the same networks have flat kernels and no steps in time: a tokenizer of pictures, cheaper to train, whose
weights `inflation.inflated` turns into those of a video tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from .causal_layers import CausalConv3d, CausalDownsample, CausalResidualBlock, CausalUpsample, FrameGroupNorm
from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .quantizers import build_quantizer


def _check_levels(config: CamViGVisualTokenizerConfig):
    """Refuses geometries that no stack of halvings gives."""
    sizes, space, time = list(config.hidden_sizes), config.spatial_downsample, config.temporal_downsample
    if space < 1 or space & (space - 1) or len(sizes) != space.bit_length():
        raise ValueError(
            f"expected spatial_downsample = 2 ** (entries of hidden_sizes - 1), got {space} with hidden_sizes {sizes}"
        )
    if not 1 <= time <= space or time & (time - 1):
        raise ValueError(f"expected temporal_downsample a power of 2 in 1..{space} (spatial_downsample), got {time}")
    if any(size < 1 or size % 8 for size in sizes):
        raise ValueError(f"expected hidden_sizes in positive multiples of 8, got {sizes}")
    if config.blocks_per_level < 1:
        raise ValueError(f"expected at least 1 of blocks_per_level, got {config.blocks_per_level}")


def check_frames(frames: int, temporal_downsample: int, max_frames: int | None = None):
    """Refuses a clip whose length is not 1 + a multiple of `temporal_downsample`, naming the nearest lengths that are."""
    if max_frames is not None and frames > max_frames:
        raise ValueError(f"expected pictures (1 frame; this is a tokenizer of pictures), got {frames} frames")
    more = (frames - 1) % temporal_downsample
    if frames < 1 or more:
        shorter, longer = frames - more, frames - more + temporal_downsample
        nearest = f"{shorter} or {longer}" if frames > 0 else "1"
        raise ValueError(
            f"expected 1 + a multiple of {temporal_downsample} frames, got {frames}; the nearest is {nearest}: "
            f"cut or resample the clip"
        )


def halves_time(config: CamViGVisualTokenizerConfig) -> list[bool]:
    """For each step between levels, from fine to coarse: does it halve time too? The coarsest do, as in MAGVIT-v2."""
    steps, halvings = len(config.hidden_sizes) - 1, config.temporal_downsample.bit_length() - 1
    halvings = 0 if config.num_frames == 1 else halvings
    return [step >= steps - halvings for step in range(steps)]


class CausalEncoder(nn.Sequential):
    """video `[B, 3, T, H, W]` -> latent `[B, D, t, h, w]`."""

    def __init__(
        self, sizes: Sequence[int], halves_time: Sequence[bool], blocks_per_level: int, digits: int, kernel_frames: int
    ):
        layers: list[nn.Module] = [CausalConv3d(3, sizes[0], kernel_frames=kernel_frames)]
        for level, size in enumerate(sizes):
            if level:
                layers.append(CausalDownsample(sizes[level - 1], size, halves_time[level - 1], kernel_frames))
            layers.extend(CausalResidualBlock(size, kernel_frames) for _ in range(blocks_per_level))
        super().__init__(*layers, FrameGroupNorm(sizes[-1]), nn.SiLU(), CausalConv3d(sizes[-1], digits, kernel_size=1))


class CausalDecoder(nn.Sequential):
    """codes `[B, D, t, h, w]` -> video `[B, 3, T, H, W]`: the encoder's levels, coarse to fine."""

    def __init__(
        self, sizes: Sequence[int], halves_time: Sequence[bool], blocks_per_level: int, digits: int, kernel_frames: int
    ):
        layers: list[nn.Module] = [CausalConv3d(digits, sizes[-1], kernel_frames=kernel_frames)]
        for level in reversed(range(len(sizes))):
            layers.extend(CausalResidualBlock(sizes[level], kernel_frames) for _ in range(blocks_per_level))
            if level:
                layers.append(CausalUpsample(sizes[level], sizes[level - 1], halves_time[level - 1], kernel_frames))
        to_pixels = CausalConv3d(sizes[0], 3, kernel_frames=kernel_frames)
        super().__init__(*layers, FrameGroupNorm(sizes[0]), nn.SiLU(), to_pixels)


class PlainAutoencoder(nn.Module):
    """Frames <-> ids: 1 + 4 (t - 1) frames are t latent frames of h x w codes of D digits (18 for LFQ, 6 for FSQ)."""

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        _check_levels(config)
        self.temporal_downsample, self.spatial_downsample = config.temporal_downsample, config.spatial_downsample
        self.max_frames = 1 if config.num_frames == 1 else None
        self.quantizer = build_quantizer(config.quantizer, config.code_levels)
        self.encoder, self.decoder = self.build_networks(config)

    def build_networks(self, config: CamViGVisualTokenizerConfig) -> tuple[nn.Module, nn.Module]:
        """Encoder and decoder; an architecture of open weights has its own."""
        kernel_frames = 1 if config.num_frames == 1 else 3
        shape = (
            config.hidden_sizes,
            halves_time(config),
            config.blocks_per_level,
            len(config.code_levels),
            kernel_frames,
        )
        return CausalEncoder(*shape), CausalDecoder(*shape)

    @property
    def last_projection(self) -> CausalConv3d:
        """The encoder's last layer, features -> latent. Of our own architecture alone."""
        return cast(CausalConv3d, cast(nn.Sequential, self.encoder)[-1])

    @property
    def first_projection(self) -> CausalConv3d:
        """The decoder's first layer, codes -> features. Of our own architecture alone."""
        return cast(CausalConv3d, cast(nn.Sequential, self.decoder)[0])

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def encode_latent(self, video: Tensor) -> Tensor:
        """video `[B, 3, T, H, W]` in [-1, 1] -> latent `[B, t, h, w, D]`, not yet quantized."""
        time, space = self.temporal_downsample, self.spatial_downsample
        if video.ndim != 5 or video.shape[1] != 3 or video.shape[3] % space or video.shape[4] % space:
            raise ValueError(f"expected video [B, 3, T, H, W] with H, W multiples of {space}, got {list(video.shape)}")
        check_frames(video.shape[2], time, self.max_frames)
        return self.encoder(video.to(self.dtype)).movedim(1, -1)

    def decode_codes(self, codes: Tensor) -> Tensor:
        """codes `[B, t, h, w, D]` in [-1, 1] -> video `[B, 3, T, H, W]`, not clamped."""
        if codes.ndim != 5 or codes.shape[-1] != len(self.quantizer.levels):
            raise ValueError(f"expected codes [B, t, h, w, {len(self.quantizer.levels)}], got {list(codes.shape)}")
        return self.decoder(codes.movedim(-1, 1).to(self.dtype))

    def encode_ids(self, video: Tensor) -> Tensor:
        """video `[B, 3, T, H, W]` -> ids `[B, t, h, w]` int64.

        Each first frame is encoded by itself. The network is causal either way, but convolution libraries round
        differently for other shapes, which can turn a latent that lies on a border between two codes; in this way a
        picture's ids are the same to the bit in a video, in a batch and alone.
        """
        pictures = [self.encode_latent(picture.contiguous()) for picture in video[:, :, :1].split(1)]
        latent = torch.cat(pictures)  # [B, 1, h, w, D]
        if video.shape[2] > 1:
            latent = torch.cat([latent, self.encode_latent(video)[:, 1:]], dim=1)
        codes, _ = self.quantizer(latent)
        return self.quantizer.codes_to_ids(codes.detach())

    def decode_ids(self, ids: Tensor) -> Tensor:
        """ids `[B, t, h, w]` int64 -> video `[B, 3, T, H, W]`, clamped to [-1, 1]."""
        return self.decode_codes(self.quantizer.ids_to_codes(ids)).clamp(-1, 1)

    def forward(self, video: Tensor) -> dict[str, Tensor]:
        """For training: video -> `reconstruction`, not clamped; `ids`; and what the quantizer's losses are (scalars).

        The quantizer's gradient is straight-through. These ids come from one pass over the clip: `encode_ids` is the
        one to cache ids with.
        """
        latent = self.encode_latent(video)
        codes, _ = self.quantizer(latent)
        ids = self.quantizer.codes_to_ids(codes.detach())
        return {"reconstruction": self.decode_codes(codes), "ids": ids, **self.quantizer.losses(latent)}
