"""PSNR: known values, masks, and the two values that are no ordinary number. SSIM: known values, and the slow sum."""

import math

import numpy as np
import pytest

from camvig.metrics.frame_quality import gradient_energy, mean_psnr, picture_psnr, picture_ssim, psnr, ssim


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


def test_psnr_of_a_picture_is_that_of_a_frame():
    picture, truth = noise_pair()
    assert picture_psnr(picture, truth) == pytest.approx(psnr(np.stack([truth, picture]), np.stack([truth, truth])))
    assert picture_psnr(truth, truth) == math.inf


def noise_pair(height: int = 19, width: int = 23) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture with noise, and without."""
    rows, columns = np.mgrid[:height, :width]
    truth = np.stack([100 + 3 * rows, 40 + 7 * columns, 120 + 2 * rows + columns], axis=-1).astype(np.uint8)
    noise = np.random.default_rng(3).integers(-20, 21, truth.shape)
    return (truth + noise).clip(0, 255).astype(np.uint8), truth


def test_ssim_of_two_even_greys_is_the_luminance_term():
    """No variance: what is left of the formula is (2ab + C1) / (a^2 + b^2 + C1), C1 = (0.01 * 255)^2."""
    even = np.full((16, 16, 3), 100, np.uint8)
    expected = (2 * 100 * 120 + 6.5025) / (100**2 + 120**2 + 6.5025)
    assert picture_ssim(even, np.full_like(even, 120)) == pytest.approx(expected, abs=1e-9)
    assert picture_ssim(even, even) == pytest.approx(1.0)


def test_ssim_of_a_negative():
    """Inverted noise about 127.5: equal variances, covariance -variance, so nearly -1 times the luminance."""
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert picture_ssim(picture, 255 - picture) < -0.9
    assert picture_ssim(picture, picture) == pytest.approx(1.0)


def test_ssim_is_the_slow_sum_over_windows():
    picture, truth = noise_pair()
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for row in range(19 - 10):
        for column in range(23 - 10):
            for channel in range(3):
                x, y = (each[row : row + 11, column : column + 11, channel].astype(float) for each in (picture, truth))
                mean_x, mean_y = (window * x).sum(), (window * y).sum()
                variance_x, variance_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
                covariance = (window * (x - mean_x) * (y - mean_y)).sum()
                values.append(
                    (2 * mean_x * mean_y + c1)
                    * (2 * covariance + c2)
                    / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
                )
    assert 0.2 < picture_ssim(picture, truth) == pytest.approx(np.mean(values), abs=1e-9)


def test_ssim_is_that_of_scikit_image():
    """Version 0.26.0: gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2."""
    assert picture_ssim(*noise_pair()) == pytest.approx(0.498658662, abs=1e-6)


def test_ssim_of_a_clip_leaves_the_first_frame_out():
    picture, truth = noise_pair()
    generated = np.stack([255 - truth, picture, truth])
    expected = (picture_ssim(picture, truth) + 1) / 2
    assert ssim(generated, np.stack([truth, truth, truth])) == pytest.approx(expected)


def test_pictures_that_ssim_cannot_take():
    picture, truth = noise_pair()
    with pytest.raises(ValueError, match="at least 11 pixels a side"):
        picture_ssim(picture[:10], truth[:10])
    with pytest.raises(ValueError, match="in one shape"):
        picture_ssim(picture, truth[:12])
    with pytest.raises(ValueError, match="of uint8, got"):
        picture_ssim(picture.astype(float), truth)


def test_gradient_energy_of_a_step_of_blur_and_of_nothing():
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    frames[0, :, 4:] = 70  # one step of 70 grey levels in each row of 7 differences
    frames[1, :, 4:], frames[1, :, 3] = 70, 35  # the same in two steps of 35
    step, blurred, flat = gradient_energy(frames)
    assert step == pytest.approx(70**2 / 7) and blurred == pytest.approx(2 * 35**2 / 7) and flat == 0
    assert gradient_energy(frames.transpose(0, 2, 1, 3)) == pytest.approx([step, blurred, flat])
