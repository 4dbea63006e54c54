"""The kernels equal the torch reference, forward and backward; a finer grid is the same field; Adam is Adam."""

import numpy as np
import pytest
import torch

from camvig.dataset_builders.scenes.voxel_grid import CHANNELS, GridAdam, Rays, VoxelGrid
from camvig.dataset_builders.scenes.voxel_reference import march_reference


def make_grid(side: int = 16, kept: float = 0.7, seed: int = 0) -> VoxelGrid:
    """A grid with lumps in it, some blocks of which are not stored."""
    rng = np.random.default_rng(seed)
    grid = VoxelGrid.empty(side, np.array([0.5, -0.2, 0.1]), 2.0).refined(rng.random((side // 4,) * 3) < kept)
    grid.density[:] = rng.normal(0.5, 1.5, len(grid.density))
    grid.features[:] = rng.normal(0, 1, grid.features.shape)
    return grid


def make_rays(count: int = 60, seed: int = 1) -> Rays:
    rng = np.random.default_rng(seed)
    origins = rng.normal(0, 2.5, (count, 3)).astype(np.float32)
    return Rays(origins, rng.normal(size=(count, 3)).astype(np.float32), np.full(count, 0.05, np.float32))


def reference(grid: VoxelGrid, rays: Rays, offsets: np.ndarray, targets: np.ndarray, density, features):
    origins, directions = ((rays.origins - grid.centre) / grid.radius, rays.directions / grid.radius)
    table, *others = (
        torch.from_numpy(np.asarray(a)) for a in (grid.table, origins, directions, rays.near, offsets, targets)
    )
    return march_reference(table, density, features, *(other.double() for other in others))


@pytest.fixture
def inputs():
    rng = np.random.default_rng(2)
    offsets = rng.random(60, dtype=np.float32)
    targets = (rng.random(60, dtype=np.float32) * 4 * (rng.random(60) < 0.7)).astype(np.float32)
    return make_grid(), make_rays(), offsets, targets


def test_march_equals_the_torch_reference(inputs):
    grid, rays, offsets, targets = inputs
    marched = grid.march(rays, offsets, targets)
    truth = reference(
        grid, rays, offsets, targets, torch.from_numpy(grid.density).double(), torch.from_numpy(grid.features).double()
    )
    assert 0.2 < marched.opacity.mean() < 0.98 and np.isinf(marched.depth).any()
    for name in ("features", "opacity", "depth", "distortion", "depth_error"):
        np.testing.assert_allclose(
            getattr(marched, name), getattr(truth, name).numpy(), atol=3e-4, rtol=1e-3, err_msg=name
        )


def test_gradients_equal_those_of_the_torch_reference(inputs):
    grid, rays, offsets, targets = inputs
    density, features = (torch.from_numpy(a).double().requires_grad_() for a in (grid.density, grid.features))
    truth = reference(grid, rays, offsets, targets, density, features)
    rng = np.random.default_rng(3)
    slopes = [rng.normal(size=shape).astype(np.float32) for shape in ((60, CHANNELS), 60, 60, 60)]
    outputs = (truth.features, truth.opacity, truth.distortion, truth.depth_error)
    sum((torch.from_numpy(slope) * output).sum() for slope, output in zip(slopes, outputs, strict=True)).backward()
    adam = GridAdam(grid)
    adam.back(grid.march(rays, offsets, targets, keep=True), targets, *slopes)
    for name, leaf in (("density", density), ("features", features)):
        found = adam.gradients[name].sum(axis=0).reshape(leaf.shape)
        scale = leaf.grad.abs().max().item()
        assert scale > 0.1
        np.testing.assert_allclose(found / scale, leaf.grad.numpy() / scale, atol=2e-3, err_msg=name)


def test_refined_grid_is_the_same_field():
    """Linear values stay as they are between the old vertices; and only blocks that were seen are stored."""
    grid = VoxelGrid.empty(16, np.zeros(3), 1.0)
    corners = np.argwhere(np.ones((4, 4, 4))) * 4
    vertices = (corners[:, None] + np.argwhere(np.ones((4, 4, 4)))).reshape(-1, 3)
    grid.density[:] = vertices @ [0.1, -0.05, 0.02]
    grid.features[:] = grid.density[:, None]
    fine = grid.refined(np.ones((8, 8, 8), bool))
    fine_vertices = (
        ((np.argwhere(np.ones((8, 8, 8))) * 4)[:, None] + np.argwhere(np.ones((4, 4, 4)))).reshape(-1, 3) * 15 / 31
    )
    np.testing.assert_allclose(fine.density, fine_vertices @ [0.1, -0.05, 0.02], atol=1e-3)
    np.testing.assert_allclose(fine.features, np.repeat(fine.density[:, None], CHANNELS, axis=1), atol=1e-4)
    assert grid.refined(np.arange(512).reshape(8, 8, 8) < 10).density.shape == (640,)


def test_adam_equals_torch_where_there_are_gradients(inputs):
    grid, rays, offsets, targets = inputs
    marched, slopes = grid.march(rays, offsets, targets, keep=True), np.ones((60, CHANNELS), np.float32)
    adam, ones = GridAdam(grid, (0.9, 0.999)), np.ones(60, np.float32)
    adam.back(marched, targets, slopes, ones, ones, ones)
    gradient = adam.gradients["features"].sum(axis=0)
    leaf = torch.from_numpy(grid.features.copy()).requires_grad_()
    leaf.grad = torch.from_numpy(gradient.copy())
    torch.optim.Adam([leaf], lr=0.02, betas=(0.9, 0.999), eps=1e-10).step()
    adam.step(0.1, 0.02)
    assert (gradient == 0).any()
    has = np.abs(gradient) > 1e-5  # Adam's small constant is added before the bias correction here, after it there
    np.testing.assert_allclose(grid.features[has], leaf.detach().numpy()[has], atol=1e-4)
    assert not adam.gradients["features"].any() and not adam.touched.any()


def test_wrong_sides_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        VoxelGrid.empty(30, np.zeros(3), 1.0)
