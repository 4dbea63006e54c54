"""Scenes on disk: `save_scene`, `save_splat_scene` and `load_scene`.

What always holds: a scene is a folder with a scene.json, whose "kind" says what else is in it, written whole or not at all.
No pickle: numbers are in JSON and safetensors. Another kind of scene is one more entry in `SCENE_KINDS`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ...camera_paths.atomic_file import write_then_rename
from .radiance_field import RadianceField, SceneViews
from .splat_field import SplatField, quickest_backend
from .splat_files import read_splats
from .voxel_field import VoxelField
from .voxel_grid import VoxelGrid

SCENE_FILE, FIELD_FILE = "scene.json", "field.safetensors"
VERSION = 1


def save_scene(scene: VoxelField, folder: str | os.PathLike[str]) -> None:
    """Write a scene; densities and features are rounded to 16 bits.

    `ValueError` if `folder` is one that is not empty.
    """
    grid = scene.grid
    content = _about(scene, "voxel") | {
        "near": scene.near,
        "background": scene.background.tolist(),
        "centre": grid.centre.tolist(),
        "radius": grid.radius,
        "side": grid.side,
    }
    stored = np.argwhere(grid.table >= 0)
    order = np.argsort(grid.table[tuple(stored.T)])
    arrays = {
        "blocks": stored[order].astype(np.int16),
        "density": grid.density.astype(np.float16),
        "features": grid.features.astype(np.float16),
    }
    with write_then_rename(folder) as temporary:
        temporary.mkdir(parents=True)
        save_file(arrays, temporary / FIELD_FILE)
        (temporary / SCENE_FILE).write_text(json.dumps(content) + "\n", encoding="utf-8")


def save_splat_scene(scene: SplatField, file: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Write a scene of splats that was read from `file`, which is copied. `ValueError` if `folder` is one that is not empty."""
    copy = "splats.compressed.ply" if str(file).endswith(".compressed.ply") else f"splats{Path(file).suffix}"
    with write_then_rename(folder) as temporary:
        temporary.mkdir(parents=True)
        shutil.copyfile(file, temporary / copy)
        content = _about(scene, "splats") | {"axes": scene.axes, "file": copy}
        (temporary / SCENE_FILE).write_text(json.dumps(content) + "\n", encoding="utf-8")


def _about(scene: RadianceField, kind: str) -> dict[str, Any]:
    """What is said of a scene of any kind."""
    return {
        "format": "camvig scene",
        "version": VERSION,
        "kind": kind,
        "name": scene.name,
        "unit": scene.unit,
        "licence": scene.licence,
        "credit": scene.credit,
        "views": {
            "camera_to_world": scene.views.camera_to_world.tolist(),
            "intrinsics": scene.views.intrinsics.tolist(),
        },
    }


def _views(content: dict[str, Any]) -> SceneViews:
    return SceneViews(*(np.array(content["views"][key]) for key in ("camera_to_world", "intrinsics")))


def load_scene(place: str | os.PathLike[str]) -> RadianceField:
    """Read a scene. `ValueError` that names the file where it is missing, cut off or of an unknown kind."""
    file = Path(place) / SCENE_FILE
    if not file.is_file():
        raise ValueError(f"expected a scene, a folder with {SCENE_FILE}, got {place}")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        kind, version = content["kind"], content["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: expected a scene's JSON, got {error!r}") from None
    if kind not in SCENE_KINDS or version != VERSION:
        raise ValueError(
            f"{file}: expected a scene of kind {' or '.join(SCENE_KINDS)}, version {VERSION}, got {kind}, {version}"
        )
    try:
        return SCENE_KINDS[kind](Path(place), content)
    except (OSError, SafetensorError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{place}: expected a whole scene, got {error!r}") from None


def _load_voxel_field(folder: Path, content: dict[str, Any]) -> VoxelField:
    arrays = load_file(folder / FIELD_FILE)
    table = np.full((content["side"] // 4,) * 3, -1, np.int32)
    table[tuple(arrays["blocks"].T)] = np.arange(len(arrays["blocks"]))
    density, features = (np.ascontiguousarray(arrays[name], np.float32) for name in ("density", "features"))
    return VoxelField(
        name=content["name"],
        unit=content["unit"],
        licence=content["licence"],
        credit=content["credit"],
        views=_views(content),
        grid=VoxelGrid(np.array(content["centre"]), content["radius"], table, density, features),
        near=content["near"],
        background=np.array(content["background"], np.float32),
    )


def _load_splat_field(folder: Path, content: dict[str, Any]) -> SplatField:
    return SplatField(
        name=content["name"],
        splats=read_splats(folder / content["file"]),
        views=_views(content),
        axes=content["axes"],
        unit=content["unit"],
        licence=content["licence"],
        credit=content["credit"],
        backend=quickest_backend(),
    )


SCENE_KINDS: dict[str, Callable[[Path, dict[str, Any]], RadianceField]] = {
    "voxel": _load_voxel_field,
    "splats": _load_splat_field,
}
"""What reads each kind, given the folder and the content of its scene.json."""
