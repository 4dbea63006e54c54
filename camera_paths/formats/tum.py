"""TUM RGB-D trajectories: a line a pose, `timestamp tx ty tz qx qy qz qw`, OpenCV camera-to-world.

Timestamps are in seconds, however unevenly spaced; frames a second are those of their median step, and every pose is kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .. import rigid_motion
from ..camera_path import CameraPath
from .path_format import PathFormat, PathOptions, PathSource, RawPath

COLUMNS = "timestamp tx ty tz qx qy qz qw"


def recognise(source: PathSource) -> bool:
    """Eight words a line, the last four a unit quaternion."""
    if source.suffix != ".txt" or not source.rows:
        return False
    try:
        return all(
            len(words) == 8 and abs(np.linalg.norm([float(word) for word in words[4:]]) - 1) < 1e-2
            for _, words in source.rows[:3]
        )
    except ValueError:
        return False


def read(source: PathSource, options: PathOptions) -> RawPath:
    table = source.table(source.rows, 8, COLUMNS)
    times, translations, quaternions = table[:, 0], table[:, 1:4], table[:, 4:]
    norms = np.linalg.norm(quaternions, axis=1)
    for problem, expected, found in (
        (np.abs(norms - 1) > 1e-2, "a unit quaternion", norms),
        (np.diff(times, prepend=-np.inf) <= 0, "a later timestamp than the line before", times),
    ):
        if problem.any():
            index = int(np.argmax(problem))
            raise source.error(f"expected {expected}, got {found[index]:g}", source.rows[index][0])
    poses = rigid_motion.pose_matrices(Rotation.from_quat(quaternions).as_matrix(), translations)
    fps = 1 / float(np.median(np.diff(times))) if len(times) > 1 else None
    return RawPath(poses, "opencv", "camera-to-world", fps=fps, notes=_note_on_time(times), lines=source.row_lines)


def _note_on_time(times: np.ndarray) -> tuple[str, ...]:
    """Timestamps that may be frame numbers, as those of 7-Scenes' ground truth are."""
    if len(times) < 2 or np.any(np.diff(times) != 1) or times[0] not in (0, 1):
        return ()
    return ("its timestamps go up by exactly 1: 1 frame a second taken; if they number the frames, say --fps",)


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    poses = path.camera_to_world
    quaternions = Rotation.from_matrix(poses[:, :3, :3]).as_quat()
    rows = np.column_stack([np.arange(len(poses)) / path.fps, poses[:, :3, 3], quaternions])
    lines = [f"# {COLUMNS}", *(" ".join(repr(float(number)) for number in row) for row in rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


FORMAT = PathFormat(
    name="tum",
    title="TUM RGB-D trajectory",
    suffixes=(".txt",),
    carries=frozenset({"place", "fps"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="timestamp, translation and quaternion (x, y, z, w) a line; OpenCV camera-to-world",
)
