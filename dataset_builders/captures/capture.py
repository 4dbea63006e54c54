"""`Capture`: pictures of one place with their cameras, read from a folder of any of `LAYOUTS`.

What always holds: OpenCV axes, camera-to-world, the world's axes renamed with the camera's (`camera_paths.formats`);
intrinsics normalised by width and height; views in the order of the file. A capture has at least two views, not all at one
place, and every one of its pictures was decoded once; a picture that cannot be is skipped, with its name and the reason.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...camera_paths.units import Unit
from .capture_layouts import LAYOUTS, ListedView, SaidOfCapture

ASPECT_TOLERANCE = 0.02  # between a picture and what the file says of its lens
LEAST_BASELINE = 1e-6  # of all camera positions, in the capture's unit; below it there is nothing to fit


@dataclass(frozen=True)
class Skipped:
    """A picture that is listed but not used."""

    name: str
    reason: str


@dataclass(frozen=True)
class Capture:
    """N posed pictures; `capture_pictures` loads them."""

    name: str
    folder: Path
    image_files: tuple[Path, ...]  # [N]
    camera_to_world: np.ndarray  # [N, 4, 4] float64
    intrinsics: np.ndarray  # [N, 4] fx, fy, cx, cy normalised by width and height
    distortion: np.ndarray  # [N, 8] OpenCV's k1 k2 p1 p2 k3 k4 k5 k6; zeros where there is none
    sizes: np.ndarray  # [N, 2] width and height of the picture files in pixels
    unit: Unit  # "metre" where that is known, else "scene"
    median_depth: float | None  # of the first view in `unit`, where the user or the file says it
    depth_files: tuple[Path | None, ...]  # [N] 16-bit pictures of z-depth, 0 where it is unknown
    depth_scale: float  # `unit`s in one step of a depth file
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()  # what of the files is not used or had to be assumed

    def __len__(self) -> int:
        return len(self.image_files)

    def chosen(self, views: np.ndarray) -> Capture:
        """Only these views, by number; what was skipped stays with the whole."""
        return replace(
            self,
            image_files=tuple(self.image_files[view] for view in views),
            depth_files=tuple(self.depth_files[view] for view in views),
            camera_to_world=self.camera_to_world[views],
            intrinsics=self.intrinsics[views],
            distortion=self.distortion[views],
            sizes=self.sizes[views],
            skipped=(),
        )

    @property
    def has_depth(self) -> bool:
        return any(file is not None for file in self.depth_files)


def read_capture(
    folder: str | os.PathLike[str], unit: Unit | None = None, median_depth: float | None = None
) -> Capture:
    """Read a folder in one of the layouts that `capture_layouts` knows: transforms.json, COLMAP, TUM RGB-D.

    `unit` ("metre" or "scene") and `median_depth`, that of the first view in this unit, are what the user says beside the
    files. Raises `ValueError` that names the file where there is no such layout, a pose is not rigid, fewer than two
    pictures can be used, or all cameras stand at one place.
    """
    folder = Path(folder)
    said = SaidOfCapture(unit, median_depth)
    if not folder.is_dir():
        raise ValueError(f"expected a folder with a capture, got {folder}")
    layout = next((layout for layout in LAYOUTS if layout.recognise(folder)), None)
    if layout is None:
        known = "; ".join(layout.title for layout in LAYOUTS)
        raise ValueError(f"{folder}: expected a capture ({known}), got none of these")
    listing = layout.read(folder, said)
    checked = [_checked_size(view) for view in listing.views]
    kept = [(view, size) for view, size in zip(listing.views, checked, strict=True) if not isinstance(size, str)]
    skipped = [
        Skipped(view.name, reason)
        for view, reason in zip(listing.views, checked, strict=True)
        if isinstance(reason, str)
    ]
    _check_enough(folder, kept, skipped)
    views = [view for view, _ in kept]
    return Capture(
        name=folder.resolve().name,
        folder=folder,
        image_files=tuple(view.image_file for view in views),
        camera_to_world=np.stack([view.camera_to_world for view in views]),
        intrinsics=np.stack([view.intrinsics for view in views]),
        distortion=np.stack([view.distortion for view in views]),
        sizes=np.array([size for _, size in kept]),
        unit=listing.unit,
        median_depth=listing.median_depth,
        depth_files=tuple(view.depth_file for view in views),
        depth_scale=listing.depth_scale,
        skipped=tuple(skipped),
        notes=tuple(listing.notes),
    )


def _checked_size(view: ListedView) -> tuple[int, int] | str:
    """Width and height of the picture, or why it cannot be used."""
    for file in filter(None, (view.image_file, view.depth_file)):
        if not file.is_file():
            return f"no such file: {file.name}"
    try:
        with Image.open(view.image_file) as picture:
            picture.load()
            size = picture.size
        if view.depth_file is not None:
            with Image.open(view.depth_file) as depth:
                depth.load()
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"cannot be decoded: {error}"
    if view.aspect is not None and abs(size[0] / size[1] / view.aspect - 1) > ASPECT_TOLERANCE:
        return f"is {size[0]}x{size[1]} pixels, of another shape than its lens's pictures (width / height {view.aspect:.3f})"
    return size


def _check_enough(folder: Path, kept: list, skipped: list[Skipped]) -> None:
    why = f"; skipped {len(skipped)}: {skipped[0].name} {skipped[0].reason}" if skipped else ""
    if len(kept) < 2:
        raise ValueError(f"{folder}: expected at least 2 pictures that can be used, got {len(kept)}{why}")
    positions = np.stack([view.camera_to_world[:3, 3] for view, _ in kept])
    if np.ptp(positions, axis=0).max() < LEAST_BASELINE:
        raise ValueError(
            f"{folder}: expected cameras at several places, got {len(kept)} at one: there is no depth in a capture "
            "that only turns"
        )
