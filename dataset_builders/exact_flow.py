"""Exact optical flow of a clip whose depth and cameras are known.

What always holds: depth is z along the ray through a pixel's centre; pixel (i, j) has its centre at
((i + 0.5) / W, (j + 0.5) / H). `backward_flow` leads from frame t >= 1 to frame 0 (what the motion tokenizer reads),
in units of the frame's width and height; `forward_flow` leads from t to t + 1 in pixels (what the metric measures).
"""

import numba
import numpy as np

LIMIT = 1.5  # backward flow is clipped to [-LIMIT, LIMIT]
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 0.06, 0.04  # of the depth comparison; the second in metres
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
def _is_seen(depth, x, y, z):
    """Whether a depth map shows a surface at about depth z in any of the 2 x 2 pixels around a normalised position."""
    height, width = depth.shape
    if not (0 <= x < 1 and 0 <= y < 1):
        return False
    column, row = int(np.floor(x * width - 0.5)), int(np.floor(y * height - 0.5))
    tolerance = RELATIVE_TOLERANCE * z + ABSOLUTE_TOLERANCE
    for j in range(max(row, 0), min(row + 2, height)):
        for i in range(max(column, 0), min(column + 2, width)):
            if abs(depth[j, i] - z) <= tolerance:
                return True
    return False


@_jit
def _backward(depth, to_first, intrinsics, flow, visibility, in_front):
    frames, height, width = depth.shape
    for t in range(1, frames):
        for j in range(height):
            for i in range(width):
                x, y = (i + 0.5) / width, (j + 0.5) / height
                u, v, z = _reproject(x, y, depth[t, j, i], intrinsics[t], to_first[t], intrinsics[0])
                flow[t - 1, 0, j, i] = min(max(u - x, -LIMIT), LIMIT)
                flow[t - 1, 1, j, i] = min(max(v - y, -LIMIT), LIMIT)
                if z > NEAR:
                    in_front[t - 1, j, i] = 1
                    visibility[t - 1, j, i] = _is_seen(depth[0], u, v, z)


@_jit
def _forward(depth, to_next, intrinsics, flow):
    frames, height, width = depth.shape
    for t in range(frames - 1):
        for j in range(height):
            for i in range(width):
                x, y = (i + 0.5) / width, (j + 0.5) / height
                u, v, _ = _reproject(x, y, depth[t, j, i], intrinsics[t], to_next[t], intrinsics[t + 1])
                flow[t, j, i, 0], flow[t, j, i, 1] = (u - x) * width, (v - y) * height


def _checked(depth, camera_to_world, intrinsics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    depth = np.ascontiguousarray(depth, np.float32)
    poses, lenses = np.asarray(camera_to_world, np.float64), np.ascontiguousarray(intrinsics, np.float64)
    if depth.ndim != 3 or poses.shape != (len(depth), 4, 4) or lenses.shape != (len(depth), 4):
        raise ValueError(
            "expected depth [T, H, W], camera_to_world [T, 4, 4] and intrinsics [T, 4], "
            f"got {depth.shape}, {poses.shape} and {lenses.shape}"
        )
    return depth, poses, lenses


def backward_flow(depth, camera_to_world, intrinsics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flow from frames 1..T-1 to frame 0, where frame 0 shows each point, and where the flow is defined at all.

    depth [T, H, W] and the translations of camera_to_world [T, 4, 4] in metres; intrinsics [T, 4] normalised. Returns
    flow [T-1, 2, H, W] float32, the displacement in frame widths (x) and heights (y), clipped to [-1.5, 1.5];
    visibility [T-1, H, W] uint8, 1 where frame 0 shows the same surface point; in_front [T-1, H, W] uint8, 0 where the
    point lies behind the camera of frame 0, so that its flow means nothing.
    """
    depth, poses, lenses = _checked(depth, camera_to_world, intrinsics)
    shape = (len(depth) - 1, *depth.shape[1:])
    flow = np.empty((shape[0], 2, *shape[1:]), np.float32)
    visibility, in_front = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    _backward(depth, np.linalg.inv(poses[0]) @ poses, lenses, flow, visibility, in_front)
    return flow, visibility, in_front


def forward_flow(depth, camera_to_world, intrinsics) -> np.ndarray:
    """Flow [T-1, H, W, 2] float32 in pixels from frame t to frame t + 1, at the pixels of frame t; inputs as above."""
    depth, poses, lenses = _checked(depth, camera_to_world, intrinsics)
    flow = np.empty((len(depth) - 1, *depth.shape[1:], 2), np.float32)
    _forward(depth, np.linalg.inv(poses[1:]) @ poses[:-1], lenses, flow)
    return flow
