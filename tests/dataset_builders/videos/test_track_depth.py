"""Depth from points that are followed, against scenes whose depth is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camvig import CameraPath
from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.dataset_builders.videos.track_depth import NO_PARALLAX, POSES_DO_NOT_FIT, TOO_FEW_POINTS, track_depth

LENS = np.tile([0.9, 1.2, 0.5, 0.5], (17, 1))


def plane(path: CameraPath, depth: float, seed: int = 0) -> list[np.ndarray]:
    """A textured plane that faces the first camera at `depth`, as seen along a path: 17 pictures of 160x120."""
    texture = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    texture = cv2.GaussianBlur(cv2.resize(texture, (640, 480), interpolation=cv2.INTER_CUBIC), (0, 0), 2)
    size = np.array([160, 120])
    corners = np.array([[-2.0, -1.5], [2, -1.5], [2, 1.5], [-2, 1.5]]) * depth / 2
    world = np.concatenate([corners, np.full((4, 1), depth), np.ones((4, 1))], axis=1)
    pictures = []
    for camera_to_world, lens in zip(path.camera_to_world, path.intrinsics, strict=True):
        seen = world @ np.linalg.inv(camera_to_world).T
        pixels = (seen[:, :2] / seen[:, 2:3] * lens[:2] + lens[2:]) * size - 0.5
        homography = cv2.getPerspectiveTransform(
            np.array([[0, 0], [639, 0], [639, 479], [0, 479]], np.float32), pixels.astype(np.float32)
        )
        pictures.append(cv2.warpPerspective(texture, homography, (160, 120), flags=cv2.INTER_AREA))
    return pictures


def with_lens(path: CameraPath, depth: float) -> CameraPath:
    return CameraPath(path.to_unit("metre", depth).camera_to_world, LENS, unit="metre")


@pytest.mark.parametrize("depth", [0.3, 2.0, 50.0])
@pytest.mark.parametrize("move", [CameraPath.truck(0.15), CameraPath.dolly(0.25), CameraPath.orbit(12)])
def test_a_plane_is_as_deep_as_it_is(move, depth):
    path = with_lens(move, depth)
    found = track_depth(plane(path, depth), path.camera_to_world, path.intrinsics)
    assert found.median_depth == pytest.approx(depth, rel=0.03) and found.num_points > 100


def test_the_depth_does_not_depend_on_the_world_s_axes():
    path = with_lens(CameraPath.truck(0.15), 2.0)
    moved = np.linalg.inv(with_lens(CameraPath.orbit(70), 9.0).camera_to_world[-1]) @ path.camera_to_world
    assert track_depth(plane(path, 2.0), moved, LENS).median_depth == pytest.approx(2.0, rel=0.03)


def test_rooms_are_about_as_deep_as_they_are():
    ratios = []
    for seed, move in enumerate(["truck_left", "truck_right", "orbit_left", "orbit_right", "free", "free"]):
        clip = room_clip("validation", seed, 0, 160, move=move, threads=1)
        found = track_depth(list(clip.frames), clip.camera_to_world, clip.intrinsics)
        if found.median_depth is not None:
            ratios.append(found.median_depth / clip.median_depth)
    assert len(ratios) >= 5
    assert np.exp(np.mean(np.abs(np.log(ratios)))) < 1.25


def test_what_cannot_be_told_is_not_guessed():
    turning, moving = with_lens(CameraPath.pan(10), 2.0), with_lens(CameraPath.truck(0.15), 2.0)
    assert track_depth(plane(turning, 2.0), turning.camera_to_world, LENS).problem == NO_PARALLAX
    other = with_lens(CameraPath.tilt(12), 2.0)
    assert track_depth(plane(moving, 2.0), other.camera_to_world, LENS).problem == POSES_DO_NOT_FIT
    grey = [np.full((120, 160, 3), 99, np.uint8)] * 17
    assert track_depth(grey, moving.camera_to_world, LENS).problem == TOO_FEW_POINTS
