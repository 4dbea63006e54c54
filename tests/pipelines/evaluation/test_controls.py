"""Controls: on a world that is a flat picture the warps are exact, and agree with the exact flow of `dataset_builders`."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from camvig.camera_paths.camera_path import CameraPath
from camvig.metrics.flow_mse import dis_flow, flow_mse
from camvig.metrics.frame_quality import psnr
from camvig.pipelines.evaluation.controls import (
    PLANE_DEPTHS,
    _sampled,
    depth_warp,
    planar_warp,
    plane_homographies,
    reencoded,
    static_video,
    usable_depths,
    warped_plane,
)


def test_static_repeats_the_first_frame(room_pair):
    video = static_video(room_pair[0].frames)
    assert video.shape == room_pair[0].frames.shape and (video == room_pair[0].frames[0]).all()


def test_a_flat_world_is_warped_exactly_by_the_right_depth(flat_clip):
    warp = planar_warp(flat_clip, dis_flow(flat_clip.frames))
    assert warp.depth == 1.4
    np.testing.assert_array_equal(warp.frames, flat_clip.frames)


def test_depth_warp_of_a_flat_world_is_the_planar_warp(flat_clip):
    """Homographies and `exact_flow` are two ways to the same places."""
    difference = np.abs(depth_warp(flat_clip).astype(int) - flat_clip.frames)
    assert difference[:, 4:-4, 4:-4].max() <= 2


def test_a_homography_moves_a_point_as_the_camera_says():
    path = CameraPath.from_text("truck right 30%, pan right 8deg")
    point = np.array([0.2, -0.1, 2.0])  # of the plane at depth 2, in the first camera's axes
    seen = (np.linalg.inv(path.camera_to_world[-1]) @ [*point, 1])[:3]
    fx, fy, cx, cy = path.intrinsics[-1]
    first = np.array([point[0] / 2 * fx + cx, point[1] / 2 * fy + cy, 1])
    moved = plane_homographies(path, 2.0)[-1] @ first
    np.testing.assert_allclose(moved[:2] / moved[2], seen[:2] / seen[2] * [fx, fy] + [cx, cy], atol=1e-9)


def test_planes_that_the_camera_would_pass_are_left_out():
    assert usable_depths(CameraPath.from_text("dolly in 48%")) == PLANE_DEPTHS[3:]
    assert usable_depths(CameraPath.from_text("pan left 10deg")) == (float("inf"),)


def test_the_planar_warp_beats_static_where_the_camera_turns(room_pair):
    path = CameraPath.from_text("pan right 15deg")
    clip = replace(room_pair[0], path=path, frames=warped_plane(room_pair[0].frames[0], path, float("inf")))
    warp = planar_warp(clip, dis_flow(clip.frames))
    assert flow_mse(warp.frames, clip.frames) == 0 < flow_mse(static_video(clip.frames), clip.frames)


def test_reencoding_changes_next_to_nothing(room_pair):
    assert 35 < psnr(reencoded(room_pair[0]), room_pair[0].frames) < 60


def test_a_place_however_far_is_that_of_the_repeated_mirror_image(room_pair):
    picture = room_pair[0].frames[0]
    size = len(picture)
    x, y = np.meshgrid((np.arange(size) + 0.75) / size, (np.arange(size) + 0.25) / size)
    near = _sampled(picture, x - 1, y + 1.5)
    assert np.array_equal(
        near, cv2.remap(picture, *_pixels(x - 1, y + 1.5, size), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    )
    for periods in (20, -(2**21)):  # the latter took a minute
        assert np.array_equal(_sampled(picture, x - 1 + 2 * periods, y + 1.5), near)


def _pixels(x, y, size):
    return [(place * size - 0.5).astype(np.float32) for place in (x, y)]
