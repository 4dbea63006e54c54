"""RealEstate10K camera files, which CameraCtrl, CamI2V and VideoX-Fun take too: a line of text, then 19 columns a pose.

The columns, as RealEstate10K describes its data: a timestamp in microseconds; fx, fy, cx, cy, normalised by width and
height; two zeros, where a lens distortion would be; the 3x4 world-to-camera matrix in OpenCV axes, row by row. The unit
is that of a reconstruction and not stated. The readers of CameraCtrl and VideoX-Fun skip the first line whatever it says
(a link in RealEstate10K, nothing in VideoX-Fun), so one is always written; a file without it is read too.

Timestamps are whole microseconds in the dataset, and so they are written: half a microsecond over the clip is how
exactly frames a second are kept. Hand-made files have a constant there (114514 in CamI2V, 0 in VideoX-Fun) or a counter;
they do not state their frames a second. Unevenly spaced timestamps give the mean, so that the clip lasts as long.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..camera_path import CameraPath
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world

COLUMNS = "timestamp fx fy cx cy 0 0 and a 3x4 matrix"
FIRST_LINE = "camvig camera path"
HIGHEST_FPS = 1000.0  # timestamps closer than a millisecond are a counter, not microseconds: our choice


def recognise(source: PathSource) -> bool:
    """19 numbers a line in a .txt file, after a line of text or not."""
    try:
        rows = _pose_rows(source) if source.suffix == ".txt" else []
    except (ValueError, OSError):
        return False
    return bool(rows) and len(rows[0][1]) == 19 and all(map(_is_number, rows[0][1]))


def read(source: PathSource, options: PathOptions) -> RawPath:
    rows = _pose_rows(source)
    table, lines = source.table(rows, 19, COLUMNS), tuple(line for line, _ in rows)
    distorted = table[:, 5:7].any(axis=1)
    if distorted.any():
        line, words = rows[int(np.argmax(distorted))]
        raise source.error(f"expected 0 0 (no lens distortion) in columns 6 and 7, got {' '.join(words[5:7])}", line)
    fps = _frames_a_second(source, lines, table[:, 0])
    poses = table[:, 7:].reshape(-1, 3, 4)
    return RawPath(poses, "opencv", "world-to-camera", table[:, 1:5], fps, lines=lines)


def read_seconds(source: PathSource) -> np.ndarray:
    """The timestamps [T] in seconds, exactly as they are, for who needs the frames of a video that belong to the poses.

    Raises ValueError where they are a constant or a counter, not microseconds.
    """
    rows = _pose_rows(source)
    times = np.array([source.numbers(line, words, 19, COLUMNS)[0] for line, words in rows])
    if _frames_a_second(source, tuple(line for line, _ in rows), times) is None:
        raise source.error("expected timestamps in microseconds, got a constant or a counter")
    return times / 1e6


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    if path.fps > HIGHEST_FPS:
        raise ValueError(f"expected at most {HIGHEST_FPS:g} frames a second in such a file, got {path.fps:g}")
    poses = from_opencv_camera_to_world(path.camera_to_world, "opencv", "world-to-camera")
    lines = [FIRST_LINE]
    for frame, (pose, lens) in enumerate(zip(poses[:, :3].reshape(-1, 12), path.intrinsics, strict=True)):
        numbers = [*map(repr, lens.tolist()), "0", "0", *map(repr, pose.tolist())]
        lines.append(" ".join([str(round(frame * 1e6 / path.fps)), *numbers]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pose_rows(source: PathSource) -> list[tuple[int, list[str]]]:
    """The rows without the first line's text, which is text if most of its words are no numbers."""
    rows = source.rows
    if rows and 2 * sum(map(_is_number, rows[0][1])) <= len(rows[0][1]):
        return rows[1:]
    return rows


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _frames_a_second(source: PathSource, lines: tuple[int, ...], times: np.ndarray) -> float | None:
    """The mean rate of timestamps [T] in microseconds; None where they are a constant or a counter."""
    steps = np.diff(times)
    if not steps.any():
        return None
    if (steps <= 0).any():
        index = int(np.argmax(steps <= 0)) + 1
        raise source.error(f"expected a later timestamp than the line before, got {times[index]:.0f}", lines[index])
    fps = 1e6 * len(steps) / float(times[-1] - times[0])
    return fps if fps <= HIGHEST_FPS else None


FORMAT = PathFormat(
    name="re10k",
    title="RealEstate10K text, as CameraCtrl, CamI2V and VideoX-Fun take it",
    suffixes=(".txt",),
    carries=frozenset({"place", "fps", "focal length", "zoom", "pixel aspect", "principal point"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="timestamp in microseconds, normalised fx fy cx cy, two zeros and a 3x4 matrix a line, after a first line of "
    "text; OpenCV world-to-camera",
)
