"""Captures: what is read of each layout, what is skipped and what refused; pictures and depth maps line up with the lens."""

import json
import struct

import numpy as np
import pytest
from PIL import Image

from camvig.dataset_builders.captures.capture import read_capture
from camvig.dataset_builders.captures.capture_pictures import load_depth, load_picture, size_of_view


def change(folder, edit):
    """Edit the content of a transforms.json in place."""
    file = folder / "transforms.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    edit(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_transforms_give_the_cameras_back(write_capture, orbit_clip):
    capture = read_capture(write_capture(with_depth=True, units="metres", depth_unit_scale_factor=0.001))
    np.testing.assert_allclose(capture.camera_to_world, orbit_clip.camera_to_world, atol=1e-9)
    np.testing.assert_allclose(capture.intrinsics, np.tile(orbit_clip.intrinsics[0], (17, 1)), atol=1e-9)
    assert (len(capture), capture.unit, capture.name, capture.has_depth) == (17, "metre", "room", True)
    np.testing.assert_array_equal(load_picture(capture, 5).rgb, orbit_clip.frames[5])
    np.testing.assert_allclose(load_depth(capture, 5), orbit_clip.depth[5], atol=1.1e-3)


def test_names_with_spaces_and_unicode(write_capture):
    folder = write_capture("Büro mit Aussicht 日本")
    (folder / "images" / "view_00.png").rename(folder / "images" / "erste Ansicht ✓.png")
    change(folder, lambda content: content["frames"][0].update(file_path="images/erste Ansicht ✓.png"))
    capture = read_capture(folder)
    assert len(capture) == 17 and capture.name == "Büro mit Aussicht 日本"


def test_pictures_that_cannot_be_used_are_skipped_by_name(write_capture):
    folder = write_capture()
    images = folder / "images"
    (images / "view_01.png").unlink()
    (images / "view_02.png").write_bytes((images / "view_02.png").read_bytes()[:500])
    (images / "view_03.png").write_text("no picture")
    Image.new("RGB", (40, 96)).save(images / "view_04.png")
    Image.open(images / "view_05.png").resize((48, 48)).save(images / "view_05.png")  # another size, the same shape
    capture = read_capture(folder)
    assert [skipped.name[-6:-4] for skipped in capture.skipped] == ["01", "02", "03", "04"]
    reasons = [skipped.reason for skipped in capture.skipped]
    assert "no such file" in reasons[0] and "cannot be decoded" in reasons[1] and "40x96" in reasons[3]
    assert len(capture) == 13 and size_of_view(capture, 1, 64) == (48, 48) and size_of_view(capture, 2, 64) == (64, 64)


@pytest.mark.parametrize(
    "edit, expected",
    [
        (lambda content: content.update(frames=content["frames"][:1]), "at least 2 pictures"),
        (lambda content: [f.update(transform_matrix=np.eye(4).tolist()) for f in content["frames"]], "got 17 at one"),
        (
            lambda content: content["frames"][3]["transform_matrix"][0].__setitem__(0, 2.0),
            "frame 3: expected a rotation",
        ),
        (lambda content: content["frames"][2]["transform_matrix"][0].__setitem__(3, float("nan")), "finite"),
        (lambda content: [content.pop(key) for key in ("fl_x", "fl_y")], "focal length"),
        (lambda content: content.update(k4=0.1), 'got "k4"'),
        (lambda content: content.update(frames=[]), "frames"),
    ],
)
def test_captures_that_are_refused(write_capture, edit, expected):
    folder = write_capture()
    change(folder, edit)
    with pytest.raises(ValueError, match=expected) as error:
        read_capture(folder)
    assert str(folder) in str(error.value)


def test_folders_without_a_capture(tmp_path):
    with pytest.raises(ValueError, match="got none of these"):
        read_capture(tmp_path)
    with pytest.raises(ValueError, match="expected a folder"):
        read_capture(tmp_path / "missing")
    with pytest.raises(ValueError, match="no first frame"):
        read_capture(tmp_path, unit="scene_depth")


def test_transparent_pictures_stand_before_white(write_capture):
    folder = write_capture()
    rgba = np.zeros((96, 96, 4), np.uint8)
    rgba[:, :48] = (200, 0, 0, 255)
    Image.fromarray(rgba).save(folder / "images" / "view_00.png")
    picture = load_picture(read_capture(folder), 0, (48, 48))
    assert picture.alpha is not None and picture.alpha[:, :24].min() == 1 and picture.alpha[:, 24:].max() == 0
    assert (picture.rgb[:, :24] == (200, 0, 0)).all() and (picture.rgb[:, 24:] == 255).all()


def test_straightened_pictures_follow_the_lens(write_capture):
    """A dot where the distorted lens shows a ray is where the straight lens shows it afterwards."""
    k1, p1 = -0.12, 0.01
    folder = write_capture(k1=k1, p1=p1)
    lens = read_capture(folder).intrinsics[0]
    x, y = 0.25, -0.2  # the ray, at z = 1
    square = x * x + y * y
    u = x * (1 + k1 * square) + 2 * p1 * x * y
    v = y * (1 + k1 * square) + p1 * (square + 2 * y * y)
    rows, columns = np.mgrid[:96, :96] + 0.5
    dot = np.exp(-((columns / 96 - u * lens[0] - lens[2]) ** 2 + (rows / 96 - v * lens[1] - lens[3]) ** 2) * 96**2 / 8)
    Image.fromarray(np.repeat((255 * dot).astype(np.uint8)[..., None], 3, axis=2)).save(
        folder / "images" / "view_00.png"
    )
    picture = load_picture(read_capture(folder), 0)
    weights = picture.rgb[..., 0] / picture.rgb[..., 0].sum()
    found = (weights * columns).sum() / 96, (weights * rows).sum() / 96
    np.testing.assert_allclose(found, (x * lens[0] + lens[2], y * lens[1] + lens[3]), atol=0.2 / 96)
    assert picture.is_known.mean() > 0.9


def test_colmap_folders(tmp_path, orbit_clip):
    pycolmap = pytest.importorskip("pycolmap")
    model = pycolmap.Reconstruction()
    fx, fy, cx, cy = orbit_clip.intrinsics[0] * 96
    camera = pycolmap.Camera(
        camera_id=1, model="OPENCV", width=96, height=96, params=[fx, fy, cx, cy, 0.02, 0, 0.003, 0]
    )
    model.add_camera_with_trivial_rig(camera)
    (tmp_path / "images").mkdir()
    for view in range(3):
        name = f"view {view}.png"
        world_to_camera = np.linalg.inv(orbit_clip.camera_to_world[view])
        image = pycolmap.Image(name=name, camera_id=1, image_id=view + 1)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(world_to_camera[:3]))
        Image.fromarray(orbit_clip.frames[view]).save(tmp_path / "images" / name)
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    model.write_binary(tmp_path / "sparse" / "0")
    capture = read_capture(tmp_path, unit="metre")
    np.testing.assert_allclose(capture.camera_to_world, orbit_clip.camera_to_world[:3], atol=1e-6)
    np.testing.assert_allclose(capture.distortion[0], [0.02, 0, 0.003, 0, 0, 0, 0, 0])
    assert capture.unit == "metre" and capture.image_files[0].name == "view 0.png"


def test_tum_rgbd_folders(tmp_path, orbit_clip):
    """Pictures, depth maps and poses go together by their time stamps; a picture without a pose is left out and counted."""
    from scipy.spatial.transform import Rotation

    frames = np.pad(orbit_clip.frames, ((0, 0), (0, 0), (0, 32), (0, 0)))[:4]  # 128x96
    for name in ("rgb", "depth"):
        (tmp_path / name).mkdir()
    lines = {"rgb": ["# colour"], "depth": [], "groundtruth": []}
    for view in range(4):
        time = 100 + view / 30
        Image.fromarray(frames[view]).save(tmp_path / "rgb" / f"{time:.4f}.png")
        Image.fromarray(np.full((96, 128), 5000 * (view + 1), np.uint16)).save(tmp_path / "depth" / f"{time:.4f}.png")
        lines["rgb"].append(f"{time:.4f} rgb/{time:.4f}.png")
        lines["depth"].append(f"{time + 0.005:.4f} depth/{time:.4f}.png")
        pose = orbit_clip.camera_to_world[view]
        numbers = [*pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_quat()]
        if view < 3:
            lines["groundtruth"].append(" ".join([f"{time - 0.004:.4f}", *map(str, numbers)]))
    for name, text in lines.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(text) + "\n")
    capture = read_capture(tmp_path)
    np.testing.assert_allclose(capture.camera_to_world, orbit_clip.camera_to_world[:3], atol=1e-6)
    assert capture.unit == "metre" and any("1 pictures have no pose" in note for note in capture.notes)
    assert load_depth(capture, 2, (48, 64)) == pytest.approx(3.0)


def test_a_cut_off_png_of_depth_is_skipped(write_capture):
    folder = write_capture(with_depth=True)
    file = folder / "depth" / "view_07.png"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + struct.pack(">I", 0))
    assert [skipped.name for skipped in read_capture(folder).skipped] == ["images/view_07.png"]
