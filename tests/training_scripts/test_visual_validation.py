"""Validation of the visual tokenizer reports the numbers that the evaluation reports."""

import pytest
import torch

from camvig.metrics.frame_quality import psnr
from camvig.modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from camvig.training_scripts.visual_validation import (
    code_numbers,
    picture_psnr,
    quality,
    sample_grid,
    to_uint8,
    validate_plain,
    video_psnr,
)

TRUTH = torch.rand(2, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8


def test_video_psnr_is_that_of_the_metric():
    video = TRUTH + 0.1
    expected = [psnr(*pair) for pair in zip(to_uint8(video).numpy(), to_uint8(TRUTH).numpy(), strict=True)]
    assert video_psnr(video, TRUTH) == pytest.approx(sum(expected) / 2)
    assert video_psnr(video, TRUTH) == pytest.approx(26.0, abs=0.1)  # 20 log10(2 / 0.1)


def test_video_psnr_of_hidden_pixels_leaves_the_others_out():
    hidden = torch.zeros(2, 4, 16, 16, dtype=torch.bool)
    hidden[:, :, :4] = True
    wrong_elsewhere = TRUTH + 0.1
    wrong_elsewhere[..., 4:, :] += 0.5
    assert video_psnr(wrong_elsewhere, TRUTH, hidden) == pytest.approx(26.0, abs=0.1)


def test_picture_psnr_of_a_known_error():
    assert picture_psnr(TRUTH[:, :, 0] + 0.2, TRUTH[:, :, 0]) == pytest.approx(20.0, abs=1e-3)


def test_quality_counts_all_frames():
    video = TRUTH.clone()
    assert quality(video, TRUTH)["perceptual"] == 0
    video[:, :, 0] += 0.2
    assert quality(video, TRUTH)["psnr"] == pytest.approx((20 + 4 * 100) / 5, abs=0.01)
    assert quality(video, TRUTH)["perceptual"] > 0


def test_code_numbers_of_known_ids():
    ids = torch.tensor([0, 1, 0, 1]).reshape(1, 1, 2, 2)  # the first of 3 bits is used evenly, the others never
    expected = {"distinct_codes": 0.5, "used_codes": 2.0, "digit_entropy": pytest.approx(1 / 3), "dead_digits": 2.0}
    assert code_numbers(ids, [2, 2, 2]) == expected


def plain_tokenizer(**changes):
    torch.manual_seed(0)
    values = {"image_size": 16, "hidden_sizes": (8, 8, 16, 16), "blocks_per_level": 1, "num_frames": 5} | changes
    return CamViGVisualTokenizer(CamViGVisualTokenizerConfig(kind="plain", **values)).eval()


@torch.no_grad()
def test_plain_validation_is_that_of_encoding_and_decoding():
    model = plain_tokenizer()
    ids = model.encode(TRUTH)
    expected = quality(model.decode(ids).video, TRUTH) | code_numbers(ids, model.config.code_levels)
    assert validate_plain(model, {"video": TRUTH}) == pytest.approx(expected)


@torch.no_grad()
@pytest.mark.parametrize("frames", [5, 1])
def test_grids_show_real_above_reconstruction(frames):
    model, video = plain_tokenizer(num_frames=frames), TRUTH[:, :, :frames]
    grid = sample_grid(model, video, frames=3)
    real, made = to_uint8(video).numpy(), to_uint8(model.decode(model.encode(video)).video).numpy()
    if frames == 1:  # pictures side by side
        assert grid.shape == (2 * 16, 2 * 16, 3)
        assert (grid[:16, 16:] == real[1, 0]).all() and (grid[16:, :16] == made[0, 0]).all()
    else:  # a clip a row: frames 0, 2, 4
        assert grid.shape == (2 * 2 * 16, 3 * 16, 3)
        assert (grid[:16, 16:32] == real[0, 2]).all() and (grid[16:32, 32:] == made[0, 4]).all()
        assert (grid[32:48, :16] == real[1, 0]).all() and (grid[48:, :16] == made[1, 0]).all()
