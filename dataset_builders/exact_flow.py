"""Exact optical flow of a clip whose depth, cameras and, where things move by themselves, objects are known.

What always holds: depth is z along the ray through a pixel's centre; pixel (i, j) has its centre at
((i + 0.5) / W, (j + 0.5) / H). `backward_flow` leads from frame t >= 1 to frame 0 (what the motion tokenizer reads),
in units of the frame's width and height; `forward_flow` leads from t to t + 1 in pixels (what the metric measures). Both take
every point to be at rest. `backward_flow_parts` and `forward_flow_parts` split the flow of moving objects: the camera's part
is what the flow would be were the point at rest, the objects' part is the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

LIMIT = 1.5  # backward flow is clipped to [-LIMIT, LIMIT]
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 0.06, 0.04  # of the depth comparison; the second in metres
OBJECT_TOLERANCE = (
    0.02  # of z + 1 metre, on moving objects: they may turn a point to the back, which is not far from the front
)
NEAR = 0.02  # metres; nearer points count as behind the camera
_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _reproject(x, y, z, lens, transform, target_lens):
    """Normalised picture position and z in the target camera of the point at (x, y), depth z, of a source camera."""
    px, py = (x - lens[2]) / lens[0] * z, (y - lens[3]) / lens[1] * z
    qx = transform[0, 0] * px + transform[0, 1] * py + transform[0, 2] * z + transform[0, 3]
    qy = transform[1, 0] * px + transform[1, 1] * py + transform[1, 2] * z + transform[1, 3]
    qz = transform[2, 0] * px + transform[2, 1] * py + transform[2, 2] * z + transform[2, 3]
    divisor = max(qz, NEAR)
    return qx / divisor * target_lens[0] + target_lens[2], qy / divisor * target_lens[1] + target_lens[3], qz


@_jit
def _is_seen(depth, object_ids, thing, x, y, z):
    """Whether a depth map shows object `thing` at about depth z in any of the 2 x 2 pixels around a normalised position."""
    height, width = depth.shape
    if not (0 <= x < 1 and 0 <= y < 1):
        return False
    column, row = int(np.floor(x * width - 0.5)), int(np.floor(y * height - 0.5))
    tolerance = RELATIVE_TOLERANCE * z + ABSOLUTE_TOLERANCE
    if thing > 0:
        tolerance = OBJECT_TOLERANCE * (z + 1.0)
    for j in range(max(row, 0), min(row + 2, height)):
        for i in range(max(column, 0), min(column + 2, width)):
            if object_ids[j, i] == thing and abs(depth[j, i] - z) <= tolerance:
                return True
    return False


@_jit
def _backward(depth, object_ids, to_first, intrinsics, flow, visibility, in_front):
    frames, height, width = depth.shape
    for t in range(1, frames):
        for j in range(height):
            for i in range(width):
                x, y, thing = (i + 0.5) / width, (j + 0.5) / height, object_ids[t, j, i]
                u, v, z = _reproject(x, y, depth[t, j, i], intrinsics[t], to_first[t, thing], intrinsics[0])
                flow[t - 1, 0, j, i] = min(max(u - x, -LIMIT), LIMIT)
                flow[t - 1, 1, j, i] = min(max(v - y, -LIMIT), LIMIT)
                if z > NEAR:
                    in_front[t - 1, j, i] = 1
                    visibility[t - 1, j, i] = _is_seen(depth[0], object_ids[0], thing, u, v, z)


@_jit
def _forward(depth, object_ids, to_next, intrinsics, flow, visibility, in_front):
    frames, height, width = depth.shape
    for t in range(frames - 1):
        for j in range(height):
            for i in range(width):
                x, y, thing = (i + 0.5) / width, (j + 0.5) / height, object_ids[t, j, i]
                u, v, z = _reproject(x, y, depth[t, j, i], intrinsics[t], to_next[t, thing], intrinsics[t + 1])
                flow[t, j, i, 0], flow[t, j, i, 1] = (u - x) * width, (v - y) * height
                if z > NEAR:
                    in_front[t, j, i] = 1
                    visibility[t, j, i] = _is_seen(depth[t + 1], object_ids[t + 1], thing, u, v, z)


def _checked(depth, camera_to_world, intrinsics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    depth = np.ascontiguousarray(depth, np.float32)
    poses, lenses = np.asarray(camera_to_world, np.float64), np.ascontiguousarray(intrinsics, np.float64)
    if depth.ndim != 3 or poses.shape != (len(depth), 4, 4) or lenses.shape != (len(depth), 4):
        raise ValueError(
            "expected depth [T, H, W], camera_to_world [T, 4, 4] and intrinsics [T, 4], "
            f"got {depth.shape}, {poses.shape} and {lenses.shape}"
        )
    return depth, poses, lenses


def _checked_objects(depth, object_ids, object_to_world) -> tuple[np.ndarray, np.ndarray]:
    ids, moved = np.asarray(object_ids), np.asarray(object_to_world, np.float64)
    if ids.shape != depth.shape or moved.ndim != 4 or moved.shape[0] != len(depth) or moved.shape[2:] != (4, 4):
        raise ValueError(
            f"expected object_ids {list(depth.shape)} and object_to_world [{len(depth)}, K, 4, 4], "
            f"got {list(ids.shape)} and {list(moved.shape)}"
        )
    if ids.min() < 0 or ids.max() > moved.shape[1]:
        raise ValueError(f"expected object_ids of 0 to {moved.shape[1]}, got {ids.min()} to {ids.max()}")
    return np.ascontiguousarray(ids, np.uint8), moved


def _transforms(source_poses, target_poses, source_objects, target_objects) -> np.ndarray:
    """[S, 1 + K, 4, 4]: where points of the source cameras [S, 4, 4] go in the target cameras, at rest and on each object.

    A point of object k is carried along by its pose: world_to_target @ object_to_world(target) @ world_to_object(source).
    """
    to_target = np.linalg.inv(target_poses)
    at_rest = (to_target @ source_poses)[:, None]
    carried = to_target[:, None] @ target_objects @ np.linalg.inv(source_objects) @ source_poses[:, None]
    return np.ascontiguousarray(np.concatenate([at_rest, carried], axis=1))


def _nothing_moves(depth) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(depth.shape, np.uint8), np.zeros((len(depth), 0, 4, 4))


def _backward_flow(depth, poses, lenses, ids, moved) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = (len(depth) - 1, *depth.shape[1:])
    flow = np.empty((shape[0], 2, *shape[1:]), np.float32)
    visibility, in_front = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    to_first = _transforms(poses, poses[:1], moved, moved[:1])
    _backward(depth, ids, to_first, lenses, flow, visibility, in_front)
    return flow, visibility, in_front


def _forward_flow(depth, poses, lenses, ids, moved) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = (len(depth) - 1, *depth.shape[1:])
    flow = np.empty((*shape, 2), np.float32)
    visibility, in_front = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    to_next = _transforms(poses[:-1], poses[1:], moved[:-1], moved[1:])
    _forward(depth, ids, to_next, lenses, flow, visibility, in_front)
    return flow, visibility, in_front


def flow_to_first_frame(clip: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `backward_flow`, of a clip with depth as `clip_folders` gives it: that of the points as they move, where things do."""
    depth, poses, lenses = _checked(clip["depth"], clip["camera_to_world"], clip["intrinsics"])
    if "object_ids" not in clip:
        return _backward_flow(depth, poses, lenses, *_nothing_moves(depth))
    objects = _checked_objects(depth, clip["object_ids"], clip["object_to_world"])
    return _backward_flow(depth, poses, lenses, *objects)


def backward_flow(depth, camera_to_world, intrinsics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flow from frames 1..T-1 to frame 0, where frame 0 shows each point, and where the flow is defined at all.

    depth [T, H, W] and the translations of camera_to_world [T, 4, 4] in metres; intrinsics [T, 4] normalised. Returns
    flow [T-1, 2, H, W] float32, the displacement in frame widths (x) and heights (y), clipped to [-1.5, 1.5];
    visibility [T-1, H, W] uint8, 1 where frame 0 shows the same surface point; in_front [T-1, H, W] uint8, 0 where the
    point lies behind the camera of frame 0, so that its flow means nothing.
    """
    depth, poses, lenses = _checked(depth, camera_to_world, intrinsics)
    return _backward_flow(depth, poses, lenses, *_nothing_moves(depth))


def forward_flow(depth, camera_to_world, intrinsics) -> np.ndarray:
    """Flow [T-1, H, W, 2] float32 in pixels from frame t to frame t + 1, at the pixels of frame t; inputs as above."""
    depth, poses, lenses = _checked(depth, camera_to_world, intrinsics)
    return _forward_flow(depth, poses, lenses, *_nothing_moves(depth))[0]


@dataclass(frozen=True)
class FlowParts:
    """Exact flow split by its causes; `total` and `camera` have the shape, units and direction of the function that made them."""

    total: np.ndarray  # of the points as they move
    camera: np.ndarray  # were every point at rest
    visibility: np.ndarray  # [T-1, H, W] uint8, 1 where the frame that the flow leads to shows the same surface point
    in_front: np.ndarray  # [T-1, H, W] uint8, 0 where `total` leads behind that frame's camera and means nothing
    moving: np.ndarray  # [T-1, H, W] bool, the pixels of moving objects in the frame that the flow starts from

    @property
    def objects(self) -> np.ndarray:
        """The part that objects add by moving themselves: zero outside `moving`."""
        return self.total - self.camera


def backward_flow_parts(depth, camera_to_world, intrinsics, object_ids, object_to_world) -> FlowParts:
    """As `backward_flow`, from frames 1..T-1 to frame 0, split; flows [T-1, 2, H, W] in frame widths and heights.

    object_ids [T, H, W]: 0 where a pixel shows what is at rest, k where it shows the rigid object of pose
    object_to_world[:, k - 1], [T, K, 4, 4] in metres. Both flows are clipped to [-1.5, 1.5] before they are subtracted.
    """
    depth, poses, lenses = _checked(depth, camera_to_world, intrinsics)
    ids, moved = _checked_objects(depth, object_ids, object_to_world)
    total, visibility, in_front = _backward_flow(depth, poses, lenses, ids, moved)
    camera = _backward_flow(depth, poses, lenses, *_nothing_moves(depth))[0]
    return FlowParts(total, camera, visibility, in_front, ids[1:] > 0)


def forward_flow_parts(depth, camera_to_world, intrinsics, object_ids, object_to_world) -> FlowParts:
    """As `forward_flow`, from each frame to the next, split; flows [T-1, H, W, 2] in pixels; inputs as above."""
    depth, poses, lenses = _checked(depth, camera_to_world, intrinsics)
    ids, moved = _checked_objects(depth, object_ids, object_to_world)
    total, visibility, in_front = _forward_flow(depth, poses, lenses, ids, moved)
    camera = _forward_flow(depth, poses, lenses, *_nothing_moves(depth))[0]
    return FlowParts(total, camera, visibility, in_front, ids[:-1] > 0)
