"""Exact flow of moving objects: a numpy reference, a still camera, warped pictures, and OpenCV's estimate of the same motion."""

import cv2
import numpy as np
import pytest

from camvig.dataset_builders.exact_flow import (
    LIMIT,
    FlowParts,
    backward_flow,
    backward_flow_parts,
    flow_to_first_frame,
    forward_flow,
    forward_flow_parts,
)
from camvig.dataset_builders.rooms.room_clips import RoomClip, room_clip
from camvig.metrics.flow_mse import dis_flow


@pytest.fixture(scope="module")
def clips() -> list[RoomClip]:
    moves = ("truck_left", "free", "static", "orbit_right")
    return [room_clip("validation", seed, 0, 64, move=move, moving_objects=2) for seed, move in enumerate(moves)]


def parts_of(function, clip: RoomClip) -> FlowParts:
    return function(clip.depth, clip.camera_to_world, clip.intrinsics, clip.object_ids, clip.object_to_world)


def moved(clip: RoomClip, source: int, target: int, row: int, column: int) -> np.ndarray:
    """Slow reference: where, in pixels of the target frame, the point is that a pixel of the source frame shows."""
    fx, fy, cx, cy = clip.intrinsics[source]
    size = clip.depth.shape[1]
    ray = np.array([((column + 0.5) / size - cx) / fx, ((row + 0.5) / size - cy) / fy, 1.0, 0.0])
    world = clip.camera_to_world[source] @ (ray * clip.depth[source, row, column] + [0, 0, 0, 1])
    if thing := clip.object_ids[source, row, column]:
        world = clip.object_to_world[target, thing - 1] @ np.linalg.inv(clip.object_to_world[source, thing - 1]) @ world
    x, y, z, _ = np.linalg.inv(clip.camera_to_world[target]) @ world
    fx, fy, cx, cy = clip.intrinsics[target]
    return np.array([x / z * fx + cx, y / z * fy + cy]) * size - 0.5


def test_total_flow_equals_the_slow_reference(clips):
    rng = np.random.default_rng(0)
    for clip in clips:
        onward, back = parts_of(forward_flow_parts, clip), parts_of(backward_flow_parts, clip)
        for source in (1, 7, 15):
            pixels = np.argwhere(clip.object_ids[source] > 0)
            pixels = np.concatenate([pixels[rng.permutation(len(pixels))[:20]], rng.integers(0, 64, (10, 2))])
            for row, column in pixels:
                if onward.in_front[source, row, column]:
                    expected = moved(clip, source, source + 1, row, column) - [column, row]
                    assert onward.total[source, row, column] == pytest.approx(expected, abs=2e-3)
                if back.in_front[source - 1, row, column]:
                    expected = (moved(clip, source, 0, row, column) - [column, row]) / 64
                    assert back.total[source - 1, :, row, column] == pytest.approx(
                        np.clip(expected, -LIMIT, LIMIT), abs=1e-4
                    )


def test_the_camera_part_is_the_flow_of_a_room_at_rest_and_the_rest_moves_objects_only(clips):
    for clip in clips:
        at_rest = clip.depth, clip.camera_to_world, clip.intrinsics
        back, onward = parts_of(backward_flow_parts, clip), parts_of(forward_flow_parts, clip)
        assert np.array_equal(back.camera, backward_flow(*at_rest)[0])
        assert np.array_equal(onward.camera, forward_flow(*at_rest))
        assert np.array_equal(onward.moving, clip.object_ids[:-1] > 0) and onward.moving.any()
        assert np.array_equal(back.moving, clip.object_ids[1:] > 0)
        assert not onward.objects[~onward.moving].any() and not np.moveaxis(back.objects, 1, -1)[~back.moving].any()
        assert np.abs(onward.objects[onward.moving]).max() > 0.3


def test_the_flow_of_a_clip_is_the_total_flow_or_that_of_a_room_at_rest(clips):
    for clip in clips:
        found, parts = flow_to_first_frame(vars(clip)), parts_of(backward_flow_parts, clip)
        for value, expected in zip(found, (parts.total, parts.visibility, parts.in_front), strict=True):
            assert np.array_equal(value, expected)
        at_rest = {name: getattr(clip, name) for name in ("depth", "camera_to_world", "intrinsics")}
        for value, expected in zip(flow_to_first_frame(at_rest), backward_flow(*at_rest.values()), strict=True):
            assert np.array_equal(value, expected)


def test_before_a_still_camera_objects_are_all_of_the_flow(clips):
    flow = parts_of(forward_flow_parts, clips[2])
    assert clips[2].move == "static" and np.abs(flow.camera).max() < 1e-3
    assert np.allclose(flow.objects, flow.total, atol=1e-3) and np.abs(flow.total).max() > 0.5


def test_warping_by_the_total_flow_reproduces_moving_objects_where_visible(clips):
    """And by the camera's part alone it does not."""
    errors = {"total": [], "camera": []}
    y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    for clip in clips:
        flow = parts_of(forward_flow_parts, clip)
        for time in range(16):
            inside = cv2.erode((flow.moving[time] & (flow.visibility[time] > 0)).astype(np.uint8), np.ones((3, 3))) > 0
            for name, found in errors.items():
                shift = getattr(flow, name)[time]
                places = x + shift[..., 0], y + shift[..., 1]
                warped = cv2.remap(clip.frames[time + 1], *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                found.append((warped[inside].astype(float) - clip.frames[time][inside]) ** 2)
    psnr = {name: 10 * np.log10(255**2 / np.concatenate(found).mean()) for name, found in errors.items()}
    assert psnr["total"] > 25 and psnr["total"] > psnr["camera"] + 4, psnr


def test_opencv_sees_the_total_flow_on_a_textured_ball():
    clip = room_clip("validation", 2, 0, 128, move="static", moving_objects=2)
    flow, seen = parts_of(forward_flow_parts, clip), dis_flow(clip.frames)
    ball = clip.object_kinds.index("swinging_ball") + 1
    error = power = 0.0
    for time in range(16):
        inside = (clip.object_ids[time] == ball) & (flow.visibility[time] > 0)
        inside = (
            cv2.erode(inside.astype(np.uint8), np.ones((7, 7))) > 0
        )  # away from its edge, where estimates are smeared
        error += np.square(seen[time] - flow.total[time])[inside].sum()
        power += np.square(flow.total[time])[inside].sum()
    assert power > 1000 and error / power < 0.2


def test_a_point_that_turns_to_the_back_is_not_visible():
    """A ball that turns half round before a camera that rests: nothing of what it showed is still to be seen."""
    ids = np.zeros((2, 33, 33), np.uint8)
    y, x = np.mgrid[-16:17, -16:17] / 16.5
    inside = x**2 + y**2 < 0.5
    ids[:, inside] = 1
    depth = np.full((2, 33, 33), 20.0)
    depth[:, inside] = (10 - np.sqrt(np.maximum(0.55 - x**2 - y**2, 0)))[inside]
    lens = np.array([[8.0, 8.0, 0.5, 0.5]] * 2)
    poses = np.tile(np.eye(4), (2, 1, 1, 1))
    poses[:, 0, 2, 3] = 10
    poses[1, 0, :3, :3] = np.diag([-1.0, 1, -1])
    turned = forward_flow_parts(depth, np.tile(np.eye(4), (2, 1, 1)), lens, ids, poses)
    assert turned.visibility[0][~inside].all() and turned.visibility[0][inside].mean() < 0.15
    poses[1] = poses[0]
    rested = forward_flow_parts(depth, np.tile(np.eye(4), (2, 1, 1)), lens, ids, poses)
    assert rested.visibility.all() and np.abs(rested.total).max() < 1e-4


def test_wrong_objects_are_refused(clips):
    clip = clips[0]
    known = clip.depth, clip.camera_to_world, clip.intrinsics
    with pytest.raises(ValueError, match=r"object_ids \[17, 64, 64\]"):
        forward_flow_parts(*known, clip.object_ids[1:], clip.object_to_world)
    with pytest.raises(ValueError, match="object_ids of 0 to 0"):
        backward_flow_parts(*known, clip.object_ids, clip.object_to_world[:, :0])
