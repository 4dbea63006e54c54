"""`SplatField`: pictures and depth as `RadianceField` promises, axes, cameras from files, and the ring of views."""

from typing import get_args

import numpy as np
import pytest
import torch

from camvig.camera_paths.camera_path import CameraPath
from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.dataset_builders.scenes import splat_rasteriser
from camvig.dataset_builders.scenes.gaussian_splats import GaussianSplats
from camvig.dataset_builders.scenes.radiance_field import RadianceField, SceneViews
from camvig.dataset_builders.scenes.splat_field import (
    SAMPLES,
    SplatField,
    Up,
    load_splat_scene,
    quickest_backend,
    rasteriser,
    ring_of_views,
)
from camvig.dataset_builders.scenes.splat_files import write_splats

RED, GREEN, BLUE = np.eye(3)
LENS = np.array([[0.8, 0.8, 0.5, 0.5]])


def splats(positions, scale=0.1, colours=(1.0, 1.0, 1.0)) -> GaussianSplats:
    """Opaque round Gaussians."""
    count = len(positions)
    harmonics = np.broadcast_to((np.asarray(colours) - 0.5) / 0.28209479177387814, (count, 3))[:, None]
    scales, quaternions = np.full((count, 3), np.log(scale)), np.tile([1.0, 0, 0, 0], (count, 1))
    return GaussianSplats(np.asarray(positions, float), scales, quaternions, np.full(count, np.inf), harmonics)


def field(scene: GaussianSplats, **options) -> SplatField:
    return SplatField("scene", scene, SceneViews(np.eye(4)[None], LENS), **options)


def cloud(seed: int = 0, count: int = 500) -> GaussianSplats:
    rng = np.random.default_rng(seed)
    return splats(rng.normal((1.0, -2.0, 3.0), (0.5, 1.0, 0.7), (count, 3)), 0.05, rng.uniform(size=(count, 3)))


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_colour_is_the_mean_of_samples_and_depth_the_middle_one(backend):
    """Pictures of any shape; depth is infinite where the middle sample is hardly covered."""
    scene: RadianceField = field(splats([[0, 0, 3], [1.2, 0.1, 4]], 0.3, [RED, GREEN]), backend=backend)
    rgb, depth = scene.render(np.tile(np.eye(4), (2, 1, 1)), np.repeat(LENS, 2, axis=0), (16, 24))
    assert rgb.shape == (2, 16, 24, 3) and depth.shape == (2, 16, 24)
    assert rgb.dtype == depth.dtype == np.float32 and 0 <= rgb.min() <= rgb.max() <= 1
    lens = LENS * SAMPLES * np.array([24, 16, 24, 16])
    fine, z, opacity = rasteriser(backend)(scene.splats, np.eye(4)[None], lens, (16 * SAMPLES, 24 * SAMPLES))
    assert np.allclose(rgb[1], fine[0].reshape(16, SAMPLES, 24, SAMPLES, 3).mean(axis=(1, 3)), atol=1e-6)
    middle = z[0, 1::3, 1::3]
    covered = opacity[0, 1::3, 1::3] >= 0.5
    assert covered.any() and not covered.all()
    assert np.array_equal(depth[0], np.where(covered, middle, np.inf))
    assert depth[0, 8, 12] == pytest.approx(3, abs=0.02)


def test_pixel_centres_are_where_camvig_has_them():
    """A point in front of the principal point lies at (cx W, cy H), between four pixels of an even picture."""
    rgb, _ = field(splats([[0, 0, 2]], 0.05)).render(np.eye(4)[None], LENS, (8, 8))
    picture = rgb[0, ..., 0]
    assert np.allclose(picture, picture[::-1], atol=1e-6) and np.allclose(picture, picture[:, ::-1], atol=1e-6)
    assert np.unravel_index(picture.argmax(), picture.shape) in [(3, 3), (3, 4), (4, 3), (4, 4)]


def test_bright_harmonics_are_cut_before_the_samples_are_averaged():
    rgb, _ = field(splats([[0, 0, 2]], 0.05, [[30.0, 0.5, 0.0]])).render(np.eye(4)[None], LENS, (8, 8))
    assert rgb.max() <= 1


def test_a_camera_that_sees_nothing_gives_black_at_infinity():
    away = np.diag([-1.0, 1.0, -1.0, 1.0])
    rgb, depth = field(cloud()).render(away[None], LENS, (8, 8))
    assert not rgb.any() and np.isinf(depth).all()


@pytest.mark.parametrize("axes", ["opencv", "opengl"])
def test_splats_fit_cameras_read_from_a_file_in_the_same_world(tmp_path, axes):
    """transforms.json has OpenGL axes; a Gaussian at the point it looks at is in the middle, at the right depth."""
    rng = np.random.default_rng(1)
    path = CameraPath.orbit(40, num_frames=4)
    file, cameras = tmp_path / "scene.ply", tmp_path / "transforms.json"
    with pytest.warns(UserWarning, match="cannot hold that its unit is scene depths"):
        path.to_file(cameras, "transforms", picture_size=(64, 64))
    ahead = np.array([0.0, 0.0, 1.0]) if axes == "opencv" else np.array([0.0, 0.0, -1.0])  # one scene depth
    beside = np.array([0.2, -0.1, 0.0]) if axes == "opencv" else np.array([0.2, 0.1, 0.0])  # to the right and up
    write_splats(splats([ahead, ahead + beside, ahead + rng.normal(size=3) + 9], 0.01, [RED, GREEN, BLUE]), file)
    scene = load_splat_scene(file, axes=axes, cameras=cameras)
    assert np.allclose(scene.views.camera_to_world, path.camera_to_world, atol=1e-6)
    assert np.allclose(scene.views.intrinsics, path.intrinsics)
    rgb, depth = scene.render(scene.views.camera_to_world, scene.views.intrinsics, (33, 33))
    for frame in range(4):
        assert np.unravel_index(rgb[frame, ..., 0].argmax(), (33, 33)) == (16, 16)
        assert depth[frame, 16, 16] == pytest.approx(1, abs=0.01)
    row, column = np.unravel_index(rgb[0, ..., 1].argmax(), (33, 33))
    assert row < 15 and column > 18


def test_a_room_made_of_splats_looks_like_the_room():
    """A Gaussian for each pixel of four frames of a clip, at its depth; another frame is drawn from them."""
    clip = room_clip("validation", 0, 0, size=48, move="truck_left")
    others = np.isin(np.arange(17), (0, 4, 12, 16))
    lenses = clip.intrinsics[:, None, None].astype(float)  # [T, 1, 1, 4]
    y, x = (np.mgrid[:48, :48] + 0.5) / 48
    rays = np.stack(
        [(x - lenses[..., 2]) / lenses[..., 0], (y - lenses[..., 3]) / lenses[..., 1], np.ones((17, 48, 48))], -1
    )
    local, turns = rays * clip.depth[..., None], clip.camera_to_world[:, None, None].astype(float)
    points = (turns[..., :3, :3] @ local[..., None])[..., 0] + turns[..., :3, 3]
    count = others.sum() * 48 * 48
    scene = GaussianSplats(
        points[others].reshape(-1, 3),
        np.log(clip.depth[others] / lenses[others, ..., 0] / 48 * 0.35).reshape(-1, 1).repeat(3, axis=1),
        np.tile([1.0, 0, 0, 0], (count, 1)),
        np.full(count, 3.0),
        (clip.frames[others].reshape(-1, 1, 3) / 255 - 0.5) / 0.28209479177387814,
    )
    rgb, depth = field(scene).render(clip.camera_to_world[8:9], clip.intrinsics[8:9], (48, 48))
    assert -10 * np.log10(np.mean((rgb[0] - clip.frames[8] / 255) ** 2)) > 25
    assert np.median(np.abs(depth[0] / clip.depth[8] - 1)) < 0.02


@pytest.mark.parametrize("up", get_args(Up))
@pytest.mark.parametrize("axes", ["opencv", "opengl"])
def test_the_ring_looks_at_the_scene_upright(tmp_path, axes, up):
    file = tmp_path / "a scene.compressed.ply"
    scene_splats = cloud()
    write_splats(scene_splats, file)
    scene = load_splat_scene(file, axes=axes, up=up, licence="CC0-1.0")
    assert (scene.name, scene.unit, scene.licence, scene.axes) == ("a scene", "scene", "CC0-1.0", axes)
    turn = np.diag([1, 1, 1]) if axes == "opencv" else np.diag([1, -1, -1])
    centre = turn @ np.median(scene_splats.positions, axis=0)
    upwards = turn @ ((-1 if up[0] == "-" else 1) * np.eye(3)["xyz".index(up[-1])])
    for pose in scene.views.camera_to_world:
        right, down, forward = pose[:3, :3].T
        assert np.isclose(np.linalg.det(pose[:3, :3]), 1) and abs(right @ upwards) < 1e-9 and down @ upwards < -0.9
        to_centre = centre - pose[:3, 3]
        assert np.linalg.norm(np.cross(forward, to_centre)) < 0.02 and forward @ to_centre > 1
        assert pose[:3, 3] @ upwards > centre @ upwards  # from a little above
    assert len(np.unique(np.round(scene.views.camera_to_world[:, :3, 3], 3), axis=0)) == 24
    _, depth = scene.render(scene.views.camera_to_world[::6], scene.views.intrinsics[::6], (16, 16))
    assert np.isfinite(depth[:, 6:10, 6:10]).any(axis=(1, 2)).all()


def test_the_default_up_follows_the_axes(tmp_path):
    file = tmp_path / "scene.ply"
    write_splats(cloud(), file)
    for axes in ("opencv", "opengl"):
        down = load_splat_scene(file, axes=axes).views.camera_to_world[:, :3, 1]
        assert (down @ [0, 1, 0] > 0.9).all()


def test_floaters_hardly_move_the_ring():
    calm = cloud()
    far = np.random.default_rng(3).normal(0, 500, (40, 3))
    count = calm.count + 40
    both = GaussianSplats(
        np.concatenate([calm.positions, far]),
        np.zeros((count, 3)),
        np.tile([1.0, 0, 0, 0], (count, 1)),
        np.concatenate([calm.opacity_logits, np.full(40, -1.0)]),
        np.zeros((count, 1, 3)),
    )
    expected, got = (ring_of_views(each, "-y").camera_to_world for each in (calm, both))
    assert np.abs(expected - got).max() < 0.5


def test_what_does_not_fit_is_refused(tmp_path):
    scene = field(cloud())
    with pytest.raises(ValueError, match=r"expected camera_to_world \[T, 4, 4\]"):
        scene.render(np.eye(4), LENS, (8, 8))
    with pytest.raises(ValueError, match=r"intrinsics \[T, 4\]"):
        scene.render(np.tile(np.eye(4), (2, 1, 1)), LENS, (8, 8))
    with pytest.raises(ValueError, match="at least 1 x 1 pixels"):
        scene.render(np.eye(4)[None], LENS, (0, 8))
    with pytest.raises(ValueError, match="one of the backends"):
        field(cloud(), backend="webgl").render(np.eye(4)[None], LENS, (8, 8))
    with pytest.raises(ValueError, match="all in one point"):
        ring_of_views(splats([[1, 2, 3]] * 4), "-y")
    file = tmp_path / "scene.ply"
    write_splats(cloud(), file)
    with pytest.raises(ValueError, match=r"scene\.ply.*opencv"):
        load_splat_scene(file, axes="colmap")
    with pytest.raises(ValueError, match="expected up to be one of"):
        load_splat_scene(file, up="w")
    with pytest.raises(ValueError, match=r"none\.json"):
        load_splat_scene(file, cameras=tmp_path / "none.json")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_cuda_device_numba_draws(tmp_path):
    file = tmp_path / "scene.ply"
    write_splats(cloud(), file)
    assert quickest_backend() == "numba" and load_splat_scene(file).backend == "numba"
    assert rasteriser("numba") is splat_rasteriser.rasterise
