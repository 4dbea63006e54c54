"""glTF 2.0 camera animations, .gltf and .glb: a camera's node, the nodes above it, and the animation that moves them.

By the specification: x right, y up, looking along -z; camera-to-world once all parents are applied, uniform scale ignored;
yfov is the vertical field of view in radians; lengths are metres, times seconds. A path has a pose at every time at which
any of the camera's channels, or of its parents', has a keyframe (gltf_animation.py says what lies between keyframes). A lens
that changes is read from KHR_animation_pointer; what is written is core glTF, which keeps the first frame's. Where there are
several cameras, the option `camera` is the name of a camera's node.

A path in another unit is written as it is, with its unit and median depth in the node's extras.camvig, and reads back in
it. In a file without these the user's unit wins over the specification's metre. Animations are float32: 7 digits.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..camera_path import CameraPath
from ..units import UNITS
from .gltf_animation import MOVES, Target, Track, check_quaternions, movement_of
from .gltf_file import GltfFile, glb_bytes, is_glb
from .json_numbers import json_numbers, json_positive
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world

BROKEN = (KeyError, IndexError, TypeError, AttributeError)  # what JSON of another shape than glTF's leads to
EVENNESS = 0.1  # keyframes within this part of a step of even spacing are evenly spaced: our choice


def recognise(source: PathSource) -> bool:
    """A .glb with its magic, or a .gltf that is an object with an asset."""
    if not source.file.is_file() or source.suffix not in (".gltf", ".glb"):
        return False
    if source.suffix == ".glb":
        return is_glb(source)
    try:
        return isinstance(source.json, dict) and "asset" in source.json
    except ValueError:
        return False


def read(source: PathSource, options: PathOptions) -> RawPath:
    file = GltfFile(source)
    try:
        return _read(file, options)
    except BROKEN as error:
        raise source.error(f"expected valid glTF 2.0, got {type(error).__name__}: {error}") from None


def _read(file: GltfFile, options: PathOptions) -> RawPath:
    node = _choose_camera(file, options.camera)
    chain, camera = _node_and_parents(file, node), file.content["nodes"][node]["camera"]
    tracks, animations = movement_of(file, {("nodes", number) for number in chain} | {("cameras", camera)})
    times = np.unique(np.concatenate([track.times for track in tracks.values()])) if tracks else np.zeros(1)
    poses = np.tile(np.eye(4), (len(times), 1, 1))
    for number in chain:
        poses = _local_poses(file, number, tracks, times) @ poses
    scales = np.cbrt(np.abs(np.linalg.det(poses[:, :3, :3])))
    poses[:, :3, :3] /= np.where(scales > 0, scales, 1)[:, None, None]
    said = _said_in_extras(file, node)
    fps = json_positive(file.source, said, "fps") if len(times) == 1 else _frames_a_second(times)
    return RawPath(
        poses,
        "opengl",
        "camera-to-world",
        _intrinsics(file, camera, tracks, times, options),
        fps=fps,
        unit=said.get("unit", options.unit or "metre"),
        median_depth=json_positive(file.source, said, "median_depth"),
        notes=tuple(_notes(times, animations)),
    )


def _notes(times: np.ndarray, animations: list[str]) -> list[str]:
    notes = []
    if len(animations) > 1:
        notes.append(f"its animations {', '.join(animations)} are taken to play at once")
    if not _are_even(times):
        notes.append("its keyframes are unevenly spaced in time: fps is that of the median step")
    return notes


def _choose_camera(file: GltfFile, name: str | None) -> int:
    """The number of the node of the camera that is named, or of the only one."""
    nodes = {number: node for number, node in enumerate(file.content.get("nodes", [])) if "camera" in node}
    names = [str(node.get("name", number)) for number, node in nodes.items()]
    labels = {name if names.count(name) == 1 else str(node): node for name, node in zip(names, nodes, strict=True)}
    if not nodes:
        raise file.source.error("expected a camera, got none: was it exported with its cameras?")
    if name is None and len(nodes) == 1:
        return next(iter(nodes))
    if name not in labels:
        candidates = " or ".join(f'--camera "{label}"' for label in labels)
        found = "several cameras" if name is None else repr(name)
        raise file.source.error(f"expected to be told which camera to take, {candidates}, got {found}")
    return labels[name]


def _node_and_parents(file: GltfFile, number: int) -> list[int]:
    nodes = file.content["nodes"]
    parents = {child: number for number, node in enumerate(nodes) for child in node.get("children", [])}
    chain = [number]
    while chain[-1] in parents:
        chain.append(parents[chain[-1]])
        if len(chain) > len(nodes):
            raise file.source.error(f"expected a tree of nodes, got a ring through node {number}")
    return chain


def _local_poses(file: GltfFile, number: int, tracks: dict[Target, Track], times: np.ndarray) -> np.ndarray:
    """A node's own matrices at these times, [T, 4, 4]."""
    node = file.content["nodes"][number]
    if "matrix" in node:
        if any(("nodes", number, name) in tracks for name in MOVES):
            raise file.source.error(f"node {number}: expected no matrix in a node that moves, got one")
        matrix = json_numbers(file.source, node["matrix"], (16,), f"the matrix of node {number}")  # column after column
        return np.tile(matrix.reshape(4, 4).T, (len(times), 1, 1))
    parts = []
    for name, resting in MOVES.items():
        value = json_numbers(file.source, node.get(name, resting), (len(resting),), f"the {name} of node {number}")
        if name == "rotation":
            check_quaternions(file, value[None])
        track = tracks.get(("nodes", number, name))
        parts.append(np.tile(value, (len(times), 1)) if track is None else track.at(times))
    poses = np.tile(np.eye(4), (len(times), 1, 1))
    poses[:, :3, :3] = Rotation.from_quat(parts[1]).as_matrix() * parts[2][:, None]
    poses[:, :3, 3] = parts[0]
    return poses


def _intrinsics(
    file: GltfFile, number: int, tracks: dict[Target, Track], times: np.ndarray, options: PathOptions
) -> np.ndarray:
    """Normalised fx, fy, cx, cy, [T, 4]."""
    camera = file.item("cameras", number)
    if camera["type"] != "perspective":
        raise file.source.error(f"expected a perspective camera, got {camera['type']!r}")
    values = {}
    for name in ("yfov", "aspectRatio"):
        track, stated = tracks.get(("cameras", number, name)), json_positive(file.source, camera["perspective"], name)
        values[name] = np.full(len(times), stated or np.nan) if track is None else track.at(times)[:, 0]
    angles, aspects = values["yfov"], values["aspectRatio"]
    if not np.all((angles > 0) & (angles < np.pi)):
        raise file.source.error(f'expected "yfov" between 0 and pi radians, got {angles.max():g}')
    if np.isnan(aspects).all():
        if options.picture_size is None:
            raise file.source.error('expected an "aspectRatio" of the camera, got none: --picture-size WIDTHxHEIGHT')
        aspects = np.full(len(times), options.picture_size[0] / options.picture_size[1])
    fy = 0.5 / np.tan(angles / 2)
    return np.stack([fy / aspects, fy, *np.full((2, len(times)), 0.5)], axis=1)


def _said_in_extras(file: GltfFile, node: int) -> dict:
    """The unit, median depth and fps that `write` leaves with the node; nothing where it is not our file."""
    extras = file.content["nodes"][node].get("extras")
    said = extras.get("camvig") if isinstance(extras, dict) else None
    if not isinstance(said, dict):
        return {}
    if said.get("unit") not in UNITS:
        raise file.source.error(
            f'expected "unit" in extras.camvig to be one of {", ".join(UNITS)}, got {said.get("unit")!r}'
        )
    return {key: value for key, value in said.items() if value is not None}


def _are_even(times: np.ndarray) -> bool:
    even = np.linspace(times[0], times[-1], len(times))
    return len(times) < 3 or bool(np.abs(times - even).max() <= EVENNESS * (even[1] - even[0]))


def _frames_a_second(times: np.ndarray) -> float:
    """Of the mean step where steps are even, else of the median one: the shortest decimal that is the same in float32."""
    step = (times[-1] - times[0]) / (len(times) - 1) if _are_even(times) else np.median(np.diff(times))
    return float(str(np.float32(1 / step)))


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    """A .glb where the file's name ends so, else a .gltf with its numbers in base64."""
    poses = from_opencv_camera_to_world(path.camera_to_world, "opengl", "camera-to-world")
    quaternions = Rotation.from_matrix(poses[:, :3, :3]).as_quat()
    turned_over = np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0
    quaternions[1:] *= np.cumprod(np.where(turned_over, -1, 1))[:, None]
    arrays = [np.arange(len(poses)) / path.fps, poses[:, :3, 3], quaternions]
    binary = b"".join(array.astype("<f4").tobytes() for array in arrays)
    content = _content(path, arrays, len(binary))
    if file.suffix == ".glb":
        file.write_bytes(glb_bytes(content, binary))
        return
    content["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _content(path: CameraPath, arrays: list[np.ndarray], length: int) -> dict:
    """The JSON of a file with one camera and the arrays of its animation: times, translations and rotations."""
    times, translations, quaternions = arrays
    sizes = [4 * array.size for array in arrays]
    ends = np.cumsum(sizes).tolist()
    extras = {"unit": path.unit, "median_depth": path.scene_median_depth, "fps": path.fps}
    node = {"name": "camera", "camera": 0, "translation": translations[0].tolist(), "rotation": quaternions[0].tolist()}
    lens = {"yfov": 2 * float(np.arctan(0.5 / path.intrinsics[0, 1])), "aspectRatio": path.aspect, "znear": 0.01}
    accessors = [
        {"bufferView": number, "componentType": 5126, "count": len(times), "type": kind}
        for number, kind in enumerate(("SCALAR", "VEC3", "VEC4"))
    ]
    accessors[0] |= {"min": [0.0], "max": [float(np.float32(times[-1]))]}
    return {
        "asset": {"version": "2.0", "generator": "camvig"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{**node, "extras": {"camvig": extras}}],
        "cameras": [{"type": "perspective", "perspective": lens}],
        "animations": [
            {
                "name": "camera path",
                "samplers": [{"input": 0, "output": output, "interpolation": "LINEAR"} for output in (1, 2)],
                "channels": [
                    {"sampler": sampler, "target": {"node": 0, "path": name}}
                    for sampler, name in enumerate(("translation", "rotation"))
                ],
            }
        ],
        "accessors": accessors,
        "bufferViews": [
            {"buffer": 0, "byteOffset": end - size, "byteLength": size} for end, size in zip(ends, sizes, strict=True)
        ],
        "buffers": [{"byteLength": length}],
    }


FORMAT = PathFormat(
    name="gltf",
    title="glTF 2.0 camera animation",
    suffixes=(".gltf", ".glb"),
    carries=frozenset({"place", "fps", "unit", "focal length"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="OpenGL camera-to-world; metres by the specification, another unit and its median depth in the node's extras.camvig; "
    "times and poses are float32; a lens that changes is read (KHR_animation_pointer), not written",
)
