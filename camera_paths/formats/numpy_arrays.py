"""Camera paths as numpy arrays: `.npy`, poses alone, and `.npz`, poses with what is known about them.

A bare .npy states neither its axes nor its pose direction, so reading one needs both; OpenCV camera-to-world is written,
as LingBot-World (poses.npy) and SANA-WM (--camera) take it. Our .npz says in words what its arrays are and reads back
whole. Another tool's .npz is searched for poses [T, 4, 4] or [T, 3, 4] under any key: a key that names a direction
(c2w, cam_c2w, camera_to_world, w2c, ...) states it, others (extrinsics, poses, ...) do not, and none states the axes.
Where there are several such arrays, or one of many paths [N, T, 4, 4], the option `camera` is the key, the index, or
KEY/INDEX. Intrinsics are fx, fy, cx, cy or matrices K, for all frames or each, normalised or in pixels; pixels need
`picture_size`.

Arrays are read with allow_pickle=False: a pickle could run code.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import intrinsics as lens
from ..camera_path import CameraPath
from ..units import UNITS
from .path_format import ALL_PARTS, PathFormat, PathOptions, PathSource, PoseDirection, RawPath

CONVENTIONS = (
    "camera_to_world: OpenCV axes (x right, y down, z forward), translations in unit; "
    "intrinsics: fx, fy, cx, cy normalised by width and height"
)
CAMERA_TO_WORLD = re.compile(r"(?:^|_)(?:c|cam|camera)s?_?(?:2|to)_?(?:w|world)s?(?:_|$)", re.IGNORECASE)
WORLD_TO_CAMERA = re.compile(r"(?:^|_)(?:w|world)s?_?(?:2|to)_?(?:c|cam|camera)s?(?:_|$)", re.IGNORECASE)
INTRINSICS_KEYS = {"intrinsics", "intrinsic", "k", "ks", "fxfycxcy"}
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError)


class _Chosen(NamedTuple):
    """Which array of a file is the path."""

    key: str
    poses: np.ndarray  # [T, 4, 4] or [T, 3, 4]
    index: int | None  # of the path, where the array holds many
    stack_size: int | None  # how many it holds


def recognise_npy(source: PathSource) -> bool:
    return source.suffix == ".npy" and source.file.is_file()


def recognise_npz(source: PathSource) -> bool:
    return source.suffix == ".npz" and source.file.is_file()


def read_npy(source: PathSource, options: PathOptions) -> RawPath:
    try:
        with source.file.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except UNREADABLE as error:
        raise _unreadable(source, "a .npy array", error) from None
    chosen = _choose(source, {"the array": array}, options.camera)
    return RawPath(chosen.poses, axes=None, pose=None)


def write_npy(path: CameraPath, file: Path, options: PathOptions) -> None:
    with file.open("wb") as opened:  # np.save would append .npy to a name
        np.save(opened, path.camera_to_world)


def read_npz(source: PathSource, options: PathOptions) -> RawPath:
    arrays = _load_arrays(source)
    chosen = _choose(source, arrays, options.camera)
    is_ours = chosen.key == "camera_to_world" and str(arrays.get("conventions")) == CONVENTIONS
    unit = str(arrays.get("unit"))
    return RawPath(
        poses=chosen.poses,
        axes="opencv" if is_ours else None,
        pose=_direction_named(chosen.key),
        intrinsics=_intrinsics(source, arrays, chosen, (1, 1) if is_ours else options.picture_size),
        fps=_number(source, arrays, "fps", chosen) or None,  # 0: unknown
        unit=unit if unit in UNITS else None,  # pyright: ignore[reportArgumentType]
        median_depth=_number(source, arrays, "scene_median_depth", chosen),
    )


def write_npz(path: CameraPath, file: Path, options: PathOptions) -> None:
    arrays: dict[str, Any] = {
        "camera_to_world": path.camera_to_world,
        "intrinsics": path.intrinsics,
        "fps": path.fps,
        "unit": path.unit,
        "conventions": CONVENTIONS,
    }
    if path.scene_median_depth is not None:
        arrays["scene_median_depth"] = path.scene_median_depth
    with file.open("wb") as opened:  # np.savez would append .npz to a name
        np.savez(opened, **arrays)


def _unreadable(source: PathSource, expected: str, error: Exception) -> ValueError:
    if "pickle" in str(error):
        return source.error(f"expected {expected} of numbers, got pickled objects, which could run code: not read")
    return source.error(f"expected {expected}, got {error or type(error).__name__}; is the file cut off?")


def _load_arrays(source: PathSource) -> dict[str, np.ndarray]:
    """Every array of a .npz file by its key, but pickled ones, unless there are no others."""
    arrays, pickled = {}, []
    try:
        with source.file.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            for key in archive.files:
                try:
                    arrays[key] = np.asarray(archive[key])
                except ValueError as error:
                    if "allow_pickle" not in str(error):
                        raise
                    pickled.append(error)
    except UNREADABLE as error:
        raise _unreadable(source, "an .npz archive", error) from None
    if pickled and not any(map(_holds_poses, arrays.values())):
        raise _unreadable(source, "an .npz archive", pickled[0])
    return arrays


def _holds_poses(array: np.ndarray) -> bool:
    return array.ndim in (3, 4) and array.shape[-2:] in ((4, 4), (3, 4)) and array.dtype.kind in "fiu"


def _choose(source: PathSource, arrays: dict[str, np.ndarray], camera: str | None) -> _Chosen:
    """The array of poses, and the path in it, that `camera` names, or the only one."""
    candidates = {
        key: array for key, array in arrays.items() if _holds_poses(array) and key.lower() not in INTRINSICS_KEYS
    }
    if not candidates:
        found = ", ".join(f"{key} {array.dtype}{list(array.shape)}" for key, array in arrays.items())
        raise source.error(f"expected poses, numbers of shape [T, 4, 4] or [T, 3, 4], got {found or 'no array'}")
    key, _, index = (f"{camera}/" if camera in candidates else camera or "").rpartition("/")
    if not key and len(candidates) > 1:
        options = " or ".join(f"--camera {name}" for name in candidates)
        raise source.error(f"expected to be told which array holds the path: {options}")
    key = key or next(iter(candidates))
    if key not in candidates:
        raise source.error(f"expected --camera to name one of {', '.join(candidates)}, got {camera!r}")
    return _choose_path(source, key, candidates[key], index)


def _choose_path(source: PathSource, key: str, array: np.ndarray, index: str) -> _Chosen:
    """The path at `index` of a stack [N, T, ...], or a lone one [T, ...] where `index` is empty."""
    if array.ndim == 3:
        if index:
            raise source.error(f"expected no --camera but {key}, which holds one path, got {index!r}")
        return _Chosen(key, array, None, None)
    if not (index.isdecimal() and int(index) < len(array)):
        raise source.error(
            f"expected --camera INDEX from 0 to {len(array) - 1}: {key} holds {len(array)} paths, got {index or 'none'}"
        )
    return _Chosen(key, array[int(index)], int(index), len(array))


def _direction_named(key: str) -> PoseDirection | None:
    """What a key says about the direction of its poses."""
    if CAMERA_TO_WORLD.search(key):
        return "camera-to-world"
    return "world-to-camera" if WORLD_TO_CAMERA.search(key) else None


def _number(source: PathSource, arrays: dict[str, np.ndarray], key: str, chosen: _Chosen) -> float | None:
    """A number that the file gives for its path, or for each of its paths."""
    array = arrays.get(key)
    if array is None:
        return None
    if chosen.index is not None and array.shape == (chosen.stack_size,):
        array = array[chosen.index]
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise source.error(f"expected {key} to be one number, got {array.dtype}{list(array.shape)}")
    return float(array.item())


def _intrinsics(
    source: PathSource, arrays: dict[str, np.ndarray], chosen: _Chosen, picture_size: tuple[float, float] | None
) -> np.ndarray | None:
    """Normalised fx, fy, cx, cy [T, 4] or [4], or None where the file has none."""
    keys = [key for key in arrays if key.lower() in INTRINSICS_KEYS]
    if not keys:
        return None
    if len(keys) > 1:
        raise source.error(f"expected intrinsics under one key, got {', '.join(keys)}")
    array = arrays[keys[0]]
    if chosen.index is not None:
        expected = (chosen.stack_size, len(chosen.poses))
        if array.shape[:2] != expected or array.ndim not in (3, 4):
            raise source.error(f"expected {keys[0]} of shape {[*expected, 4]}, got {list(array.shape)}")
        array = array[chosen.index]
    try:
        numbers = lens.from_pixels(array.astype(np.float64), 1, 1)
    except (TypeError, ValueError) as error:
        raise source.error(f"{keys[0]}: {error}") from None
    if not lens.are_pixels(numbers):
        return numbers
    if picture_size is None:
        raise source.error(f"expected --picture-size WIDTHxHEIGHT: {keys[0]} of this file are in pixels")
    return lens.from_pixels(numbers, *picture_size)


NPY_FORMAT = PathFormat(
    name="npy",
    title="numpy array of poses",
    suffixes=(".npy",),
    carries=frozenset({"place"}),
    recognise=recognise_npy,
    read=read_npy,
    write=write_npy,
    remarks="[T, 4, 4], written as OpenCV camera-to-world; says neither axes nor pose direction when read",
)
NPZ_FORMAT = PathFormat(
    name="npz",
    title="numpy archive of poses and intrinsics",
    suffixes=(".npz",),
    carries=ALL_PARTS,
    recognise=recognise_npz,
    read=read_npz,
    write=write_npz,
    remarks="camera_to_world [T, 4, 4], intrinsics [T, 4] normalised, fps, unit, scene_median_depth and conventions; "
    "another tool's poses are found by their shape, and their direction by the key's name",
)
