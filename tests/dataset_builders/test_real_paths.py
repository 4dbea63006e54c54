"""Files of real paths: windows, axes, scale, the split by source, and what a wrong file is told."""

import numpy as np
import pytest

from camvig.dataset_builders.real_paths import cut_windows, read_real_paths, split_by_source


def drives(count: int, metres: float, num_poses: int = 49) -> np.ndarray:
    """Straight ahead in OpenGL axes, that is along -z."""
    poses = np.tile(np.eye(4, dtype=np.float32), (count, num_poses, 1, 1))
    poses[..., 2, 3] = -np.linspace(0, metres, num_poses)
    return poses


def write(file, **changed):
    arrays = {
        "c2w": np.concatenate([drives(2, 3.0), drives(1, 90.0)]),
        "source": np.array(["room", "room", "car"]),
        "fps": np.array([10, 15, 0], np.float32),
    } | changed
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file


def test_windows_are_relative_forward_and_in_scene_depths(tmp_path):
    paths = read_real_paths(write(tmp_path / "paths.npz"))
    assert paths.camera_to_world.shape == (3 + 1 + 3, 17, 4, 4) and paths.camera_to_world.dtype == np.float32
    assert paths.source.tolist() == ["room"] * 4 + ["car"] * 3
    np.testing.assert_allclose(paths.camera_to_world[:, 0], np.tile(np.eye(4), (7, 1, 1)), atol=1e-6)
    # 16 of 48 steps of 3 m, every second pose at 15 fps; both go so far that 95% of the windows just reach 0.6
    room_depth = np.percentile([1, 1, 1, 2], 95) / 0.6
    ends = [1 / room_depth] * 3 + [2 / room_depth] + [0.6] * 3
    np.testing.assert_allclose(paths.camera_to_world[:, -1, 2, 3], ends, rtol=1e-5)


def test_a_room_that_is_walked_a_little_has_the_depth_of_a_room(tmp_path):
    paths = read_real_paths(write(tmp_path / "a.npz", c2w=drives(1, 1.5), source=np.array(["a"]), fps=np.array([10.0])))
    np.testing.assert_allclose(paths.camera_to_world[:, -1, 2, 3], [0.2] * 3, rtol=1e-5)


@pytest.mark.parametrize(
    ("fps", "length", "steps"),
    [(0, 49, [1, 1, 1]), (8, 17, [1]), (10, 33, [1, 1]), (15, 49, [2]), (30, 70, [4]), (60, 40, [2])],
)
def test_every_nth_pose_nearest_to_8_a_second(fps, length, steps):
    windows = cut_windows(drives(1, length - 1, length)[0].astype(float), fps)  # a metre a pose
    assert [round(-window[1, 2, 3]) for window in windows] == steps
    assert all(window.shape == (17, 4, 4) for window in windows)


def test_no_source_is_on_both_sides_and_one_source_is_held_out(tmp_path):
    names = np.array(["a", "b", "c", "d", "a", "d"])
    file = write(tmp_path / "paths.npz", c2w=drives(6, 1.0), source=names, fps=np.zeros(6))
    fit, held_out = split_by_source(read_real_paths(file))
    assert set(fit.source) == {"b", "c"} and set(held_out.source) == {"a", "d"}
    assert len(fit.source) == len(fit.camera_to_world) == 6 and len(held_out.source) == 12
    fit, held_out = split_by_source(fit.of(["b"]))
    assert len(fit.source) == 0 and set(held_out.source) == {"b"}


def test_named_sources_alone_are_fitted(tmp_path):
    file = write(tmp_path / "paths.npz", c2w=drives(4, 1.0), source=np.array(["a", "b", "c", "d"]), fps=np.zeros(4))
    fit, held_out = split_by_source(read_real_paths(file), ["a", "d"])
    assert set(fit.source) == {"a", "d"} and set(held_out.source) == {"b", "c"}
    for wrong in (["a", "room"], ["a", "b", "c", "d"], []):
        with pytest.raises(ValueError, match="expected some, but not all, of the sources"):
            split_by_source(read_real_paths(file), wrong)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"fps": None}, "expected arrays c2w, source, fps, got none of name fps"),
        ({"c2w": drives(3, 1.0, 16)}, r"expected c2w \[N, 17 or more, 4, 4\], got \[3, 16, 4, 4\]"),
        ({"c2w": np.zeros((0, 49, 4, 4))}, r"got \[0, 49, 4, 4\]"),
        ({"source": np.array(["room"])}, r"a source and an fps for each of 3 windows, got \[1\] and \[3\]"),
        ({"c2w": drives(3, np.nan)}, "window 0: frame 0: expected finite numbers"),
        ({"c2w": 2 * drives(3, 1.0)}, "window 0: frame 0: expected the last row"),
        ({"c2w": drives(3, 1.0) @ np.diag([1.0, 1, -1, 1])}, "window 0: frame 0: expected a rotation with determinant"),
        ({"source": np.array([{}, {}, {}])}, "expected a .npz of camera paths, got Object arrays"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, changed, expected):
    file = write(tmp_path / "wrong.npz", **changed)
    with pytest.raises(ValueError, match=expected) as error:
        read_real_paths(file)
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_what_is_no_npz_is_told_so(tmp_path, content):
    file = tmp_path / "wrong.npz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"expected a \.npz of camera paths"):
        read_real_paths(file)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"expected a \.npz of camera paths"):
        read_real_paths(tmp_path / "one.npy")
