"""The canvas behind the picture: what frame 0 does not show, painted in frame 0's own plane, twice its width and height.

The reference and its canvas are two layers that one flow moves, so what comes into view moves as everything else does, with
texture that stays where it is: drawn anew for each frame it is fog, whose motion nothing can follow (benchmarks/EXPERIMENTS.md,
entry 18). Always true: the canvas of latent frame k is painted from features of latent frames <= k, and starts as the mirror image
of the reference beyond its edges.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .motion_layers import ResidualBlock, pixel_centres, warp

SPAN = 2.0
"""Width and height of the canvas in those of the frame, which is its middle."""

PAINTED_OVER = 0.2
"""Change of a pixel in [-1, 1] by which most of the detail under it is gone."""


class HiddenCanvas(nn.Module):
    """Features where frames need them -> what is painted over the mirrored reference, one canvas a latent frame."""

    hidden_channels = 32

    def __init__(self, channels: int):
        super().__init__()
        self.paint = nn.Conv2d(channels + 1 + 3 * 4, self.hidden_channels, 3, padding=1)
        self.coarse_blocks = nn.Sequential(*(ResidualBlock(self.hidden_channels) for _ in range(2)))
        self.fine_block = ResidualBlock(self.hidden_channels)
        self.norm = nn.GroupNorm(8, self.hidden_channels)
        self.to_pixels = nn.Conv2d(self.hidden_channels, 3 * 4, 3, padding=1)
        nn.init.zeros_(self.to_pixels.weight)

    def forward(self, features: Tensor, weights: Tensor, flow: Tensor, reference: Tensor, latents: int) -> Tensor:
        """The canvas of each latent frame.

        Args:
            features: `[B, N, C, g, g]`, N frames of `latents` latent frames.
            weights: `[B, N, 1, g, g]`, not negative: what each feature counts where several meet.
            flow: `[B, N, 2, g, g]`, to frame 0, in units of its width and height.
            reference: `[B, 3, 2g, 2g]`.

        Returns:
            `[B, latents, 3, 4g, 4g]` float32, to be added to the mirrored reference (`mirrored_beyond`).
        """
        sums = splat(torch.cat([features * weights, weights], dim=2), flow, latents).cumsum(1).flatten(0, 1)
        total = sums[:, -1:]
        mirror = F.pixel_unshuffle(mirrored_beyond(reference), 2).repeat_interleave(latents, 0)
        known = torch.cat([sums[:, :-1] / (total + 1e-3), total / (total + 1), mirror], dim=1)
        x = self.paint(known.to(self.paint.weight.dtype))
        coarse = self.coarse_blocks(F.avg_pool2d(x, 4))
        x = self.fine_block(x + F.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False))
        pixels = F.pixel_shuffle(self.to_pixels(F.silu(self.norm(x))).float(), 2)
        return pixels.unflatten(0, (-1, latents))


def mirrored_beyond(reference: Tensor) -> Tensor:
    """`[B, 3, S, S]`, S even -> `[B, 3, 2S, 2S]`: the picture in the middle, around it its mirror image, whose edge comes twice."""
    half = reference.shape[-1] // 2
    for axis in (-1, -2):
        before, after = (reference.narrow(axis, start, half).flip(axis) for start in (0, half))
        reference = torch.cat([before, reference, after], dim=axis)
    return reference.float()


def splat(values: Tensor, flow: Tensor, latents: int) -> Tensor:
    """Adds what is at pixel p of each frame to the canvas at p + flow, bilinear; what falls beside the canvas is lost.

    values `[B, N, C, g, g]`, flow `[B, N, 2, g, g]` -> sums over the frames of each latent frame, `[B, latents, C, 2g, 2g]`
    float32. No gradient reaches the flow.
    """
    batch, frames, channels, size, _ = values.shape
    side = int(SPAN * size)
    places = (pixel_centres(size, size, flow.device) + flow.detach().float() + (SPAN - 1) / 2) * size - 0.5
    corner = places.floor()
    share = places - corner
    rows = values.float().permute(0, 1, 3, 4, 2).reshape(-1, channels)
    canvas = rows.new_zeros(batch * latents * side * side, channels)
    number = torch.arange(batch * latents, device=flow.device).repeat_interleave(frames // latents).view(batch, frames)
    for down in (0, 1):
        for right in (0, 1):
            x, y = corner[:, :, 0].long() + right, corner[:, :, 1].long() + down
            part = (share[:, :, 0] if right else 1 - share[:, :, 0]) * (share[:, :, 1] if down else 1 - share[:, :, 1])
            part = part * ((x >= 0) & (x < side) & (y >= 0) & (y < side))
            place = (number[:, :, None, None] * side + y.clamp(0, side - 1)) * side + x.clamp(0, side - 1)
            canvas = canvas.index_add(0, place.flatten(), rows * part.reshape(-1, 1))
    return canvas.view(batch, latents, side, side, channels).permute(0, 1, 4, 2, 3)


def read_canvas(reference: Tensor, painted: Tensor, flow: Tensor, small: Tensor | None = None) -> Tensor:
    """What each frame sees of its latent frame's canvas, the mirrored reference and what is painted over it.

    Args:
        reference: `[B, 3, H, W]` of any size.
        painted: `[B, l, 3, h, w]`.
        flow: `[B, N, 2, H, W]`.
        small: the reference at the size that the painter saw. What of the reference is finer than that is mirrored only where
            little is painted: edges of what was painted over would show through.

    Returns:
        `[B, N, 3, H, W]`.
    """
    seen = read_painted(painted, flow)
    if small is None or small.shape[-2:] == reference.shape[-2:]:
        return warp(reference, flow, padding_mode="reflection") + seen
    coarse = F.interpolate(small, reference.shape[-2:], mode="bilinear", align_corners=False)
    detail = warp(reference - coarse, flow, padding_mode="reflection")
    is_untouched = torch.exp(-(seen.abs().amax(2, keepdim=True) / PAINTED_OVER).square())
    return warp(coarse, flow, padding_mode="reflection") + is_untouched * detail + seen


def read_painted(painted: Tensor, flow: Tensor) -> Tensor:
    """The painted part alone; its border repeats beyond the canvas."""
    batch, frames, _, height, width = flow.shape
    places = (pixel_centres(height, width, flow.device) + flow.float()).permute(0, 1, 3, 4, 2)
    grid = (places - 0.5) * 2 / SPAN
    canvases = painted.repeat_interleave(frames // painted.shape[1], dim=1).flatten(0, 1)
    seen = F.grid_sample(canvases, grid.flatten(0, 1), padding_mode="border", align_corners=False)
    return seen.unflatten(0, (batch, frames))


def beyond_the_edges(flow: Tensor) -> Tensor:
    """How far outside of frame 0 each pixel's place lies, in frames: flow `[B, N, 2, H, W]` -> `[B, N, 1, H, W]`, 0 inside."""
    height, width = flow.shape[-2:]
    places = pixel_centres(height, width, flow.device) - 0.5 + flow.float()
    return (places.abs() - 0.5).clamp(min=0).amax(2, keepdim=True)
