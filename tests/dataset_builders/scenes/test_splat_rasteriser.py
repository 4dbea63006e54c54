"""Both rasterisers, numba's and the plain torch reference, against known answers and against each other."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from camvig.dataset_builders.scenes import splat_rasteriser, splat_reference
from camvig.dataset_builders.scenes.gaussian_splats import GaussianSplats
from camvig.dataset_builders.scenes.splat_reference import harmonic_functions

FOCAL, SIZE = 100.0, (41, 61)
LENS = np.array([[FOCAL, FOCAL, 30.5, 20.5]])  # the axis goes through the centre of pixel (20, 30)
HERE = np.eye(4)[None]
both = pytest.mark.parametrize("rasterise", [splat_rasteriser.rasterise, splat_reference.rasterise])


def splats(positions, scale=0.2, opacity=np.inf, colours=0.5, rotations=(1, 0, 0, 0)) -> GaussianSplats:
    """Gaussians of one colour from everywhere; opacity is a logit; all but the positions may be the same for all."""
    positions = np.atleast_2d(np.asarray(positions, float))
    count = len(positions)
    return GaussianSplats(
        positions,
        np.broadcast_to(np.log(scale), (count, 3)),
        np.broadcast_to(rotations, (count, 4)),
        np.broadcast_to(opacity, count),
        np.broadcast_to((np.asarray(colours) - 0.5) / 0.28209479177387814, (count, 3))[:, None],
    )


def random_splats(seed: int, count: int, coefficients: int) -> GaussianSplats:
    """Some before the camera, some behind it, some out of sight, of all sizes and opacities."""
    rng = np.random.default_rng(seed)
    return GaussianSplats(
        rng.uniform((-3, -2, -1), (3, 2, 6), (count, 3)),
        rng.uniform(-5, 0, (count, 3)),
        rng.normal(size=(count, 4)),
        rng.normal(0, 3, count),
        rng.normal(0, 0.4, (count, coefficients, 3)),
    )


def pixel_offsets(u: float, v: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    return np.stack([columns - u, rows - v], axis=-1)


@both
def test_one_round_gaussian_is_a_known_bell(rasterise):
    """On the axis the variance on the screen is (focal * scale / z)^2, plus the low-pass, which lowers the opacity."""
    drawn, depth, opacity = rasterise(splats([0, 0, 4], opacity=1.0, colours=(0.9, 0.4, 0.1)), HERE, LENS, SIZE)
    variance = (FOCAL * 0.2 / 4) ** 2
    peak = 1 / (1 + np.exp(-1.0)) * variance / (variance + 0.3)
    expected = peak * np.exp(-0.5 * (pixel_offsets(30.5, 20.5) ** 2).sum(-1) / (variance + 0.3))
    expected[expected < 1 / 255] = 0
    assert np.abs(opacity[0] - expected).max() < 1e-5
    assert np.allclose(drawn[0], expected[..., None] * (0.9, 0.4, 0.1), atol=1e-5)
    assert np.allclose(depth[0][expected > 0], 4, atol=1e-4) and not depth[0][expected == 0].any()


@both
def test_off_the_axis_it_is_where_a_pinhole_puts_it_and_stretched_outwards(rasterise):
    """At x / z = t, the derivative of x / z by the position is (1, 0, -t) / z: variance (focal * scale / z)^2 (1 + t^2)."""
    _, _, opacity = rasterise(splats([0.6, -0.2, 4], scale=0.1), HERE, LENS, SIZE)
    weights = opacity[0] / opacity[0].sum()
    offsets = pixel_offsets(30.5 + 15, 20.5 - 5)
    assert np.abs(np.einsum("hw,hwi->i", weights, offsets)).max() < 0.02
    moments = np.einsum("hw,hwi,hwj->ij", weights, offsets, offsets)
    t = np.array([0.15, -0.05])
    expected = (FOCAL * 0.1 / 4) ** 2 * (np.eye(2) + np.outer(t, t)) + 0.3 * np.eye(2)
    assert np.allclose(moments, expected, rtol=0.03, atol=0.02)  # the tails under 1/255 are missing


@both
def test_a_turned_long_gaussian_lies_along_its_axis(rasterise):
    """Long in x, turned by 30 degrees about the viewing axis: to the right and down, y being down."""
    half = np.radians(30) / 2
    long = splats([0, 0, 4], scale=(0.3, 0.06, 0.06), rotations=(np.cos(half), 0, 0, np.sin(half)))
    _, _, opacity = rasterise(long, HERE, LENS, SIZE)
    offsets = pixel_offsets(30.5, 20.5)
    moments = np.einsum("hw,hwi,hwj->ij", opacity[0], offsets, offsets)
    direction = np.linalg.eigh(moments)[1][:, 1]
    assert abs(direction @ (np.cos(np.radians(30)), np.sin(np.radians(30)))) > 0.999


@both
def test_the_near_one_hides_the_far_one_in_any_order(rasterise):
    red, green = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    for positions, colours in (([[0, 0, 2], [0, 0, 4]], [red, green]), ([[0, 0, 4], [0, 0, 2]], [green, red])):
        drawn, depth, opacity = rasterise(splats(positions, colours=colours), HERE, LENS, SIZE)
        assert np.allclose(drawn[0, 20, 30], red, atol=0.005)
        assert depth[0, 20, 30] == pytest.approx(2, abs=0.01) and opacity[0, 20, 30] > 0.995


@both
def test_what_is_behind_the_camera_or_transparent_is_not_drawn(rasterise):
    unseen = splats([[0, 0, -2], [0, 0, 0.005], [0, 0, 4]], opacity=[np.inf, np.inf, -6.0])
    drawn, _, opacity = rasterise(unseen, HERE, LENS, SIZE)
    assert not drawn.any() and not opacity.any()


@both
def test_depth_of_a_wall_is_its_z(rasterise):
    """Also far from the axis, where the distance is longer than z."""
    x, y = np.meshgrid(np.arange(-1.6, 1.61, 0.1), np.arange(-1.2, 1.21, 0.1))
    wall = splats(np.stack([x.ravel(), y.ravel(), np.full(x.size, 3.0)], axis=1), scale=0.06)
    _, depth, opacity = rasterise(wall, HERE, LENS, SIZE)
    assert opacity.min() > 0.9 and np.abs(depth - 3).max() < 1e-4


@both
@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", [-1, 1])
def test_degree_1_changes_the_colour_with_the_direction(rasterise, axis, side):
    """3DGS: 0.5 + C0 f0 - C1 y f1 + C1 z f2 - C1 x f3, in the direction from the camera to the Gaussian."""
    coefficients = np.random.default_rng(5).normal(0, 0.3, (4, 3))
    shiny = GaussianSplats(
        np.zeros((1, 3)), np.full((1, 3), np.log(0.2)), np.eye(4)[:1], np.full(1, np.inf), coefficients[None]
    )
    direction = np.zeros(3)
    direction[axis] = side
    right = np.roll(direction, 1)
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = right, np.cross(direction, right), direction
    world_to_camera[2, 3] = 4  # the camera is 4 back from the origin, against the direction
    drawn, _, opacity = rasterise(shiny, world_to_camera[None], LENS, SIZE)
    x, y, z = direction
    functions = np.array([0.28209479177387814, *(0.4886025119029199 * np.array([-y, z, -x]))])
    expected = np.maximum(0, 0.5 + functions @ coefficients)
    assert np.allclose(drawn[0, 20, 30], opacity[0, 20, 30] * expected, atol=1e-5)


def test_the_harmonics_are_scipys():
    directions = np.random.default_rng(2).normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    polar, around = np.arccos(directions[:, 2]), np.arctan2(directions[:, 1], directions[:, 0])
    expected = []
    for degree in range(4):
        for order in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(order), polar, around) * (np.sqrt(2) if order else 1)
            expected.append(value.imag if order < 0 else value.real)
    assert np.allclose(harmonic_functions(torch.tensor(directions)).numpy(), np.stack(expected, axis=1), atol=1e-12)


@both
def test_turning_the_scene_and_the_camera_together_changes_nothing(rasterise):
    world_turn, shift = Rotation.from_rotvec([0.4, -1.1, 0.7]), np.array([1.0, -2.0, 0.5])
    scene = random_splats(3, 60, 1)
    turned = GaussianSplats(
        world_turn.apply(scene.positions) + shift,
        scene.log_scales,
        (world_turn * Rotation.from_quat(scene.rotations, scalar_first=True)).as_quat(scalar_first=True),
        scene.opacity_logits,
        scene.harmonics,
    )
    camera_to_world = np.eye(4)
    camera_to_world[:3, :3], camera_to_world[:3, 3] = world_turn.as_matrix(), shift
    before, after = (
        rasterise(each, pose[None], LENS, SIZE)
        for each, pose in ((scene, HERE[0]), (turned, np.linalg.inv(camera_to_world)))
    )
    assert before[2].max() > 0.9
    for expected, got in zip(before, after, strict=True):
        differences = np.abs(expected - got)
        assert np.median(differences) < 1e-5 and np.quantile(differences, 0.99) < 5e-3


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_numba_equals_the_reference(coefficients):
    scene = random_splats(coefficients, 400, coefficients)
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, :3, :3], poses[1, :3, 3] = Rotation.from_rotvec([0.1, 0.3, 0.2]).as_matrix(), (0.2, -0.1, 0.4)
    lenses = np.array([[60.0, 55.0, 30.0, 22.0], [90.0, 90.0, 24.0, 18.0]])
    expected = splat_reference.rasterise(scene, poses, lenses, SIZE)
    got = splat_rasteriser.rasterise(scene, poses, lenses, SIZE)
    assert expected[2].max() > 0.99
    for name, slow, fast in zip(("rgb", "depth", "opacity"), expected, got, strict=True):
        differences = np.abs(slow - fast)[expected[2] > 0.02]
        assert np.quantile(differences, 0.999) < 1e-3 and differences.mean() < 1e-4, name
        assert differences.max() < 0.1, name  # a Gaussian at 1/255 may fall on either side


@both
def test_the_largest_the_farthest_and_the_thinnest_give_numbers(rasterise):
    extremes = GaussianSplats(
        [[0, 0, 0.011], [1e9, -1e9, 0.01], [0, 0, 1e9], [0.1, 0, 3], [0, 0, 2]],
        [[20.7] * 3, [20.7] * 3, [-99] * 3, [20.7, -99, -99], [-np.inf, -1, -1]],
        np.array([[1e-30, 0, 0, 0], [1e9, 0, 0, 1e9], [1, 0, 0, 0], [1, 2, 3, 4], [1, 0, 0, 0]]),
        [np.inf, 0, 99, 5, -np.inf],
        np.full((5, 16, 3), 1e9),
    )
    for plane in rasterise(extremes, HERE, LENS, SIZE):
        assert np.isfinite(plane).all()


def test_threads_do_not_change_the_result():
    scene = random_splats(0, 200, 4)
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = np.linspace(-0.5, 0.5, 5)
    together = splat_rasteriser.rasterise(scene, poses, np.repeat(LENS, 5, axis=0), SIZE)
    for frame in range(5):
        alone = splat_rasteriser.rasterise(scene, poses[frame : frame + 1], LENS, SIZE)
        assert all(np.array_equal(all_[frame], one[0]) for all_, one in zip(together, alone, strict=True))


def test_the_nearest_come_first_and_equals_keep_their_order():
    depth = np.random.default_rng(1).choice(np.geomspace(0.01, 1e6, 700), 5000).astype(np.float32)
    assert np.array_equal(splat_rasteriser._nearest_first(depth), np.argsort(depth, kind="stable"))
