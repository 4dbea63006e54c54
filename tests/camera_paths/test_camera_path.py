"""`CameraPath`: what it refuses, that its poses form a group, and that every change keeps its promise."""

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig.camera_paths import CameraPath
from camvig.camera_paths.moves import in_parallel


def random_path(seed: int, num_frames: int = 5, reach: float = 1.0, **fields) -> CameraPath:
    """Unrelated poses and lenses: nothing but rigid motion and positive focal lengths in common."""
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (num_frames, 1, 1))
    poses[:, :3, :3] = Rotation.random(num_frames, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(num_frames, 3)) * reach
    intrinsics = np.concatenate(
        [random.uniform(0.8, 1.6, (num_frames, 2)), random.uniform(0.4, 0.6, (num_frames, 2))], 1
    )
    return CameraPath(poses, intrinsics, **fields)


seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(1, 9)
few_examples = settings(max_examples=40, deadline=None)


# What is refused


def broken(frame: int = 2, **entries: float) -> np.ndarray:
    poses = np.tile(np.eye(4), (4, 1, 1))
    for entry, value in entries.items():
        poses[frame, int(entry[1]), int(entry[2])] = value
    return poses


LENS = np.tile([1.0, 1.0, 0.5, 0.5], (4, 1))


@pytest.mark.parametrize(
    ("poses", "intrinsics", "fields", "message"),
    [
        (broken(m03=np.nan), LENS, {}, "frame 2: expected finite numbers in camera_to_world, got NaN or infinity"),
        (broken(m30=0.5), LENS, {}, "frame 2: expected the last row of camera_to_world to be 0 0 0 1, got 0.5 0 0 1"),
        (broken(m00=1.1), LENS, {}, r"frame 2: .* not orthonormal \(off by 0.21, allowed 0.0001\)"),
        (broken(m00=-1), LENS, {}, r"frame 2: expected a rotation with determinant \+1, got -1.000"),
        (np.eye(4), LENS, {}, r"expected camera_to_world of shape \[T, 4, 4\], got \[4, 4\]"),
        (np.zeros((0, 4, 4)), np.zeros((0, 4)), {}, "expected a camera path of at least 1 frame, got 0"),
        ("a path", LENS, {}, r"expected camera_to_world to be numbers of shape \[T, 4, 4\], got something else"),
        (broken(), LENS[:3], {}, "expected as many intrinsics as poses, got 3 for 4 poses"),
        (broken(), LENS[:, :3], {}, r"expected intrinsics of shape \[T, 4\], got \[4, 3\]"),
        (broken(), LENS * [np.inf, 1, 1, 1], {}, "frame 0: expected finite numbers in intrinsics"),
        (broken(), LENS * [1, 0, 1, 1], {}, "frame 0: expected positive focal lengths, got fx = 1 and fy = 0"),
        (broken(), LENS * 500, {}, "frame 0: expected focal lengths in picture widths and heights, not in pixels"),
        (broken(), LENS, {"fps": 0.0}, "expected fps to be a positive number, got 0.0"),
        (broken(), LENS, {"unit": "feet"}, "expected unit to be one of scene_depth, metre, scene, got 'feet'"),
        (broken(), LENS, {"unit": "scene"}, 'expected scene_median_depth with unit "scene", got none'),
        (broken(), LENS, {"scene_median_depth": 2.0}, 'expected no scene_median_depth with unit "scene_depth"'),
        (
            broken(),
            LENS,
            {"unit": "metre", "scene_median_depth": -1.0},
            "expected the median depth to be a positive number, got -1.0",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_clear_line(poses, intrinsics, fields, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        CameraPath(poses, intrinsics, **fields)
    assert "\n" not in str(error.value)


def test_small_rounding_errors_of_float32_are_accepted():
    path = random_path(0)
    assert CameraPath(path.camera_to_world.astype(np.float32), path.intrinsics).allclose(path, 1e-6)


def test_a_path_never_changes():
    poses = np.tile(np.eye(4), (4, 1, 1))
    path = CameraPath(poses, LENS)
    poses[0, 0, 3] = 7.0
    assert path.camera_to_world[0, 0, 3] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        path.intrinsics[0, 0] = 2.0
    with pytest.raises(FrozenInstanceError):
        path.fps = 24.0  # pyright: ignore[reportAttributeAccessIssue]


def test_equality_and_pickle():
    path = random_path(1)
    assert pickle.loads(pickle.dumps(path)) == path
    assert path == replace(path)
    for other in (random_path(2), replace(path, fps=9.0), replace(path, unit="metre"), random_path(1, 6), "a path"):
        assert path != other


# Rigid motions form a group


@given(seeds, lengths)
@few_examples
def test_relative_starts_at_the_identity_and_is_idempotent(seed, num_frames):
    relative = random_path(seed, num_frames).relative()
    assert np.array_equal(relative.camera_to_world[0], np.eye(4))
    assert relative.relative().allclose(relative)


@given(seeds, lengths, st.sampled_from([1e-6, 1.0, 1e4]))
@few_examples
def test_inverse_undoes_every_pose(seed, num_frames, reach):
    path = random_path(seed, num_frames, reach)
    products = path.inverse().camera_to_world @ path.camera_to_world
    np.testing.assert_allclose(products, np.tile(np.eye(4), (num_frames, 1, 1)), atol=1e-11 * max(reach, 1))
    assert path.inverse().inverse().allclose(path, 1e-11 * max(reach, 1))


@given(seeds, st.tuples(lengths, lengths, lengths))
@few_examples
def test_compose_is_associative_with_one_frame_as_neutral_element(seed, frames):
    first, second, third = (random_path(seed + i, count) for i, count in enumerate(frames))
    assert first.compose(second).compose(third).allclose(first.compose(second.compose(third)), 1e-8)
    assert first.compose(CameraPath.static(1)).allclose(first)
    assert first.compose(second).num_frames == frames[0] + frames[1] - 1


def test_compose_there_and_back_returns_and_never_jumps():
    path = random_path(3)
    loop = path.compose(path.reversed())
    np.testing.assert_allclose(loop.camera_to_world[-1], path.camera_to_world[0], atol=1e-12)
    np.testing.assert_allclose(loop.intrinsics[-1], path.intrinsics[0], atol=1e-12)


def test_compose_multiplies_zooms():
    zoomed = CameraPath.zoom(1.5).compose(CameraPath.zoom(2.0))
    assert zoomed.motion_extent().largest_zoom == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (random_path(0, unit="metre"), 'one unit, got "scene_depth" and "metre": use to_unit'),
        (random_path(0, fps=24.0), "one fps, got 8 and 24: use resample"),
    ],
)
def test_paths_that_do_not_join_are_refused(other, message):
    for join in (CameraPath.compose, in_parallel):
        with pytest.raises(ValueError, match=message):
            join(random_path(1), other)


@given(seeds, lengths)
@few_examples
def test_twice_mirrored_and_twice_reversed_is_the_same(seed, num_frames):
    path = random_path(seed, num_frames)
    assert path.mirrored().mirrored().allclose(path)
    assert path.reversed().reversed() == path


# Resampling


@given(seeds, lengths, lengths)
@few_examples
def test_resample_keeps_both_ends_exactly(seed, num_frames, new_num_frames):
    path = random_path(seed, num_frames)
    resampled = path.resample(new_num_frames)
    assert resampled.num_frames == new_num_frames
    for array in ("camera_to_world", "intrinsics"):
        assert np.array_equal(getattr(resampled, array)[0], getattr(path, array)[0])
        if new_num_frames > 1:
            assert np.array_equal(getattr(resampled, array)[-1], getattr(path, array)[-1])


def test_resample_back_and_forth_gives_the_same_path():
    path = in_parallel(CameraPath.dolly(0.3), CameraPath.pan(40), CameraPath.zoom(2.0))
    finer = path.resample(33)
    assert finer.resample(17).allclose(path)
    assert finer.intrinsics[16, 0] / path.intrinsics[0, 0] == pytest.approx(np.sqrt(2.0))


def test_resample_keeps_the_time_that_the_move_takes_unless_fps_is_given():
    path = CameraPath.pan(10, num_frames=61, fps=30)
    assert path.resample(17).fps == pytest.approx(8.0)
    assert CameraPath.pan(10, num_frames=33).resample(17, fps=8).fps == 8
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        path.resample(0)


# Units


def test_units_convert_only_through_a_known_median_depth():
    path = CameraPath.dolly(0.5)
    metres = path.to_unit("metre", median_depth=4.0)
    assert metres.camera_to_world[-1, 2, 3] == 2.0
    assert metres.scene_median_depth == 4.0
    assert metres.to_unit("scene_depth") == path
    assert metres.to_unit("scene_depth", median_depth=4.0) == path
    scene = metres.to_unit("scene", median_depth=10.0)
    assert scene.camera_to_world[-1, 2, 3] == 5.0
    assert scene.to_unit("scene_depth") == path
    assert path.to_unit("scene_depth") is path


@pytest.mark.parametrize(
    ("path", "unit", "median_depth", "message"),
    [
        (CameraPath.dolly(1), "metre", None, 'median depth in "metre" to convert "scene_depth" to "metre", got none'),
        (random_path(0, unit="metre"), "scene_depth", None, 'median depth in "metre" to convert "metre" to "scene_d'),
        (random_path(0, unit="metre"), "scene", 3.0, 'median depth in "metre" to convert "metre" to "scene", got none'),
        (CameraPath.dolly(1), "metre", 0.0, "median depth to be a positive number, got 0.0"),
        (CameraPath.dolly(1), "feet", 1.0, "unit to be one of scene_depth, metre, scene, got 'feet'"),
        (random_path(0, unit="scene", scene_median_depth=2.0), "scene_depth", 3.0, 'knows, 2 in "scene", got 3'),
    ],
)
def test_a_conversion_that_would_guess_is_refused(path, unit, median_depth, message):
    with pytest.raises(ValueError, match=message):
        path.to_unit(unit, median_depth)


# Pictures and matrices


def test_without_intrinsics_the_lens_sees_65_degrees():
    path = CameraPath.from_matrices(np.tile(np.eye(4)[:3], (2, 1, 1)))
    assert path.camera_to_world.shape == (2, 4, 4)
    fx, fy, cx, cy = path.intrinsics[1]
    assert np.degrees(2 * np.arctan(0.5 / fx)) == pytest.approx(65.0)
    assert (fy, cx, cy, path.aspect) == (fx, 0.5, 0.5, 1.0)


@given(seeds, lengths, st.tuples(st.integers(1, 4000), st.integers(1, 4000)))
@few_examples
def test_matrices_round_trip(seed, num_frames, picture_size):
    path = random_path(seed, num_frames, unit="metre")
    poses, matrices = path.to_matrices(picture_size)
    again = CameraPath.from_matrices(poses, matrices, picture_size=picture_size, unit="metre")
    assert again.allclose(path, 1e-12)


def test_one_lens_serves_all_frames():
    poses = np.tile(np.eye(4), (3, 1, 1))
    pixels = [320.0, 320.0, 160.0, 120.0]
    matrix = np.array([[320.0, 0, 160], [0, 320, 120], [0, 0, 1]])
    expected = np.tile([1.0, 320 / 240, 0.5, 0.5], (3, 1))
    for intrinsics in (pixels, matrix):
        path = CameraPath.from_matrices(poses, intrinsics, picture_size=(320, 240))
        np.testing.assert_allclose(path.intrinsics, expected)
    assert path.aspect == pytest.approx(320 / 240)


def test_intrinsics_of_another_shape_or_with_skew_are_refused():
    poses = np.eye(4)[None]
    with pytest.raises(ValueError, match=r"shape \[T, 4\] or \[T, 3, 3\], got \[2\]"):
        CameraPath.from_matrices(poses, [1.0, 1.0])
    with pytest.raises(ValueError, match="without skew"):
        CameraPath.from_matrices(poses, [[1, 0.1, 0.5], [0, 1, 0.5], [0, 0, 1]])
    with pytest.raises(ValueError, match=r"camera_to_world of shape \[T, 4, 4\], got \[\]"):
        CameraPath.from_matrices(3.0)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640), (512, 512), (1, 3)])
def test_for_picture_keeps_the_focal_length_along_the_longer_side(width, height):
    path = CameraPath.zoom(1.5).for_picture(width, height)
    assert path.aspect == pytest.approx(width / height)
    longer_side = path.intrinsics[0, 0 if width > height else 1]
    assert np.degrees(2 * np.arctan(0.5 / longer_side)) == pytest.approx(65.0)
    assert path.motion_extent().largest_zoom == pytest.approx(1.5)
    assert path.for_picture(100, 100).allclose(CameraPath.zoom(1.5))


def test_for_picture_refuses_an_empty_picture():
    with pytest.raises(ValueError, match="width and height above 0, got 0x10"):
        CameraPath.static().for_picture(0, 10)


# What a path says about itself


def test_motion_extent_is_the_farthest_of_any_frame():
    there_and_back = CameraPath.dolly(0.4).compose(CameraPath.dolly(-0.4))
    turned_lens = CameraPath.pan(-30).compose(CameraPath.zoom(2.0)).compose(CameraPath.zoom(0.25))
    assert there_and_back.motion_extent().largest_translation == pytest.approx(0.4)
    extent = turned_lens.motion_extent()
    assert extent.largest_rotation_degrees == pytest.approx(30.0)
    assert (extent.smallest_zoom, extent.largest_zoom) == pytest.approx((0.5, 2.0))
    assert extent.unit == "scene_depth"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (CameraPath.from_text("dolly in 30%, pan right 10deg"), "moves 0.30 scene depths forward, pans 10.0° right"),
        (CameraPath.from_text("truck left, pedestal down"), "moves 0.20 scene depths left and 0.10 down"),
        (CameraPath.from_text("dolly out, tilt up, roll left"), "moves 0.20 scene depths back, tilts 10.0° up, rolls"),
        (CameraPath.dolly(1).to_unit("metre", 3.0), "moves 3.00 m forward; 17"),
        (CameraPath.zoom(0.5), "zooms out 2.00x; 17 frames, 2.1 s"),
        (CameraPath.static(1), "does not move; 1 frame, 0.1 s"),
        (CameraPath.pan(10).compose(CameraPath.pan(-10)), "goes as far as 10.0° and returns; 33 frames, 4.1 s"),
    ],
)
def test_describe_says_it_in_one_sentence(path, sentence):
    assert path.describe().startswith(sentence)
    assert path.describe() in repr(path)


def test_the_import_brings_neither_torch_nor_matplotlib():
    code = "import sys, camvig.camera_paths; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
