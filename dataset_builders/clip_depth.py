"""The depth of a clip as bytes for a dataset's column, and the exact flow that follows from it.

What always holds: depth [T, H, W] is z in scene depths, through pixel centres, infinite where there is nothing; it is stored as
float16 (3 digits: an error in flow of at most a thousandth of the parallax), compressed.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from .clip_rows import camera_path_of
from .exact_flow import backward_flow
from .scenes.scene_paths import in_usual_scale

FARTHEST = 1000.0  # scene depths; what is farther is as good as infinitely far


def encode_depth(depth: np.ndarray) -> bytes:
    """Depth [T, H, W] in scene depths -> bytes."""
    halves = np.where(depth > FARTHEST, np.inf, depth).astype("<f2")
    planes = halves.view(np.uint8).reshape(-1, 2).T  # high and low bytes apart: they compress better
    return zlib.compress(planes.tobytes(), 6)


def decode_depth(content: bytes, size: tuple[int, int]) -> np.ndarray:
    """Bytes -> depth [T, H, W] float32 in scene depths; `size` is (H, W). `ValueError` where they are something else."""
    try:
        planes = np.frombuffer(zlib.decompress(content), np.uint8).reshape(2, -1)
        return planes.T.copy().view("<f2").reshape(-1, *size).astype(np.float32)
    except (zlib.error, ValueError) as error:
        raise ValueError(f"expected the depth of pictures of {size[0]}x{size[1]} pixels, got others: {error}") from None


def exact_backward_flow(row: dict[str, Any], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a row with the column `depth`: `exact_flow.backward_flow`, from each frame to frame 0, with what frame 0 shows."""
    path = camera_path_of(row)
    poses, depth = in_usual_scale(decode_depth(row["depth"], size), path.camera_to_world)
    return backward_flow(depth, poses, path.intrinsics)
