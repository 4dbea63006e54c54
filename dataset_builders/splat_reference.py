"""Draws Gaussian splats in plain torch, slow and obvious: what `splat_rasteriser.py` is held against in the tests.

What always holds: float64, one sample at each pixel's centre, all as in Kerbl et al. 2023: the covariance on the screen by
the projection's derivative (EWA, Zwicker et al. 2001) plus a low-pass of 0.3 px^2, colour from spherical harmonics, and
blending from the nearest centre to the farthest. The limits are those of `splat_rasteriser.py`, which are gsplat's; only
the early stop at finished pixels is missing here.
"""

from __future__ import annotations

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


def _rasterise_frame(splats: GaussianSplats, world_to_camera: Tensor, lens: list[float], size: tuple[int, int]):
    positions, opacities = _double(splats.positions), _double(splats.opacities)
    depth = positions @ world_to_camera[2, :3] + world_to_camera[2, 3]
    shown = torch.argsort(depth, stable=True)  # the nearest first
    shown = shown[(depth[shown] >= NEAR) & (opacities[shown] >= LOWEST_ALPHA)]
    positions, opacities, depth = positions[shown], opacities[shown], depth[shown]
    covariances, harmonics = _double(splats.covariances)[shown], _double(splats.harmonics)[shown]
    centres, covariances = _project(positions, covariances, world_to_camera, lens, size)
    reach = torch.sqrt(2 * torch.log(opacities / LOWEST_ALPHA)[:, None] * covariances.diagonal(dim1=1, dim2=2))  # px
    inverses = torch.linalg.inv(covariances)
    colours = _colours(positions, harmonics, world_to_camera)
    rgb, depth_sum, total = torch.zeros(*size, 3).double(), torch.zeros(*size).double(), torch.zeros(*size).double()
    for top in range(0, size[0], TILE):
        for left in range(0, size[1], TILE):
            rows, columns = torch.meshgrid(
                torch.arange(top, min(top + TILE, size[0])),
                torch.arange(left, min(left + TILE, size[1])),
                indexing="ij",
            )
            pixels = torch.stack([columns, rows], dim=-1).reshape(-1, 2).double() + 0.5  # [P, 2] x, y of their centres
            here = (centres + reach >= pixels.amin(dim=0)) & (centres - reach <= pixels.amax(dim=0))
            here = here.all(dim=1)  # n Gaussians
            offsets = pixels[:, None] - centres[here]  # [P, n, 2]
            distances = torch.einsum("pni,nij,pnj->pn", offsets, inverses[here], offsets)
            alpha = (opacities[here] * torch.exp(-0.5 * distances)).clamp(max=HIGHEST_ALPHA)
            alpha = torch.where(alpha < LOWEST_ALPHA, 0.0, alpha)
            through = torch.cumprod(1 - alpha, dim=1)
            weights = alpha * torch.cat([torch.ones(len(pixels), 1), through], dim=1)[:, :-1]
            tile = rows.flatten(), columns.flatten()
            rgb[tile] = weights @ colours[here]
            depth_sum[tile] = weights @ depth[here]
            total[tile] = weights.sum(dim=1)
    return rgb, depth_sum / total.clamp(min=1e-6), total


def _project(positions: Tensor, covariances: Tensor, world_to_camera: Tensor, lens: list[float], size: tuple[int, int]):
    """Centres [N, 2] and covariances [N, 2, 2] on the screen, in px, of Gaussians in front of the camera."""
    (fx, fy, cx, cy), (height, width) = lens, size
    rotation = world_to_camera[:3, :3]
    x, y, z = (positions @ rotation.T + world_to_camera[:3, 3]).unbind(dim=1)
    margin_x, margin_y = FIELD_MARGIN * width / 2, FIELD_MARGIN * height / 2
    at_x = (x / z).clamp((-cx - margin_x) / fx, (width - cx + margin_x) / fx)
    at_y = (y / z).clamp((-cy - margin_y) / fy, (height - cy + margin_y) / fy)
    zero = torch.zeros_like(z)
    jacobian = torch.stack([fx / z, zero, -fx * at_x / z, zero, fy / z, -fy * at_y / z], dim=1).reshape(-1, 2, 3)
    to_screen = jacobian @ rotation
    covariances = to_screen @ covariances @ to_screen.mT + LOW_PASS * torch.eye(2)
    return torch.stack([fx * x / z + cx, fy * y / z + cy], dim=1), covariances


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
