"""What every metric asks of its arrays: clips, flows, masks, camera paths, and two of one shape where it compares; resizing.

A clip is frames `[T, H, W, 3]` uint8 RGB, a flow `[T-1, H, W, 2]` floating, a mask `[T-1, H, W]` bool, a camera path
`[T, 4, 4]` floating, finite. Whatever else comes is refused by one `ValueError` "expected X, got Y".
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np


def check_clip(frames: np.ndarray, least_frames: int = 2) -> None:
    """Raise `ValueError` unless `frames` is a clip of at least `least_frames` frames [T, H, W, 3] of uint8."""
    shape_fits = frames.ndim == 4 and frames.shape[-1] == 3 and len(frames) >= least_frames and frames.size
    if frames.dtype != np.uint8 or not shape_fits:
        raise ValueError(
            f"expected frames [T, H, W, 3] of uint8 with T of at least {least_frames}, "
            f"got {list(frames.shape)} of {frames.dtype}"
        )


def check_same_shape(generated: np.ndarray, truth: np.ndarray) -> None:
    """Raise `ValueError` unless both arrays have one shape."""
    if generated.shape != truth.shape:
        raise ValueError(
            f"expected the generated and the true clip in one shape, got {list(generated.shape)} "
            f"and {list(truth.shape)}"
        )


def check_flows(generated_flow: np.ndarray, true_flow: np.ndarray) -> None:
    """Raise `ValueError` unless both are finite flows [..., 2] of one shape, with at least one pixel."""
    check_same_shape(generated_flow, true_flow)
    for flow in (generated_flow, true_flow):
        if not np.issubdtype(flow.dtype, np.floating) or flow.ndim < 2 or flow.shape[-1] != 2 or flow.size == 0:
            raise ValueError(f"expected flows [..., 2] of floating numbers, got {list(flow.shape)} of {flow.dtype}")
        if not np.isfinite(flow).all():
            raise ValueError(f"expected finite flows, got {int((~np.isfinite(flow)).sum())} numbers that are not")


def check_mask(mask: np.ndarray, flow: np.ndarray, name: str) -> None:
    """Raise `ValueError` unless `mask` is bool and has one number for each vector of `flow` [..., 2]."""
    if mask.dtype != np.bool_ or mask.shape != flow.shape[:-1]:
        raise ValueError(
            f"expected {name} {list(flow.shape[:-1])} of bool, got {list(mask.shape)} of {mask.dtype}"
        )  # fmt: skip


def check_paths(generated: np.ndarray, truth: np.ndarray, least_poses: int) -> None:
    """Raise `ValueError` unless both are finite camera paths [T, 4, 4] of one length, of at least `least_poses` poses."""
    check_same_shape(generated, truth)
    for path in (generated, truth):
        shape_fits = path.ndim == 3 and path.shape[1:] == (4, 4) and len(path) >= least_poses
        if not shape_fits or not np.issubdtype(path.dtype, np.floating) or not np.isfinite(path).all():
            raise ValueError(
                f"expected finite camera_to_world [T, 4, 4] with T of at least {least_poses}, "
                f"got {list(path.shape)} of {path.dtype}{'' if np.all(np.isfinite(path)) else ' with NaN or infinity'}"
            )


def with_shorter_side(frames: Iterable[np.ndarray], pixels: int) -> list[np.ndarray]:
    """Frames [H, W] or [H, W, 3] whose shorter side has so many pixels, cubic where they grow."""
    return [_with_shorter_side(frame, pixels) for frame in frames]


def _with_shorter_side(frame: np.ndarray, pixels: int) -> np.ndarray:
    height, width = frame.shape[:2]
    grown = pixels / min(height, width)
    size = round(width * grown), round(height * grown)
    return cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC if grown > 1 else cv2.INTER_AREA)
