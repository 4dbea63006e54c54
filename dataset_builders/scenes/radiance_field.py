"""What a scene must be able to do so that clips can be rendered from it: `RadianceField`.

What always holds: OpenCV axes, camera-to-world, in the scene's own coordinates and `unit`; a picture of any width and height;
depth is z, along the optical axis, through pixel centres, and infinite where a ray meets nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ...camera_paths.units import Unit


@dataclass(frozen=True)
class SceneViews:
    """The views that a scene was made from: where paths may start, and what the scene has seen."""

    camera_to_world: np.ndarray  # [N, 4, 4] in the scene's coordinates
    intrinsics: np.ndarray  # [N, 4] fx, fy, cx, cy normalised by width and height


class Rendering(NamedTuple):
    """Pictures of a scene."""

    rgb: np.ndarray  # [T, H, W, 3] float32 in [0, 1]
    depth: np.ndarray  # [T, H, W] float32 z-depth in the scene's unit; infinite where a ray meets nothing


class RadianceField(Protocol):
    """A scene: a fitted field, Gaussian splats, another project's checkpoint."""

    @property
    def name(self) -> str:
        """The scene's id, of letters, digits and "-" mostly: splits are by it."""
        ...

    @property
    def unit(self) -> Unit:
        """ "metre" where it is known, else "scene"."""
        ...

    @property
    def licence(self) -> str:
        """Of the captures, as their owner states it; "" where nobody said."""
        ...

    @property
    def credit(self) -> str:
        """Whom the licence asks to name, or ""."""
        ...

    @property
    def views(self) -> SceneViews: ...

    def render(self, camera_to_world: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> Rendering:
        """Poses [T, 4, 4] and lenses [T, 4] -> pictures of `size` (height, width) pixels."""
        ...
