"""Paths in scenes: where they may go, why they may not, and that the seed alone decides."""

from collections import Counter

import numpy as np
import pytest

from camvig.camera_paths import CameraPath
from camvig.dataset_builders.clip_checks import EMPTY_DEPTH, MIN_NEAR_DEPTH, median_depth
from camvig.dataset_builders.scenes.room_field import RoomField
from camvig.dataset_builders.scenes.scene_paths import (
    PathReport,
    ScenePaths,
    finite_median,
    in_usual_scale,
    keeps_first_view,
)

LENS = np.tile([0.6, 0.6, 0.5, 0.5], (17, 1))


@pytest.fixture(scope="module")
def room_paths() -> ScenePaths:
    return ScenePaths(RoomField("train", 5, threads=1))


def test_placed_paths_keep_every_rule_on_a_finer_look(room_paths):
    report, rng, room = PathReport(), np.random.default_rng(0), room_paths.scene
    for _ in range(6):
        placed = room_paths.place(rng, report)
        depth = room.render(placed.camera_to_world, placed.intrinsics, (32, 32)).depth
        scale = np.median(depth[0])
        assert np.quantile(depth, 0.05, axis=(1, 2)).min() > 0.9 * MIN_NEAR_DEPTH * scale
        assert room.scene.clearance_is_free(placed.camera_to_world[:, :3, 3], 0.05).all()
        assert keeps_first_view(depth, placed.camera_to_world, placed.intrinsics)
    assert sum(report.placed.values()) == 6 and report.rejected["near a surface"] > 0


def test_a_seed_is_a_path(room_paths):
    first, again, other = (room_paths.place(np.random.default_rng(seed), PathReport()) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.camera_to_world, again.camera_to_world)
    assert first.move == again.move and not np.array_equal(first.camera_to_world, other.camera_to_world)


def test_a_move_can_be_asked_for(room_paths):
    report = PathReport()
    for move in ("orbit_left", "dolly_out", "pan_right"):
        placed = room_paths.place(np.random.default_rng(0), report, move)
        assert placed.move == move
    sentence = CameraPath(placed.camera_to_world, placed.intrinsics, unit="metre").describe()
    assert sentence.startswith("pans") and "right" in sentence
    assert report.placed == Counter({"orbit_left": 1, "dolly_out": 1, "pan_right": 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dolly in 20%", None),
        ("dolly in 85%", "near a surface"),
        ("pan right 170deg", "empty space"),
        ("dolly out 200%", "not seen by the captures"),
    ],
)
def test_each_reason_to_reject_a_path_before_a_wall(make_wall, text, expected):
    paths = ScenePaths(make_wall())
    poses = np.array(CameraPath.from_text(text).camera_to_world)
    poses[:, :3, 3] *= 2  # the wall is 2 units away
    assert paths._why_not(poses, LENS) == expected


@pytest.mark.parametrize(("degrees", "keeps"), [(10, True), (50, False)])
def test_a_path_that_loses_its_first_view(make_wall, degrees, keeps):
    poses = CameraPath.pan(degrees).camera_to_world  # of a picture that is 80 degrees wide
    depth = make_wall().render(poses, LENS, (16, 16)).depth
    assert keeps_first_view(depth, poses, LENS) == keeps


def test_an_object_alone_may_be_as_empty_as_its_views(make_wall):
    """A plate that fills a quarter of its view: emptiness is no reason, and depths are those of the plate."""
    paths = ScenePaths(make_wall(half_width=1.0))
    assert paths.most_empty == 0.75
    placed = paths.place(np.random.default_rng(0), PathReport(), "pan_right")
    depth = paths.scene.render(placed.camera_to_world, placed.intrinsics, (16, 16)).depth
    assert np.isinf(depth).mean() > 0.1 and finite_median(depth[0]) == pytest.approx(2, rel=0.2)
    _, scaled = in_usual_scale(depth, placed.camera_to_world)
    assert scaled.max() == EMPTY_DEPTH and median_depth(scaled[0]) == pytest.approx(2.5)


def test_a_scene_without_room_for_any_path_says_why(make_wall):
    paths = ScenePaths(make_wall(half_width=0.05))
    with pytest.raises(ValueError, match=r"expected room for a camera path in wall, found none \(empty space: \d+"):
        paths.place(np.random.default_rng(0), PathReport())


def test_the_lens_hardly_sees_more_than_the_captured_view(make_wall):
    paths = ScenePaths(make_wall())
    for seed in range(20):
        _, lens = paths._start(np.random.default_rng(seed))
        assert lens[:2].min() >= 0.5 / 1.1 - 1e-9
