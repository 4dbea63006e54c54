"""Draws Gaussian splats in plain torch, slow and obvious: what `splat_rasteriser.py` is held against in the tests.

What always holds: float64, one sample at each pixel's centre, all as in Kerbl et al. 2023: the covariance on the screen by
the projection's derivative (EWA, Zwicker et al. 2001) plus a low-pass of 0.3 px^2, with
opacities lowered as in Yu et al. 2024 ("Mip-Splatting", section 4.2), colour from spherical harmonics, and
blending from the nearest centre to the farthest. The limits are those of `splat_rasteriser.py`, which are gsplat's; only
the early stop at finished pixels is missing here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .gaussian_splats import GaussianSplats
from .splat_rasteriser import FIELD_MARGIN, HIGHEST_ALPHA, LOW_PASS, LOWEST_ALPHA, NEAR

TILE = 16  # pixels a side


def rasterise(
    splats: GaussianSplats, world_to_camera: np.ndarray, lenses: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same arguments and results as `splat_rasteriser.rasterise`."""
    drawn = [
        _rasterise_frame(splats, torch.as_tensor(pose, dtype=torch.float64), lens.tolist(), size)
        for pose, lens in zip(world_to_camera, lenses, strict=True)
    ]
    rgb, depth, opacity = (torch.stack(planes).float().numpy() for planes in zip(*drawn, strict=True))
    return rgb, depth, opacity


class _OnScreen(NamedTuple):
    """The Gaussians in front of a camera, the nearest first."""

    centres: Tensor  # [N, 2] x, y in px
    inverses: Tensor  # [N, 2, 2] of the covariances, in px
    reach: Tensor  # [N, 2] px in x and y, to where alpha is `LOWEST_ALPHA`; NaN where that is nowhere
    opacities: Tensor  # [N]
    colours: Tensor  # [N, 3]
    depth: Tensor  # [N] z


def _rasterise_frame(splats: GaussianSplats, world_to_camera: Tensor, lens: list[float], size: tuple[int, int]):
    on_screen = _project(splats, world_to_camera, lens, size)
    rgb, depth, opacity = torch.zeros(*size, 3).double(), torch.zeros(*size).double(), torch.zeros(*size).double()
    for top in range(0, size[0], TILE):
        for left in range(0, size[1], TILE):
            rows, columns = torch.arange(size[0])[top : top + TILE], torch.arange(size[1])[left : left + TILE]
            tile = tuple(index.flatten() for index in torch.meshgrid(rows, columns, indexing="ij"))
            rgb[tile], depth[tile], opacity[tile] = _blend(on_screen, torch.stack(tile[::-1], dim=1).double() + 0.5)
    return rgb, depth, opacity


def _blend(on_screen: _OnScreen, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Colour [P, 3], expected z [P] and opacity [P] at the pixels' centres [P, 2] = x, y of a tile."""
    low, high = on_screen.centres - on_screen.reach, on_screen.centres + on_screen.reach
    here = ((high >= pixels.amin(dim=0)) & (low <= pixels.amax(dim=0))).all(dim=1)  # n of the Gaussians
    offsets = pixels[:, None] - on_screen.centres[here]  # [P, n, 2]
    distances = torch.einsum("pni,nij,pnj->pn", offsets, on_screen.inverses[here], offsets)
    alpha = (on_screen.opacities[here] * torch.exp(-0.5 * distances)).clamp(max=HIGHEST_ALPHA)
    alpha = torch.where(alpha < LOWEST_ALPHA, 0.0, alpha)
    through = torch.cumprod(torch.cat([torch.ones(len(pixels), 1), 1 - alpha], dim=1), dim=1)
    weights = alpha * through[:, :-1]
    opacity = weights.sum(dim=1)
    return weights @ on_screen.colours[here], weights @ on_screen.depth[here] / opacity.clamp(min=1e-6), opacity


def _project(splats: GaussianSplats, world_to_camera: Tensor, lens: list[float], size: tuple[int, int]) -> _OnScreen:
    rotation = world_to_camera[:3, :3]
    depth = _double(splats.positions) @ rotation[2] + world_to_camera[2, 3]
    shown = torch.argsort(depth, stable=True)
    shown = shown[depth[shown] >= NEAR]
    positions, opacities = _double(splats.positions)[shown], _double(splats.opacities)[shown]
    centres, to_screen = _linearised(positions @ rotation.T + world_to_camera[:3, 3], lens, size)
    sharp = to_screen @ rotation @ _double(splats.covariances)[shown] @ rotation.T @ to_screen.mT
    covariances = sharp + LOW_PASS * torch.eye(2)
    opacities = opacities * torch.sqrt(torch.linalg.det(sharp).clamp(min=0) / torch.linalg.det(covariances))
    squared_reach = 2 * torch.log(opacities / LOWEST_ALPHA)[:, None] * covariances.diagonal(dim1=1, dim2=2)
    colours = _colours(positions, _double(splats.harmonics)[shown], world_to_camera)
    inverses = torch.linalg.inv(covariances)
    return _OnScreen(centres, inverses, torch.sqrt(squared_reach), opacities, colours, depth[shown])


def _linearised(points: Tensor, lens: list[float], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Points [N, 3] in camera axes -> where they are on the screen [N, 2], and the derivative of that [N, 2, 3]."""
    (fx, fy, cx, cy), (height, width) = lens, size
    x, y, z = points.unbind(dim=1)
    margin_x, margin_y = FIELD_MARGIN * width / 2, FIELD_MARGIN * height / 2
    at_x = (x / z).clamp((-cx - margin_x) / fx, (width - cx + margin_x) / fx)
    at_y = (y / z).clamp((-cy - margin_y) / fy, (height - cy + margin_y) / fy)
    zero = torch.zeros_like(z)
    derivative = torch.stack([fx / z, zero, -fx * at_x / z, zero, fy / z, -fy * at_y / z], dim=1)
    return torch.stack([fx * x / z + cx, fy * y / z + cy], dim=1), derivative.reshape(-1, 2, 3)


def _colours(positions: Tensor, harmonics: Tensor, world_to_camera: Tensor) -> Tensor:
    """[N, 3] red, green and blue, at least 0, as seen from the camera."""
    camera = -world_to_camera[:3, :3].T @ world_to_camera[:3, 3]
    functions = harmonic_functions(torch.nn.functional.normalize(positions - camera, dim=1))
    return (0.5 + torch.einsum("nk,nkc->nc", functions[:, : harmonics.shape[1]], harmonics)).clamp(min=0)


def harmonic_functions(directions: Tensor) -> Tensor:
    """Unit vectors [N, 3] -> the real spherical harmonics up to degree 3, in the order and signs of 3DGS, [N, 16]."""
    x, y, z = directions.unbind(dim=1)
    xx, yy, zz = x * x, y * y, z * z
    functions = [
        0.28209479177387814 * torch.ones_like(x),
        -0.4886025119029199 * y,
        0.4886025119029199 * z,
        -0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (2 * zz - xx - yy),
        -1.0925484305920792 * x * z,
        0.5462742152960396 * (xx - yy),
        -0.5900435899266435 * y * (3 * xx - yy),
        2.890611442640554 * x * y * z,
        -0.4570457994644658 * y * (4 * zz - xx - yy),
        0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
        -0.4570457994644658 * x * (4 * zz - xx - yy),
        1.445305721320277 * z * (xx - yy),
        -0.5900435899266435 * x * (xx - 3 * yy),
    ]
    return torch.stack(functions, dim=1)


def _double(array: np.ndarray) -> Tensor:
    return torch.tensor(array, dtype=torch.float64)
