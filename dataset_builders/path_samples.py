"""Many camera paths without any scene: what the camera tokenizer is trained on.

The moves and lenses are those of the rooms (`room_paths`), plus paths played backwards and paths at other scales, since a
room rejects some of them and a reversed path starts at another depth. All numbers are our choice.
"""

from __future__ import annotations

import numpy as np

from .rooms.room_paths import sample_lens, sample_path


def sample_model_path(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A path as a model takes it: camera_to_world `[T, 4, 4]`, relative, in scene depths, and intrinsics `[T, 4]`."""
    path = sample_path(rng)
    poses, zoom = path.camera_to_world, path.zoom
    if rng.random() < 0.3:
        poses, zoom = np.linalg.inv(poses[-1]) @ poses[::-1], zoom[::-1] / zoom[-1]
    poses = poses.copy()
    poses[:, :3, 3] *= rng.uniform(0.7, 1.3)
    intrinsics = np.tile(sample_lens(rng), (len(poses), 1))
    intrinsics[:, :2] *= zoom[:, None]
    return poses.astype(np.float32), intrinsics.astype(np.float32)


def sample_model_paths(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` paths, stacked: `[count, T, 4, 4]` and `[count, T, 4]`."""
    rng = np.random.default_rng(seed)
    poses, intrinsics = zip(*(sample_model_path(rng) for _ in range(count)), strict=True)
    return np.stack(poses), np.stack(intrinsics)
