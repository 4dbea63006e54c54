"""`NerfstudioField`: a checkpoint of nerfstudio (nerfacto, instant-ngp, ...), rendered by nerfstudio's own package.

What always holds: the scene's coordinates are the model's own, after nerfstudio's turning, centring and scaling, with y and z
turned round as in camvig's readers: a camera_path.json of nerfstudio's viewer fits, the transforms.json does not. Depth is the
model's (for nerfacto the median of the ray), made z; infinite where the accumulation is under 0.5.

nerfstudio is imported when a checkpoint is opened, and is no extra of camvig: its version 1.1.5 wants opencv-python-headless
4.10, camvig 5.0, so pip refuses to install one beside the other. In an environment of nerfstudio's, with camvig put there
by `pip install --no-deps`, this module finds all that it needs. The project's tests run without nerfstudio; the adapter was
tried by hand against 1.1.5, with a nerfacto of a procedural room on a CPU. Splats (splatfacto) need none of this:
`ns-export gaussian-splat`, then `load_splat_scene("splat.ply", axes="opengl", up="z")`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...camera_paths.formats.path_format import from_opencv_camera_to_world, to_opencv_camera_to_world
from ...camera_paths.units import Unit
from .radiance_field import Rendering, SceneViews

LOWEST_OPACITY = 0.5  # below it, a ray meets nothing


@dataclass(eq=False)
class NerfstudioField:
    """A `RadianceField`; `load_nerfstudio_scene` makes one from a config.yml."""

    name: str
    model: Any  # nerfstudio.models.base_model.Model
    views: SceneViews
    licence: str = "unknown"
    unit: Unit = "scene"
    credit: str = ""

    def render(self, camera_to_world: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> Rendering:
        """Poses [T, 4, 4] and lenses [T, 4] -> pictures of `size` (height, width) pixels."""
        from nerfstudio.cameras.cameras import Cameras, CameraType  # pyright: ignore[reportMissingImports]

        poses = from_opencv_camera_to_world(np.asarray(camera_to_world), "opengl", "camera-to-world")
        lenses = np.asarray(intrinsics) * (size[1], size[0], size[1], size[0])
        fx, fy, cx, cy = torch.tensor(lenses, dtype=torch.float32).T[..., None]
        cameras = Cameras(
            torch.tensor(poses[:, :3], dtype=torch.float32),
            *(fx, fy, cx, cy),
            width=size[1],
            height=size[0],
            camera_type=CameraType.PERSPECTIVE,
        )
        pictures, depths = [], []
        for frame, lens in enumerate(lenses):
            outputs = self.model.get_outputs_for_camera(cameras[frame : frame + 1])
            rgb, distance, opacity = (outputs[name].cpu().numpy() for name in ("rgb", "depth", "accumulation"))
            depth = z_depth(distance[..., 0], lens)
            pictures.append(np.clip(rgb, 0, 1))
            depths.append(np.where(opacity[..., 0] < LOWEST_OPACITY, np.float32(np.inf), depth))
        return Rendering(np.stack(pictures).astype(np.float32), np.stack(depths).astype(np.float32))


def z_depth(distance: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """Distances [H, W] along the rays through the pixels' centres -> z; lens is fx, fy, cx, cy in pixels."""
    height, width = distance.shape
    x = (np.arange(width) + 0.5 - lens[2]) / lens[0]
    y = (np.arange(height) + 0.5 - lens[3]) / lens[1]
    return distance / np.sqrt(1 + x**2 + y[:, None] ** 2)


def load_nerfstudio_scene(
    config: str | os.PathLike[str], *, trust_remote_code: bool = False, licence: str = "unknown"
) -> NerfstudioField:
    """Open the newest checkpoint beside a config.yml, from the folder in which it was trained (its paths are relative).

    nerfstudio's configs and checkpoints may run any code when they are opened, so `trust_remote_code=True` must be said.
    `ValueError` where it was not, where nerfstudio is not installed, where there is no checkpoint, and for models whose
    depth is not a distance along rays: splats and surfaces.
    """
    config = Path(config)
    if not trust_remote_code:
        raise ValueError(f"expected trust_remote_code=True to open {config}: a config of nerfstudio can run any code")
    if not config.is_file():
        raise ValueError(f"expected a config.yml of nerfstudio, got {config}: no such file")
    try:
        from nerfstudio.models.base_surface_model import SurfaceModel  # pyright: ignore[reportMissingImports]
        from nerfstudio.models.splatfacto import SplatfactoModel  # pyright: ignore[reportMissingImports]
        from nerfstudio.utils.eval_utils import eval_setup  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(f"expected nerfstudio to open {config}, see nerfstudio_field.py: {error}") from None
    try:
        # nerfstudio 1.1.5 keeps a numpy number in its checkpoints, which torch 2.6 and newer read only when told
        with torch.serialization.safe_globals(_numpy_scalars()):
            settings, pipeline, *_ = eval_setup(config, test_mode="inference")
    except SystemExit:
        raise ValueError(f"expected a checkpoint of {config}, got none: start where it was trained") from None
    if isinstance(pipeline.model, SplatfactoModel | SurfaceModel):
        raise ValueError(f"expected a radiance field in {config}, got {type(pipeline.model).__name__}")
    name = settings.experiment_name or config.parent.name
    return NerfstudioField(name, pipeline.model, _views(pipeline.datamanager.train_dataset.cameras), licence)


def _numpy_scalars() -> list:
    return [
        np._core.multiarray.scalar,  # pyright: ignore[reportAttributeAccessIssue]
        np.dtype,
        type(np.dtype(np.float64)),
        type(np.dtype(np.float32)),
    ]


def _views(cameras: Any) -> SceneViews:
    poses = to_opencv_camera_to_world(cameras.camera_to_worlds.double().cpu().numpy(), "opengl", "camera-to-world")
    sides = torch.cat([cameras.width, cameras.height] * 2, dim=1)
    lenses = torch.cat([cameras.fx, cameras.fy, cameras.cx, cameras.cy], dim=1) / sides
    return SceneViews(poses, lenses.double().cpu().numpy())
