"""`SplatField`: a scene of Gaussian splats that clips can be rendered from.

What always holds: poses are OpenCV camera-to-world in the scene's axes, which are the file's with y and z turned round where
`axes` is "opengl", as in camvig's readers of camera paths; only cameras are ever turned, never the Gaussians.

A pixel's colour is the mean of 3 x 3 samples, each cut to [0, 1], on black. Its depth is that of the sample at its centre: the
z-depths of the Gaussians' centres, weighted by what each adds to the pixel and divided by the opacity; infinite where the
opacity is under 0.5 (our choice).

A file of splats says neither which way is up nor where the pictures were taken from. The axes are "opencv", y down, unless
told otherwise: what the 3DGS authors' code makes of COLMAP scenes, and SuperSplat's files (their viewers turn them). The views
are those of a file of cameras, or else a ring around the scene: right for an object, wrong for a room seen from inside.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ...camera_paths.formats.path_format import DEFAULT_FPS, TO_OPENCV, Axes, PathOptions
from ...camera_paths.formats.registry import read_path_file
from ...camera_paths.intrinsics import DEFAULT_INTRINSICS
from ...camera_paths.rigid_motion import invert, pose_matrices
from ...camera_paths.units import Unit
from .gaussian_splats import GaussianSplats
from .radiance_field import Rendering, SceneViews
from .splat_files import read_splats

Backend = Literal["numba", "gsplat", "torch"]
Up = Literal["x", "-x", "y", "-y", "z", "-z"]
_MODULES = {"numba": "splat_rasteriser", "gsplat": "splat_gsplat", "torch": "splat_reference"}
SAMPLES = 3  # a side of a pixel; odd, so that one is at its centre
LOWEST_OPACITY = 0.5  # below it, a ray meets nothing

RING_VIEWS = 24
RING_DISTANCE = 3.0  # in radii of the scene
RING_ELEVATION_DEGREES = 10.0
SCENE_QUANTILE = 0.8  # of the opacity lies within the radius of the scene


@dataclass(eq=False)
class SplatField:
    """A `RadianceField` of Gaussian splats; `load_splat_scene` makes one from a file."""

    name: str
    splats: GaussianSplats
    views: SceneViews
    axes: Axes = "opencv"  # of the splats' world
    unit: Unit = "scene"
    licence: str = "unknown"
    backend: Backend = "numba"
    credit: str = ""

    def render(self, camera_to_world: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> Rendering:
        """Poses [T, 4, 4] and lenses [T, 4] -> pictures of `size` (height, width) pixels; see the top of the file."""
        poses, lenses = np.asarray(camera_to_world, np.float64), np.asarray(intrinsics, np.float64)
        if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not len(poses) or lenses.shape != (len(poses), 4):
            raise ValueError(
                f"expected camera_to_world [T, 4, 4] and intrinsics [T, 4], got {poses.shape} and {lenses.shape}"
            )
        height, width = (SAMPLES * side for side in size)
        if not height > 0 < width:
            raise ValueError(f"expected a size of at least 1 x 1 pixels, got {size}")
        world_to_camera = invert(TO_OPENCV[self.axes].T @ poses)
        pixel_lenses = lenses * (width, height, width, height)
        rgb, depth, opacity = rasteriser(self.backend)(self.splats, world_to_camera, pixel_lenses, (height, width))
        rgb = np.clip(rgb, 0, 1).reshape(len(poses), size[0], SAMPLES, size[1], SAMPLES, 3).mean(axis=(2, 4))
        centres = np.s_[:, SAMPLES // 2 :: SAMPLES, SAMPLES // 2 :: SAMPLES]
        depth = np.where(opacity[centres] < LOWEST_OPACITY, np.float32(np.inf), depth[centres])
        return Rendering(rgb, depth)


def rasteriser(backend: Backend) -> Callable:
    """The function `rasterise` of a backend; `splat_rasteriser.py` says what it takes and returns."""
    if backend not in _MODULES:
        raise ValueError(f"expected one of the backends {', '.join(_MODULES)}, got {backend!r}")
    return import_module(f".{_MODULES[backend]}", __package__).rasterise


def quickest_backend() -> Backend:
    """ "gsplat" where it is installed and there is a CUDA device, else "numba"."""
    import torch

    return "gsplat" if find_spec("gsplat") and torch.cuda.is_available() else "numba"


def load_splat_scene(
    file: str | os.PathLike[str],
    *,
    axes: Axes = "opencv",
    up: Up | None = None,
    cameras: str | os.PathLike[str] | None = None,
    unit: Unit = "scene",
    licence: str = "unknown",
    credit: str = "",
    backend: Backend | None = None,
) -> SplatField:
    """Read a scene from a .ply, a compressed .ply or a .sog.

    axes     the world's axes in the file: "opencv" (y down) or "opengl" (y up; also for splats in the world of
             a transforms.json, whatever is up there)
    up       the axis of the file that points up, for the ring of views: "-y" for "opencv", "y" for "opengl" unless told; "z" for
             what nerfstudio exports
    cameras  a file or folder of the captured poses, in any format of `camera_paths.formats` and in the same world and unit
             as the splats; a ring of views otherwise
    backend  "numba", "gsplat" or "torch" (slow); `quickest_backend()` unless told

    `ValueError` names the file, what was expected and what came.
    """
    file, splats = Path(file), read_splats(file)
    if axes not in ("opencv", "opengl"):
        raise ValueError(f'expected the axes of {file} to be "opencv" or "opengl", got {axes!r}')
    if cameras is not None:
        views = _captured_views(cameras, unit)
    else:
        views = ring_of_views(splats, up or ("-y" if axes == "opencv" else "y"))
        views = SceneViews(TO_OPENCV[axes] @ views.camera_to_world, views.intrinsics)
    name = file.stem.removesuffix(".compressed")
    return SplatField(name, splats, views, axes, unit, licence, backend or quickest_backend(), credit)


def _captured_views(cameras: str | os.PathLike[str], unit: Unit) -> SceneViews:
    # the frames a second and the median depth are no part of the views: any number does
    options = PathOptions(unit=unit, median_depth=1.0 if unit == "scene" else None, fps=DEFAULT_FPS)
    path, notes = read_path_file(cameras, options=options)
    for note in notes:
        warnings.warn(f"{os.fspath(cameras)}: {note}", stacklevel=3)
    return SceneViews(path.camera_to_world, path.intrinsics)


def ring_of_views(splats: GaussianSplats, up: Up, turns: np.ndarray | None = None) -> SceneViews:
    """Views from a circle around an object, looking at its centre, upright; in the splats' own axes. Our choice.

    The centre is the median of the positions, weighted by opacity; the radius of the scene the distance within which 80% of
    the opacity lies. `turns` [N] are where on the circle, from 0 to 1; 24 equal steps unless told.
    """
    if up not in get_args(Up):
        raise ValueError(f"expected up to be one of {', '.join(get_args(Up))}, got {up!r}")
    centre = np.array([_weighted_quantile(axis, splats.opacities, 0.5) for axis in splats.positions.T])
    distances = np.linalg.norm(splats.positions - centre, axis=1)
    distance = RING_DISTANCE * _weighted_quantile(distances, splats.opacities, SCENE_QUANTILE)
    if not distance > 0:
        raise ValueError("expected splats around which a ring of views can be laid, got all in one point")
    vertical = np.zeros(3)
    vertical["xyz".index(up[-1])] = -1.0 if up[0] == "-" else 1.0
    first = np.roll(np.abs(vertical), 1)
    angles = 2 * np.pi * (np.arange(RING_VIEWS) / RING_VIEWS if turns is None else np.asarray(turns))[:, None]
    around = np.cos(angles) * first + np.sin(angles) * np.cross(vertical, first)
    elevation = np.radians(RING_ELEVATION_DEGREES)
    outwards = np.cos(elevation) * around + np.sin(elevation) * vertical  # [N, 3]
    right = np.cross(vertical, around)
    rotations = np.stack([right, np.cross(-outwards, right), -outwards], axis=2)
    lenses = np.tile(DEFAULT_INTRINSICS, (len(angles), 1))
    return SceneViews(pose_matrices(rotations, centre + distance * outwards), lenses)


def _weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order], dtype=np.float64)
    return float(values[order][np.searchsorted(below, share * below[-1])])
