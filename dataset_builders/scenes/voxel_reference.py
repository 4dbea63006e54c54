"""The same as `voxel_kernels.march`, in plain torch: slow, obvious, and differentiated by torch itself.

What always holds: `march_reference` samples the same places and leaves out the same samples as the kernels do, so that both
agree to rounding in what they return and in all gradients (`tests/dataset_builders/scenes/test_voxel_grid.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .voxel_kernels import EMPTY_DENSITY, FARTHEST, LEAST_ALPHA, LEAST_LIGHT, LEAST_WEIGHT, STEP


class ReferenceMarch(NamedTuple):
    """As `voxel_grid.Marched`."""

    features: Tensor  # [R, C]
    opacity: Tensor  # [R]
    depth: Tensor  # [R]
    distortion: Tensor  # [R]
    depth_error: Tensor  # [R]


def contract(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points [..., 3] in inner half sides -> in [-2, 2]^3, and m [..., 1], their largest component."""
    m = points.abs().amax(dim=-1, keepdim=True)
    inverse = 1 / m.clamp_min(1)
    return points * (2 - inverse) * inverse, m


def march_reference(table: Tensor, density: Tensor, features: Tensor, origins: Tensor, directions: Tensor, near: Tensor,
                    offsets: Tensor, targets: Tensor) -> ReferenceMarch:  # fmt: skip
    """`table` [N/4, N/4, N/4], density [V] and features [V, C] as in `VoxelGrid`; R rays in inner half sides."""
    side = 4 * len(table)
    t, s = _samples(side, origins, directions, near, offsets)  # [R, K]
    points, m = contract(origins[:, None] + t[..., None] * directions[:, None])
    speed = _velocity(origins[:, None] + t[..., None] * directions[:, None], directions[:, None].expand(*t.shape, 3))
    step = STEP / (speed.abs().amax(dim=-1) * (side - 1) / 4)
    raw, values, is_stored = _trilinear(table, density, features, points * (side - 1) / 4 + (side - 1) / 2)
    thickness = raw.exp() * speed.norm(dim=-1) * step
    alpha = 1 - (-thickness).exp()
    alpha = alpha * (is_stored & (alpha >= LEAST_ALPHA) & (m[..., 0] <= FARTHEST))
    light = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha], dim=1), dim=1)[:, :-1]
    alpha = alpha * (light > LEAST_LIGHT)
    weights = light * alpha  # [R, K]
    composited = (weights * (weights > LEAST_WEIGHT))[..., None] * values
    apart = (s[:, :, None] - s[:, None, :]).abs()
    distortion = (weights[:, :, None] * weights[:, None] * apart).sum(dim=(1, 2)) + (weights**2).sum(
        dim=1
    ) * STEP / side / 3
    off = (t / targets[:, None].clamp_min(1e-9) - 1).abs().clamp_max(1)
    opacity = weights.sum(dim=1)
    depth_error = torch.where(targets > 0, (weights * off).sum(dim=1) + 1 - opacity, 0)
    return ReferenceMarch(composited.sum(dim=1), opacity, _middle(t, step, light, weights), distortion, depth_error)


def _velocity(points: Tensor, directions: Tensor) -> Tensor:
    """How fast the contracted point moves with t: the contraction's derivative, by torch."""
    return torch.func.jvp(lambda p: contract(p)[0], (points,), (directions,))[1]


def _samples(side: int, origins: Tensor, directions: Tensor, near: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """t and s of all samples [R, K]; each interval is one voxel long, along the axis in which the ray is fastest there."""
    times, t = [], near
    with torch.no_grad():
        for sample in range(8 * side):
            points = origins + t[:, None] * directions
            is_beyond = points.abs().amax(dim=-1) > FARTHEST
            if bool(is_beyond.all()):
                break
            step = STEP / (_velocity(points, directions).abs().amax(dim=-1) * (side - 1) / 4)
            t = torch.where(is_beyond, t, t + (offsets if sample == 0 else 1) * step)
            times.append(t)
    s = (offsets[:, None] + torch.arange(len(times), dtype=t.dtype)) * STEP / side
    return torch.stack(times, dim=1), s


def _trilinear(table: Tensor, density: Tensor, features: Tensor, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Raw density [...], features [..., C], and whether the block of the lowest corner is stored, at grid [..., 3]."""
    lowest = grid.floor().long().clamp(0, 4 * len(table) - 2)
    raw, values = torch.zeros_like(grid[..., 0]), torch.zeros(*grid.shape[:-1], features.shape[1], dtype=features.dtype)
    for corner in torch.cartesian_prod(*[torch.arange(2)] * 3):
        vertex = lowest + corner
        share = torch.where(corner.bool(), grid - lowest, 1 - (grid - lowest)).prod(dim=-1)
        block = table[tuple((vertex // 4).unbind(dim=-1))].long()
        place = block.clamp_min(0) * 64 + ((vertex % 4) * torch.tensor([16, 4, 1])).sum(dim=-1)
        raw = raw + share * torch.where(block >= 0, density[place], EMPTY_DENSITY)
        values = values + torch.where(block >= 0, share, 0)[..., None] * features[place]
    return raw, values, table[tuple((lowest // 4).unbind(dim=-1))] >= 0


def _middle(t: Tensor, step: Tensor, light: Tensor, weights: Tensor) -> Tensor:
    """t [R] at which the transmittance passes 1/2, on a straight line through the sample's interval."""
    passes = (light > 0.5) & (light - weights <= 0.5)
    where = t + step * ((light - 0.5) / weights.clamp_min(1e-9) - 0.5)
    return torch.where(passes.any(dim=1), (where * passes).sum(dim=1), torch.inf)
