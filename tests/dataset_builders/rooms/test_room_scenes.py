"""Scenes: repeatable, different between splits, well formed; free space agrees with a slow reference."""

import math

import numpy as np
import pytest

from camvig.dataset_builders.rooms.room_furniture import AGAINST_WALL, FREE_STANDING
from camvig.dataset_builders.rooms.room_scenes import RoomScene, sample_scene

SCENES = [sample_scene("validation", seed) for seed in range(40)]


def distance_to_box(point: np.ndarray, box: np.ndarray) -> float:
    """Slow reference: distance from a point to one box (0 inside)."""
    axis_x, axis_z = np.array([box[6], 0, box[7]]), np.array([-box[7], 0, box[6]])
    offset = point - box[:3]
    local = np.array([offset @ axis_x, offset[1], offset @ axis_z])
    return float(np.linalg.norm(np.maximum(np.abs(local) - box[3:6], 0)))


def slow_is_free(scene: RoomScene, point: np.ndarray, margin: float) -> bool:
    low, high = scene.shell[0::2], scene.shell[1::2]
    if (point - low).min() <= margin or (high - point).min() <= margin:
        return False
    solids = scene.boxes[scene.box_is_solid]
    return all(distance_to_box(point, box) > margin for box in solids)


def test_seed_and_split_determine_the_scene():
    again = sample_scene("validation", 7)
    for name, value in vars(SCENES[7]).items():
        assert np.array_equal(value, getattr(again, name)), name
    assert not np.array_equal(sample_scene("test", 7).shell, again.shell)


def test_rooms_have_the_promised_size_and_many_open_to_a_second_room():
    for scene in SCENES:
        width, height, depth = scene.shell[1::2] - scene.shell[0::2]
        assert 3 <= width <= 8 and 3 <= depth <= 8 and 2.3 <= height <= 3.6
        assert len(scene.lights) >= 1
    with_opening = sum(len(scene.openings) > 0 for scene in SCENES)
    assert 8 <= with_opening <= 32


def test_openings_are_free_and_lead_through_the_wall():
    for scene in SCENES:
        for opening in scene.openings:
            assert scene.clearance_is_free(opening[None], 0.2)[0]


def test_free_space_agrees_with_the_slow_reference():
    rng = np.random.default_rng(0)
    for scene in SCENES[:4]:
        points = rng.uniform(scene.shell[0::2] - 0.1, scene.shell[1::2] + 0.1, (60, 3))
        expected = [slow_is_free(scene, point, 0.2) for point in points]
        assert scene.clearance_is_free(points, 0.2).tolist() == expected
        assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize("make", sorted({*AGAINST_WALL, *FREE_STANDING}, key=lambda make: make.__name__))
def test_furniture_parts_are_boxes_above_the_floor(make):
    for seed in range(5):
        piece = make(np.random.default_rng(seed))
        for part in piece.parts:
            assert part.x[0] < part.x[1] and part.z[0] < part.z[1] and -1e-9 <= part.bottom < part.top
            assert 0 <= part.material < len(piece.materials)


def test_boxes_are_well_formed():
    for scene in SCENES:
        assert np.isfinite(scene.boxes).all() and (scene.boxes[:, 3:6] > 0).all()
        assert np.allclose(np.hypot(scene.boxes[:, 6], scene.boxes[:, 7]), 1)
        assert math.isclose(scene.shell[3], 0.0)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="'dev'"):
        sample_scene("dev", 0)
    with pytest.raises(ValueError, match="-1"):
        sample_scene("train", -1)
