"""The path over a picture: points move as film-makers expect, at the depth that is stated, whatever the picture."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from camvig.camera_paths import CameraPath
from camvig.camera_paths.overlay_plot import CORNERS, grid_motion, plot_overlay, view_of_last_camera

PICTURE = np.full((48, 64, 3), 90, np.uint8)
GRID = np.array([[0.3, 0.4], [0.5, 0.5], [0.8, 0.1]])
FOCAL = CameraPath.static().intrinsics[0, 0]


def last_step(path: CameraPath, points: np.ndarray = GRID, depth: float | None = None) -> np.ndarray:
    motion = grid_motion(path, depth, points)
    assert motion.shape == (path.num_frames, len(points), 2)
    np.testing.assert_allclose(motion[0], points, atol=1e-12)
    return motion[-1] - motion[0]


def test_dolly_in_moves_points_outward_from_the_centre_by_the_ratio_of_depths():
    motion = grid_motion(CameraPath.dolly(0.5))
    np.testing.assert_allclose(motion[-1] - 0.5, (CORNERS - 0.5) * 2, atol=1e-12)
    np.testing.assert_allclose(grid_motion(CameraPath.dolly(-1.0))[-1] - 0.5, (CORNERS - 0.5) / 2, atol=1e-12)


def test_truck_right_moves_points_left_and_pedestal_up_moves_them_down_by_focal_length_over_depth():
    np.testing.assert_allclose(last_step(CameraPath.truck(0.2)), np.tile([-0.2 * FOCAL, 0], (3, 1)), atol=1e-12)
    np.testing.assert_allclose(last_step(CameraPath.pedestal(0.2)), np.tile([0, 0.2 * FOCAL], (3, 1)), atol=1e-12)
    np.testing.assert_allclose(last_step(CameraPath.truck(0.2), depth=4.0)[:, 0], -0.05 * FOCAL, atol=1e-12)


def test_pan_right_moves_points_left_and_tilt_up_moves_them_down_at_any_depth():
    pan, tilt = last_step(CameraPath.pan(10)), last_step(CameraPath.tilt(10))
    assert (pan[:, 0] < 0).all()
    assert (tilt[:, 1] > 0).all()
    np.testing.assert_allclose(pan[1], [-FOCAL * np.tan(np.radians(10)), 0], atol=1e-12)
    np.testing.assert_allclose(last_step(CameraPath.pan(10), depth=0.01), pan, atol=1e-12)


def test_roll_right_turns_points_counter_clockwise():
    top, right = grid_motion(CameraPath.roll(90), points=[[0.5, 0.1], [0.9, 0.5]])[-1]
    np.testing.assert_allclose([top, right], [[0.1, 0.5], [0.5, 0.1]], atol=1e-12)  # the top goes to the left


def test_zoom_scales_about_the_centre():
    np.testing.assert_allclose(grid_motion(CameraPath.zoom(1.5), points=GRID)[-1] - 0.5, (GRID - 0.5) * 1.5)


def test_an_orbit_keeps_its_subject_in_the_middle():
    np.testing.assert_allclose(grid_motion(CameraPath.orbit(30), points=[[0.5, 0.5]]), 0.5, atol=1e-12)


def test_only_the_path_relative_to_its_first_camera_counts():
    path = CameraPath.pan(50).compose(CameraPath.truck(0.3))
    moved = replace(path, camera_to_world=path.camera_to_world[16:], intrinsics=path.intrinsics[16:])
    np.testing.assert_allclose(grid_motion(moved), grid_motion(CameraPath.truck(0.3)), atol=1e-9)


def test_what_is_behind_the_camera_is_nowhere():
    motion = grid_motion(CameraPath.dolly(2.0))
    assert np.isfinite(motion[:8]).all()
    assert np.isnan(motion[8:]).all()
    assert view_of_last_camera(CameraPath.dolly(2.0)) is None
    assert view_of_last_camera(CameraPath.pan(90)) is None


def test_the_last_view_is_where_the_last_cameras_corners_come_from():
    path = CameraPath.from_text("orbit left 20deg, pedestal up, zoom in, roll right").for_picture(64, 48)
    view = view_of_last_camera(path)
    assert view is not None
    np.testing.assert_allclose(grid_motion(path, points=view)[-1], CORNERS, atol=1e-9)


def test_the_depth_is_the_median_depth_unless_it_is_said():
    metres = CameraPath.truck(0.2).to_unit("metre", 5.0)
    np.testing.assert_allclose(grid_motion(metres), grid_motion(CameraPath.truck(0.2)))
    np.testing.assert_allclose(grid_motion(metres, 10.0), grid_motion(CameraPath.truck(0.1)))
    unknown = replace(metres, scene_median_depth=None)
    with pytest.raises(ValueError, match='expected a depth in metres to draw a path in "metre" over a picture'):
        grid_motion(unknown)
    np.testing.assert_allclose(grid_motion(unknown, 5.0), grid_motion(metres))


@pytest.mark.parametrize("text", ["dolly in 30%, roll left", "dolly out 90% then pan right 170deg", "static"])
def test_the_drawing_is_written_as_it_is_returned(text, tmp_path):
    drawing = plot_overlay(CameraPath.from_text(text), PICTURE, tmp_path / "overlay.png", longer_side_px=128)
    assert [file.name for file in tmp_path.iterdir()] == ["overlay.png"]
    with Image.open(tmp_path / "overlay.png") as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), drawing)
    assert (np.abs(drawing.astype(int) - 90).max(axis=2) < 2).mean() > 0.2  # the picture itself
    assert (np.abs(drawing.astype(int) - [255, 176, 0]).max(axis=2) < 30).any()  # the corners


def test_a_path_that_flies_through_the_plane_can_be_drawn():
    plot_overlay(CameraPath.dolly(1.0), PICTURE, longer_side_px=64)  # ends in the plane: nothing is finite there
    plot_overlay(CameraPath.dolly(1 - 1e-9), PICTURE, longer_side_px=64)
    plot_overlay(CameraPath.dolly(3.0, num_frames=2000), PICTURE, longer_side_px=64)
    plot_overlay(CameraPath.dolly(0.3), PICTURE[:1], longer_side_px=64)  # a picture of a single row


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"file": "overlay.jpg"}, r"file name that ends in \.png, got overlay\.jpg"),
        ({"picture": PICTURE[..., 0]}, r"picture \[H, W, 3\] of uint8, got \[48, 64\] of uint8"),
        ({"picture": PICTURE / 255}, r"picture \[H, W, 3\] of uint8, got \[48, 64, 3\] of float64"),
        ({"depth": 0.0}, r"depth to be a positive number of scene depths, got 0\.0"),
        ({"longer_side_px": 10}, "at least 64 pixels long, got 10"),
    ],
)
def test_overlays_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_overlay(**({"path": CameraPath.pan(10), "picture": PICTURE} | arguments))
    with pytest.raises(ValueError, match=r"points as finite numbers of shape \[N, 2\], got \[2\]"):
        grid_motion(CameraPath.pan(10), points=[0.5, 0.5])
