"""Epipolar errors of exact cameras are small; a pose that does not fit is named, and its neighbours are not."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from camvig.dataset_builders.captures.capture import read_capture
from camvig.dataset_builders.captures.capture_matches import (
    epipolar_errors,
    match_neighbours,
    neighbouring_pairs,
    triangulate,
)
from camvig.dataset_builders.captures.capture_report import capture_report, draw_capture, report_lines


def test_epipolar_errors_have_known_values():
    """Of two cameras side by side the epipolar lines are the rows of the picture."""
    poses = [np.eye(4), np.eye(4)]
    poses[1][0, 3] = 1.0
    lens = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    here, there = np.array([[40.0, 30], [10, 80]]), np.array([[20.0, 30], [3, 83]])
    np.testing.assert_allclose(epipolar_errors(here, there, poses, [lens, lens]), [0, 3], atol=1e-9)


def test_neighbours_look_the_same_way(orbit_clip):
    poses = np.concatenate([orbit_clip.camera_to_world[::2], orbit_clip.camera_to_world[::2]])
    poses[9:, :3, 0] *= -1
    poses[9:, :3, 2] *= -1  # the second half looks back
    pairs = neighbouring_pairs(poses)
    assert pairs and all((first < 9) == (second < 9) for first, second in pairs)


def test_report_and_points_of_exact_cameras(write_capture, orbit_clip, tmp_path):
    capture = read_capture(write_capture(), unit="metre")
    pairs = match_neighbours(capture)
    report = capture_report(capture, pairs)
    assert report.num_matches > 200 and report.median_epipolar_error_px is not None
    assert report.median_epipolar_error_px < 0.5 and report.misfits == ()
    points = triangulate(capture, pairs)
    assert len(points.depths) > 50 and report.median_depth == pytest.approx(np.median(points.depths))
    truth, found = [], []
    for position, depth, view in zip(*points, strict=True):
        x, y, z = (np.linalg.inv(orbit_clip.camera_to_world[view]) @ [*position, 1])[:3]
        fx, fy, cx, cy = orbit_clip.intrinsics[view] * 96
        assert z == pytest.approx(depth)
        truth.append(orbit_clip.depth[view, int(y / z * fy + cy), int(x / z * fx + cx)])
        found.append(depth)
    assert np.median(np.abs(np.array(found) / truth - 1)) < 0.15  # 96 pixels and little parallax
    draw_capture(capture, tmp_path / "check.png", pairs)
    assert (tmp_path / "check.png").stat().st_size > 10_000
    assert any("0." in line and "px" in line for line in report_lines(report))


def test_a_pose_that_does_not_fit_is_named(write_capture, orbit_clip):
    poses = orbit_clip.camera_to_world.copy()
    poses[8, :3, :3] = poses[8, :3, :3] @ Rotation.from_euler("x", 12, degrees=True).as_matrix()
    report = capture_report(read_capture(write_capture(poses=poses)))
    assert [misfit.name for misfit in report.misfits] == ["view_08.png"]
    assert any("does not fit: view_08.png" in line for line in report_lines(report))
