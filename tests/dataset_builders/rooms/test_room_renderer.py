"""The renderer against slow references: brute-force intersection, and shadows without the cells around the lights."""

import numpy as np
import pytest

from camvig.dataset_builders.rooms import room_renderer
from camvig.dataset_builders.rooms.room_paths import place_path
from camvig.dataset_builders.rooms.room_renderer import render
from camvig.dataset_builders.rooms.room_scenes import RoomScene, sample_scene


def placed(seed: int):
    scene = sample_scene("validation", seed)
    path = place_path(scene, np.random.default_rng(seed))
    return scene, path.camera_to_world[::8], path.intrinsics[::8]


def slow_depth(scene: RoomScene, pose: np.ndarray, lens: np.ndarray, size: int) -> np.ndarray:
    """Brute force: every pixel's centre ray against every box and the shell; returns z-depth [H, W]."""
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid((centres - lens[2]) / lens[0], (centres - lens[3]) / lens[1])
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        to_faces = (scene.shell.reshape(3, 2) - pose[:3, 3, None]) / rays[..., None]
        best = to_faces.max(-1).min(-1)
        for box in scene.boxes:
            axes = np.array([[box[6], 0, box[7]], [0, 1, 0], [-box[7], 0, box[6]]])
            origin, direction = axes @ (pose[:3, 3] - box[:3]), rays @ axes.T
            sides = np.stack([(-box[3:6] - origin) / direction, (box[3:6] - origin) / direction])
            entry, leave = sides.min(0).max(-1), sides.max(0).min(-1)
            best = np.where((entry < leave) & (entry > 1e-4) & (entry < best), entry, best)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_depth_equals_brute_force(seed):
    scene, poses, lenses = placed(seed)
    _, depth = render(scene, poses, lenses, size=32, antialias=0)
    for frame, (pose, lens) in enumerate(zip(poses, lenses, strict=True)):
        assert np.abs(depth[frame] - slow_depth(scene, pose, lens, 32)).max() < 1e-4


def test_culling_is_right_with_boxes_behind_and_beside_the_camera():
    """Poses anywhere in free space, also with solids that cross the near plane."""
    scene, rng = sample_scene("validation", 3), np.random.default_rng(1)
    turns = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(12)]
    poses = np.tile(np.eye(4), (12, 1, 1))
    poses[:, :3, :3] = [turn * np.linalg.det(turn) for turn in turns]
    poses[:, :3, 3] = rng.uniform(scene.shell[0::2] + 0.1, scene.shell[1::2] - 0.1, (12, 3))
    lenses = np.tile([0.4, 0.4, 0.5, 0.5], (12, 1))
    _, depth = render(scene, poses, lenses, size=24, antialias=0)
    free = scene.clearance_is_free(poses[:, :3, 3], 0.01)
    assert free.sum() >= 3
    for frame in np.flatnonzero(free):
        assert np.abs(depth[frame] - slow_depth(scene, poses[frame], lenses[frame], 24)).max() < 1e-4


def test_cells_around_the_lights_do_not_change_shadows(monkeypatch):
    def list_everything(boxes, is_solid, lights, cells, counts):
        solids = np.flatnonzero(is_solid)
        cells[:, : len(solids)], counts[:] = solids, len(solids)

    for seed in range(3):
        scene, poses, lenses = placed(seed)
        fast, _ = render(scene, poses, lenses, size=32)
        with monkeypatch.context() as patch:
            patch.setattr(room_renderer, "light_cells", list_everything)
            slow, _ = render(scene, poses, lenses, size=32)
        assert np.array_equal(fast, slow)


def test_shadows_darken_and_rooms_are_lit():
    means = []
    for seed in range(6):
        scene, poses, lenses = placed(seed)
        lit, _ = render(RoomScene(**{**vars(scene), "box_is_solid": np.zeros(len(scene.boxes), bool)}), poses, lenses)
        shadowed, _ = render(scene, poses, lenses)
        assert (shadowed.astype(int) <= lit).all()
        means.append(shadowed.mean())
    assert 70 < np.mean(means) < 180


def test_threads_and_antialiasing_leave_depth_and_brightness_alone():
    scene, poses, lenses = placed(4)
    rgb, depth = render(scene, poses, lenses, size=32, threads=1)
    rgb_threaded, depth_threaded = render(scene, poses, lenses, size=32, threads=3)
    assert np.array_equal(rgb, rgb_threaded) and np.array_equal(depth, depth_threaded)
    rgb_fine, depth_fine = render(scene, poses, lenses, size=32, antialias=4)
    assert np.array_equal(depth, depth_fine)
    assert np.abs(rgb.astype(int) - rgb_fine).mean() < 4


def test_wrong_shapes_are_refused():
    scene, poses, lenses = placed(0)
    with pytest.raises(ValueError, match="camera_to_world"):
        render(scene, poses[0], lenses)
