"""The renderer against slow references: brute-force intersection, and shadows without the cells around the lights."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from camvig.dataset_builders.rooms import room_kernels, room_renderer
from camvig.dataset_builders.rooms.moving_objects import MovingObject, MovingObjects, MovingPart, as_arrays
from camvig.dataset_builders.rooms.room_paths import place_path
from camvig.dataset_builders.rooms.room_renderer import render, render_moving
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


def turned(degrees: float) -> np.ndarray:
    return Rotation.from_euler("yxz", [degrees, 0.7 * degrees, 25], degrees=True).as_matrix()


def part(half, texture: int, is_ball: bool = False, shift=(0.0, 0.0, 0.0), degrees: float = 0.0) -> MovingPart:
    to_object = np.eye(4)
    to_object[:3, :3], to_object[:3, 3] = turned(degrees), shift
    return MovingPart(to_object, half, is_ball, texture, 2.0, np.ones(3))


def things_before(pose: np.ndarray) -> MovingObjects:
    """At 2 times: a ball, and a body of two turned boxes, floating before a camera."""

    def carried(side: float, degrees: float):
        def motion(times):
            poses = np.tile(np.eye(4), (len(times), 1, 1))
            poses[:, :3, :3] = [turned(degrees + 20 * time) for time in times]
            poses[:, :3, 3] = pose[:3, 3] + 0.6 * pose[:3, 2] + np.outer(side + 0.05 * times, pose[:3, 0])
            return poses

        return motion

    ball = MovingObject("ball", [part((0.12,) * 3, 0, is_ball=True)], carried(-0.12, 10))
    body = MovingObject("body", [part((0.1, 0.02, 0.05), 1, degrees=30), part((0.03, 0.12, 0.03), 2, shift=(0.05, 0, 0))],
                        carried(0.15, 50))  # fmt: skip
    return as_arrays([ball, body], np.array([0.0, 1.0]))


def slow_moving_depth(objects: MovingObjects, frame: int, pose, lens, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Brute force over the parts: z-depth [H, W], infinite where nothing is met, and object ids."""
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid((centres - lens[2]) / lens[0], (centres - lens[3]) / lens[1])
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    best, ids = np.full((size, size), np.inf), np.zeros((size, size), int)
    for number in range(len(objects.part_shapes)):
        owner = int(np.searchsorted(objects.part_starts, number, side="right")) - 1
        to_part = np.linalg.inv(objects.object_to_world[frame, owner] @ objects.part_to_object[number])
        origin, direction = to_part[:3, :3] @ pose[:3, 3] + to_part[:3, 3], rays @ to_part[:3, :3].T
        is_ball, half = objects.part_shapes[number, 0], objects.part_shapes[number, 1:]
        if is_ball:
            a, b, c = (direction**2).sum(-1), direction @ origin, origin @ origin - half[0] ** 2
            root = np.sqrt(np.where(b * b - a * c > 0, b * b - a * c, np.nan))
            entry = (-b - root) / a
        else:
            sides = np.stack([(-half - origin) / direction, (half - origin) / direction])
            entry, leave = sides.min(0).max(-1), sides.max(0).min(-1)
            entry = np.where(entry < leave, entry, np.nan)
        nearer = (entry > 0) & (entry < best)
        best, ids = np.where(nearer, entry, best), np.where(nearer, owner + 1, ids)
    return best, ids


def test_moving_objects_are_where_brute_force_finds_them():
    for seed in range(3):
        scene, poses, lenses = placed(seed)
        poses, lenses = np.repeat(poses[:1], 2, axis=0), np.repeat(lenses[:1], 2, axis=0)
        objects = things_before(poses[0])
        rgb, depth, ids = render_moving(scene, objects, poses, lenses, size=40)
        still, behind = render(scene, poses, lenses, size=40)
        for frame in range(2):
            expected, expected_ids = slow_moving_depth(objects, frame, poses[frame], lenses[frame], 40)
            expected_ids[expected >= behind[frame]] = 0
            same = ids[frame] == expected_ids
            assert same.mean() > 0.995 and set(np.unique(ids[frame])) == {0, 1, 2}  # rays that graze an edge may differ
            assert np.abs(depth[frame] - np.minimum(expected, behind[frame]))[same].max() < 1e-4
            assert (rgb[frame] != still[frame])[ids[frame] > 0].any(axis=-1).mean() > 0.8


def test_an_object_out_of_sight_changes_nothing():
    """Far outside the room: the kernels compiled for moving objects give the room of those compiled without."""
    scene, poses, lenses = placed(2)
    away = np.tile(np.eye(4), (len(poses), 1, 1))
    away[:, :3, 3] = 100.0
    objects = as_arrays([MovingObject("ball", [part((0.2,) * 3, 0, True)], lambda times: away)], np.arange(len(poses)))
    rgb, depth, ids = render_moving(scene, objects, poses, lenses, size=32)
    still, behind = render(scene, poses, lenses, size=32)
    assert not ids.any() and np.abs(depth - behind).max() < 1e-5
    assert np.abs(rgb.astype(int) - still).max() <= 1 and (rgb == still).mean() > 0.999


def test_a_moving_ball_casts_a_shadow_from_the_lamp():
    """The floor right below a lamp, seen past a ball that hangs between the two: darker than without the ball."""
    scene = sample_scene("validation", 0)
    lamp, lens = scene.lights[0], np.array([[0.8, 0.8, 0.5, 0.5]])
    scene = replace(scene, box_is_solid=np.zeros(len(scene.boxes), bool))  # nothing else casts shadows
    pose, where = np.eye(4), np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # looks down
    pose[:3, 3], where[:3, 3] = (
        lamp + np.array([0, 0.5, 0]),
        lamp + np.array([0, 0.3, 0]),
    )  # the ball hangs behind the camera
    ball = MovingObject("ball", [part((0.12,) * 3, 0, True)], lambda times: where[None])
    dark, depth, ids = render_moving(scene, as_arrays([ball], np.zeros(1)), pose[None], lens, size=32)
    light, behind = render(scene, pose[None], lens, size=32)
    assert not ids.any() and np.array_equal(depth, behind)
    assert (dark <= light.astype(int) + 1).all() and (dark[0, 12:20, 12:20] < light[0, 12:20, 12:20] - 10).mean() > 0.5


def test_all_ways_from_a_light_through_an_object_are_in_marked_cells():
    """Every direction that meets a sphere, found slowly, is in a cell that is marked for it; most cells are not marked."""
    rng, cells = np.random.default_rng(0), np.empty(2 * room_kernels.DIRECTIONS, bool)
    for _ in range(40):
        lights, spheres = (
            rng.uniform(-2, 2, (2, 3)),
            np.column_stack([rng.uniform(-2, 2, (2, 3)), rng.uniform(0.05, 0.4, 2)]),
        )
        room_kernels._object_cells(spheres, lights, cells)
        assert (
            0.004 < cells.mean() < (0.7 if np.linalg.norm(spheres[:, None, :3] - lights, axis=-1).min() > 0.8 else 1.1)
        )
        for light, (x, y, z) in enumerate(lights):
            for way in rng.normal(size=(300, 3)):
                way /= np.linalg.norm(way)
                centres = spheres[:, :3] - (x, y, z)
                nearest = np.maximum(centres @ way, 0.0)[:, None] * way
                if (np.linalg.norm(centres - nearest, axis=1) < spheres[:, 3]).any():
                    assert cells[light * room_kernels.DIRECTIONS + room_kernels._direction_cell(*way)]


def test_poses_of_objects_must_fit_the_frames():
    scene, poses, lenses = placed(0)
    with pytest.raises(ValueError, match="each object for 3 frames, got 2"):
        render_moving(scene, things_before(poses[0]), poses, lenses)
