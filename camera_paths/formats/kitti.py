"""KITTI odometry poses: a line a pose, the 12 numbers of a 3x4 camera-to-world matrix, row by row, in OpenCV axes.

By the readme of KITTI's odometry development kit, line i takes a point from the left camera's axes of frame i (z points
forwards) to those of frame 0. The benchmark's own poses are in metres, but its readme does not say so, and most files in
this format are other programs' (SLAM exports in any scale): so the unit counts as not stated. Nothing but poses is kept.
"""

from __future__ import annotations

from pathlib import Path

from ..camera_path import CameraPath
from .path_format import PathFormat, PathOptions, PathSource, RawPath

COLUMNS = "a 3x4 matrix, row by row"


def recognise(source: PathSource) -> bool:
    """12 numbers in the first line of a .txt file (MotionCtrl's 12 numbers a frame are in .json files)."""
    try:
        rows = source.rows if source.suffix == ".txt" else []
        return bool(rows) and len([float(word) for word in rows[0][1]]) == 12
    except (ValueError, OSError):
        return False


def read(source: PathSource, options: PathOptions) -> RawPath:
    table = source.table(source.rows, 12, COLUMNS)
    return RawPath(table.reshape(-1, 3, 4), "opencv", "camera-to-world", lines=source.row_lines)


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    rows = path.camera_to_world[:, :3].reshape(-1, 12).tolist()
    file.write_text("".join(" ".join(map(repr, row)) + "\n" for row in rows), encoding="utf-8")


FORMAT = PathFormat(
    name="kitti",
    title="KITTI odometry poses",
    suffixes=(".txt",),
    carries=frozenset({"place"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="12 numbers of a 3x4 matrix a line; OpenCV camera-to-world; the unit is not stated",
)
