"""What every file format of camera paths has in common, and how its conventions become camvig's.

A format's reader returns a `RawPath`: the numbers as they stand in the file, with the conventions that the file or its
format states and None where neither does. `settle` turns it into a `CameraPath`; it is the only place where axes and pose
direction change, and it never guesses: what nobody said is a `ValueError` with the candidates and the option that
settles it. A writer gets a `CameraPath` and writes all its poses in its own conventions; `what_is_lost` names what of this path
the format cannot carry.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict, TypeVar, get_args

import numpy as np

from .. import intrinsics as lens
from .. import rigid_motion
from ..camera_path import CameraPath
from ..units import UNIT_IN_WORDS, Unit

Axes = Literal["opencv", "opengl", "unreal"]
PoseDirection = Literal["camera-to-world", "world-to-camera"]
Convention = TypeVar("Convention", bound=str)
Part = Literal["place", "fps", "unit", "metre", "focal length", "zoom", "pixel aspect", "principal point"]
ALL_PARTS: frozenset[str] = frozenset(get_args(Part))
MOST_POSES = 100_000
DEFAULT_FPS = 8.0
DEFAULT_LONGER_SIDE = 1280
LEAP = 50.0  # times the median step: our choice; recordings, at 10 fps or faster, stay below 35
FRAME_IN_ERROR = re.compile(r"frame (\d+): ")

TO_OPENCV: dict[str, np.ndarray] = {
    "opencv": np.eye(4),
    "opengl": np.diag([1.0, -1.0, -1.0, 1.0]),  # x right, y up, looks along -z
    "unreal": np.array([[0.0, 1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),  # x forward, y right, z up
}
"""From a tool's axes to x right, y down, z forward."""


class SaidOfFile(TypedDict, total=False):
    """The keyword arguments of `CameraPath.from_file`: the fields of `PathOptions`."""

    axes: Axes
    pose: PoseDirection
    unit: Unit
    median_depth: float
    fps: float
    picture_size: tuple[float, float]
    camera: str


@dataclass(frozen=True)
class PathOptions:
    """What the user says beside the file; None where nothing was said."""

    axes: Axes | None = None
    pose: PoseDirection | None = None
    unit: Unit | None = None
    median_depth: float | None = None  # of the first frame, in `unit`
    fps: float | None = None
    picture_size: tuple[float, float] | None = None  # width and height in pixels
    camera: str | None = None  # which one, where a file has several


class RawPath(NamedTuple):
    """What a file holds, in its own conventions; None is what neither the file nor its format says."""

    poses: np.ndarray  # [T, 4, 4] or [T, 3, 4]
    axes: Axes | None
    pose: PoseDirection | None
    intrinsics: np.ndarray | None = None  # [T, 4] fx, fy, cx, cy normalised by width and height
    fps: float | None = None
    unit: Unit | None = None
    median_depth: float | None = None
    notes: tuple[str, ...] = ()  # what of the file could not be taken along, or had to be assumed
    lines: tuple[int, ...] = ()  # of the file, one a pose, where it has a line for each


class ReadPath(NamedTuple):
    """A path, and what had to be assumed about it, a sentence each."""

    path: CameraPath
    notes: list[str]


@dataclass(frozen=True)
class PathFormat:
    """One format: how to know it, read it and write it."""

    name: str  # as `--to` and `--from` take it
    title: str  # whose it is, in words
    suffixes: tuple[str, ...]  # of its files, lower case, the usual one first; "" is a folder
    carries: frozenset[str]  # `Part`s that it can hold
    recognise: Callable[[PathSource], bool]  # whether this file is surely of this format; never raises
    read: Callable[[PathSource, PathOptions], RawPath]
    write: Callable[[CameraPath, Path, PathOptions], None]  # to a name that may be overwritten
    remarks: str = field(default="", compare=False)  # conventions, in one sentence for the docs


class PathSource:
    """A file or folder to read a path from; its text, lines and JSON are read once, and errors name it."""

    def __init__(self, file: str | os.PathLike[str]):
        self.file = Path(file)
        if not self.file.exists():
            raise ValueError(f"expected a camera path in {self.file}, got no such file")

    @property
    def suffix(self) -> str:
        return self.file.suffix.lower()

    @cached_property
    def text(self) -> str:
        try:
            return self.file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.error(f"expected text in UTF-8, got {error}") from None

    @cached_property
    def rows(self) -> list[tuple[int, list[str]]]:
        """(line number from 1, words) of every line that is neither empty nor a comment (#)."""
        lines = enumerate(self.text.splitlines(), start=1)
        return [(number, line.split()) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]

    @property
    def row_lines(self) -> tuple[int, ...]:
        """The line numbers of `rows`."""
        return tuple(line for line, _ in self.rows)

    @cached_property
    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            raise self.error(f"expected JSON, got {error.msg}; is the file cut off?", error.lineno) from None

    @cached_property
    def json_or_none(self) -> Any:
        """The JSON of a .json file, or None if it is no such file or cannot be read: for `recognise`."""
        if self.suffix != ".json" or not self.file.is_file():
            return None
        try:
            return self.json
        except ValueError:
            return None

    def error(self, message: str, line: int | None = None) -> ValueError:
        """A `ValueError` that names the file, and the line if there is one."""
        return ValueError(f"{self.file}{'' if line is None else f', line {line}'}: {message}")

    def table(self, rows: list[tuple[int, list[str]]], count: int, meaning: str) -> np.ndarray:
        """Rows of `count` numbers, one a pose, as an array [T, count]; `meaning` says what they stand for."""
        self.check_count(len(rows))
        return np.array([self.numbers(line, words, count, meaning) for line, words in rows]).reshape(-1, count)

    def check_count(self, poses: int) -> None:
        """Raise `ValueError` if there are too few or too many poses: before they are read, which may take long."""
        if not 1 <= poses <= MOST_POSES:
            raise self.error(f"expected 1 to {MOST_POSES:,} poses, got {poses:,}")

    def numbers(self, line: int, words: list[str], count: int, meaning: str) -> list[float]:
        """The words of a line as `count` finite numbers; `meaning` says what they stand for."""
        if len(words) != count:
            raise self.error(f"expected {count} numbers ({meaning}), got {len(words)}", line)
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            raise self.error(f"expected {count} numbers ({meaning}), got {' '.join(words)[:80]!r}", line) from None
        if not np.isfinite(numbers).all():
            raise self.error(f"expected finite numbers ({meaning}), got NaN or infinity", line)
        return numbers


def settle(raw: RawPath, source: PathSource, options: PathOptions) -> ReadPath:
    """A file's numbers -> a path in OpenCV camera-to-world. `ValueError` names the file and what is missing or wrong."""
    source.check_count(len(raw.poses))
    notes = list(raw.notes)
    axes: Axes = _settled(source, "axes", raw.axes, options.axes, get_args(Axes))
    pose: PoseDirection = _settled(source, "pose", raw.pose, options.pose, get_args(PoseDirection))
    unit, depth = _settled_unit(source, raw, options)
    if raw.median_depth is not None and depth is not None and not np.isclose(raw.median_depth, depth):
        notes.append(f"its median depth is {depth:g}, as told, and not {raw.median_depth:g}, as the file has it")
    fps = raw.fps if options.fps is None else options.fps
    if fps is None:
        fps = DEFAULT_FPS
        notes.append(f"the file does not say its frames a second: {fps:g} taken (--fps)")
    if raw.intrinsics is None:
        notes.append(f"the file does not say its lens: {lens.DEFAULT_FIELD_OF_VIEW_DEGREES:g} degrees taken")
    try:
        poses = to_opencv_camera_to_world(np.asarray(raw.poses, dtype=np.float64), axes, pose)
        path = CameraPath.from_matrices(poses, raw.intrinsics, fps=fps, unit=unit, scene_median_depth=depth)
    except ValueError as error:
        frame = FRAME_IN_ERROR.match(str(error))
        raise source.error(str(error), raw.lines[int(frame[1])] if frame and raw.lines else None) from None
    return ReadPath(path, notes + _note_on_leaps(path))


def _note_on_leaps(path: CameraPath) -> list[str]:
    """A step that is so much longer than the others that it is probably not the camera's."""
    steps = np.linalg.norm(np.diff(path.camera_to_world[:, :3, 3], axis=0), axis=1)
    moving = steps[steps > 0]
    if len(moving) < 4 or moving.max() < LEAP * np.median(moving):
        return []
    return [
        f"the step to frame {int(steps.argmax()) + 1} is {steps.max() / np.median(moving):.0f} times as long as the median "
        "step: does the file mix units, or is it cut together from several paths?"
    ]


def _settled(
    source: PathSource, option: str, stated: Convention | None, said: Convention | None, candidates: tuple[str, ...]
) -> Convention:
    """A convention that the file states, or else the user."""
    if stated is not None and said is not None and stated != said:
        raise source.error(f"expected no --{option} {said}: files of this format are {stated}")
    if stated is None and said is None:
        raise source.error(
            f"expected to be told the {option} of this file, which does not say: "
            + " or ".join(f"--{option} {candidate}" for candidate in candidates)
        )
    settled = stated if said is None else said
    assert settled is not None
    return settled


def _settled_unit(source: PathSource, raw: RawPath, options: PathOptions) -> tuple[Unit, float | None]:
    """The unit and the median depth in it; a file in metres needs no telling, another does."""
    unit: Unit = _settled(
        source,
        "unit",
        raw.unit,
        options.unit,
        ("metre", "scene_depth", "scene with --median-depth D, the median depth of the first frame in that unit"),
    )
    depth = raw.median_depth if options.median_depth is None else options.median_depth
    if unit == "scene" and depth is None:
        raise source.error("expected --median-depth D with --unit scene: the median depth of the first frame in it")
    return unit, depth


def to_opencv_camera_to_world(poses: np.ndarray, axes: Axes, pose: PoseDirection) -> np.ndarray:
    """Poses [T, 4, 4] or [T, 3, 4] in any convention -> OpenCV camera-to-world [T, 4, 4].

    The world's axes are renamed with the camera's: a camera that stands upright in a world whose y points up stands
    upright in camvig's, whose y points down, and Unreal's left-handed world becomes a right-handed one.
    `ValueError` names the first frame that is not a rotation and a translation.
    """
    if poses.ndim != 3 or poses.shape[1:] not in ((4, 4), (3, 4)):
        raise ValueError(f"expected poses of shape [T, 4, 4] or [T, 3, 4], got {list(poses.shape)}")
    if poses.shape[1] == 3:
        poses = rigid_motion.pose_matrices(poses[:, :, :3], poses[:, :, 3])
    if not np.isfinite(poses).all():
        frame = int(np.argmin(np.isfinite(poses).all(axis=(1, 2))))
        raise ValueError(f"frame {frame}: expected finite numbers in its pose, got NaN or infinity")
    rigid_motion.check_poses(poses)
    if pose == "world-to-camera":
        poses = rigid_motion.invert(poses)
    return TO_OPENCV[axes] @ poses @ TO_OPENCV[axes].T


def from_opencv_camera_to_world(poses: np.ndarray, axes: Axes, pose: PoseDirection) -> np.ndarray:
    """The inverse of `to_opencv_camera_to_world`, [T, 4, 4]."""
    poses = TO_OPENCV[axes].T @ poses @ TO_OPENCV[axes]
    return rigid_motion.invert(poses) if pose == "world-to-camera" else poses


def picture_size_of(path: CameraPath, options: PathOptions) -> tuple[float, float]:
    """Width and height in pixels to write a path's lens with: as told, or 1280 along the longer side."""
    if options.picture_size is not None:
        return options.picture_size
    aspect = path.aspect
    width, height = (1.0, 1.0 / aspect) if aspect >= 1 else (aspect, 1.0)
    return max(1, round(DEFAULT_LONGER_SIDE * width)), max(1, round(DEFAULT_LONGER_SIDE * height))


def what_is_lost(path: CameraPath, carries: frozenset[str]) -> list[str]:
    """What of this path a format cannot carry, a phrase each; empty where reading the file back gives the same path."""
    fx, fy, cx, cy = path.intrinsics.T
    is_moved = bool(np.any(path.camera_to_world[0] != np.eye(4)))
    depth = (
        "" if path.scene_median_depth is None else f" and the first frame's median depth {path.scene_median_depth:g}"
    )
    present = {
        "place": (is_moved, "where in the world it starts: its first pose becomes the origin"),
        "fps": (path.fps != DEFAULT_FPS, f"the {path.fps:g} frames a second"),
        "unit": (
            path.unit != "metre" or "metre" not in carries or bool(depth),
            f"that its unit is {UNIT_IN_WORDS[path.unit]}{depth}",
        ),
        "focal length": (True, "the lens"),
        "zoom": (bool(np.ptp(path.intrinsics, axis=0).any()), "how the lens changes: the first frame's is kept"),
        "pixel aspect": (not np.allclose(fy, fx * path.aspect), "the changing shape of its pixels"),
        "principal point": (bool(np.any(cx != 0.5) or np.any(cy != 0.5)), "the principal point, off the middle"),
    }
    without_lens = {"zoom", "pixel aspect", "principal point"} if "focal length" not in carries else set()
    return [words for part, (is_there, words) in present.items() if is_there and part not in carries | without_lens]
