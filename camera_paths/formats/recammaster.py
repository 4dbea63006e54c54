"""ReCamMaster's and MultiCamVideo's `camera_extrinsics.json`: several cameras that film the same frames.

A frame `frame0`, `frame1`, ... holds for each camera `cam01`, `cam02`, ... a text of four bracketed rows: Unreal Engine's
camera-to-world matrix, transposed (the rows are the camera's forward, right and up axis and its position), in
centimetres, in Unreal's left-handed world (x forward, y right, z up). That is how ReCamMaster's inference_recammaster.py
takes it: it transposes, reorders the columns, negates one, and divides the position by 100. Here these
are metres. Only the motion relative to the first frame matters to its model, which takes every fourth of 81 frames.

In ReCamMaster's own example file the ten cameras do what its README lists: 1 and 2 pan right and left, 3 and 4 tilt up and
down, 5 and 6 "zoom" in and out (a dolly: the file has no lens), 7 and 8 rise and sink while tilting back, 9 and 10
are arcs to the left and to the right that keep looking at the subject.

The positions of a path in another unit than the metre are written times 100 all the same.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from ..camera_path import CameraPath
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world

CENTIMETRES = 100.0  # a metre
DEFAULT_CAMERA = "cam01"
FRAME_NAME = re.compile(r"frame(0|[1-9][0-9]*)")
ROW = re.compile(r"\[([^\[\]]*)\]")


def recognise(source: PathSource) -> bool:
    """An object whose `frame0` is an object of texts in brackets."""
    content = source.json_or_none
    cameras = content.get("frame0") if isinstance(content, dict) else None
    if not isinstance(cameras, dict) or not cameras:
        return False
    return all(isinstance(text, str) and len(ROW.findall(text)) == 4 for text in cameras.values())


def read(source: PathSource, options: PathOptions) -> RawPath:
    frames = _frames(source)
    camera = _camera(source, frames[0], options)
    rows = [_matrix(source, frame, cameras, camera) for frame, cameras in enumerate(frames)]
    poses = np.stack(rows).transpose(0, 2, 1)
    poses[:, :3, 3] /= CENTIMETRES
    return RawPath(poses, "unreal", "camera-to-world", unit="metre")


def _frames(source: PathSource) -> list[dict]:
    """The cameras of frame0, frame1, ..., whatever their order in the file."""
    content = source.json
    if not isinstance(content, dict) or not content:
        raise source.error("expected an object with frame0, frame1, ..., got none")
    source.check_count(len(content))
    _check_each_once(source)
    for name in content:
        if not FRAME_NAME.fullmatch(name):
            raise source.error(f"expected frame0, frame1, ..., got {name!r}")
    for frame in range(len(content)):
        if not isinstance(content.get(f"frame{frame}"), dict):
            raise source.error(
                f"expected frame0 to frame{len(content) - 1}, each with its cameras, got no frame{frame}"
            )
    return [content[f"frame{frame}"] for frame in range(len(content))]


def _check_each_once(source: PathSource) -> None:
    """A name that comes twice would win silently over its first appearance."""

    def once(pairs: list[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            name = next(name for name in names if names.count(name) > 1)
            raise source.error(f"expected each frame and each camera once, got {name} {names.count(name)} times")

    json.loads(source.text, object_pairs_hook=once)


def _camera(source: PathSource, cameras: dict, options: PathOptions) -> str:
    """The camera that the user picked, or the only one."""
    if options.camera is None and len(cameras) == 1:
        return next(iter(cameras))
    if options.camera is None:
        raise source.error(f"expected to be told which camera: --camera with one of {', '.join(cameras)}")
    if options.camera not in cameras:
        raise source.error(f"expected --camera to be one of {', '.join(cameras)}, got {options.camera!r}")
    return options.camera


def _matrix(source: PathSource, frame: int, cameras: dict, camera: str) -> np.ndarray:
    """The four rows of a camera in a frame, [4, 4], as they stand."""
    where = f"frame {frame}, {camera}: "
    text = cameras.get(camera)
    rows = [row.split() for row in ROW.findall(text)] if isinstance(text, str) else []
    if [len(row) for row in rows] != [4] * 4:
        raise source.error(f"{where}expected 4 rows of 4 numbers in brackets, got {text!r:.80}")
    try:
        matrix = np.array(rows, dtype=np.float64)
    except ValueError:
        raise source.error(f"{where}expected 4 rows of 4 numbers in brackets, got {text!r:.80}") from None
    if not np.isfinite(matrix).all():
        raise source.error(f"{where}expected finite numbers, got NaN or infinity")
    return matrix


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    """One camera, named as `options.camera` says, or cam01."""
    poses = from_opencv_camera_to_world(path.camera_to_world, "unreal", "camera-to-world")
    poses[:, :3, 3] *= CENTIMETRES
    camera = options.camera or DEFAULT_CAMERA
    frames = {f"frame{frame}": {camera: _text(pose.T)} for frame, pose in enumerate(poses)}
    file.write_text(json.dumps(frames, indent=4) + "\n", encoding="utf-8")


def _text(rows: np.ndarray) -> str:
    return "".join(f"[{' '.join(repr(number) for number in row)}] " for row in rows.tolist())


FORMAT = PathFormat(
    name="recammaster",
    title="ReCamMaster and MultiCamVideo camera extrinsics",
    suffixes=(".json",),
    carries=frozenset({"place", "metre"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="transposed Unreal camera-to-world matrices in centimetres, several cameras a file (--camera picks one); its "
    '"zoom" is a dolly',
)
