"""Camera paths as JSON files: readable, exact to the last digit, and checked when read.

The format states its conventions by name, so that a file found alone can be understood. Our choice of format.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic_file import write_then_rename

if TYPE_CHECKING:
    from .camera_path import CameraPath

FORMAT = "camvig camera path 1"
CONVENTIONS = "OpenCV axes (x right, y down, z forward); intrinsics fx, fy, cx, cy normalised by width and height"
REQUIRED_FIELDS = {"camera_to_world", "intrinsics", "fps", "unit"}


def path_to_dict(path: CameraPath) -> dict:
    """The path as plain numbers, lists and strings; `path_from_dict` gives the same path back."""
    return {
        "format": FORMAT,
        "conventions": CONVENTIONS,
        "fps": path.fps,
        "unit": path.unit,
        "scene_median_depth": path.scene_median_depth,
        "intrinsics": path.intrinsics.tolist(),
        "camera_to_world": path.camera_to_world.tolist(),
    }


def path_from_dict(fields: dict) -> CameraPath:
    """Build a path from what `path_to_dict` gives; `ValueError` says what is missing or does not fit."""
    from .camera_path import CameraPath

    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        found = fields.get("format") if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(f'expected a camera path with "format": "{FORMAT}", got {found!r}')
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


def write_path(path: CameraPath, file: str | os.PathLike[str]) -> None:
    """Write a path as JSON, whole or not at all."""
    with write_then_rename(file) as temporary:
        temporary.write_text(json.dumps(path_to_dict(path), indent=1) + "\n", encoding="utf-8")


def read_path(file: str | os.PathLike[str]) -> CameraPath:
    """Read a path; `ValueError` names the file and what is wrong with it."""
    try:
        return path_from_dict(json.loads(Path(file).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:  # JSON and text decoding errors are ValueErrors
        raise ValueError(f"expected a camera path file, got {os.fspath(file)}: {error}") from error
