"""PSNR: known values, masks, and the two values that are no ordinary number."""

import math

import numpy as np
import pytest

from camvig.metrics.frame_quality import mean_psnr, psnr


def grey_clip(level: int, num_frames: int = 3) -> np.ndarray:
    return np.full((num_frames, 4, 6, 3), level, np.uint8)


@pytest.mark.parametrize(("level", "decibels"), [(101, 48.1308), (110, 28.1308), (90, 28.1308)])
def test_known_values(level, decibels):
    assert psnr(grey_clip(level), grey_clip(100)) == pytest.approx(decibels, abs=1e-3)


def test_black_against_white_is_zero_and_nothing_wraps_around():
    assert psnr(grey_clip(0), grey_clip(255)) == pytest.approx(0.0, abs=1e-6)


def test_first_frame_does_not_count():
    generated = grey_clip(100)
    generated[0] = 255
    assert psnr(generated, grey_clip(100)) == math.inf


def test_error_is_averaged_over_frames_before_the_logarithm():
    generated = grey_clip(100)
    generated[1] = 120  # the other of the two counted frames is right: half of 20^2
    assert psnr(generated, grey_clip(100)) == pytest.approx(10 * math.log10(255**2 / 200), abs=1e-4)


def test_mask_picks_the_pixels():
    generated = grey_clip(100)
    generated[1:, :, :2] = 110
    hidden = np.zeros((2, 4, 6), bool)
    hidden[:, :, :2] = True
    assert psnr(generated, grey_clip(100), hidden) == pytest.approx(28.1308, abs=1e-3)
    assert psnr(generated, grey_clip(100), ~hidden) == math.inf
    everything = np.ones_like(hidden)
    assert psnr(generated, grey_clip(100), everything) == pytest.approx(psnr(generated, grey_clip(100)))


def test_empty_mask_has_no_psnr():
    assert math.isnan(psnr(grey_clip(1), grey_clip(2), np.zeros((2, 4, 6), bool)))


def test_mean_leaves_out_and_counts_what_is_no_number():
    assert mean_psnr([20.0, math.nan, 30.0, math.inf]) == (25.0, 2, 1, 1)
    assert math.isnan(mean_psnr([math.nan]).mean) and math.isnan(mean_psnr([]).mean)


@pytest.mark.parametrize("mask", [np.ones((3, 4, 6), bool), np.ones((2, 4, 6), np.uint8)])
def test_unfit_mask_is_refused(mask):
    with pytest.raises(ValueError, match="expected a mask"):
        psnr(grey_clip(1), grey_clip(2), mask)


def test_clips_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="in one shape"):
        psnr(grey_clip(1), grey_clip(1, num_frames=4))
