"""A capture's pictures and depth maps, loaded at a wanted size, without the distortion of their lens.

What always holds: a picture and its depth map of one size see the same rays, those of the capture's `intrinsics`; what
the straightened lens does not see is marked as unknown, never filled.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from .capture import Capture


class Picture(NamedTuple):
    """One view. Transparent pictures are composited on white."""

    rgb: np.ndarray  # [H, W, 3] uint8
    alpha: np.ndarray | None  # [H, W] float32 in [0, 1]; None where the file has none
    is_known: np.ndarray  # [H, W] bool; False where the straightened lens saw nothing


def size_of_view(capture: Capture, view: int, shorter_side: int) -> tuple[int, int]:
    """(height, width) with the picture's own shape; never larger than the picture itself."""
    width, height = capture.sizes[view]
    scale = min(1.0, shorter_side / min(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def load_picture(capture: Capture, view: int, size: tuple[int, int] | None = None) -> Picture:
    """View number `view` at `size` (height, width), or at its own; shrunk by the mean over areas."""
    with Image.open(capture.image_files[view]) as file:
        rgba = np.asarray(file.convert("RGBA" if _has_alpha(file) else "RGB"), np.float32)
    alpha = rgba[..., 3:] / 255 if rgba.shape[2] == 4 else None
    rgb = rgba[..., :3] if alpha is None else rgba[..., :3] * alpha + 255 * (1 - alpha)
    layers = np.dstack([rgb, np.ones_like(rgb[..., :1]) if alpha is None else alpha])
    known = _straightened(capture, view, np.ones(layers.shape[:2], np.float32), cv2.INTER_LINEAR)
    layers = _straightened(capture, view, layers, cv2.INTER_LINEAR)
    if size is not None and size != layers.shape[:2]:
        layers, known = (cv2.resize(each, size[::-1], interpolation=cv2.INTER_AREA) for each in (layers, known))
    return Picture(
        np.clip(layers[..., :3] + 0.5, 0, 255).astype(np.uint8),
        None if alpha is None else np.clip(layers[..., 3], 0, 1),
        known > 0.999,
    )


def load_depth(capture: Capture, view: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """z-depth [H, W] float32 in the capture's unit, 0 where it is unknown. Nearest pixel: depths are never mixed."""
    file = capture.depth_files[view]
    if file is None:
        raise ValueError(f"expected a depth map of {capture.image_files[view]}, got none")
    with Image.open(file) as picture:
        steps = np.asarray(picture)
    if steps.ndim != 2:
        raise ValueError(f"{file}: expected a depth map with one channel, got {list(steps.shape)}")
    depth = _straightened(capture, view, steps.astype(np.float32), cv2.INTER_NEAREST)
    if size is not None and size != depth.shape:
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, depth.shape, strict=True)
        )
        depth = depth[rows][:, columns]
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32) * np.float32(capture.depth_scale)


def _has_alpha(file: Image.Image) -> bool:
    return file.mode in ("RGBA", "LA", "PA") or "transparency" in file.info


def _straightened(capture: Capture, view: int, layers: np.ndarray, interpolation: int) -> np.ndarray:
    """The same picture through a lens without distortion; 0 where it saw nothing."""
    if not capture.distortion[view].any():
        return layers
    height, width = layers.shape[:2]
    lens = pixel_lens(capture.intrinsics[view], (height, width))
    maps = cv2.initUndistortRectifyMap(lens, capture.distortion[view], None, lens, (width, height), cv2.CV_32FC1)
    return cv2.remap(layers, *maps, interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=0)


def pixel_lens(intrinsics: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Normalised (fx, fy, cx, cy) -> OpenCV's 3x3 matrix in pixels, whose integers are pixel centres."""
    fx, fy, cx, cy = intrinsics * (size[1], size[0], size[1], size[0])
    return np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])
