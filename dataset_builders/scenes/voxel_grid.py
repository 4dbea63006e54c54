"""`VoxelGrid`: densities and features at the vertices of a sparse grid, and rays through it, with gradients.

What always holds: rays and t are in the scene's own coordinates; the grid's inner cube, [-1, 1]^3 of `voxel_kernels`, has its
`centre` and half side `radius` in them. Rays are shared out among `PARTS` threads, each with gradients of its own, so equal
input gives equal bits on any machine with the same instructions, however many cores it has.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from . import voxel_kernels
from .voxel_kernels import CHANNELS

PARTS = 2
FIRST_DENSITY = 0.1  # optical depth per half side of the inner cube, before anything is known
MOST_SAMPLES = 512  # of a ray
LOWEST_DENSITY, HIGHEST_DENSITY, MOST_FEATURE = -7.0, 9.0, 9.0  # that Adam lets values become
TINY = 1e-10  # Adam's epsilon
_threads = ThreadPoolExecutor(PARTS)


class Rays(NamedTuple):
    """R rays; directions have z = 1 in camera axes, so that t is z-depth."""

    origins: np.ndarray  # [R, 3] float32
    directions: np.ndarray  # [R, 3] float32
    near: np.ndarray  # [R] float32 t at which to begin

    def __getitem__(self, chosen) -> Rays:  # type: ignore[override]
        return Rays(*(np.ascontiguousarray(values[chosen]) for values in (self.origins, self.directions, self.near)))


class Marched(NamedTuple):
    """What R rays met."""

    features: np.ndarray  # [R, C] composited
    opacity: np.ndarray  # [R]
    depth: np.ndarray  # [R] t at which opacity passes 1/2; infinite where it does not
    distortion: np.ndarray  # [R] mip-NeRF 360's distortion of the weights; a voxel has the length 1 / side
    depth_error: np.ndarray  # [R] mean over the weights of |t / target - 1|, at most 1; 0 without a target
    counts: np.ndarray  # [R] samples that met something
    records: np.ndarray  # [R, S, 6] these samples, for the way back


@dataclass
class VoxelGrid:
    """`empty` makes one, `refined` makes a finer one of it."""

    centre: np.ndarray  # [3]
    radius: float
    table: np.ndarray  # [N/4, N/4, N/4] int32: the place of each block of 4x4x4 vertices, or -1
    density: np.ndarray  # [V] float32, raw
    features: np.ndarray  # [V, C] float32

    @classmethod
    def empty(cls, side: int, centre: np.ndarray, radius: float) -> VoxelGrid:
        """All blocks of `side`^3 vertices stored, as a thin fog."""
        if side % 4 or side < 8:
            raise ValueError(f"expected a grid whose side is a multiple of 4 and at least 8, got {side}")
        blocks = (side // 4) ** 3
        table = np.arange(blocks, dtype=np.int32).reshape((side // 4,) * 3)
        density = np.full(blocks * 64, np.log(FIRST_DENSITY), np.float32)
        return cls(
            np.asarray(centre, np.float64), float(radius), table, density, np.zeros((blocks * 64, CHANNELS), np.float32)
        )

    @property
    def side(self) -> int:
        return 4 * len(self.table)

    def march(self, rays: Rays, offsets: np.ndarray | None = None, targets: np.ndarray | None = None, keep: bool = False,
              records: np.ndarray | None = None) -> Marched:  # fmt: skip
        """Through the grid; with `keep` the way back can follow.

        offsets [R] in 0..1 are where in its first interval each ray's first sample lies (the middle by default);
        targets [R] are known depths, 0 where unknown; records [R, S, 6] may be given again to save their allocation.
        """
        count = len(rays.near)
        half = np.full(count, 0.5, np.float32) if offsets is None else offsets
        targets = np.zeros(count, np.float32) if targets is None else targets
        if records is None:
            records = np.empty((count if keep else 1, MOST_SAMPLES, 6), np.float32)
        opacity, depth, distortion, depth_error = np.empty((4, count), np.float32)
        composited, counts = np.empty((count, CHANNELS), np.float32), np.zeros(count, np.int32)
        out = Marched(composited, opacity, depth, distortion, depth_error, counts, records)
        origins, directions = self._inner(rays)
        on_parts(
            count,
            lambda part, first, last: voxel_kernels.march(
                self.table, self.density, self.features, origins, directions, rays.near, half, targets, first, last,
                *out[:5], keep, out.counts, out.records)
        )  # fmt: skip
        return out

    def _inner(self, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """Origins and directions in half sides of the inner cube."""
        origins = ((rays.origins - self.centre) / self.radius).astype(np.float32)
        return origins, (rays.directions / self.radius).astype(np.float32)

    def seen_blocks(self, rays: Rays, side: int, least_weight: float) -> np.ndarray:
        """The blocks [side/4]^3 of a grid of `side` vertices in which something shows on these rays."""
        seen = np.zeros((PARTS, *(side // 4,) * 3), np.bool_)
        for start in range(0, len(rays.near), 1 << 14):
            chunk = rays[start : start + (1 << 14)]
            marched = self.march(chunk, keep=True)
            on_parts(
                len(chunk.near),
                lambda part, first, last, marched=marched: voxel_kernels.mark_seen(
                    self.table, marched.counts, marched.records, first, last, np.float32(least_weight), side, seen[part])
            )  # fmt: skip
        return np.logical_or.reduce(seen, axis=0)

    def refined(self, seen: np.ndarray) -> VoxelGrid:
        """A grid with the blocks `seen` [side/4]^3, with this grid's values at its vertices."""
        blocks = np.argwhere(seen).astype(np.int32)
        table = np.full(seen.shape, -1, np.int32)
        table[tuple(blocks.T)] = np.arange(len(blocks))
        density = np.empty(len(blocks) * 64, np.float32)
        features = np.zeros((len(blocks) * 64, CHANNELS), np.float32)
        on_parts(
            len(blocks),
            lambda part, first, last: voxel_kernels.resample(
                self.table, self.density, self.features, blocks, 4 * len(seen), density, features, first, last)
        )  # fmt: skip
        return VoxelGrid(self.centre, self.radius, table, density, features)


class GridAdam:
    """Gradients of a grid, and Adam's step on those vertices that have some."""

    def __init__(self, grid: VoxelGrid, betas: tuple[float, float] = (0.9, 0.99)):
        self.grid, self.betas, self.steps = grid, betas, 0
        shapes = {"density": (len(grid.density), 1), "features": grid.features.shape}
        self.gradients = {name: np.zeros((PARTS, *shape), np.float32) for name, shape in shapes.items()}
        self.moments = {name: np.zeros((2, *shape), np.float32) for name, shape in shapes.items()}
        self.touched = np.zeros((PARTS, len(grid.density)), np.bool_)

    def back(self, marched: Marched, targets: np.ndarray, d_features: np.ndarray, d_opacity: np.ndarray,
             d_distortion: np.ndarray, d_depth_error: np.ndarray) -> None:  # fmt: skip
        """Add the gradients of a loss, given those [R, C], [R], [R], [R] of what `march` returned with `keep`."""
        on_parts(
            len(targets),
            lambda part, first, last: voxel_kernels.march_back(
                self.grid.table, self.grid.features, targets, first, last, marched.counts, marched.records,
                d_features, d_opacity, d_distortion, d_depth_error,
                self.gradients["density"][part, :, 0], self.gradients["features"][part], self.touched[part])
        )  # fmt: skip

    def step(self, density_rate: float, feature_rate: float) -> None:
        """Take a step and forget the gradients."""
        self.steps += 1
        beta, beta_square = self.betas
        correction = np.sqrt(1 - beta_square**self.steps) / (1 - beta**self.steps)
        for name, rate, lowest, highest in (
            ("density", density_rate, LOWEST_DENSITY, HIGHEST_DENSITY),
            ("features", feature_rate, -MOST_FEATURE, MOST_FEATURE),
        ):
            values = self.grid.density[:, None] if name == "density" else self.grid.features
            gradients, (means, squares) = self.gradients[name], self.moments[name]
            numbers = [np.float32(number) for number in (rate * correction, beta, beta_square, TINY, lowest, highest)]
            step = partial(voxel_kernels.adam, values, gradients, means, squares, self.touched)
            on_parts(
                self.touched.shape[1], lambda part, first, last, step=step, numbers=numbers: step(first, last, *numbers)
            )
        self.touched[:] = False


def on_parts(count: int, work: Callable[[int, int, int], None]) -> None:
    """`work(part, first, last)` on `PARTS` threads, for ranges that make up 0..count-1."""
    bounds = np.linspace(0, count, PARTS + 1).astype(int)
    for future in [_threads.submit(work, part, int(bounds[part]), int(bounds[part + 1])) for part in range(PARTS)]:
        future.result()
