"""All formats together: files are recognised, candidates are named, folders are safe, the documentation is complete."""

from pathlib import Path

import numpy as np
import pytest

from camvig import CameraPath
from camvig.camera_paths.formats import FORMATS, PathOptions, detect_format, read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathSource, RawPath, settle

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "camera_paths.md"
PATH = CameraPath.from_text("dolly in 30%, pan right 10deg")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"blender"}))
def test_each_format_is_recognised_and_no_other_claims_its_files(name, tmp_path):
    file = tmp_path / f"path{FORMATS[name].suffixes[0]}"
    write_path_file(PATH, file, name, PathOptions(picture_size=(1000, 1000)))
    assert detect_format(PathSource(file)).name == name


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_each_format_is_documented(name):
    assert f"| `{name}` |" in DOCUMENTATION.read_text(encoding="utf-8")


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "diary.txt").write_text("keep me")
    with pytest.raises(ValueError, match="a folder that is not empty"):
        write_path_file(PATH, tmp_path / "model", "colmap")
    assert (tmp_path / "model" / "diary.txt").read_text() == "keep me"


def raw(poses, **stated) -> RawPath:
    return RawPath(np.asarray(poses, float), **{"axes": "opencv", "pose": "camera-to-world", "unit": "metre", **stated})


def bad_poses(kind: str) -> np.ndarray:
    poses = np.tile(np.eye(4), (3, 1, 1))
    match kind:
        case "scaled":
            poses[1, :3, :3] *= 2
        case "left-handed":
            poses[1, 0, 0] = -1
        case "nan":
            poses[1, 0, 3] = np.nan
    return poses


@pytest.mark.parametrize(
    "kind, message",
    [("scaled", "frame 1: expected a rotation"), ("left-handed", "frame 1: .*mirror image"), ("nan", "frame 1: .*NaN")],
)
def test_what_is_no_pose_names_file_and_frame(kind, message, tmp_path):
    (tmp_path / "path.x").touch()
    with pytest.raises(ValueError, match=f"path.x: {message}"):
        settle(raw(bad_poses(kind)), PathSource(tmp_path / "path.x"), PathOptions())


def test_a_glb_is_written_and_read_like_a_gltf(tmp_path):
    write_path_file(PATH, tmp_path / "path.glb", "gltf")
    assert (tmp_path / "path.glb").read_bytes()[:4] == b"glTF"
    assert read_path_file(tmp_path / "path.glb").path.allclose(PATH, 1e-6)


def test_a_million_poses_are_refused(tmp_path):
    (tmp_path / "path.x").touch()
    poses = np.broadcast_to(np.eye(4), (10**6, 4, 4))
    with pytest.raises(ValueError, match="expected 1 to 100,000 poses, got 1,000,000"):
        settle(raw(poses), PathSource(tmp_path / "path.x"), PathOptions())


@pytest.mark.parametrize(
    "missing, message",
    [
        ("axes", "--axes opencv or --axes opengl or --axes unreal"),
        ("pose", "--pose camera-to-world or --pose world-to-camera"),
        ("unit", "--unit metre or --unit scene_depth or --unit scene with --median-depth"),
    ],
)
def test_what_nobody_said_is_asked_for(missing, message, tmp_path):
    (tmp_path / "path.x").touch()
    with pytest.raises(ValueError, match=message):
        settle(raw(np.eye(4)[None], **{missing: None}), PathSource(tmp_path / "path.x"), PathOptions())
    contradiction = {"axes": "unreal", "pose": "world-to-camera", "unit": "scene_depth"}[missing]
    with pytest.raises(ValueError, match=f"expected no --{missing} {contradiction}"):
        settle(raw(np.eye(4)[None]), PathSource(tmp_path / "path.x"), PathOptions(**{missing: contradiction}))


@pytest.mark.parametrize("axes, right", [("opengl", (1, 0, 0)), ("unreal", (0, 1, 0)), ("opencv", (1, 0, 0))])
def test_a_truck_right_is_one_in_all_axes(axes, right, tmp_path):
    (tmp_path / "path.x").touch()
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, :3, 3] = right
    path = settle(raw(poses, axes=axes), PathSource(tmp_path / "path.x"), PathOptions()).path
    np.testing.assert_allclose(path.camera_to_world[1, :3, 3], [1, 0, 0])


def test_python_reads_and_writes_them_too(tmp_path):
    with pytest.warns(UserWarning, match="re10k cannot hold that its unit is scene depths"):
        PATH.to_file(tmp_path / "path.txt", "re10k")
    assert CameraPath.from_file(tmp_path / "path.txt", unit="scene_depth").allclose(PATH, 1e-6)
    with pytest.raises(ValueError, match="expected one of the formats"):
        read_path_file(tmp_path / "path.txt", "abc")
