"""The flow metric: known motion is measured, a static clip errs by the whole motion, mirrors see the same error."""

import cv2
import numpy as np
import pytest

from camvig.metrics.flow_mse import (
    ESTIMATORS,
    dis_flow,
    flow,
    flow_cosine,
    flow_mse,
    flow_mse_between,
    flow_mse_by_region,
    hidden_sources,
    motion_ratio,
    normalised_flow_mse,
)

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
    estimated = dis_flow(moving_clip(*shift))
    assert estimated.shape == (3, 64, 64, 2) and estimated.dtype == np.float32
    inner = estimated[INNER].reshape(-1, 2)
    assert np.abs(np.median(inner, axis=0) - shift).max() < 0.15
    assert np.abs(inner.mean(axis=0) - shift).max() < 0.15


@pytest.mark.parametrize(("size", "shift"), [(48, (1.5, -1.0)), (128, (2.5, 1.0)), (160, (3.0, -2.0))])
def test_flow_is_in_pixels_of_the_given_frames(size, shift):
    estimated = dis_flow(moving_clip(*shift, num_frames=2, size=size))
    assert np.abs(np.median(estimated[INNER].reshape(-1, 2), axis=0) - shift).max() < 0.15


def test_flow_of_frames_that_are_not_square():
    clip = moving_clip(2.0, -1.0, num_frames=2, size=96)[:, :64]
    estimated = dis_flow(clip)
    assert estimated.shape == (1, 64, 96, 2)
    assert np.abs(np.median(estimated[INNER].reshape(-1, 2), axis=0) - (2.0, -1.0)).max() < 0.15


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
    estimated = dis_flow(truth)
    assert np.abs(np.median(dis_flow(truth[:, :, ::-1])[INNER][..., 0]) + np.median(estimated[INNER][..., 0])) < 0.05


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


def constant_flow(x: float, y: float, shape: tuple[int, ...] = (2, 4, 6)) -> np.ndarray:
    return np.broadcast_to(np.array([x, y], np.float32), (*shape, 2)).copy()


def test_normalised_error_is_0_for_the_truth_and_1_for_a_static_clip():
    truth = constant_flow(3.0, -4.0)
    assert normalised_flow_mse(truth, truth) == 0
    assert normalised_flow_mse(np.zeros_like(truth), truth) == 1
    assert normalised_flow_mse(-truth, truth) == 4
    assert normalised_flow_mse(constant_flow(3.0, 1.0), truth) == 1


def test_a_truth_that_does_not_move_has_no_relative_error():
    still, moving = constant_flow(0.05, 0.0), constant_flow(1.0, 0.0)
    for metric in (normalised_flow_mse, flow_cosine, motion_ratio):
        assert np.isnan(metric(moving, still))
        assert not np.isnan(metric(still, moving))


def test_regions_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, 8, 8, 2)).astype(np.float32)
    generated = rng.normal(size=truth.shape).astype(np.float32)
    hidden = rng.random((3, 8, 8)) < 0.3
    parts = flow_mse_by_region(generated, truth, hidden)
    assert parts.disoccluded_share == pytest.approx(hidden.mean())
    whole = parts.seen * (1 - parts.disoccluded_share) + parts.disoccluded * parts.disoccluded_share
    assert whole == pytest.approx(flow_mse_between(generated, truth))


def test_an_error_in_what_comes_into_view_counts_there_alone():
    truth, hidden = constant_flow(1.0, 0.0), np.zeros((2, 4, 6), bool)
    hidden[1, :, 4:] = True
    generated = truth.copy()
    generated[1, :, 4:] += (0.0, 3.0)
    assert flow_mse_by_region(generated, truth, hidden) == (0.0, 9.0, 8 / 48)
    nothing_hidden = flow_mse_by_region(generated, truth, np.zeros_like(hidden))
    assert np.isnan(nothing_hidden.disoccluded) and nothing_hidden.seen == flow_mse_between(generated, truth)


def test_hidden_sources_are_of_the_earlier_frame():
    visibility = np.ones((3, 2, 2), np.uint8)  # of frames 1, 2, 3
    visibility[0, 0, 0], visibility[2] = 0, 0
    hidden = hidden_sources(visibility)  # of frames 0, 1, 2
    assert hidden.dtype == bool and hidden.sum() == 1 and hidden[1, 0, 0]


def test_cosine_sees_the_direction_alone():
    truth = constant_flow(2.0, 0.0)
    assert flow_cosine(10 * truth, truth) == pytest.approx(1)
    assert flow_cosine(-truth, truth) == pytest.approx(-1)
    assert flow_cosine(constant_flow(0.0, 1.0), truth) == 0
    assert flow_cosine(constant_flow(1.0, 1.0), truth) == pytest.approx(np.sqrt(0.5))
    assert flow_cosine(np.zeros_like(truth), truth) == 0


def test_cosine_weighs_by_the_length_of_the_true_flow():
    truth = np.array([[[[3.0, 0.0], [1.0, 0.0]]]])
    assert flow_cosine(truth * [[[[1.0], [-1.0]]]], truth) == pytest.approx((3 - 1) / 4)


def test_ratio_is_how_much_of_the_motion_is_there():
    truth = constant_flow(3.0, 4.0)
    for factor in (0.0, 0.5, 1.0, 2.0, -1.0):
        assert motion_ratio(factor * truth, truth) == pytest.approx(factor)
    assert motion_ratio(truth + constant_flow(-4.0, 3.0), truth) == pytest.approx(1)  # across does not count


def test_dis_measures_motion_of_real_frames_in_the_right_relations():
    truth, half = dis_flow(moving_clip(2.0, 0.0)), dis_flow(moving_clip(1.0, 0.0))
    assert motion_ratio(half, truth) == pytest.approx(0.5, abs=0.05)
    assert flow_cosine(half, truth) > 0.98
    assert normalised_flow_mse(half, truth) == pytest.approx(0.25, abs=0.05)


def test_estimators_by_name():
    clip = moving_clip(1.0, 0.0)
    assert np.array_equal(flow(clip), dis_flow(clip)) and set(ESTIMATORS) == {"dis", "raft"}
    with pytest.raises(ValueError, match=r"one of \['dis', 'raft'\], got 'farneback'"):
        flow(clip, "farneback")


@pytest.mark.parametrize(
    ("generated", "problem"),
    [
        (constant_flow(1, 0, (3, 4, 6)), "in one shape"),
        (np.zeros((2, 4, 6, 2), np.int64), "of floating numbers"),
        (constant_flow(np.nan, 0), "expected finite flows, got 48 numbers that are not"),
    ],
)
def test_what_is_no_flow_is_refused(generated, problem):
    for metric in (flow_mse_between, normalised_flow_mse, flow_cosine, motion_ratio):
        with pytest.raises(ValueError, match=problem):
            metric(generated, constant_flow(1, 0))


def test_masks_of_another_kind_are_refused():
    truth = constant_flow(1.0, 0.0)
    for mask in (np.zeros((2, 4, 6), np.uint8), np.zeros((3, 4, 6), bool)):
        with pytest.raises(ValueError, match=r"expected hidden \[2, 4, 6\] of bool"):
            flow_mse_by_region(truth, truth, mask)
    with pytest.raises(ValueError, match="expected visibility"):
        hidden_sources(np.zeros((3, 2, 2)))
