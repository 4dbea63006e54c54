"""HY-WorldPlay's camera files: JSON with an entry a frame, named "0", "1", ..., of an `extrinsic` and a `K`.

In HY-WorldPlay `extrinsic` is the 4x4 camera-to-world matrix in OpenCV axes, whatever its name suggests: its reader
(hyvideo/generate.py, `pose_to_input`) inverts it to get world-to-camera, and its writer moves forward along the matrix's
+z and right along +x. `K` is 3x3 in pixels of a picture twice as wide and high as its principal point: the reader divides
fx by 2 cx and fy by 2 cy and puts the principal point in the middle. So a K is written with a centred one; it is read in
the same way, or, where the user gives `picture_size`, with the principal point that it states.

Entries are poses one after the other, with no time: neither frames a second nor the unit are stated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import intrinsics as lens
from ..camera_path import CameraPath
from .path_format import PathFormat, PathOptions, PathSource, RawPath, picture_size_of


def recognise(source: PathSource) -> bool:
    """A JSON object whose first entry is an object with `extrinsic` and `K`."""
    frames = source.json_or_none
    return isinstance(frames, dict) and bool(frames) and _is_frame(next(iter(frames.values())))


def read(source: PathSource, options: PathOptions) -> RawPath:
    frames = _frames(source)
    poses = [_matrix(source, name, frame["extrinsic"], "extrinsic", ((4, 4), (3, 4))) for name, frame in frames.items()]
    intrinsics = [_intrinsics(source, name, frame["K"], options) for name, frame in frames.items()]
    if len({pose.shape for pose in poses}) > 1:
        raise source.error("expected an extrinsic of one shape in all frames, got both [4, 4] and [3, 4]")
    return RawPath(np.stack(poses), "opencv", "camera-to-world", np.stack(intrinsics))


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    width, height = picture_size_of(path, options)
    centred = path.intrinsics * (1, 1, 0, 0) + (0, 0, 0.5, 0.5)
    matrices = lens.to_pixel_matrices(centred, width, height)
    frames = {
        str(frame): {"extrinsic": pose.tolist(), "K": matrix.tolist()}
        for frame, (pose, matrix) in enumerate(zip(path.camera_to_world, matrices, strict=True))
    }
    file.write_text(json.dumps(frames, indent=1) + "\n", encoding="utf-8")


def _is_frame(value: Any) -> bool:
    return isinstance(value, dict) and {"extrinsic", "K"} <= value.keys()


def _frames(source: PathSource) -> dict[str, dict]:
    """The entries in the file's order, which must be that of their numbers, each number once."""
    if not isinstance(source.json, dict) or not source.json:
        raise source.error('expected {"0": {"extrinsic": ..., "K": ...}, "1": ...}, got something else')
    source.check_count(len(source.json))
    try:
        frames = json.loads(source.text, object_pairs_hook=_each_name_once)
    except ValueError as error:
        raise source.error(str(error)) from None
    last = -1
    for name, frame in frames.items():
        if not (name.isdecimal() and int(name) > last):
            raise source.error(f'expected frames named by their numbers, in growing order, got "{name}"')
        if not _is_frame(frame):
            raise source.error(f"frame {name}: expected extrinsic and K, got something else")
        last = int(name)
    return frames


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'expected each name once, got "{twice}" twice')
    return entries


def _matrix(source: PathSource, name: str, value: Any, key: str, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    expected = " or ".join(str(list(shape)) for shape in shapes)
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise source.error(f"frame {name}: expected {key} to be numbers of shape {expected}, got others") from None
    if matrix.shape not in shapes:
        raise source.error(f"frame {name}: expected {key} of shape {expected}, got {list(matrix.shape)}")
    if not np.isfinite(matrix).all():
        raise source.error(f"frame {name}: expected finite numbers in {key}, got NaN or infinity")
    return matrix


def _intrinsics(source: PathSource, name: str, value: Any, options: PathOptions) -> np.ndarray:
    """A frame's K -> normalised fx, fy, cx, cy [4]."""
    matrix = _matrix(source, name, value, "K", ((3, 3),))
    size = options.picture_size or (2 * matrix[0, 2], 2 * matrix[1, 2])
    if min(size) <= 0:
        raise source.error(f"frame {name}: expected a principal point above 0 in K, got {matrix[:2, 2].tolist()}")
    try:
        return lens.from_pixels(matrix, *size)
    except ValueError as error:
        raise source.error(f"frame {name}: {error}") from None


FORMAT = PathFormat(
    name="extrinsics",
    title="HY-WorldPlay json of extrinsic and K",
    suffixes=(".json",),
    carries=frozenset({"place", "focal length", "zoom", "pixel aspect"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks='{"0": {"extrinsic": 4x4, "K": 3x3 in pixels}, ...}; OpenCV camera-to-world; the principal point is in the '
    "middle of the picture unless its size is given",
)
