"""Codes of later latent frames and the reference picture -> how its pixels move, and what it does not show.

Always true: latent frame k hears codes of latent frames <= k alone, but for a scene at rest, whose depth all frames tell together.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .hidden_canvas import HiddenCanvas, beyond_the_edges, read_canvas
from .motion_layers import ResidualBlock, mirrored_flow, resize_frames, warp
from .rigid_flow import RigidScene, fit_inverse_depth, rigid_flow


class MotionParts(NamedTuple):
    """What codes say of N = (t - 1) * temporal_downsample frames, all float32."""

    flow: Tensor  # [B, N, 2, S, S]
    weight_logit: Tensor  # [B, N, 1, S, S], of the moved reference against the content
    content: Tensor  # [B, N, 3, S, S], what the reference does not show
    painted: Tensor | None = None  # [B, t-1, 3, 2S, 2S], what `HiddenCanvas` painted, of which the content is read
    inverse_depth: Tensor | None = None  # [B, N, 1, S/2, S/2] where cameras were given


class MotionDecoder(nn.Module):
    """Codes and the reference picture -> flow, blend weight and new content, coarse to fine."""

    content_channels = 8
    reference_channels = 48

    def __init__(self, config: CamViGVisualTokenizerConfig):
        super().__init__()
        fine, coarse = config.hidden_sizes
        self.steps = steps = config.temporal_downsample
        self.patch = config.spatial_downsample // 2
        digits, blocks = len(config.code_levels), range(config.blocks_per_level)
        self.from_code = nn.Conv2d(digits, coarse, 3, padding=1)
        self.place = nn.Parameter(torch.zeros(coarse, config.latent_size, config.latent_size))
        self.coarse_blocks = nn.ModuleList(ResidualBlock(coarse, causal=True) for _ in blocks)
        self.coarse_norm = nn.GroupNorm(8, coarse)
        self.coarse_flow = nn.Conv2d(coarse, 4 * 2 * steps, 3, padding=1)
        self.linear_flow = nn.Conv2d(digits, 2 * steps, 3, padding=1)
        self.reference_patchify = nn.Conv2d(3 * self.patch**2, self.reference_channels, 3, padding=1)
        self.reference_conv = nn.Conv2d(self.reference_channels, self.reference_channels, 3, padding=1)
        self.merge_reference = nn.Conv2d(self.reference_channels, fine, 1)
        self.up = nn.Conv2d(coarse, 4 * fine, 1)
        self.fine_blocks = nn.ModuleList(ResidualBlock(fine, causal=True) for _ in blocks)
        self.fine_norm = nn.GroupNorm(8, fine)
        self.fine_flow = nn.Conv2d(fine, 4 * 2 * steps, 3, padding=1)
        self.content = nn.Conv2d(fine, 4 * self.content_channels * steps, 1)
        pixels = (self.patch // 2) ** 2
        self.canvas = HiddenCanvas(self.content_channels - 1) if config.has_canvas else None
        seen = 6 * pixels + 1 if config.has_canvas else 3 * pixels
        self.blend1 = nn.Conv2d(self.content_channels + seen, 32, 3, padding=1)
        self.blend2 = nn.Conv2d(32, pixels if config.has_canvas else 4 * pixels, 3, padding=1)
        nn.init.zeros_(self.fine_flow.weight)

    def forward(
        self,
        codes: Tensor,
        reference: Tensor,
        scene: RigidScene | None = None,
        mirrored_codes: Tensor | None = None,
    ) -> MotionParts:
        """What codes say; with a scene, the flow is that of a scene at rest.

        Args:
            codes: `[B, t-1, h, w, D]`.
            reference: `[B, 3, S, S]`.
            mirrored_codes: as `codes`, of the video mirrored left to right: a second opinion, of the same weight.
        """
        flow, content = self._heard(codes, reference)
        if mirrored_codes is None:
            small, flow, inverse_depth = _of_all_sizes([flow], scene, reference.shape[-1])
            return MotionParts(flow, *self._shown(content, small, flow, reference), inverse_depth)
        reflected = reference.flip(-1)
        other_flow, other_content = self._heard(mirrored_codes, reflected)
        small, flow, inverse_depth = _of_all_sizes([flow, mirrored_flow(other_flow)], scene, reference.shape[-1])
        shown = self._shown(content, small, flow, reference)
        others = self._shown(other_content, mirrored_flow(small), mirrored_flow(flow), reflected)
        logit, hidden, painted = map(_mean_of_both, shown, others)
        assert logit is not None and hidden is not None
        return MotionParts(flow, logit, hidden, painted, inverse_depth)

    def _heard(self, codes: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Codes -> flow `[B, N, 2, g, g]` and features of new content `[B, N, C, g, g]`."""
        batch, latents = codes.shape[:2]
        codes = codes.flatten(0, 1).permute(0, 3, 1, 2).to(self.from_code.weight.dtype)
        coarse = self._coarse(codes, latents)
        flow = self._coarse_flow(codes, coarse)  # [B * l, 2 steps, 2h, 2w]
        fine = F.pixel_shuffle(self.up(coarse), 2) + self._moved_features(reference, flow, latents)
        for block in self.fine_blocks:
            fine = block(fine, latents)
        fine = F.silu(self.fine_norm(fine))
        small = _double(flow) + F.pixel_shuffle(self.fine_flow(fine).float(), 2)
        small = small.reshape(batch, latents * self.steps, 2, *small.shape[-2:])
        return small, F.pixel_shuffle(self.content(fine), 2).reshape(*small.shape[:2], -1, *small.shape[-2:])

    def _shown(
        self, content: Tensor, small: Tensor, flow: Tensor, reference: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """`weight_logit`, `content` and `painted` of `MotionParts`; flow of the content's size and of the reference's."""
        if self.canvas is None:
            return *self._blend(content, reference, flow), None
        weights, latents = F.softplus(content[:, :, -1:].float()), content.shape[1] // self.steps
        painted = self.canvas(content[:, :, :-1].float(), weights, small, reference, latents)
        hidden = read_canvas(reference, painted, flow)
        return self._weight_logit(content, reference, flow, hidden), hidden, painted

    def _coarse(self, codes: Tensor, latents: int) -> Tensor:
        x = self.from_code(codes) + self.place
        for block in self.coarse_blocks:
            x = block(x, latents)
        return x

    def _coarse_flow(self, codes: Tensor, coarse: Tensor) -> Tensor:
        refined = self.coarse_flow(F.silu(self.coarse_norm(coarse))).float()
        return F.pixel_shuffle(refined, 2) + _double(self.linear_flow(codes).float())

    def _moved_features(self, reference: Tensor, flow: Tensor, latents: int) -> Tensor:
        dtype = self.reference_patchify.weight.dtype
        patches = F.silu(self.reference_patchify(F.pixel_unshuffle(reference, self.patch).to(dtype)))
        mean_flow = flow.unflatten(1, (self.steps, 2)).mean(1).unflatten(0, (-1, latents))
        return self.merge_reference(warp(self.reference_conv(patches), mean_flow).flatten(0, 1).to(dtype))

    def _blend(self, content: Tensor, reference: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        batch, count = flow.shape[:2]
        moved = F.pixel_unshuffle(warp(reference, flow).detach().flatten(0, 1), self.patch // 2)
        x = F.silu(self.blend1(torch.cat([content.flatten(0, 1), moved.to(content.dtype)], dim=1)))
        pixels = F.pixel_shuffle(self.blend2(x).float(), self.patch // 2).unflatten(0, (batch, count))
        return pixels[:, :, 3:] + 1.5, pixels[:, :, :3]

    def _weight_logit(self, content: Tensor, reference: Tensor, flow: Tensor, hidden: Tensor) -> Tensor:
        """Of the reference against the canvas; beyond the reference's edges there is nothing to read."""
        outside = beyond_the_edges(flow).detach() * flow.shape[-1]  # pixels
        pictures = torch.cat([warp(reference, flow), hidden], dim=2).detach().flatten(0, 1)
        outside_of_cells = F.avg_pool2d(outside.flatten(0, 1), self.patch // 2).clamp(max=4) / 4
        x = [content.flatten(0, 1), F.pixel_unshuffle(pictures, self.patch // 2), outside_of_cells]
        x = F.silu(self.blend1(torch.cat([part.to(content.dtype) for part in x], dim=1)))
        logit = F.pixel_shuffle(self.blend2(x).float(), self.patch // 2).unflatten(0, flow.shape[:2])
        return logit + 1.5 - 8 * outside.clamp(max=1)


def _of_all_sizes(flows: list[Tensor], scene: RigidScene | None, size: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Opinions on flow, `[B, N, 2, g, g]` each -> flow at that size and the reference's; with a scene both rigid, and its depth."""
    if scene is None:
        small = torch.stack(flows).mean(0)
        return small, resize_frames(small, size, size), None
    inverse_depth = fit_inverse_depth(flows, scene)
    return (
        rigid_flow(inverse_depth, scene, *inverse_depth.shape[-2:]),
        rigid_flow(inverse_depth, scene, size, size),
        inverse_depth,
    )


def _mean_of_both(one: Tensor | None, mirrored: Tensor | None) -> Tensor | None:
    return None if one is None or mirrored is None else (one + mirrored.flip(-1)) / 2


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
