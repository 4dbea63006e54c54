"""Channel files (.chan), as Nuke, Natron, Houdini and Blender's add-on exchange cameras: a line of numbers a frame.

The columns are `frame tx ty tz rx ry rz [fov]`: camera-to-world, OpenGL axes (y up, the camera looks along -z), angles in
degrees, and the vertical field of view in degrees (the manual of Blender's add-on; Foundry's boujou importer for Nuke has
the same columns). It is a file for numbers only: Nuke may stop at a comment, so none is written.

A file does not state its rotation order. It is taken to be ZXY, with which Nuke's cameras are made: the point turns about
z first, then x, then y, so the rotation is Ry Rx Rz, and ry, rx, rz are the film-maker's pan, tilt and roll. Blender's
add-on and Natron offer other orders when they export: choose ZXY there. A file does not state the picture's shape either,
which the horizontal field of view needs: reading one with a field of view needs `picture_size`.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .. import rigid_motion
from ..camera_path import CameraPath
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world

COLUMNS = "frame tx ty tz rx ry rz, and the vertical field of view or nothing"
ZXY = "YXZ"  # Nuke names the order in which a point is turned, scipy the order of the axes as they turn
YXZ_COLUMNS = [1, 0, 2]  # rx ry rz <-> ry rx rz
FIRST_FRAME = 1


def recognise(source: PathSource) -> bool:
    """A .chan file whose first line is 7 or 8 numbers."""
    try:
        rows = source.rows if source.suffix == ".chan" else []
        return bool(rows) and len([float(word) for word in rows[0][1]]) in (7, 8)
    except (ValueError, OSError):
        return False


def read(source: PathSource, options: PathOptions) -> RawPath:
    count = 8 if source.rows and len(source.rows[0][1]) == 8 else 7  # as many in each line as in the first
    table = source.table(source.rows, count, COLUMNS)
    _check_frames(source, table[:, 0])
    rotations = Rotation.from_euler(ZXY, table[:, 4:7][:, YXZ_COLUMNS], degrees=True).as_matrix()
    poses = rigid_motion.pose_matrices(rotations, table[:, 1:4])
    intrinsics = _intrinsics(source, table[:, 7], options) if count == 8 else None
    return RawPath(poses, "opengl", "camera-to-world", intrinsics, lines=source.row_lines)


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    poses = from_opencv_camera_to_world(path.camera_to_world, "opengl", "camera-to-world")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gimbal lock at 90 degrees of tilt: scipy then reads no roll
        angles = Rotation.from_matrix(poses[:, :3, :3]).as_euler(ZXY, degrees=True)[:, YXZ_COLUMNS]
    angles = np.unwrap(angles, period=360, axis=0)  # no jump of a full turn between two frames
    fields_of_view = 2 * np.degrees(np.arctan(0.5 / path.intrinsics[:, 1]))
    table = np.column_stack([poses[:, :3, 3], angles, fields_of_view]).tolist()
    lines = [" ".join([str(frame), *map(repr, row)]) for frame, row in enumerate(table, start=FIRST_FRAME)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _check_frames(source: PathSource, frames: np.ndarray) -> None:
    """Raise `ValueError` unless frame numbers [T] grow by the same step: a gap is a pose that is missing."""
    steps = np.diff(frames)
    for problem, expected in (
        (steps <= 0, "a later frame than the line before"),
        (steps != steps[:1], "frames as far apart as the first two, every pose written out"),
    ):
        if problem.any():
            index = int(np.argmax(problem)) + 1
            raise source.error(f"expected {expected}, got frame {frames[index]:g}", source.rows[index][0])


def _intrinsics(source: PathSource, degrees: np.ndarray, options: PathOptions) -> np.ndarray:
    """Vertical fields of view [T] in degrees -> normalised fx, fy, cx, cy [T, 4], with square pixels."""
    if options.picture_size is None:
        raise source.error(
            "expected --picture-size WIDTHxHEIGHT: the file gives the vertical field of view, not the picture's shape"
        )
    wrong = (degrees <= 0) | (degrees >= 180)
    if wrong.any():
        index = int(np.argmax(wrong))
        message = f"expected a vertical field of view between 0 and 180 degrees, got {degrees[index]:g}"
        raise source.error(message, source.rows[index][0])
    width, height = options.picture_size
    fy = 0.5 / np.tan(np.radians(degrees) / 2)
    centre = np.full_like(fy, 0.5)
    return np.stack([fy * height / width, fy, centre, centre], axis=1)


FORMAT = PathFormat(
    name="chan",
    title="Nuke, Houdini and Blender channel file",
    suffixes=(".chan",),
    carries=frozenset({"place", "focal length", "zoom"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="frame, translation, rotation in degrees (Nuke's order, ZXY) and vertical field of view a line; OpenGL "
    "camera-to-world; reading a field of view needs the picture size",
)
