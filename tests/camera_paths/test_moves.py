"""Elementary moves: their signs, by where points land in the picture, their amounts, and how they combine."""

import numpy as np
import pytest

from camvig.camera_paths import CameraPath, moves
from camvig.camera_paths.easing import EASINGS, progress

AHEAD = np.array([0.0, 0.0, 1.0])
EVERY_MOVE = {
    "dolly": 0.3,
    "truck": 0.3,
    "pedestal": 0.3,
    "pan": 12.0,
    "tilt": 12.0,
    "roll": 12.0,
    "zoom": 1.5,
    "orbit": 25.0,
    "dolly_zoom": 0.3,
}


def project(path: CameraPath, point: np.ndarray) -> np.ndarray:
    """Where a world point [3] lands in each frame: [T, 2], 0..1 across and down the picture. The slow, obvious way."""
    places = []
    for pose, (fx, fy, cx, cy) in zip(path.camera_to_world, path.intrinsics, strict=True):
        x, y, z, _ = np.linalg.inv(pose) @ [*point, 1.0]
        places.append([fx * x / z + cx, fy * y / z + cy])
    return np.array(places)


def shift(path: CameraPath, point=AHEAD) -> np.ndarray:
    """How far a point moves in the picture from the first frame to the last: (right, down)."""
    places = project(path, np.asarray(point))
    return places[-1] - places[0]


@pytest.mark.parametrize(
    ("path", "point", "goes"),
    [
        (CameraPath.pan(10), AHEAD, (-1, 0)),  # looking to the right sends what was ahead to the left
        (CameraPath.pan(10), (0.3, 0, 1), (-1, 0)),
        (CameraPath.tilt(10), AHEAD, (0, 1)),
        (CameraPath.roll(10), (0.3, 0, 1), (-1, -1)),  # leaning clockwise turns the picture anticlockwise
        (CameraPath.truck(0.2), AHEAD, (-1, 0)),
        (CameraPath.pedestal(0.2), AHEAD, (0, 1)),
        (CameraPath.dolly(0.2), (0.3, 0, 1), (1, 0)),
        (CameraPath.zoom(1.5), (0.3, 0, 1), (1, 0)),
        (CameraPath.orbit(10), AHEAD, (0, 0)),
        (CameraPath.orbit(10), (0, 0, 2), (1, 0)),  # what is behind the subject goes with the camera, to the right
    ],
)
def test_signs_as_seen_in_the_picture(path, point, goes):
    assert tuple(np.sign(shift(path, point).round(12))) == goes


@pytest.mark.parametrize("name", EVERY_MOVE)
def test_every_move_is_a_function_and_a_class_method_with_the_same_timing(name):
    function, method, amount = getattr(moves, name), getattr(CameraPath, name), EVERY_MOVE[name]
    path = function(amount)
    assert (path.num_frames, path.fps, path.unit) == (17, 8.0, "scene_depth")
    assert np.array_equal(path.camera_to_world[0], np.eye(4))
    timing = {"num_frames": 9, "fps": 24.0, "easing": "ease-in"}
    assert method(amount, **timing) == function(amount, **timing)
    assert (method(amount, **timing).num_frames, method(amount, **timing).fps) == (9, 24.0)
    assert not function(amount, easing="ease-in").allclose(path)


@pytest.mark.parametrize("name", EVERY_MOVE)
def test_a_mirror_changes_the_side_of_sideways_moves_only(name):
    move, amount = getattr(CameraPath, name), EVERY_MOVE[name]
    sideways = name in ("truck", "pan", "roll", "orbit")
    assert move(amount).mirrored().allclose(move(-amount) if sideways else move(amount))


def test_a_mirrored_path_shows_a_mirrored_world():
    path = moves.in_parallel(CameraPath.truck(0.2), CameraPath.pan(-15), CameraPath.roll(8), CameraPath.zoom(1.3))
    places = project(path, np.array([0.2, -0.1, 1.5]))
    mirrored = project(path.mirrored(), np.array([-0.2, -0.1, 1.5]))
    np.testing.assert_allclose(mirrored, places * [-1, 1] + [1, 0], atol=1e-12)


def test_amounts_are_reached_at_the_last_frame():
    assert np.array_equal(CameraPath.dolly(0.3).camera_to_world[-1, :3, 3], [0, 0, 0.3])
    assert np.array_equal(CameraPath.truck(0.3).camera_to_world[-1, :3, 3], [0.3, 0, 0])
    assert np.array_equal(CameraPath.pedestal(0.3).camera_to_world[-1, :3, 3], [0, -0.3, 0])
    for turn in (CameraPath.pan, CameraPath.tilt, CameraPath.roll):
        assert turn(-33.0).motion_extent().largest_rotation_degrees == pytest.approx(33.0)
    assert CameraPath.zoom(0.5).intrinsics[-1, 0] == pytest.approx(0.5 * CameraPath.static().intrinsics[0, 0])


@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0])
def test_orbit_stays_at_its_radius_and_looks_at_the_subject(radius):
    path = CameraPath.orbit(-90, radius)
    subject = radius * AHEAD
    np.testing.assert_allclose(project(path, subject), 0.5, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(path.camera_to_world[:, :3, 3] - subject, axis=1), radius)
    np.testing.assert_allclose(path.camera_to_world[-1, :3, 3], [-radius, 0, radius], atol=1e-12)  # left of the subject
    np.testing.assert_allclose(path.camera_to_world[-1, :3, 2], [1, 0, 0], atol=1e-12)  # looking to the right


@pytest.mark.parametrize("easing", EASINGS)
@pytest.mark.parametrize(("amount", "distance"), [(0.3, 1.0), (-0.5, 1.0), (0.9, 2.5)])
def test_dolly_zoom_keeps_the_subject_the_same_size_and_nothing_else(amount, distance, easing):
    path = CameraPath.dolly_zoom(amount, distance, easing=easing)
    assert path.camera_to_world == pytest.approx(CameraPath.dolly(amount, easing=easing).camera_to_world)
    edge = np.array([0.2, -0.1, distance])
    np.testing.assert_allclose(project(path, edge), np.tile(project(path, edge)[0], (17, 1)), atol=1e-12)
    behind = project(path, edge + AHEAD) - 0.5
    assert (np.diff(np.abs(behind[:, 0])) * np.sign(amount) < 0).all()  # going in, the background shrinks


def test_handheld_shakes_softly_within_its_amount_the_same_every_time():
    path = CameraPath.handheld(0.02, 3.0, seed=5)
    assert path == CameraPath.handheld(0.02, 3.0, seed=5)
    assert not path.allclose(CameraPath.handheld(0.02, 3.0, seed=6), tolerance=1e-3)
    assert np.array_equal(path.camera_to_world[0], np.eye(4))
    assert np.array_equal(path.intrinsics, CameraPath.static().intrinsics)
    extent = path.motion_extent()
    assert 0.01 < extent.largest_translation <= 0.02 and 1.5 < extent.largest_rotation_degrees <= 3.0
    finer = CameraPath.handheld(0.02, 3.0, seed=5, num_frames=161, fps=80)
    np.testing.assert_allclose(finer.camera_to_world[::10], path.camera_to_world, atol=1e-12)
    positions = finer.camera_to_world[:, :3, 3]
    assert np.linalg.norm(np.diff(positions, n=2, axis=0), axis=1).max() < 0.02 * 0.04  # no jumps in its speed


def test_handheld_adds_to_another_move():
    pan, shake = CameraPath.pan(20), CameraPath.handheld(0.01, 1.0)
    path = moves.in_parallel(pan, shake)
    np.testing.assert_allclose(path.camera_to_world[:, :3, 3], shake.camera_to_world[:, :3, 3], atol=1e-15)
    away = np.linalg.inv(pan.camera_to_world) @ path.camera_to_world
    assert np.degrees(np.arccos(np.clip(away[:, 2, 2], -1, 1))).max() < 1.1
    assert CameraPath.handheld(0.01).motion_extent().largest_rotation_degrees <= 0.5


def test_moves_in_parallel_travel_along_the_first_camera_s_axes_in_any_order():
    path = moves.in_parallel(CameraPath.dolly(0.3), CameraPath.pan(40), CameraPath.tilt(10))
    np.testing.assert_allclose(path.camera_to_world[:, :2, 3], 0.0, atol=1e-15)
    assert path.camera_to_world[-1, 2, 3] == pytest.approx(0.3)
    assert moves.in_parallel(CameraPath.tilt(10), CameraPath.pan(40), CameraPath.dolly(0.3)).allclose(path)
    level = path.camera_to_world[:, 1, 0]  # the camera's own right has no height: pan and tilt do not roll it
    np.testing.assert_allclose(level, 0.0, atol=1e-15)


@pytest.mark.parametrize("degrees", [100.0, -150.0, 360.0])
@pytest.mark.parametrize("turn", ["pan", "tilt", "roll"])
def test_large_turns_in_parallel_do_not_flip(turn, degrees):
    half = getattr(CameraPath, turn)(degrees / 2)
    assert moves.in_parallel(half, half).allclose(getattr(CameraPath, turn)(degrees))


def test_parallel_moves_start_where_the_first_path_starts():
    start = CameraPath.pan(90).reversed()
    path = moves.in_parallel(start, CameraPath.zoom(2.0))
    assert path.camera_to_world == pytest.approx(start.camera_to_world)
    assert path.intrinsics == pytest.approx(CameraPath.zoom(2.0).intrinsics)


def test_moves_in_sequence_follow_the_turned_camera():
    path = moves.in_sequence(CameraPath.pan(90), CameraPath.dolly(0.3))
    assert path.num_frames == 33
    np.testing.assert_allclose(path.camera_to_world[-1, :3, 3], [0.3, 0, 0], atol=1e-12)


@pytest.mark.parametrize("easing", EASINGS)
def test_easing_goes_from_0_to_1_and_never_back(easing):
    done = progress(17, easing)
    assert (done[0], done[-1]) == (0.0, 1.0)
    assert (np.diff(done) > 0).all()
    speeds = np.diff(done)
    assert (speeds[0] < speeds[8]) == easing.startswith("ease-in")
    assert (speeds[-1] < speeds[8]) == easing.endswith("out")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: CameraPath.pan(10, easing="bouncy"), "easing to be one of linear, ease-in, .*, got 'bouncy'"),
        (lambda: CameraPath.pan(10, num_frames=1), "at least 2 frames for a move, got 1"),
        (lambda: CameraPath.pan(float("nan")), "expected a finite amount for a move, got nan"),
        (lambda: CameraPath.zoom(0.0), "a zoom factor above 0, such as 1.5, got 0.0"),
        (lambda: CameraPath.orbit(10, radius=0.0), "an orbit radius above 0 scene depths, got 0.0"),
        (lambda: CameraPath.static(0), "at least 1 frame, got 0"),
        (lambda: CameraPath.dolly(0.0), "more than nothing, got an amount of 0: use static to stay still"),
        (lambda: CameraPath.orbit(-0.0), "more than nothing, got an amount of 0: use static to stay still"),
        (lambda: CameraPath.zoom(1.0), "more than nothing, got an amount of 0: use static to stay still"),
        (lambda: CameraPath.dolly_zoom(1.0), "a dolly-zoom that ends before the subject, 1 ahead, got 1"),
        (lambda: CameraPath.dolly_zoom(float("nan")), "expected a finite amount for a move, got nan"),
        (lambda: CameraPath.dolly_zoom(0.1, 0.0), "a subject more than 0 scene depths ahead, got 0.0"),
        (lambda: CameraPath.handheld(0.0), "a shake above 0, such as 0.01 scene depths, got 0.0 and 0.0 degrees"),
        (lambda: CameraPath.handheld(-0.1), "a shake above 0, such as 0.01 scene depths, got -0.1 and -5.0 degrees"),
        (lambda: CameraPath.handheld(num_frames=1), "at least 2 frames for a move, got 1"),
        (lambda: moves.in_parallel(CameraPath.static(3), CameraPath.static(4)), "3 frames to run in parallel, got 4"),
    ],
)
def test_moves_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
