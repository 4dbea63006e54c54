"""Variants of a clip that are clips themselves: mirrored left to right, and played backwards.

A scene at rest seen along the reversed path is as true as along the path; only its first frame, and with it the scale of
the path (its median depth), is another. A variant has the same arrays as a cached clip, those of moving objects included, so
everything derived from them, flow and relative path among it, is computed after the change and needs no rules of its own.
"""

from __future__ import annotations

import numpy as np

from .clip_checks import keeps_the_first_view, median_depth

_OF_EACH_FRAME = ("frames", "depth", "camera_to_world", "intrinsics", "object_ids", "object_to_world")
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
LARGEST_TRANSLATION = 0.7
"""Scene depths from the first pose; a reversed dolly in starts near things, and may be too long a path for the model."""


def mirrored(clip: dict) -> dict:
    """Left becomes right: frames, depth (None where it is not known), poses and principal point, and moving objects."""
    intrinsics = np.array(clip["intrinsics"])
    intrinsics[:, 2] = 1 - intrinsics[:, 2]
    objects = {}
    if "object_ids" in clip:
        moved = np.asarray(clip["object_to_world"], np.float64)
        ids = np.ascontiguousarray(clip["object_ids"][:, :, ::-1])
        objects = {"object_ids": ids, "object_to_world": _MIRROR @ moved @ _MIRROR}
    return {
        **clip,
        **objects,
        "frames": np.ascontiguousarray(clip["frames"][:, :, ::-1]),
        "depth": None if clip["depth"] is None else np.ascontiguousarray(clip["depth"][:, :, ::-1]),
        "camera_to_world": _MIRROR @ np.asarray(clip["camera_to_world"], np.float64) @ _MIRROR,
        "intrinsics": intrinsics,
    }


def reversed_in_time(clip: dict) -> dict:
    """The last frame becomes the first."""
    arrays = {name: clip[name][::-1] for name in _OF_EACH_FRAME if name in clip}
    return {**clip, **arrays, "median_depth": median_depth(np.asarray(arrays["depth"][0], np.float32))}


def is_in_range(clip: dict) -> bool:
    """Whether a variant is a clip that the rooms could have given: not too long a path, the first view kept in sight."""
    if np.abs(relative_path(clip)[0][:, :3, 3]).max() > LARGEST_TRANSLATION:
        return False
    return keeps_the_first_view(clip["depth"], clip["camera_to_world"], clip["intrinsics"])


def random_variant(clip: dict, rng: np.random.Generator) -> dict:
    """Mirrored half of the time; reversed in three of ten, where that stays in range."""
    mirror, reverse = rng.random() < 0.5, rng.random() < 0.3
    if reverse and is_in_range(backwards := reversed_in_time(clip)):
        clip = backwards
    return mirrored(clip) if mirror else clip


def relative_path(clip: dict) -> tuple[np.ndarray, np.ndarray]:
    """camera_to_world `[T, 4, 4]` float32 relative to frame 0 with translations in scene depths, intrinsics `[T, 4]`."""
    poses = np.asarray(clip["camera_to_world"], np.float64)
    relative = np.linalg.inv(poses[0]) @ poses
    relative[:, :3, 3] /= float(clip["median_depth"])
    return relative.astype(np.float32), np.asarray(clip["intrinsics"], np.float32)
