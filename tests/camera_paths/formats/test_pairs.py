"""Every pair of formats: a path written in one, read, written in the other and read again is the same path.

Agreement is 1e-6 of each number's size, for all that both formats carry; what one of them does not is in its report.
"""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import FORMATS, PathOptions, read_path_file, write_path_file

UNREADABLE = {"blender"}  # a script: it is read back through glTF
PAIRS = list(itertools.product(sorted(set(FORMATS) - UNREADABLE), repeat=2))


@st.composite
def paths(draw) -> CameraPath:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = draw(st.integers(2, 12))
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(
        rng.normal(size=(frames, 3)) * draw(st.sampled_from([0.01, 0.5, 2.0]))
    ).as_matrix()
    poses[:, :3, 3] = rng.normal(size=(frames, 3)) * draw(st.sampled_from([0.01, 1.0, 100.0]))
    focal, aspect = rng.uniform(0.4, 3.0, size=(frames, 1)), draw(st.sampled_from([1.0, 16 / 9, 0.75]))
    if draw(st.booleans()):
        focal[:] = focal[0]
    centre = rng.uniform(0.4, 0.6, size=(frames, 2)) if draw(st.booleans()) else np.full((frames, 2), 0.5)
    intrinsics = np.concatenate([focal, focal * aspect, centre], axis=1)
    return CameraPath(poses, intrinsics, fps=draw(st.sampled_from([4.0, 8.0, 25.0])))


def through(path: CameraPath, name: str, folder) -> tuple[CameraPath, list[str]]:
    path_format = FORMATS[name]
    file = folder / f"path{path_format.suffixes[0]}"
    if file.is_dir():
        file = folder / f"{name}-{len(list(folder.iterdir()))}"
    lost = write_path_file(path, file, name, PathOptions(picture_size=(1000 * path.aspect, 1000)))
    return read_path_file(file, name, said(path, name)).path, lost


def said(path: CameraPath, name: str) -> PathOptions:
    """What a user has to say about a file of this format."""
    carries = FORMATS[name].carries
    bare = {"axes": "opencv", "pose": "camera-to-world"} if name == "npy" else {}
    unit = {} if "unit" in carries or "metre" in carries else {"unit": path.unit}
    fps = {} if "fps" in carries else {"fps": path.fps}
    return PathOptions(**bare, **unit, **fps, picture_size=(1000 * path.aspect, 1000))


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=paths())
def test_written_and_read_back_in_any_two_formats(names, path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    again, lost = path, set()
    for number, name in enumerate(names):
        (folder / str(number)).mkdir()
        again, missing = through(again, name, folder / str(number))
        lost |= set(missing)
    np.testing.assert_allclose(again.camera_to_world, path.camera_to_world, rtol=1e-6, atol=1e-6 * scale_of(path))
    carries = FORMATS[names[0]].carries & FORMATS[names[1]].carries
    if "fps" in carries:
        assert again.fps == pytest.approx(path.fps, rel=1e-6)
    if "focal length" in carries:
        frames = slice(None) if "zoom" in carries else slice(1)
        np.testing.assert_allclose(again.intrinsics[frames, 1], path.intrinsics[frames, 1], rtol=1e-6)
    if {"focal length", "zoom", "principal point"} <= carries:
        np.testing.assert_allclose(again.intrinsics, path.intrinsics, rtol=1e-6)
    elif "focal length" in carries and "principal point" not in carries and np.any(path.intrinsics[:, 2:] != 0.5):
        assert any("principal point" in phrase for phrase in lost)


def scale_of(path: CameraPath) -> float:
    return max(1.0, float(np.abs(path.camera_to_world[:, :3, 3]).max()))
