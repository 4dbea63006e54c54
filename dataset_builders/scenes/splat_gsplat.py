"""Draws Gaussian splats with gsplat on a CUDA device (`pip install camvig[splats]`).

What always holds: the same arguments, results and limits as `splat_rasteriser.rasterise`, which were chosen to be gsplat's.
Not tested against gsplat itself: the project's tests run without a CUDA device. Written to the interface of gsplat 1.5.
"""

from __future__ import annotations

import numpy as np
import torch

from ...camera_paths.intrinsics import to_pixel_matrices
from .gaussian_splats import GaussianSplats
from .splat_rasteriser import LOW_PASS, NEAR


def rasterise(
    splats: GaussianSplats, world_to_camera: np.ndarray, lenses: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same arguments and results as `splat_rasteriser.rasterise`."""
    try:
        from gsplat import rasterization  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        raise ValueError('expected gsplat to draw splats on a CUDA device: pip install "camvig[splats]"') from None

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32, device="cuda")

    with torch.no_grad():
        drawn, opacity, _ = rasterization(
            means=on_device(splats.positions),
            quats=on_device(splats.rotations),
            scales=on_device(splats.scales),
            opacities=on_device(splats.opacities),
            colors=on_device(splats.harmonics),
            viewmats=on_device(world_to_camera),
            Ks=on_device(to_pixel_matrices(lenses, 1, 1)),
            width=size[1],
            height=size[0],
            near_plane=NEAR,
            eps2d=LOW_PASS,
            sh_degree=splats.degree,
            render_mode="RGB+ED",
            rasterize_mode="antialiased",
        )
    drawn = drawn.cpu().numpy()  # [T, H, W, 4]
    return drawn[..., :3], drawn[..., 3], opacity.cpu().numpy()[..., 0]
