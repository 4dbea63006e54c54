"""Placed objects touch nothing, by a slow look at all of their points, and are seen; the camera's path stays as it was."""

import numpy as np
import pytest

from camvig.dataset_builders.rooms import moving_placement
from camvig.dataset_builders.rooms.moving_contacts import are_free, keep_apart, swept
from camvig.dataset_builders.rooms.moving_makers import MAKERS
from camvig.dataset_builders.rooms.moving_objects import MovingObject, MovingPart, as_arrays, with_fixed_boxes
from camvig.dataset_builders.rooms.moving_placement import FRAME_TIMES, place_objects
from camvig.dataset_builders.rooms.room_clips import MOVING_CODE, room_clip
from camvig.dataset_builders.rooms.room_paths import place_path
from camvig.dataset_builders.rooms.room_renderer import render_moving
from camvig.dataset_builders.rooms.room_scenes import sample_scene
from camvig.dataset_builders.rooms.room_textures import SPLIT_CODES

TIMES = np.linspace(0, 2, 97)


def placed(seed: int, count: int = 2):
    scene = sample_scene("validation", seed)
    path = place_path(scene, np.random.default_rng(seed))
    return scene, path, place_objects(scene, path, count, np.random.default_rng(1000 + seed))


@pytest.fixture(scope="module")
def rooms():
    return [placed(seed) for seed in range(10)]


def surface_points(thing: MovingObject) -> list[np.ndarray]:
    """For each part, points all over its surface, at all times, in the room: [S, P, 3]."""
    rng, found = np.random.default_rng(0), []
    for part in thing.parts:
        points = rng.normal(size=(200, 3))
        points /= (
            np.linalg.norm(points, axis=1, keepdims=True) if part.is_ball else np.abs(points).max(1, keepdims=True)
        )
        points = (points * part.half) @ part.to_object[:3, :3].T + part.to_object[:3, 3]
        poses = thing.motion(TIMES)
        found.append(points @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3])
    return found


def test_objects_stay_out_of_walls_and_furniture(rooms):
    for scene, _, objects in rooms:
        for thing in objects:
            points = surface_points(thing)[0].reshape(-1, 3)  # of its main part; a cord ends in the ceiling
            centre = (scene.shell[0::2] + scene.shell[1::2]) / 2
            points = centre + (points - centre) * 0.995  # a ball touches the floor
            assert scene.clearance_is_free(points, 0.0).mean() > 0.999, (scene.scene_seed, thing.kind)


def test_objects_keep_away_from_the_camera_and_from_one_another(rooms):
    for _, path, objects in rooms:
        for thing in objects:
            at_frames = np.concatenate(surface_points(thing), axis=1)[::6]
            between = np.linalg.norm(at_frames - path.camera_to_world[:, None, :3, 3], axis=-1)
            assert between.min() > 0.25
        if len(objects) == 2:
            first, second = (np.concatenate(surface_points(thing), axis=1)[::6] for thing in objects)
            assert np.linalg.norm(first[:, :, None] - second[:, None], axis=-1).min() > 0.02


def test_objects_are_seen_in_the_first_frame_and_move(rooms):
    kinds = set()
    for scene, path, objects in rooms:
        whole, moving = with_fixed_boxes(scene, objects), as_arrays(objects, FRAME_TIMES)
        _, _, ids = render_moving(whole, moving, path.camera_to_world, path.intrinsics, 48, antialias=0)
        for number, thing in enumerate(objects, 1):
            shares = (ids == number).mean((1, 2))
            assert shares[0] > 0.001 and np.median(shares) > 0.001 and shares.max() < 0.45
            poses = thing.motion(FRAME_TIMES)
            assert np.abs(np.diff(poses, axis=0)).max() > 0.005
            kinds.add(thing.kind)
    assert len(kinds) >= 4 and kinds <= set(MAKERS)
    assert np.mean([len(objects) for *_, objects in rooms]) > 1.7


def test_objects_follow_from_the_generator():
    first, second = placed(3)[2], placed(3)[2]
    assert [thing.kind for thing in first] == [thing.kind for thing in second]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.motion(FRAME_TIMES), other.motion(FRAME_TIMES))


def test_contacts_agree_with_the_slow_reference():
    scene, rng = sample_scene("validation", 2), np.random.default_rng(0)
    low, high = scene.shell[0::2] + 0.1, scene.shell[1::2] - 0.1
    answers = []
    for _ in range(60):
        points, margin = rng.uniform(low, high, (1, 3, 3)), rng.uniform(0.01, 0.3)
        answers.append(are_free(scene, points, np.full(3, margin)))
        assert answers[-1] == scene.clearance_is_free(points[0], margin).all()
        distance = np.linalg.norm(points[0, 0] - points[0, 1])
        pair = points[:, :1], np.full(1, 0.1), points[:, 1:2], np.full(1, 0.2)
        assert keep_apart(*pair, distance - 0.31) and not keep_apart(*pair, distance - 0.29)
    assert 5 < sum(answers) < 55


def slow_outline(part: MovingPart) -> tuple[np.ndarray, np.ndarray]:
    half = np.array(part.half)
    if part.is_ball:
        return part.to_object[None, :3, 3], half[:1]
    radius = max(half.min(), 0.02)
    reaches = np.maximum(half - radius, 0.0)
    axes = [np.linspace(-reach, reach, 2 + int(2 * reach / 0.18)) if reach > 0 else np.zeros(1) for reach in reaches]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return grid @ part.to_object[:3, :3].T + part.to_object[:3, 3], np.full(len(grid), radius)


def test_outlines_and_their_ways_agree_with_the_slow_reference(rooms):
    for thing in [thing for *_, objects in rooms for thing in objects]:
        points, radii = thing.outline()
        expected, expected_radii = (np.concatenate(each) for each in zip(*map(slow_outline, thing.parts), strict=True))
        assert np.array_equal(radii, expected_radii) and np.abs(points - expected).max() < 1e-14
        poses = thing.motion(FRAME_TIMES)
        ways = np.einsum("sij,pj->spi", poses[:, :3, :3], points) + poses[:, None, :3, 3]
        assert np.abs(swept(poses, points) - ways).max() < 1e-13


@pytest.mark.parametrize("count", [0, 4])
def test_other_numbers_of_objects_are_refused(count):
    with pytest.raises(ValueError, match=f"1 to 3 moving objects, got {count}"):
        placed(0, count)


def test_rooms_where_nothing_fits_at_first_are_tried_again_and_then_stay_at_rest(monkeypatch):
    scene = sample_scene("train", 8)
    seeds = [SPLIT_CODES["train"], 8, 2]
    path = place_path(scene, np.random.default_rng(np.random.SeedSequence(seeds)))

    def found() -> list[str]:
        rng = np.random.default_rng(np.random.SeedSequence([*seeds, MOVING_CODE]))
        return [thing.kind for thing in place_objects(scene, path, 2, rng)]

    assert found() == ["standing_fan"]
    assert room_clip("train", 8, 1, 16, moving_objects=2, threads=1).object_kinds == ("standing_fan",)
    monkeypatch.setattr(moving_placement, "ROUNDS", 1)
    assert found() == []
    moving, at_rest = (room_clip("train", 8, 1, 16, moving_objects=count, threads=1) for count in (2, 0))
    assert moving.object_kinds == () and np.array_equal(moving.frames, at_rest.frames) and not moving.object_ids.any()
    assert moving.object_to_world.shape == (17, 0, 4, 4)
