"""Depth as bytes, and the exact flow that comes of it."""

import numpy as np
import pytest

from camvig.camera_paths import CameraPath
from camvig.dataset_builders.clip_depth import decode_depth, encode_depth, exact_backward_flow
from camvig.dataset_builders.clip_rows import path_columns


def test_depth_comes_back_to_three_digits_and_emptiness_exactly():
    depth = np.exp(np.random.default_rng(0).normal(0, 2, (17, 6, 5))).astype(np.float32)
    depth[3, :2], depth[4, 0, 0] = np.inf, 5000.0
    again = decode_depth(encode_depth(depth), (6, 5))
    near = depth < 1000
    np.testing.assert_allclose(again[near], depth[near], rtol=5e-4)
    assert np.isinf(again[~near]).all() and again.shape == (17, 6, 5)


@pytest.mark.parametrize("content, size", [(b"not depth", (6, 5)), (encode_depth(np.ones((17, 6, 5))), (7, 11))])
def test_other_bytes_and_another_size_are_refused(content, size):
    with pytest.raises(ValueError, match=f"expected the depth of pictures of {size[0]}x{size[1]} pixels, got others"):
        decode_depth(content, size)


def test_flow_of_a_truck_along_a_wall():
    """At one scene depth, a truck of 0.32 moves every point 0.32 x fx = 0.16 widths to the left."""
    path = CameraPath.truck(0.32)
    intrinsics = np.tile([0.5, 0.5, 0.5, 0.5], (17, 1))
    path = CameraPath(path.camera_to_world, intrinsics)
    row = {**path_columns(path, 2.0, "scene", "truck_right"), "fps": 8.0, "depth": encode_depth(np.ones((17, 8, 8)))}
    flow, visibility, in_front = exact_backward_flow(row, (8, 8))
    np.testing.assert_allclose(flow[-1, 0], 0.16, atol=1e-3)  # back to frame 0: to the right
    np.testing.assert_allclose(flow[:, 1], 0, atol=1e-6)
    assert visibility[-1, :, :6].all() and not visibility[-1, :, 7].any() and in_front.all()
