"""Camera paths as JSON files: readable, exact to the last digit, and checked when read.

The format states its conventions by name, so that a file found alone can be understood. Our choice of format.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..camera_path import CameraPath
from .path_format import ALL_PARTS, PathFormat, PathOptions, PathSource, RawPath

FAMILY = "camvig camera path"
VERSION = f"{FAMILY} 1"
CONVENTIONS = "OpenCV axes (x right, y down, z forward); intrinsics fx, fy, cx, cy normalised by width and height"
REQUIRED_FIELDS = {"camera_to_world", "intrinsics", "fps", "unit"}


def path_to_dict(path: CameraPath) -> dict:
    """The path as plain numbers, lists and strings; `path_from_dict` gives the same path back."""
    return {
        "format": VERSION,
        "conventions": CONVENTIONS,
        "fps": path.fps,
        "unit": path.unit,
        "scene_median_depth": path.scene_median_depth,
        "intrinsics": path.intrinsics.tolist(),
        "camera_to_world": path.camera_to_world.tolist(),
    }


def path_from_dict(fields: dict) -> CameraPath:
    """Build a path from what `path_to_dict` gives; `ValueError` says what is missing or does not fit."""
    if not isinstance(fields, dict) or fields.get("format") != VERSION:
        found = fields.get("format") if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(f'expected a camera path with "format": "{VERSION}", got {found!r}')
    missing = sorted(REQUIRED_FIELDS - fields.keys())
    if missing:
        raise ValueError(f"expected a camera path with {', '.join(missing)}, got none")
    return CameraPath(
        camera_to_world=fields["camera_to_world"],
        intrinsics=fields["intrinsics"],
        fps=fields["fps"],
        unit=fields["unit"],
        scene_median_depth=fields.get("scene_median_depth"),
    )


def recognise(source: PathSource) -> bool:
    """An object that names this format, in whichever version."""
    content = source.json_or_none
    return isinstance(content, dict) and str(content.get("format")).startswith(FAMILY)


def read(source: PathSource, options: PathOptions) -> RawPath:
    fields = source.json
    try:
        path = path_from_dict(fields)
    except (ValueError, TypeError) as error:
        raise source.error(str(error)) from None
    return RawPath(
        path.camera_to_world,
        "opencv",
        "camera-to-world",
        path.intrinsics,
        path.fps,
        path.unit,
        path.scene_median_depth,
    )


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    file.write_text(json.dumps(path_to_dict(path), indent=1) + "\n", encoding="utf-8")


FORMAT = PathFormat(
    name="camvig",
    title="camvig camera path",
    suffixes=(".json",),
    carries=ALL_PARTS,
    recognise=recognise,
    read=read,
    write=write,
    remarks="says all of its conventions and its unit by name; every number exact",
)
