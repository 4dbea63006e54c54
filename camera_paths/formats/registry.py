"""All formats by name, and which one a file is in: recognised by its contents, never by a guess."""

from __future__ import annotations

import os

from ..atomic_file import write_then_rename
from ..camera_path import CameraPath
from . import (
    blender,
    camvig_json,
    chan,
    colmap,
    extrinsics_json,
    gltf,
    kitti,
    motionctrl,
    nerfstudio_camera_path,
    nerfstudio_transforms,
    numpy_arrays,
    realestate10k,
    recammaster,
    tum,
)
from .path_format import PathFormat, PathOptions, PathSource, ReadPath, settle, what_is_lost

FORMATS: dict[str, PathFormat] = {
    path_format.name: path_format
    for path_format in (
        camvig_json.FORMAT,
        realestate10k.FORMAT,
        nerfstudio_camera_path.FORMAT,
        nerfstudio_transforms.FORMAT,
        colmap.FORMAT,
        tum.FORMAT,
        kitti.FORMAT,
        motionctrl.FORMAT,
        recammaster.FORMAT,
        extrinsics_json.FORMAT,
        gltf.FORMAT,
        blender.FORMAT,
        chan.FORMAT,
        numpy_arrays.NPZ_FORMAT,
        numpy_arrays.NPY_FORMAT,
    )
}
"""By name; the project's own first."""


def format_named(name: str) -> PathFormat:
    if name not in FORMATS:
        raise ValueError(f"expected one of the formats {', '.join(FORMATS)}, got {name!r}")
    return FORMATS[name]


def detect_format(source: PathSource) -> PathFormat:
    """The one format that recognises a file. `ValueError` with the candidates and `--from` where none or several do."""
    if source.suffix == ".json" and source.file.is_file():
        _ = source.json  # a file that is cut off is of no format, and the error says where
    found = [path_format for path_format in FORMATS.values() if path_format.recognise(source)]
    if len(found) != 1:
        candidates = found or list(FORMATS.values())
        why = "which could be in several formats" if found else "whose format was not recognised"
        raise source.error(
            f"expected to be told the format of this file, {why}: "
            + ", ".join(f"--from {path_format.name}" for path_format in candidates)
        )
    return found[0]


def check_suffix(file: str, path_format: PathFormat) -> None:
    """Raise `ValueError` if a file to be written is named like those of other formats, which would mislead every reader."""
    suffix = os.path.splitext(file)[1].lower()
    others = [other.name for other in FORMATS.values() if suffix and suffix in other.suffixes]
    if others and path_format.name not in others:
        expected = " or ".join(path_format.suffixes) or "no suffix: a folder"
        raise ValueError(
            f"expected a name that ends in {expected} for the format {path_format.name}, got {file}, "
            f"as {', '.join(others)} would be named"
        )


def format_for(file: str | os.PathLike[str]) -> str:
    """The name of the format that a file to be written has by its suffix; `ValueError` with the candidates if it is open."""
    suffix = os.path.splitext(os.fspath(file))[1].lower()
    candidates = [path_format.name for path_format in FORMATS.values() if suffix in path_format.suffixes]
    if suffix == ".json":
        return "camvig"
    if len(candidates) != 1:
        raise ValueError(
            f"expected to be told the format to write {os.fspath(file)} in: --to with one of "
            + ", ".join(candidates or FORMATS)
        )
    return candidates[0]


def read_path_file(
    file: str | os.PathLike[str], format_name: str | None = None, options: PathOptions | None = None
) -> ReadPath:
    """Read a path in any of `FORMATS`; every pose is kept.

    Raises `ValueError` that names the file, the line where there is one, what was expected, and the option that settles
    what the file does not say.
    """
    options, source = options or PathOptions(), PathSource(file)
    path_format = detect_format(source) if format_name is None else format_named(format_name)
    return settle(path_format.read(source, options), source, options)


def write_path_file(
    path: CameraPath, file: str | os.PathLike[str], format_name: str, options: PathOptions | None = None
) -> list[str]:
    """Write a path, whole or not at all; returns what the format cannot carry, a phrase each."""
    path_format = format_named(format_name)
    check_suffix(os.fspath(file), path_format)
    with write_then_rename(file) as temporary:
        path_format.write(path, temporary, options or PathOptions())
    return what_is_lost(path, path_format.carries)
