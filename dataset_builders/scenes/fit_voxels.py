"""Fits a `VoxelField` to the pixels of a capture: coarse to fine, on a CPU, for a time or a number of steps.

What always holds: the schedule (resolution, learning rate) goes by the share of the budget that is spent, so a longer fit is
the same fit, slower; with a budget in steps, equal seeds give equal fields. At every change of resolution only those blocks are
kept in which something shows on the rays of the pictures, so a ray soon meets few samples.

The loss of a ray is the squared error of its colour, before a random background where nothing is known to be transparent (so
that what is seen becomes opaque); mip-NeRF 360's distortion (arXiv 2111.12077 eq. 15) against floaters; the squared error of
its opacity where pictures have alpha; and, where there is a depth map, the mean relative error of depth over the weights,
which pulls all of a ray's weight to the known surface. Weights and rates are our choice, see benchmarks/EXPERIMENTS.md.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from ..captures.capture import Capture
from .fit_pixels import FitPixels, SceneBounds
from .radiance_field import SceneViews
from .voxel_field import GREY, PixelRays, VoxelField, ray_colours, ray_colours_back, rays_through
from .voxel_grid import MOST_SAMPLES, GridAdam, Marched, Rays, VoxelGrid

WHITE = 1.0


@dataclass(frozen=True)
class FitSettings:
    """All that is chosen about a fit."""

    rays: int = 8192  # a step
    density_rate: float = 0.3  # Adam's, of raw densities
    feature_rate: float = 0.02  # Adam's, of features
    last_rate: float = 0.05  # both at the end, as a share of that at the start; exponential between
    distortion: float = (
        0.01  # weights of the losses beside the colour's; this one grows from 0: floaters must not harden
    )
    depth: float = 0.1
    opacity: float = 0.1
    stages: tuple[tuple[float, float], ...] = ((0.0, 8.0), (0.08, 4.0), (0.2, 2.0), (0.45, 1.0), (0.75, 1.0))
    """(share of the budget at which it begins, voxels' width over the finest voxels'); the last only drops empty blocks"""
    voxel_pixels: float = 1.4  # width of the finest voxels, in pixels at the median depth
    finest_side: int = 640  # most vertices along a side, however fine the pictures
    least_weight: float = 0.01  # of a sample on a ray, for its block to be kept
    seen_rays: int = 100_000  # looked along when blocks are chosen


class Budget:
    """How much of a fit is done: by wall-clock minutes, or by steps, which makes it repeatable."""

    def __init__(self, minutes: float | None = None, steps: int | None = None):
        if (minutes is None) == (steps is None) or not (minutes or steps or 0) > 0:
            raise ValueError(f"expected minutes or steps above 0, got minutes {minutes} and steps {steps}")
        self.minutes, self.steps, self.start = minutes, steps, time.monotonic()

    def share(self, step: int) -> float:
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return (time.monotonic() - self.start) / (60 * self.minutes)


def fit_voxel_field(capture: Capture, pixels: FitPixels, bounds: SceneBounds, budget: Budget, seed: int = 0,
                    licence: str = "not stated", settings: FitSettings | None = None) -> tuple[VoxelField, int]:  # fmt: skip
    """Fit to pixels of this capture; the field, and how many steps were taken.

    The field is rounded to the 16 bits in which it is saved, so that a saved scene gives the same pictures.
    """
    fit = _Fit(capture, pixels, bounds, seed, settings or FitSettings())
    with tqdm(
        total=1.0, desc=f"fitting {capture.name}", mininterval=2, bar_format="{l_bar}{bar}| {elapsed}{postfix}"
    ) as bar:
        share = budget.share(0)
        while share < 1:
            fit.step(share)
            share = budget.share(fit.steps)
            bar.set_postfix_str(f"{fit.recent_psnr:.1f} dB, {fit.grid.side} a side, step {fit.steps}", refresh=False)
            bar.update(min(share, 1) - bar.n)
    grid = fit.grid
    grid.density[:], grid.features[:] = (a.astype(np.float16) for a in (grid.density, grid.features))
    views = SceneViews(capture.camera_to_world, capture.intrinsics)
    background = np.full(3, GREY if pixels.alpha is None else WHITE, np.float32)
    return VoxelField(capture.name, capture.unit, licence, views, grid, bounds.near, background), fit.steps


class _Fit:
    def __init__(self, capture: Capture, pixels: FitPixels, bounds: SceneBounds, seed: int, settings: FitSettings):
        self.capture, self.pixels, self.bounds, self.settings = capture, pixels, bounds, settings
        self.generator = np.random.default_rng(seed)
        inner = 2 * bounds.radius / (settings.voxel_pixels * bounds.pixel)
        finest = min(2 * inner, settings.finest_side)  # half the side's voxels are in the inner cube
        self.sides = [max(4 * round(finest / coarser / 4), 16) for _, coarser in settings.stages]
        self.stage, self.steps, self.squared_error = 0, 0, 1.0
        self.grid = VoxelGrid.empty(self.sides[0], bounds.centre, bounds.radius)
        self.adam = GridAdam(self.grid)
        self.records = np.empty((settings.rays, MOST_SAMPLES, 6), np.float32)

    @property
    def recent_psnr(self) -> float:
        return -10 * float(np.log10(self.squared_error))

    def step(self, share: float) -> None:
        """One step, at this share of the budget."""
        while self.stage + 1 < len(self.sides) and share >= self.settings.stages[self.stage + 1][0]:
            self._refine()
        rays, chosen = self._draw(self.settings.rays)
        offsets = self.generator.random(self.settings.rays, dtype=np.float32)
        marched = self.grid.march(rays, offsets, self.pixels.depth[chosen], keep=True, records=self.records)
        d_features, d_opacity = self._loss_back(marched, rays, chosen)
        factors = share * self.settings.distortion, self.settings.depth
        weights = [np.full(len(chosen), factor / len(chosen), np.float32) for factor in factors]
        self.adam.back(marched, self.pixels.depth[chosen], d_features, d_opacity, *weights)
        rate = self.settings.last_rate**share
        self.adam.step(self.settings.density_rate * rate, self.settings.feature_rate * rate)
        self.steps += 1

    def _loss_back(self, marched: Marched, rays: Rays, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of the loss of colour and opacity with respect to composited features [R, C] and opacity [R].

        Those of distortion and depth are linear in what `march` returns, and need no more than their weights.
        """
        alpha = self.pixels.alpha
        background = np.full((1, 3), WHITE, np.float32)
        if alpha is None:
            background = self.generator.random((len(chosen), 3), dtype=np.float32)
        errors = ray_colours(marched.features, marched.opacity, rays.directions, background)
        errors -= self.pixels.rgb[chosen] / np.float32(255)
        self.squared_error += 0.05 * (float(np.square(errors).mean()) - self.squared_error)
        d_features, d_opacity = ray_colours_back(np.float32(2 / errors.size) * errors, rays.directions, background)
        if alpha is not None:
            d_opacity += np.float32(2 * self.settings.opacity / len(chosen)) * (marched.opacity - alpha[chosen])
        return d_features, d_opacity

    def _draw(self, count: int) -> tuple[Rays, np.ndarray]:
        """Random pixels' rays, and the numbers of the pixels [count]."""
        chosen = self.generator.integers(0, len(self.pixels.rgb), count)
        pixels = PixelRays(self.pixels.rays.views[chosen], self.pixels.rays.places[chosen])
        return rays_through(pixels, self.capture.camera_to_world, self.capture.intrinsics, self.bounds.near), chosen

    def _refine(self) -> None:
        self.stage += 1
        rays, _ = self._draw(self.settings.seen_rays)
        self.grid = self.grid.refined(self.grid.seen_blocks(rays, self.sides[self.stage], self.settings.least_weight))
        self.adam = GridAdam(self.grid)
