"""All formats together: files are recognised, candidates are named, folders are safe, the documentation is complete."""

from pathlib import Path

import numpy as np
import pytest

from camvig import CameraPath
from camvig.camera_paths.formats import (
    FORMATS,
    PathOptions,
    detect_format,
    format_for,
    read_path_file,
    write_path_file,
)
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


ROW = "1 0 0 0 0 1 0 0 0 0 1 0"
TEXTS = {  # a line of each format of lines: one that is right, and ways to spoil it
    "kitti": (ROW, ROW.replace("1 0 0 0 0 1", "2 0 0 0 0 2")),
    "re10k": (f"{{}}000 1 1 0.5 0.5 0 0 {ROW}", f"{{}}000 0 1 0.5 0.5 0 0 {ROW}"),
    "tum": ("{} 0 0 0 0 0 0 1", "{} 0 0 0 0 0 0 nan"),
    "chan": ("{} 0 0 0 0 0 0 50", "{} 0 0 0 0 0 0 0"),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("wrong", [1, 4])
def test_a_wrong_line_is_named_by_its_number(name, wrong, tmp_path):
    right, spoilt = TEXTS[name]
    lines = [(spoilt if number == wrong else right).format(number) for number in range(1, 6)]
    (tmp_path / "path.txt").write_text("# a comment and an empty line\n\n" + "\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=rf"path.txt, line {wrong + 2}: .*expected "):
        read_path_file(tmp_path / "path.txt", name, PathOptions(unit="metre", picture_size=(4, 3)))


@pytest.mark.parametrize("name", TEXTS)
def test_too_many_lines_are_refused_before_they_are_read(name, tmp_path, monkeypatch):
    monkeypatch.setattr("camvig.camera_paths.formats.path_format.MOST_POSES", 4)
    lines = [TEXTS[name][0].format(number) for number in range(1, 5)]
    (tmp_path / "path.txt").write_text("\n".join([*lines, "not a number " * 10]) + "\n")
    with pytest.raises(ValueError, match=r"path\.txt: expected 1 to 4 poses, got 5"):
        read_path_file(tmp_path / "path.txt", name, PathOptions(unit="metre", picture_size=(4, 3)))


def test_a_leap_that_only_another_unit_explains_is_noted(tmp_path):
    positions = np.array([0.01, 0.02, 0.03, 0.04, 0.05, 60, 70, 80, 90, 100])  # metres, then millimetres
    lines = [f"1 0 0 {x} 0 1 0 0 0 0 1 0" for x in positions]
    (tmp_path / "path.txt").write_text("\n".join(lines) + "\n")
    notes = read_path_file(tmp_path / "path.txt", "kitti", PathOptions(unit="metre")).notes
    assert not any("mix units" in note for note in notes)  # half of all steps are as long: it may be a fast ride
    (tmp_path / "path.txt").write_text("\n".join(lines[:6]) + "\n")
    notes = read_path_file(tmp_path / "path.txt", "kitti", PathOptions(unit="metre")).notes
    assert any("the step to frame 5 is 5995 times as long" in note and "mix units" in note for note in notes)


def test_intrinsics_in_pixels_are_refused_where_they_must_be_normalised(tmp_path):
    lines = [f"{number}000 0.9 0.9 {cx} 0.5 0 0 {ROW}" for number, cx in enumerate([0.5, 0.5, 320])]
    (tmp_path / "path.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"line 3: frame 2: expected a principal point .* not in pixels, got cx = 320"):
        read_path_file(tmp_path / "path.txt", options=PathOptions(unit="metre"))


def test_a_median_depth_that_contradicts_the_file_is_noted(tmp_path):
    PATH.to_unit("metre", 2.0).to_file(tmp_path / "path.json")
    path, notes = read_path_file(tmp_path / "path.json", options=PathOptions(median_depth=4.0))
    assert path.scene_median_depth == 4.0
    assert notes == ["its median depth is 4, as told, and not 2, as the file has it"]
    assert read_path_file(tmp_path / "path.json", options=PathOptions(median_depth=2.0)).notes == []


def test_a_median_depth_that_no_reader_will_know_is_reported(tmp_path):
    path = PATH.to_unit("metre", 2.0)
    lost = write_path_file(path, tmp_path / "path.json", "recammaster")
    assert lost[0] == "that its unit is metres and the first frame's median depth 2"
    assert write_path_file(path, tmp_path / "path.gltf", "gltf") == []


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("camvig", "path.glb", r"ends in \.json for the format camvig, got .*path\.glb, as gltf would"),
        ("colmap", "path.txt", r"ends in no suffix: a folder for the format colmap"),
        ("tum", "path.npz", r"ends in \.txt for the format tum"),
    ],
)
def test_a_name_that_belongs_to_another_format_is_refused(name, file, expected, tmp_path):
    with pytest.raises(ValueError, match=expected):
        write_path_file(PATH, tmp_path / file, name)
    assert not list(tmp_path.iterdir())


def test_a_name_of_ones_own_is_fine(tmp_path):
    write_path_file(PATH, tmp_path / "path.trajectory", "tum")
    assert read_path_file(tmp_path / "path.trajectory", "tum", PathOptions(unit="metre")).path.num_frames == 17


def test_the_name_says_the_format_where_only_one_has_it():
    names = {"a.json": "camvig", "a.glb": "gltf", "a.PY": "blender", "a.chan": "chan", "a.npz": "npz", "a.npy": "npy"}
    assert {name: format_for(name) for name in names} == names
    with pytest.raises(ValueError, match=r"a\.txt in: --to with one of re10k, tum, kitti"):
        format_for("a.txt")
    with pytest.raises(ValueError, match="--to with one of camvig, re10k"):
        format_for("a.xyz")


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
