"""The flow metric: known motion is measured, a static clip errs by the whole motion, mirrors see the same error."""

import cv2
import numpy as np
import pytest

from camvig.metrics.flow_mse import dis_flow, flow_mse, flow_mse_between

INNER = (slice(None), slice(8, -8), slice(8, -8))


def texture(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """A smooth, busy picture [size, size, 3] uint8."""
    noise = sum(
        cv2.resize(rng.random((cells, cells, 3)), (size, size), interpolation=cv2.INTER_CUBIC) / weight
        for cells, weight in ((8, 1), (32, 1), (64, 2))
    )
    return np.clip(noise / 2.5 * 255, 0, 255).astype(np.uint8)


def moving_clip(shift_x: float, shift_y: float, num_frames: int = 4, size: int = 64, seed: int = 0) -> np.ndarray:
    """A texture whose content moves by (shift_x, shift_y) pixels a frame: [T, size, size, 3] uint8."""
    picture = texture(np.random.default_rng(seed))
    frames = []
    for time in range(num_frames):
        to_picture = np.array([[1, 0, 60 - time * shift_x], [0, 1, 60 - time * shift_y]], np.float64)
        frames.append(cv2.warpAffine(picture, to_picture, (size, size), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP))
    return np.stack(frames)


@pytest.mark.parametrize("shift", [(1.5, 0.0), (-2.0, 0.0), (0.0, 1.0), (0.75, -1.25), (3.0, 2.0)])
def test_known_shift_gives_known_flow(shift):
    flow = dis_flow(moving_clip(*shift))
    assert flow.shape == (3, 64, 64, 2) and flow.dtype == np.float32
    inner = flow[INNER].reshape(-1, 2)
    assert np.abs(np.median(inner, axis=0) - shift).max() < 0.15
    assert np.abs(inner.mean(axis=0) - shift).max() < 0.15


@pytest.mark.parametrize(("size", "shift"), [(48, (1.5, -1.0)), (128, (2.5, 1.0)), (160, (3.0, -2.0))])
def test_flow_is_in_pixels_of_the_given_frames(size, shift):
    flow = dis_flow(moving_clip(*shift, num_frames=2, size=size))
    assert np.abs(np.median(flow[INNER].reshape(-1, 2), axis=0) - shift).max() < 0.15


def test_flow_of_frames_that_are_not_square():
    clip = moving_clip(2.0, -1.0, num_frames=2, size=96)[:, :64]
    flow = dis_flow(clip)
    assert flow.shape == (1, 64, 96, 2)
    assert np.abs(np.median(flow[INNER].reshape(-1, 2), axis=0) - (2.0, -1.0)).max() < 0.15


def test_static_clip_errs_by_the_power_of_the_true_flow():
    truth = moving_clip(1.5, 0.5)
    static = np.repeat(truth[:1], len(truth), axis=0)
    true_flow = dis_flow(truth)
    assert np.abs(dis_flow(static)).max() < 1e-3
    assert flow_mse(static, truth) == pytest.approx(np.square(true_flow).sum(-1).mean(), rel=1e-3)
    assert flow_mse(static, truth) == pytest.approx(1.5**2 + 0.5**2, rel=0.15)


def test_same_clip_has_no_error_and_opposite_motion_four_times_the_static_one():
    right, left = moving_clip(1.5, 0.0), moving_clip(-1.5, 0.0)
    static = np.repeat(right[:1], len(right), axis=0)
    assert flow_mse(right, right) == 0
    assert flow_mse(left, right) == pytest.approx(4 * flow_mse(static, right), rel=0.1)


def test_flow_mse_is_the_error_between_the_flows():
    right, down = moving_clip(1.0, 0.0), moving_clip(0.0, 1.0)
    assert flow_mse(right, down) == flow_mse_between(dis_flow(right), dis_flow(down))
    assert flow_mse_between(np.zeros((1, 2, 2, 2)), np.full((1, 2, 2, 2), 2.0)) == 8.0


def test_mirrored_clips_have_the_same_error():
    generated, truth = moving_clip(1.0, 0.5), moving_clip(2.0, 0.0)
    mirrored = flow_mse(generated[:, :, ::-1], truth[:, :, ::-1])
    assert mirrored == pytest.approx(flow_mse(generated, truth), rel=0.1)
    flow = dis_flow(truth)
    assert np.abs(np.median(dis_flow(truth[:, :, ::-1])[INNER][..., 0]) + np.median(flow[INNER][..., 0])) < 0.05


def test_number_of_threads_does_not_change_the_flow():
    clip, before = moving_clip(1.0, 0.5), cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        on_one = dis_flow(clip)
        cv2.setNumThreads(2)
        on_two = dis_flow(clip)
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(on_one, on_two)


@pytest.mark.parametrize(
    "frames",
    [np.zeros((4, 64, 64, 3), np.float32), np.zeros((64, 64, 3), np.uint8), np.zeros((1, 64, 64, 3), np.uint8)],
)
def test_what_is_no_clip_is_refused(frames):
    with pytest.raises(ValueError, match="expected frames"):
        dis_flow(frames)


def test_clips_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="in one shape"):
        flow_mse(np.zeros((4, 64, 64, 3), np.uint8), np.zeros((3, 64, 64, 3), np.uint8))
