"""Mirrored and reversed clips are clips: their flow is the mirrored flow, and it leads to their own first frame."""

import cv2
import numpy as np
import pytest

from camvig import CameraPath
from camvig.dataset_builders.clip_variants import (
    LARGEST_TRANSLATION,
    is_in_range,
    mirrored,
    random_variant,
    relative_path,
    reversed_in_time,
)
from camvig.dataset_builders.exact_flow import backward_flow, flow_to_first_frame
from camvig.dataset_builders.rooms.room_clips import room_clip

SIZE = 48
ARRAYS = ("frames", "depth", "camera_to_world", "intrinsics")


@pytest.fixture(scope="module", params=["truck_left", "dolly_in", "orbit_right", "zoom_out", "free"])
def clip(request: pytest.FixtureRequest) -> dict:
    rendered = room_clip("validation", 0, 0, SIZE, move=request.param, threads=1)
    return {name: getattr(rendered, name) for name in (*ARRAYS, "median_depth", "depth_is_known", "move")}


def flow_of(clip: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return backward_flow(clip["depth"], clip["camera_to_world"], clip["intrinsics"])


def off_centre(clip: dict) -> dict:
    """The clip with the principal point moved aside, so that mirroring it matters."""
    return {**clip, "intrinsics": clip["intrinsics"] + [0, 0, -0.06, 0.03]}


def assert_same_arrays(first: dict, second: dict) -> None:
    for name in ARRAYS:
        assert np.allclose(first[name], second[name], rtol=0, atol=1e-12), name


def test_mirroring_or_reversing_twice_changes_nothing(clip):
    assert_same_arrays(mirrored(mirrored(off_centre(clip))), off_centre(clip))
    twice = reversed_in_time(reversed_in_time(clip))
    assert_same_arrays(twice, clip)
    assert twice["median_depth"] == pytest.approx(clip["median_depth"])


def test_mirroring_and_reversing_commute(clip):
    assert_same_arrays(mirrored(reversed_in_time(clip)), reversed_in_time(mirrored(clip)))


def test_variants_leave_the_clip_as_it_was(clip):
    before = {name: clip[name].copy() for name in ARRAYS}
    mirrored(clip), reversed_in_time(clip), relative_path(clip)
    assert_same_arrays(clip, before)


def test_the_flow_of_a_mirrored_clip_is_the_mirrored_flow(clip):
    for source in (clip, off_centre(clip)):
        flow, visibility, in_front = flow_of(source)
        flow_mirrored, visibility_mirrored, in_front_mirrored = flow_of(mirrored(source))
        expected = flow[..., ::-1] * np.array([-1, 1], np.float32)[None, :, None, None]
        assert np.allclose(flow_mirrored, expected, rtol=0, atol=1e-5)
        assert np.array_equal(in_front_mirrored, in_front[..., ::-1])
        assert np.mean(visibility_mirrored != visibility[..., ::-1]) < 2e-3  # positions on a pixel's border round apart


@pytest.fixture(scope="module", params=["truck_left", "static"])
def moving_clip(request: pytest.FixtureRequest) -> dict:
    rendered = room_clip("validation", 0, 0, SIZE, move=request.param, moving_objects=2, threads=1)
    assert len(rendered.object_kinds) == 2
    return off_centre(vars(rendered))


def test_the_flow_of_mirrored_moving_objects_is_the_mirrored_flow(moving_clip):
    flow, visibility, in_front = flow_to_first_frame(moving_clip)
    flow_mirrored, visibility_mirrored, in_front_mirrored = flow_to_first_frame(mirrored(moving_clip))
    expected = flow[..., ::-1] * np.array([-1, 1], np.float32)[None, :, None, None]
    assert np.allclose(flow_mirrored, expected, rtol=0, atol=1e-5)
    assert np.array_equal(in_front_mirrored, in_front[..., ::-1])
    assert np.mean(visibility_mirrored != visibility[..., ::-1]) < 5e-3  # at rest all lie on a border
    at_rest = flow_of(moving_clip)[0]
    assert np.abs(flow - at_rest).max() > 0.02 and not np.array_equal(at_rest, flow)  # the objects do move


def test_reversed_moving_objects_lead_back_along_the_flow_they_came_by(moving_clip):
    """A point that flow leads from the last frame to the first is led back by the reversed clip's flow from last to first."""
    flow, visibility, _ = flow_to_first_frame(moving_clip)
    back = flow_to_first_frame(reversed_in_time(moving_clip))[0][-1]  # from frame 0 to the last
    checked = 0
    for row, column in np.argwhere((moving_clip["object_ids"][-1] > 0) & (visibility[-1] == 1)):
        x, y = (np.array([column, row]) + 0.5) / SIZE + flow[-1, :, row, column]
        around = np.round(np.array([y, x]) * SIZE - 0.5).astype(int).clip(0, SIZE - 1)
        if moving_clip["object_ids"][0][tuple(around)] == moving_clip["object_ids"][-1][row, column]:
            gap = back[:, around[0], around[1]] + flow[-1, :, row, column]
            assert np.abs(gap).max() < 3 / SIZE
            checked += 1
    assert checked > 5


def test_variants_of_moving_clips_twice_change_nothing(moving_clip):
    for variant in (mirrored, reversed_in_time):
        twice = variant(variant(moving_clip))
        assert np.array_equal(twice["object_ids"], moving_clip["object_ids"])
        assert np.allclose(twice["object_to_world"], moving_clip["object_to_world"], rtol=0, atol=1e-12)


def test_a_reversed_clip_is_warped_from_its_own_first_frame(clip):
    backwards = reversed_in_time(clip)
    assert np.array_equal(backwards["frames"][0], clip["frames"][-1])
    flow, visibility, _ = flow_of(backwards)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    for t in (4, 16):
        shift, seen = SIZE * flow[t - 1], visibility[t - 1] == 1
        warped = cv2.remap(backwards["frames"][0], x + shift[0], y + shift[1], cv2.INTER_LINEAR)
        error = np.mean((warped[seen].astype(float) - backwards["frames"][t][seen]) ** 2)
        assert seen.mean() > 0.2
        assert 10 * np.log10(255**2 / error) > 22, (clip["move"], t)


def test_relative_paths_start_at_the_identity_in_scene_depths(clip):
    for variant in (clip, mirrored(clip), reversed_in_time(clip), mirrored(reversed_in_time(clip))):
        poses, intrinsics = relative_path(variant)
        assert poses.dtype == intrinsics.dtype == np.float32
        assert np.allclose(poses[0], np.eye(4), rtol=0, atol=1e-6)
        metres = np.linalg.norm(variant["camera_to_world"][-1, :3, 3] - variant["camera_to_world"][0, :3, 3])
        median_depth = np.median(variant["depth"][0])
        assert np.linalg.norm(poses[-1, :3, 3]) == pytest.approx(metres / median_depth, rel=1e-4, abs=1e-6)


def test_the_path_of_a_mirrored_clip_is_the_mirrored_path(clip):
    source = off_centre(clip)
    expected = CameraPath(*relative_path(source)).mirrored()
    assert CameraPath(*relative_path(mirrored(source))).allclose(expected, tolerance=1e-6)


def test_the_path_of_a_reversed_clip_is_the_reversed_path(clip):
    expected = CameraPath(*relative_path(clip)).reversed().relative()
    factor = clip["median_depth"] / np.median(clip["depth"][-1])
    poses = expected.camera_to_world.copy()
    poses[:, :3, 3] *= factor
    assert np.allclose(relative_path(reversed_in_time(clip))[0], poses, rtol=0, atol=1e-5)


def test_too_long_paths_and_lost_views_are_out_of_range(clip):
    assert is_in_range(clip) and is_in_range(mirrored(clip))
    farther = clip["camera_to_world"].copy()
    farther[-1, :3, 3] += clip["median_depth"] * (LARGEST_TRANSLATION + 0.7)
    assert not is_in_range({**clip, "camera_to_world": farther})
    turned_away = clip["camera_to_world"].copy()
    turned_away[-1, :3, :3] = turned_away[-1, :3, :3] @ np.diag([-1.0, 1.0, -1.0])
    assert not is_in_range({**clip, "camera_to_world": turned_away})


def test_random_variants_are_mirrored_half_of_the_time_and_reversed_in_three_of_ten():
    """A camera at rest before a wall stays in range in reverse; the first frame's left edge is marked."""
    frames = np.zeros((17, 8, 8, 3), np.uint8)
    frames[0, :, 0] = 255
    still = {
        "frames": frames,
        "depth": np.full((17, 8, 8), 2.0, np.float32),
        "camera_to_world": np.tile(np.eye(4), (17, 1, 1)),
        "intrinsics": np.tile([0.8, 0.8, 0.5, 0.5], (17, 1)),
        "median_depth": 2.0,
    }
    variants = [random_variant(still, np.random.default_rng(seed))["frames"] for seed in range(200)]
    again = [random_variant(still, np.random.default_rng(seed))["frames"] for seed in range(200)]
    assert all(np.array_equal(first, second) for first, second in zip(variants, again, strict=True))
    assert 75 <= sum(bool(variant[:, 0, -1].any()) for variant in variants) <= 125
    assert 40 <= sum(bool(variant[-1].any()) for variant in variants) <= 80


def test_a_random_variant_never_leaves_the_range(clip):
    too_long = {**clip, "camera_to_world": clip["camera_to_world"].copy()}
    too_long["camera_to_world"][-1, :3, 3] += 2 * clip["median_depth"]
    for seed in range(8):
        variant = random_variant(too_long, np.random.default_rng(seed))
        assert not np.array_equal(variant["depth"][0], clip["depth"][-1])  # not reversed
        assert not np.array_equal(variant["depth"][0], clip["depth"][-1, :, ::-1])
