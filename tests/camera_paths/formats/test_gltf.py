"""glTF camera animations."""

import base64
import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camvig import CameraPath
from camvig.camera_paths.formats import read_path_file, write_path_file
from camvig.camera_paths.formats.gltf import FORMAT
from camvig.camera_paths.formats.path_format import PathOptions
from camvig.camera_paths.rigid_motion import pose_matrices, yaw_pitch_roll

COS, SIN = np.cos(np.radians(15)), np.sin(np.radians(15))
QUARTER = np.sqrt(0.5)
LEFT_30 = [0, SIN, 0, COS]  # about y, which points up
YFOV = 2 * np.arctan(0.5)  # fy = 1
# As Blender's exporter lays it out: the camera goes 1 to the right and looks 30 degrees left within half a second.
NODES = [{"camera": 0, "name": "Camera"}]
CAMERAS = [
    {"name": "Lens", "perspective": {"aspectRatio": 2, "yfov": YFOV, "zfar": 100, "znear": 0.1}, "type": "perspective"}
]
MOVE = {("node", 0, "translation"): ([0, 0.25, 0.5], [[0, 0, 0], [0.5, 0, 0], [1, 0, 0]])}
TURN = {("node", 0, "rotation"): ([0, 0.5], [[0, 0, 0, 1], LEFT_30])}


def scene(*animations, nodes=NODES, cameras=CAMERAS):
    """A file's JSON. An animation is {target: (times, values) or (times, values, interpolation)}."""
    content = {
        "asset": {"generator": "Khronos glTF Blender I/O v5.0.21", "version": "2.0"},
        "scene": 0,
        "scenes": [{"name": "Scene", "nodes": [0]}],
        "nodes": copy.deepcopy(nodes),
        "cameras": copy.deepcopy(cameras),
        "animations": [],
        "accessors": [],
        "bufferViews": [],
    }
    binary = b""
    for number, animation in enumerate(animations):
        samplers, channels = [], []
        for (kind, index, name), (times, values, *interpolation) in animation.items():
            for array in (times, values):
                data = np.array(array, dtype="<f4")
                content["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": data.nbytes})
                width = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}[data.size // len(data)]
                view = len(content["accessors"])
                content["accessors"].append(
                    {"bufferView": view, "componentType": 5126, "count": len(data), "type": width}
                )
                binary += data.tobytes()
            pointer = {"KHR_animation_pointer": {"pointer": f"/cameras/{index}/perspective/{name}"}}
            target = {"node": index, "path": name} if kind == "node" else {"path": "pointer", "extensions": pointer}
            view = len(content["accessors"])
            channels.append({"sampler": len(samplers), "target": target})
            samplers.append({"input": view - 2, "output": view - 1, "interpolation": (*interpolation, "LINEAR")[0]})
        content["animations"].append({"name": f"Action{number}", "channels": channels, "samplers": samplers})
    uri = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    return {**content, "buffers": [{"byteLength": len(binary), "uri": uri}]}


def read(tmp_path, content, options=None):
    (tmp_path / "scene.gltf").write_text(json.dumps(content))
    return read_path_file(tmp_path / "scene.gltf", options=options)


def random_path(seed):
    rng = np.random.default_rng(seed)
    frames = int(rng.integers(1, 13))
    poses = pose_matrices(Rotation.random(frames, random_state=seed).as_matrix(), rng.normal(0, 5, (frames, 3)))
    intrinsics = [*rng.uniform(0.3, 4, 2), 0.5, 0.5]
    unit = ("metre", "scene_depth", "scene")[int(rng.integers(3))]
    depth = None if unit == "scene_depth" else float(rng.uniform(0.1, 9))
    return CameraPath(poses, np.tile(intrinsics, (frames, 1)), rng.uniform(0.5, 60), unit, depth)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_round_trip(seed, tmp_path_factory):
    folder, path = tmp_path_factory.mktemp("path"), random_path(seed)
    assert write_path_file(path, folder / "path.gltf", "gltf") == []
    FORMAT.write(path, folder / "path.glb", PathOptions())
    for file in (folder / "path.gltf", folder / "path.glb"):
        again, notes = read_path_file(file)
        extent = np.abs(path.camera_to_world).max()
        np.testing.assert_allclose(again.camera_to_world, path.camera_to_world, atol=1e-6 * extent)
        np.testing.assert_allclose(again.intrinsics, path.intrinsics, rtol=1e-12)
        assert again.fps == pytest.approx(path.fps, rel=1e-6)
        assert (again.unit, again.scene_median_depth) == (path.unit, path.scene_median_depth)
        assert notes == []


def test_what_is_lost(tmp_path):
    path = CameraPath.zoom(2)
    assert write_path_file(path, tmp_path / "zoom.gltf", "gltf") == ["how the lens changes: the first frame's is kept"]
    np.testing.assert_allclose(read_path_file(tmp_path / "zoom.gltf").path.intrinsics, path.intrinsics[[0] * 17])


def test_a_file_of_a_known_motion(tmp_path, motion):
    path, notes = read(tmp_path, scene(MOVE | TURN))
    np.testing.assert_allclose(motion(path), [1, 0, 0, -30, 0, 0], atol=1e-5)
    np.testing.assert_allclose(yaw_pitch_roll(path.camera_to_world[:, :3, :3])[:, 0], [0, -15, -30], atol=1e-5)
    np.testing.assert_allclose(path.intrinsics, [[0.5, 1, 0.5, 0.5]] * 3)
    assert (path.fps, path.unit, path.scene_median_depth, notes) == (4, "metre", None, [])


def test_numbers_in_a_file_beside_it_and_as_short_integers(tmp_path, motion):
    content = scene(MOVE | TURN)
    binary = base64.b64decode(content["buffers"][0]["uri"].partition(",")[2])
    short = np.round(np.array([[0, 0, 0, 1], LEFT_30]) * 32767).astype("<i2").tobytes()
    content["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(short)})
    content["accessors"][3] |= {"bufferView": 4, "componentType": 5122, "normalized": True}
    content["buffers"] = [{"byteLength": len(binary + short), "uri": "my%20numbers.bin"}]
    (tmp_path / "my numbers.bin").write_bytes(binary + short)
    np.testing.assert_allclose(motion(read(tmp_path, content).path), [1, 0, 0, -30, 0, 0], atol=3e-3)


def test_parents_place_and_move_the_camera(tmp_path, motion):
    nodes = [
        {"children": [1], "matrix": [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 10, 0, 0, 1]},  # twice as large, at x = 10
        {"children": [2], "translation": [0, 3, 0], "name": "Crane"},  # lies 3 x 2 above it
        {"camera": 0, "translation": [0, 0, -1]},  # and the camera 1 x 2 ahead of it
    ]
    crane = {("node", 1, "rotation"): ([0, 1], [[0, 0, 0, 1], [0, -QUARTER, 0, QUARTER]])}  # turns 90 degrees right
    path, notes = read(tmp_path, scene(crane, nodes=nodes))
    np.testing.assert_allclose(path.camera_to_world[:, :3, 3], [[10, -6, 2], [12, -6, 0]], atol=1e-6)
    np.testing.assert_allclose(motion(path), [2, 0, -2, 90, 0, 0], atol=1e-5)
    assert notes == []


def test_animations_of_the_camera_and_its_parent_play_at_once(tmp_path, motion):
    nodes = [{"children": [1], "name": "Rig"}, {"camera": 0}]
    rig = {("node", 0, "translation"): ([0, 1], [[0, 0, 0], [0, 2, 0]])}
    camera = {("node", 1, "translation"): ([0, 1], [[0, 0, 0], [3, 0, 0]])}
    path, notes = read(tmp_path, scene(rig, camera, nodes=nodes))
    np.testing.assert_allclose(motion(path), [3, 2, 0, 0, 0, 0], atol=1e-6)
    assert notes == ["its animations Action0, Action1 are taken to play at once"]
    with pytest.raises(
        ValueError, match="translation of the camera to be animated once, got it again in animation 'Action1'"
    ):
        read(tmp_path, scene(MOVE, MOVE))


@pytest.mark.parametrize(
    ("interpolation", "values", "expected"),
    [
        ("LINEAR", [[0, 0, 0], [4, 0, 0]], [0, 1, 2, 4]),
        ("STEP", [[0, 0, 0], [4, 0, 0]], [0, 0, 0, 4]),
        ("CUBICSPLINE", [[9, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [4, 0, 0], [9, 0, 0]], [0, 0.625, 2, 4]),
        ("CUBICSPLINE", [[9, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0], [4, 0, 0], [9, 0, 0]], [0, 1, 2, 4]),
    ],
)
def test_interpolation(tmp_path, interpolation, values, expected):
    """Over four seconds; the other channel has keyframes after one and two. A tangent of 1 a second is a straight line."""
    count = 2 if interpolation != "CUBICSPLINE" else 6
    move = {("node", 0, "translation"): ([0, 4], np.reshape(values, (count, 3)), interpolation)}
    turn = {("node", 0, "rotation"): ([1, 2], [[0, 0, 0, 1], LEFT_30], "STEP")}
    path, notes = read(tmp_path, scene(move | turn))
    np.testing.assert_allclose(path.camera_to_world[:, 0, 3], expected, atol=1e-6)
    np.testing.assert_allclose(yaw_pitch_roll(path.camera_to_world[:, :3, :3])[:, 0], [0, 0, -30, -30], atol=1e-5)
    assert (path.fps, notes) == (1, ["its keyframes are unevenly spaced in time: fps is that of the median step"])


def test_a_cubic_rotation_and_a_changing_lens(tmp_path):
    none = [0, 0, 0, 0]
    turn = {("node", 0, "rotation"): ([0, 2], [none, [0, 0, 0, 1], none, none, LEFT_30, none], "CUBICSPLINE")}
    lens = {("pointer", 0, "yfov"): ([0, 1, 2], [[YFOV], [YFOV], [2 * np.arctan(0.25)]])}
    path, _ = read(tmp_path, scene(turn | lens))
    np.testing.assert_allclose(yaw_pitch_roll(path.camera_to_world[:, :3, :3])[:, 0], [0, -15, -30], atol=1e-5)
    np.testing.assert_allclose(path.intrinsics, [[0.5, 1, 0.5, 0.5], [0.5, 1, 0.5, 0.5], [1, 2, 0.5, 0.5]], rtol=1e-6)


def test_a_camera_that_stands_still(tmp_path):
    path, notes = read(tmp_path, scene(nodes=[{"camera": 0, "translation": [1, 2, 3]}]))
    np.testing.assert_allclose(path.camera_to_world[:, :3, 3], [[1, -2, -3]])
    assert notes == ["the file does not say its frames a second: 8 taken (--fps)"]


def test_one_of_several_cameras(tmp_path):
    content = scene(
        nodes=[{"camera": 0, "name": "A"}, {"camera": 0, "name": "B", "translation": [7, 0, 0]}, {"camera": 0}]
    )
    with pytest.raises(
        ValueError, match='which camera to take, --camera "A" or --camera "B" or --camera "2", got several'
    ):
        read(tmp_path, content)
    assert read(tmp_path, content, PathOptions(camera="B")).path.camera_to_world[0, 0, 3] == 7
    with pytest.raises(ValueError, match="got 'C'"):
        read(tmp_path, content, PathOptions(camera="C"))


def test_the_unit(tmp_path):
    said = PathOptions(unit="scene", median_depth=3)
    assert read(tmp_path, scene(MOVE), said).path.unit == "scene"  # the user knows better than the specification
    write_path_file(CameraPath.dolly(1), tmp_path / "path.gltf", "gltf")
    with pytest.raises(ValueError, match="expected no --unit scene"):
        read_path_file(tmp_path / "path.gltf", options=said)


def test_the_aspect_may_be_the_viewports(tmp_path):
    content = scene(cameras=[{"type": "perspective", "perspective": {"yfov": YFOV, "znear": 1}}])
    with pytest.raises(
        ValueError, match='expected an "aspectRatio" of the camera, got none: --picture-size WIDTHxHEIGHT'
    ):
        read(tmp_path, content)
    path = read(tmp_path, content, PathOptions(picture_size=(1920, 1080))).path
    np.testing.assert_allclose(path.intrinsics, [[9 / 16, 1, 0.5, 0.5]])


def bad(content, kind, key, value):
    items = content[kind] if isinstance(key, str) else content
    (items[0] if isinstance(items, list) else items)[key] = value
    return content


def node(**fields):
    return scene(nodes=[{"camera": 0, **fields}])


def lens(**fields):
    return scene(cameras=[{"type": "perspective", "perspective": fields}])


def moved(times, values, name="translation", interpolation="LINEAR"):
    return scene({("node", 0, name): (times, values, interpolation)})


def numbers(data):
    return bad(scene(MOVE), "buffers", "uri", f"data:application/octet-stream;base64,{data}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bad(scene(), "asset", "version", "1.0"), 'expected glTF with "version": "2.0" in its "asset", got \'1.0\''),
        (scene(nodes=[{}]), "expected a camera, got none: was it exported with its cameras?"),
        (scene(cameras=[{"type": "orthographic"}]), "expected a perspective camera, got 'orthographic'"),
        (scene(cameras=[]), 'expected the number of one of 0 "cameras", got 0'),
        (scene(cameras=[{"type": "perspective"}]), "expected valid glTF 2.0, got KeyError: 'perspective'"),
        (lens(yfov=0), 'expected "yfov" above 0, got 0'),
        (lens(yfov=60), 'expected "yfov" between 0 and pi radians, got 60'),
        (
            node(scale=[1, 2, 1]),
            "frame 0: expected a rotation in camera_to_world, got a matrix that is not orthonormal",
        ),
        (node(scale=[0, 0, 0]), "frame 0: expected a rotation in camera_to_world"),
        (node(scale=[-1, 1, 1]), "(a mirror image: is an axis flipped?)"),
        (node(rotation=[0, 0, 0, 2]), "expected a unit quaternion, got one of length 2"),
        (node(translation=[0, "1", 0]), "expected the translation of node 0 to be 3 numbers, got '1'"),
        (node(children=[0]), "expected a tree of nodes, got a ring through node 0"),
        (node(extras={"camvig": {"unit": "foot"}}), "to be one of scene_depth, metre, scene, got 'foot'"),
        (
            scene(MOVE, nodes=[{"camera": 0, "matrix": [1] * 16}]),
            "node 0: expected no matrix in a node that moves, got one",
        ),
        (moved([0, 1, 1], np.eye(3)), "keyframe 2 of translation: expected a time after 1 s, got 1 s"),
        (moved([0, 1, np.nan], np.eye(3)), "accessor 0: expected finite numbers, got NaN or infinity"),
        (
            moved([0, 1], [[0, 0, 0, 1], [0] * 4], "rotation"),
            "keyframe 1 of rotation: expected a unit quaternion, got one",
        ),
        (moved([0, 1, 2], np.eye(3)[:2]), "expected 3 x 3 numbers of translation for 3 keyframes, got 2 x 3"),
        (moved([0], [[0, 0, 0]], interpolation="QUADRATIC"), "expected interpolation LINEAR, STEP or CUBICSPLINE"),
        (numbers("AAAA"), "accessor 0: expected 12 bytes for 3 items, got 3: is the file cut off?"),
        (numbers("AAA"), "buffer 0: expected base64, got Incorrect padding: is the file cut off?"),
        (bad(scene(MOVE), "buffers", "uri", "gone.bin"), "gone.bin, got no such file"),
        (
            bad(scene(MOVE), "bufferViews", "extensions", {"EXT_meshopt_compression": {}}),
            "got sparse or compressed ones",
        ),
        (bad(scene(MOVE), "accessors", "bufferView", 9), 'expected the number of one of 2 "bufferViews", got 9'),
    ],
)
def test_bad_input(tmp_path, content, message):
    with pytest.raises(ValueError) as error:
        read(tmp_path, content)
    assert "scene.gltf" in str(error.value)
    assert message in str(error.value)


def test_files_that_are_cut_off(tmp_path):
    FORMAT.write(CameraPath.dolly(1), tmp_path / "path.glb", PathOptions())
    whole = (tmp_path / "path.glb").read_bytes()
    for length in (5, 100, len(whole) - 1):
        (tmp_path / "path.glb").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"path\.glb: expected .* bytes, got .*: is the file cut off\?"):
            read_path_file(tmp_path / "path.glb")
    write_path_file(CameraPath.dolly(1), tmp_path / "path.gltf", "gltf")
    text = (tmp_path / "path.gltf").read_text()
    (tmp_path / "path.gltf").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"expected JSON, got .* is the file cut off\?"):
        read_path_file(tmp_path / "path.gltf", "gltf")
