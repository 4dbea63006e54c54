"""Blender scripts, run in a stand-in for Blender that keeps curves, and in Blender itself where bpy is installed."""

import sys
import types
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import read_path_file, write_path_file
from camvig.camera_paths.formats.path_format import PathOptions, picture_size_of
from camvig.camera_paths.rigid_motion import pose_matrices

SIZES = {"location": 3, "rotation_quaternion": 4, "lens": 1, "shift_x": 1, "shift_y": 1}


class Keyframes(list):
    def add(self, count):
        self.extend(SimpleNamespace(co=None) for _ in range(count))

    def foreach_set(self, name, numbers):
        for keyframe, position in zip(self, np.reshape(numbers, (-1, 2)), strict=True):
            setattr(keyframe, name, position)


class Datablock(SimpleNamespace):
    """A camera or a lens whose keyframes are in an action of before Blender 4.4, or in a layered one."""

    def keyframe_insert(self, name, frame):
        if not hasattr(self, "curves"):
            self.curves = []
            strip = SimpleNamespace(channelbag={"our slot": SimpleNamespace(fcurves=self.curves)}.__getitem__)
            action = {"layers": [SimpleNamespace(strips=[strip])]} if self.layered else {"fcurves": self.curves}
            self.animation_data = SimpleNamespace(action=SimpleNamespace(**action), action_slot="our slot")
        for index in range(SIZES[name]):
            points = Keyframes([SimpleNamespace(co=(frame, np.nan))])
            curve = SimpleNamespace(data_path=name, array_index=index, keyframe_points=points, update=lambda: None)
            self.curves.append(curve)

    def at(self, name, frame):
        """A property's numbers at a frame, where each of its curves must have a linear keyframe."""
        curves = {curve.array_index: curve for curve in getattr(self, "curves", []) if curve.data_path == name}
        if not curves:
            return np.ravel(getattr(self, name))
        keyframes = [{key.co[0]: key for key in curves[index].keyframe_points}[frame] for index in range(SIZES[name])]
        assert {key.interpolation for key in keyframes} == {"LINEAR"}
        return np.array([key.co[1] for key in keyframes])


def stand_in(layered):
    """A module with what of bpy the script uses."""
    scene = SimpleNamespace(render=SimpleNamespace(), frame_set=lambda frame: None)
    scene.collection = SimpleNamespace(objects=SimpleNamespace(link=lambda camera: None))
    bpy = types.ModuleType("bpy")
    bpy.context = SimpleNamespace(scene=scene)
    bpy.data = SimpleNamespace(
        cameras=SimpleNamespace(new=lambda name: Datablock(name=name, layered=layered)),
        objects=SimpleNamespace(new=lambda name, data: Datablock(name=name, data=data, layered=layered)),
    )
    return bpy


def run(file, bpy):
    """The scene that a script makes."""
    before = sys.modules.get("bpy")
    sys.modules["bpy"] = bpy
    try:
        exec(compile(file.read_text(), file, "exec"), {"__name__": "__main__"})
    finally:
        del sys.modules["bpy"]
        sys.modules.update({} if before is None else {"bpy": before})
    return bpy.context.scene


def matrices(scene):
    """matrix_world, [T, 4, 4], from the curves."""
    frames = range(scene.frame_start, scene.frame_end + 1)
    rotations = [
        Rotation.from_quat(scene.camera.at("rotation_quaternion", frame), scalar_first=True) for frame in frames
    ]
    locations = np.array([scene.camera.at("location", frame) for frame in frames])
    return pose_matrices(np.array([rotation.as_matrix() for rotation in rotations]), locations)


def random_path(seed):
    rng = np.random.default_rng(seed)
    frames = int(rng.integers(1, 9))
    poses = pose_matrices(Rotation.random(frames, random_state=seed).as_matrix(), rng.normal(0, 5, (frames, 3)))
    lenses = frames if rng.random() < 0.7 else 1
    fx, aspect = rng.uniform(0.01, 4, lenses), rng.uniform(0.4, 2.5)
    intrinsics = np.stack([fx, fx * aspect, *rng.uniform(0.3, 0.7, (2, lenses))], axis=1)
    return CameraPath(poses, np.broadcast_to(intrinsics, (frames, 4)), rng.uniform(0.2, 60), "metre")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_blender_has_every_pose_and_lens(seed, tmp_path_factory):
    file, path = tmp_path_factory.mktemp("path") / "path.py", random_path(seed)
    assert write_path_file(path, file, "blender") == [
        "where in the world it starts: its first pose becomes the origin",
        "that its unit is metres",
    ]
    scene = run(file, stand_in(layered=seed % 2 == 0))
    camera, lens, render = scene.camera, scene.camera.data, scene.render
    assert (scene.frame_start, scene.frame_end) == (1, path.num_frames)
    assert render.fps / render.fps_base == pytest.approx(path.fps, rel=1e-12)
    made = matrices(scene)
    to_opencv = np.linalg.inv(made[0])
    flip = np.diag([1, -1, -1, 1])
    np.testing.assert_allclose(flip @ to_opencv @ made @ flip, path.relative().camera_to_world, atol=1e-6)
    width, height = picture_size_of(path, PathOptions())
    shape = (width * render.pixel_aspect_x) / (height * render.pixel_aspect_y)
    assert shape == pytest.approx(path.aspect, rel=1e-9)
    assert camera.rotation_mode == "QUATERNION" and lens.sensor_fit == "HORIZONTAL"
    for frame, (fx, _, cx, cy) in enumerate(path.intrinsics, start=1):
        assert lens.at("lens", frame) >= 1 - 1e-12  # mm, the least that Blender takes
        assert lens.at("lens", frame) / lens.sensor_width == pytest.approx(fx, rel=1e-9)
        assert 0.5 - lens.at("shift_x", frame) == pytest.approx(cx, rel=1e-9)
        assert 0.5 + lens.at("shift_y", frame) * shape == pytest.approx(cy, rel=1e-9)


def test_a_path_of_a_known_motion(tmp_path):
    """Truck 2 right, pedestal 1 up, dolly 3 forward, pan 90 degrees right, in a world where z is up and y is ahead."""
    path = CameraPath.from_text("truck right 200%, pedestal up 100%, dolly in 300%, pan right 90deg", num_frames=3)
    write_path_file(path, tmp_path / "path.py", "blender")
    scene = run(tmp_path / "path.py", stand_in(layered=False))
    first, middle, last = matrices(scene)
    right, up, ahead = (1, 0, 0), (0, 0, 1), (0, 1, 0)
    np.testing.assert_allclose(first[:3], np.transpose([right, up, np.negative(ahead), (0, 0, 0)]), atol=1e-12)
    np.testing.assert_allclose(middle[:3, 3], [1, 1.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(
        last[:3], np.transpose([np.negative(ahead), up, np.negative(right), (2, 3, 1)]), atol=1e-12
    )
    assert scene.camera.data.lens == pytest.approx(36 * path.intrinsics[0, 0])
    assert not hasattr(scene.camera.data, "curves")  # a lens that stays needs no keyframes
    assert (scene.render.resolution_x, scene.render.resolution_y, scene.render.fps) == (1280, 1280, 8)


def test_quaternions_do_not_leap(tmp_path):
    write_path_file(CameraPath.pan(900, num_frames=40), tmp_path / "pan.py", "blender")
    scene = run(tmp_path / "pan.py", stand_in(layered=True))
    quaternions = np.array([scene.camera.at("rotation_quaternion", frame) for frame in range(1, 41)])
    assert np.all(np.sum(quaternions[1:] * quaternions[:-1], axis=1) > 0)


def test_a_picture_of_another_shape_has_other_pixels(tmp_path):
    write_path_file(CameraPath.static(), tmp_path / "path.py", "blender", PathOptions(picture_size=(1600, 800)))
    render = run(tmp_path / "path.py", stand_in(layered=True)).render
    assert (render.resolution_x, render.resolution_y, render.pixel_aspect_x, render.pixel_aspect_y) == (1600, 800, 1, 2)


def test_the_way_back_is_gltf(tmp_path):
    write_path_file(CameraPath.static(), tmp_path / "path.py", "blender")
    (tmp_path / "scene.blend").write_bytes(b"BLENDER-v400")
    for name in ("path.py", "scene.blend"):
        with pytest.raises(
            ValueError, match=rf"{name}: expected a camera path that can be read, .* export it with File"
        ):
            read_path_file(tmp_path / name)


def test_in_blender_itself(tmp_path):
    bpy = pytest.importorskip("bpy")
    path = random_path(3)
    write_path_file(path, tmp_path / "path.py", "blender")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = run(tmp_path / "path.py", bpy)
    made = []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        made.append(np.array(scene.camera.matrix_world))
    flip = np.diag([1, -1, -1, 1])
    np.testing.assert_allclose(
        flip @ np.linalg.inv(made[0]) @ made @ flip, path.relative().camera_to_world, atol=1e-5 * np.abs(made).max()
    )
