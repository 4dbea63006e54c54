"""A long camera path as stretches of a model's length, each of which begins with the pose that ends the one before.

What always holds: k stretches of n poses have k (n - 1) + 1 different poses between them, because a pose where two meet stands
in both; a stretch is relative to its own first pose, in scene depths; its lens is that of the whole path. The paper's clips
have 17 frames, so 17, 34, 51 and 68 generated frames are 1, 2, 3 and 4 stretches: videos of 17, 33, 49 and 65 different frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .arrays import is_positive_number
from .camera_path import CameraPath


def count_stretches(num_poses: int, poses_each: int = 17) -> int:
    """How many stretches a path of so many poses needs; the last one may be longer than what is left of the path."""
    if num_poses < 2 or poses_each < 2:
        raise ValueError(f"expected a path and stretches of at least 2 poses, got {num_poses} and {poses_each}")
    return -(-(num_poses - 1) // (poses_each - 1))


def cut_into_stretches(
    path: CameraPath, poses_each: int = 17, median_depths: Sequence[float] | None = None
) -> list[CameraPath]:
    """A path -> its stretches. Where the last one is longer than the path, the camera rests at the path's last pose.

    Args:
        path: at least 2 poses, with a known scale.
        poses_each: n, poses of a stretch.
        median_depths: the median depth of the picture at which each stretch begins, all in one unit, whichever: only their
            ratios to the first one count. Without them all pictures are taken to be as deep as the first, so that the
            amounts of a stretch are too large or too small where the camera has come nearer or gone farther away.

    Raises:
        ValueError: a path of one pose, without a known scale, or another number of depths than stretches.
    """
    count = count_stretches(path.num_frames, poses_each)
    scales = _scales(median_depths, count)
    scaled = path.to_unit("scene_depth")
    missing = count * (poses_each - 1) + 1 - path.num_frames
    poses = np.concatenate([scaled.camera_to_world, np.repeat(scaled.camera_to_world[-1:], missing, axis=0)])
    intrinsics = np.concatenate([scaled.intrinsics, np.repeat(scaled.intrinsics[-1:], missing, axis=0)])
    stretches = []
    for number, scale in enumerate(scales):
        part = slice(number * (poses_each - 1), (number + 1) * (poses_each - 1) + 1)
        relative = replace(scaled, camera_to_world=poses[part], intrinsics=intrinsics[part]).relative()
        nearer = relative.camera_to_world.copy()
        nearer[:, :3, 3] /= scale
        stretches.append(replace(relative, camera_to_world=nearer))
    return stretches


def _scales(median_depths: Sequence[float] | None, count: int) -> list[float]:
    """Of each stretch, how deep its first picture is against that of the whole path."""
    if median_depths is None:
        return [1.0] * count
    if len(median_depths) != count or not all(is_positive_number(depth) for depth in median_depths):
        raise ValueError(
            f"expected {count} median depths above 0, one a stretch, got {[float(depth) for depth in median_depths]}"
        )
    return [depth / median_depths[0] for depth in median_depths]
