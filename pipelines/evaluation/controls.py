"""Controls that need no model: what a video scores that knows less than a model, or more than one could.

What always holds: a control is made of the clip's first frame, `[T, S, S, 3]` uint8, frame 0 untouched. They are our choice; what
each proves stands in docs/evaluation.md. `planar_warp` and `depth_warp` are oracles: the one picks its depth with the true
video in hand, the other is given the exact depth of every frame to come. Holes: beyond the edges of the first frame both show its
mirror image, and where a surface was covered, what covered it. Of the ways to fill that were tried (edge colours drawn out,
`cv2.inpaint`) that one has the least flow MSE, because it has texture and each hole moves as the truth does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...camera_paths.camera_path import CameraPath
from ...dataset_builders.clip_videos import decode_video, encode_video
from ...dataset_builders.exact_flow import backward_flow
from ...metrics.flow_mse import dis_flow, flow_mse_between
from .eval_clips import EvalClip

PLANE_DEPTHS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, float("inf"))
"""Scene depths among which `planar_warp` chooses."""
NEAREST_PLANE = 0.05  # scene depths: how near a camera may come to the plane


def static_video(frames: np.ndarray) -> np.ndarray:
    """The first frame, repeated."""
    return np.repeat(frames[:1], len(frames), axis=0)


def reencoded(clip: EvalClip) -> np.ndarray:
    """The true frames through H.264 as clips are stored (`clip_videos`): what the metric gives for nothing that can be seen."""
    return decode_video(encode_video(clip.frames, clip.path.fps))


@dataclass(frozen=True)
class PlanarWarp:
    """The best of some planar warps."""

    frames: np.ndarray
    depth: float  # scene depths


def planar_warp(clip: EvalClip, true_flow: np.ndarray) -> PlanarWarp:
    """The first frame as if it were a flat picture at a constant depth: the depth of `PLANE_DEPTHS` with the least flow MSE."""
    best, least = None, float("inf")
    for depth in usable_depths(clip.path):
        frames = warped_plane(clip.frames[0], clip.path, depth)
        error = flow_mse_between(dis_flow(frames), true_flow)
        if error < least:
            best, least = PlanarWarp(frames, depth), error
    assert best is not None  # a plane at infinity is always usable
    return best


def usable_depths(path: CameraPath) -> tuple[float, ...]:
    """Of `PLANE_DEPTHS` those that the camera does not come near; all give the same where it does not travel."""
    if np.abs(path.camera_to_world[:, :3, 3]).max() < 1e-6:
        return PLANE_DEPTHS[-1:]
    forward = path.camera_to_world[:, 2, 3].max()
    return tuple(depth for depth in PLANE_DEPTHS if depth - forward >= NEAREST_PLANE)


def warped_plane(picture: np.ndarray, path: CameraPath, depth: float) -> np.ndarray:
    """A picture `[S, S, 3]` at a constant depth before the first camera, as the cameras of a path see it: `[T, S, S, 3]`."""
    size = picture.shape[0]
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(centres, centres)
    places = np.stack([x, y, np.ones_like(x)], axis=-1)  # [S, S, 3] homogeneous, normalised
    to_first = np.linalg.inv(plane_homographies(path, depth))
    frames = [picture]
    for homography in to_first[1:]:
        seen = places @ homography.T
        divisor = np.maximum(seen[..., 2], 1e-6)
        frames.append(_sampled(picture, seen[..., 0] / divisor, seen[..., 1] / divisor))
    return np.stack(frames)


def plane_homographies(path: CameraPath, depth: float) -> np.ndarray:
    """`[T, 3, 3]`: normalised places in the first picture to those in each, K_t R_t' (I - c_t n' / depth) K_0^-1, n along z."""
    rotations, centres = path.camera_to_world[:, :3, :3], path.camera_to_world[:, :3, 3]
    normal = np.array([0.0, 0.0, 1.0])
    moved = np.eye(3) - centres[:, :, None] * normal / depth
    lenses = path.to_matrices()[1]
    return lenses @ rotations.transpose(0, 2, 1) @ moved @ np.linalg.inv(lenses[0])


def depth_warp(clip: EvalClip) -> np.ndarray:
    """The first frame moved by the camera's exact flow of every later frame, for which their true depth is needed.

    What moves by itself stays where it was.
    """
    assert clip.depth is not None
    picture, flow = clip.frames[0], backward_flow(clip.depth, clip.camera_to_world, clip.path.intrinsics)[0]
    size = picture.shape[0]
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(centres, centres)
    frames = [_sampled(picture, x + shift[0], y + shift[1]) for shift in flow]
    return np.stack([picture, *frames])


FAR = 16
"""Sizes of the picture beyond which a place is brought nearer."""


def _nearer(places: np.ndarray, size: int) -> np.ndarray:
    """Places in pixels, far ones moved by whole periods of the mirror image: OpenCV goes there reflection by reflection."""
    return np.where(np.abs(places) > FAR * size, np.mod(places, 2 * size), places)


def _sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A picture `[S, S, 3]` read at normalised places `[S, S]`; beyond its edges its mirror image."""
    size = picture.shape[0]
    columns, rows = (_nearer(places * size - 0.5, size).astype(np.float32) for places in (x, y))
    return cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
