"""One clip of a scene: a path is placed, its pictures and depths are rendered, and both become a row.

What always holds: the same scene, seed and size give the same clip, whoever renders it, in whatever order. The columns are those
of every clip dataset (`clip_rows`), then

    depth               17 maps of z-depth in scene depths, see `clip_depth`: exact flow follows from it
    clip_seed           with the scene and the size, what the clip follows from
"""

from __future__ import annotations

from typing import Any

import datasets
import numpy as np

from ..camera_paths.camera_path import CameraPath
from .clip_depth import encode_depth
from .clip_length import FPS
from .clip_rows import clip_features, path_columns, video_column
from .rooms.room_paths import PlacedPath
from .scenes.scene_paths import PathReport, ScenePaths, finite_median

GENERATOR_VERSION = "1.0.0"  # raise it whenever the same scene and seed no longer give the same clip
SOURCE = "nerf"

FEATURES = clip_features(depth=datasets.Value("binary"), clip_seed=datasets.Value("int64"))


def scene_clip(paths: ScenePaths, clip_seed: int, size: int, report: PathReport) -> dict[str, Any]:
    """The clip of a scene with this seed, as a row of `FEATURES`."""
    rng = np.random.default_rng(np.random.SeedSequence([clip_seed, *paths.scene.name.encode()]))
    placed = paths.place(rng, report)
    rgb, depth = paths.scene.render(placed.camera_to_world, placed.intrinsics, (size, size))
    scale = finite_median(depth[0])
    return {
        "video": video_column(np.rint(rgb * 255).clip(0, 255).astype(np.uint8), FPS),
        **path_columns(relative_path(placed, scale), scale, paths.scene.unit, placed.move),
        "fps": FPS,
        "clip_id": f"{paths.scene.name}-{clip_seed}",
        "scene_id": paths.scene.name,
        "source": SOURCE,
        "credit": paths.scene.credit,
        "licence": paths.scene.licence,
        "generator_version": GENERATOR_VERSION,
        "depth": encode_depth(depth / scale),
        "clip_seed": clip_seed,
    }


def relative_path(placed: PlacedPath, median_depth: float) -> CameraPath:
    """A placed path as a model takes it: relative to its first pose, in scene depths."""
    scene = CameraPath(placed.camera_to_world, placed.intrinsics, FPS, "scene", median_depth)
    return scene.relative().to_unit("scene_depth")


def scene_row_table(rows: list[dict[str, Any]]) -> Any:
    """Rows as an arrow table that carries `FEATURES`, so that `datasets` reads it with the same columns."""
    return datasets.Dataset.from_list(rows, features=FEATURES).with_format("arrow")[:]
