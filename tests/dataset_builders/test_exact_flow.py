"""Exact flow against a numpy reference, known answers, and by warping rendered clips."""

import cv2
import numpy as np
import pytest

from camvig.dataset_builders.exact_flow import LIMIT, backward_flow, forward_flow
from camvig.dataset_builders.rooms.room_clips import room_clip

LENS = np.array([0.8, 0.9, 0.5, 0.48])


def reproject(depth, source, source_lens, target, target_lens):
    """Slow reference: positions [H, W, 2] in the target's normalised picture, and z there, of all source pixels."""
    height, width = depth.shape
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    rays = np.stack([(x - source_lens[2]) / source_lens[0], (y - source_lens[3]) / source_lens[1], np.ones_like(x)], -1)
    world = (rays * depth[..., None]) @ source[:3, :3].T + source[:3, 3]
    local = (world - target[:3, 3]) @ target[:3, :3]
    position = local[..., :2] / local[..., 2:] * target_lens[:2] + target_lens[2:]
    return position - np.stack([x, y], -1), position, local[..., 2]


def pose(shift=(0, 0, 0), pan_degrees=0.0) -> np.ndarray:
    angle, matrix = np.radians(pan_degrees), np.eye(4)
    matrix[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
    matrix[:3, 3] = shift
    return matrix


@pytest.fixture(scope="module")
def clips():
    moves = ("truck_left", "dolly_in", "free", "orbit_right", "zoom_out")
    return [room_clip("validation", seed, 0, size=48, move=move) for seed, move in enumerate(moves)]


def test_both_flows_equal_the_slow_reference(clips):
    for clip in clips:
        flow, _, in_front = backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
        onward = forward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
        for t in (1, 9, 16):
            source = clip.depth[t].astype(float), clip.camera_to_world[t], clip.intrinsics[t]
            expected, _, z = reproject(*source, clip.camera_to_world[0], clip.intrinsics[0])
            assert np.array_equal(in_front[t - 1], z > 0.02)
            clipped = np.clip(expected, -LIMIT, LIMIT)
            assert np.abs(np.moveaxis(flow[t - 1], 0, -1) - clipped)[z > 0.02].max() < 1e-4
            source = clip.depth[t - 1].astype(float), clip.camera_to_world[t - 1], clip.intrinsics[t - 1]
            expected, _, z = reproject(*source, clip.camera_to_world[t], clip.intrinsics[t])
            assert np.abs(onward[t - 1] - 48 * expected)[z > 0.1].max() < 1e-2


def test_a_pan_moves_the_centre_by_a_known_amount():
    """The principal ray of frame 1, panned right by 10 degrees, lies tan(10 deg) fx to the right in frame 0."""
    depth = np.full((2, 25, 25), 3.0)
    lens = np.array([0.8, 0.8, 0.5, 0.5])
    flow, visibility, _ = backward_flow(depth, np.stack([pose(), pose(pan_degrees=10)]), np.stack([lens, lens]))
    assert flow[0, :, 12, 12] == pytest.approx([0.8 * np.tan(np.radians(10)), 0.0], abs=1e-6)
    assert visibility[0, 12, 12] == 1 and visibility[0, 12, 24] == 0


def test_a_dolly_towards_a_wall_scales_about_the_principal_point():
    depth = np.stack([np.full((20, 30), 4.0), np.full((20, 30), 3.0)])
    flow, visibility, in_front = backward_flow(depth, np.stack([pose(), pose((0, 0, 1))]), np.stack([LENS, LENS]))
    x, y = np.meshgrid((np.arange(30) + 0.5) / 30, (np.arange(20) + 0.5) / 20)
    assert np.allclose(flow[0, 0], (x - LENS[2]) * (3 / 4 - 1), atol=1e-6)
    assert np.allclose(flow[0, 1], (y - LENS[3]) * (3 / 4 - 1), atol=1e-6)
    assert visibility.all() and in_front.all()
    onward = forward_flow(depth, np.stack([pose(), pose((0, 0, 1))]), np.stack([LENS, LENS]))
    assert np.allclose(onward[0, ..., 0], 30 * (x - LENS[2]) * (4 / 3 - 1), atol=1e-4)


def test_points_behind_frame_0_are_marked():
    depth = np.full((2, 8, 8), 1.0)
    flow, visibility, in_front = backward_flow(depth, np.stack([pose(), pose((0, 0, -3))]), np.stack([LENS, LENS]))
    assert not visibility.any() and not in_front.any() and np.abs(flow).max() <= LIMIT


def test_occluded_points_are_not_visible():
    """Frame 0 sees a near card where frame 1, moved far aside, sees the wall behind it."""
    depth = np.full((2, 16, 16), 4.0)
    depth[0, :, :8] = 1.0
    _, visibility, _ = backward_flow(depth, np.stack([pose(), pose((0, 0, 0))]), np.stack([LENS, LENS]))
    assert not visibility[0, :, :7].any() and visibility[0, :, 9:].all()


def test_warping_frame_0_reproduces_later_frames_where_visible(clips):
    for clip in clips:
        flow, visibility, _ = backward_flow(clip.depth, clip.camera_to_world, clip.intrinsics)
        y, x = np.mgrid[0:48, 0:48].astype(np.float32)
        for t in (4, 16):
            shift = 48 * flow[t - 1]
            warped = cv2.remap(clip.frames[0], x + shift[0], y + shift[1], cv2.INTER_LINEAR)
            seen = visibility[t - 1] == 1
            assert seen.mean() > 0.2
            error = np.mean((warped[seen].astype(float) - clip.frames[t][seen]) ** 2)
            assert 10 * np.log10(255**2 / error) > 24, (clip.move, t)


def test_mismatched_shapes_are_refused():
    with pytest.raises(ValueError, match="depth"):
        backward_flow(np.ones((3, 4, 4)), np.tile(np.eye(4), (2, 1, 1)), np.tile(LENS, (3, 1)))
