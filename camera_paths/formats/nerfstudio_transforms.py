"""`transforms.json` of nerfstudio and instant-ngp (and the original NeRF's `transforms_train.json`): posed pictures.

A frame has a 4x4 OpenGL camera-to-world `transform_matrix` and a `file_path`. The lens is the file's, or each frame's own:
`fl_x fl_y cx cy` in pixels of a picture of `w` x `h`, whose middle is w/2 (half-pixel centres, as here), or
`camera_angle_x` and `camera_angle_y` in radians, or instant-ngp's `x_fov` and `y_fov` in degrees. As in instant-ngp's
src/nerf_loader.cu, degrees come before pixels, and these before radians; where only one axis is said pixels are square; a missing
`cx` or `cy` is the middle. Where the file and a frame both say a key they must agree: instant-ngp takes the frame's,
nerfstudio (data/dataparsers/nerfstudio_dataparser.py) the file's.

Frames are taken in the file's order. The tools themselves sort them by file name, and neither order need be the order in
time: a note says where the two differ. Distortion is left out, with a note. Lenses that are not perspective are refused.
The unit is unknown.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..camera_path import CameraPath
from .json_numbers import json_frames, json_numbers, json_positive
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world, picture_size_of

LENS_KEYS = ("fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov")
DISTORTION_KEYS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "distortion_params")
PERSPECTIVE_MODELS = ("PINHOLE", "OPENCV", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
OTHER_LENSES = ("is_fisheye", "ftheta_p0", "latlong", "equirectangular", "orthographic")


def recognise(source: PathSource) -> bool:
    """An object with a list `frames` of objects that have a `transform_matrix`."""
    content = source.json_or_none
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        return False
    return all(isinstance(frame, dict) and "transform_matrix" in frame for frame in frames[:3])


def read(source: PathSource, options: PathOptions) -> RawPath:
    frames = json_frames(source, "frames")
    _check_perspective(source)
    names = [str(fields["file_path"]) for fields in frames if "file_path" in fields]
    _check_each_once(source, names)
    poses = [
        json_numbers(source, fields.get("transform_matrix"), (4, 4), '"transform_matrix"', frame)
        for frame, fields in enumerate(frames)
    ]
    return RawPath(
        np.stack(poses),
        "opengl",
        "camera-to-world",
        _intrinsics(source, frames, options),
        notes=(*_note_on_order(names), *_note_on_distortion(source.json, frames)),
    )


def _check_perspective(source: PathSource) -> None:
    model = source.json.get("camera_model", "PINHOLE")
    if model not in PERSPECTIVE_MODELS:
        raise source.error(f'expected "camera_model" to be one of {", ".join(PERSPECTIVE_MODELS)}, got {model!r}')
    for key in OTHER_LENSES:
        if source.json.get(key, False) is not False:
            raise source.error(f'expected a perspective lens, got one with "{key}"')


def _check_each_once(source: PathSource, names: list[str]) -> None:
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise source.error(f'expected each "file_path" once, got {name!r} {names.count(name)} times')


def _note_on_order(names: list[str]) -> list[str]:
    def natural(name: str) -> list:
        return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"([0-9]+)", name))]

    if names == sorted(names, key=natural):
        return []
    return ["its frames are taken in the order of the file, which is not that of their file names"]


def _note_on_distortion(content: dict, frames: list[dict]) -> list[str]:
    found = {key: each[key] for each in (*frames, content) for key in DISTORTION_KEYS if np.any(each.get(key, 0))}
    if not found:
        return []
    values = ", ".join(f"{key} = {found[key]}" for key in DISTORTION_KEYS if key in found)
    return [f"the distortion of its lens ({values}) is left out"]


def _intrinsics(source: PathSource, frames: list[dict], options: PathOptions) -> np.ndarray | None:
    """Normalised (fx, fy, cx, cy), [T, 4]; None where the file says no focal length."""
    shared = {key: source.json[key] for key in LENS_KEYS if key in source.json}
    if not any(key in fields for fields in frames for key in LENS_KEYS):
        intrinsics = _Lens(source, shared, None, options).normalised()
        return None if intrinsics is None else np.tile(intrinsics, (len(frames), 1))
    lenses = []
    for frame, fields in enumerate(frames):
        own = {key: fields[key] for key in LENS_KEYS if key in fields}
        for key in own.keys() & shared.keys():
            if own[key] != shared[key]:
                raise source.error(f'frame {frame}: expected the file\'s "{key}", {shared[key]}, got {own[key]}')
        lenses.append(_Lens(source, {**shared, **own}, frame, options).normalised())
        if (lenses[-1] is None) != (lenses[0] is None):
            raise source.error(f"frame {frame}: expected a focal length in all frames or in none, got some")
    return None if lenses[0] is None else np.array(lenses)


@dataclass(frozen=True)
class _Lens:
    """What a file, or one of its frames, says about the lens."""

    source: PathSource
    fields: dict[str, Any]
    frame: int | None
    options: PathOptions

    def normalised(self) -> list[float] | None:
        """fx, fy, cx, cy; None without a focal length."""
        fx, fy = self.focal_length("x"), self.focal_length("y")
        if fx is None and fy is None:
            return None
        if fx is None or fy is None:
            fx, fy = self.with_square_pixels(fx, fy)
        return [fx, fy, self.centre("x"), self.centre("y")]

    def with_square_pixels(self, fx: float | None, fy: float | None) -> tuple[float, float]:
        aspect = self.side("x") / self.side("y")
        if fx is None:
            assert fy is not None
            return fy / aspect, fy
        return fx, fx * aspect

    def focal_length(self, axis: str) -> float | None:
        """In widths or heights of the picture."""
        if f"{axis}_fov" in self.fields:
            return self.from_angle(f"{axis}_fov", 180, "degrees")
        if f"fl_{axis}" in self.fields:
            return self.number(f"fl_{axis}") / self.side(axis)
        if f"camera_angle_{axis}" in self.fields:
            return self.from_angle(f"camera_angle_{axis}", math.pi, "radians")
        return None

    def from_angle(self, key: str, half_turn: float, unit: str) -> float:
        angle = self.number(key)
        if not 0 < angle < half_turn:
            raise self.source.error(f'expected "{key}" between 0 and {half_turn:.5g} {unit}, got {angle:g}')
        return 0.5 / math.tan(angle / half_turn * math.pi / 2)

    def centre(self, axis: str) -> float:
        return self.number(f"c{axis}") / self.side(axis) if f"c{axis}" in self.fields else 0.5

    def side(self, axis: str) -> float:
        """The picture's width (x) or height (y) in pixels, as the file says, or else the user."""
        stated = json_positive(self.source, self.fields, "w" if axis == "x" else "h", self.frame)
        if stated is not None:
            return stated
        if self.options.picture_size is None:
            raise self.source.error(
                'expected "w" and "h", or to be told the size of the pictures in pixels: --picture-size WIDTHxHEIGHT'
            )
        return self.options.picture_size[0 if axis == "x" else 1]

    def number(self, key: str) -> float:
        return float(json_numbers(self.source, self.fields[key], (), f'"{key}"', self.frame))


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    """The lens is the file's, or, where it changes, each frame's with its picture size, which instant-ngp then needs."""
    width, height = (round(side) for side in picture_size_of(path, options))
    matrices = from_opencv_camera_to_world(path.camera_to_world, "opengl", "camera-to-world").tolist()
    lenses = [
        {"w": width, "h": height, **dict(zip(("fl_x", "fl_y", "cx", "cy"), lens, strict=True))}
        for lens in (path.intrinsics * (width, height, width, height)).tolist()
    ]
    changes = bool(np.ptp(path.intrinsics, axis=0).any())
    digits = max(5, len(str(path.num_frames)))
    frames = [
        {"file_path": f"frame_{frame:0{digits}d}.png", **(lens if changes else {}), "transform_matrix": matrix}
        for frame, (lens, matrix) in enumerate(zip(lenses, matrices, strict=True), start=1)
    ]
    shared = {"w": width, "h": height} if changes else lenses[0]
    content = {"camera_model": "PINHOLE", **shared, "frames": frames}
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


FORMAT = PathFormat(
    name="transforms",
    title="nerfstudio and instant-ngp transforms.json",
    suffixes=(".json",),
    carries=frozenset({"place", "focal length", "zoom", "pixel aspect", "principal point"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="OpenGL camera-to-world, lens in pixels; frames in the file's order, which need not be the order in time; "
    "not the frame of nerfstudio's camera_path.json: dataparser_transforms.json lies between the two",
)
