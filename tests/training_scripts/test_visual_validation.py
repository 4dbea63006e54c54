"""Validation of the visual tokenizer reports the numbers that the evaluation reports."""

import pytest
import torch

from camvig.metrics.frame_quality import psnr
from camvig.training_scripts.visual_validation import picture_psnr, to_uint8, video_psnr

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
