"""H.264 within a number of bits: the bits are kept to, more give better frames, and the first frame can be given."""

import numpy as np
import pytest

from camvig.metrics.frame_quality import picture_psnr, psnr
from camvig.metrics.h264_reference import PICTURE_SLICE, SLICE, h264_at_bits, slice_bits


@pytest.fixture(scope="module")
def clip():
    """A smooth picture that slides one pixel a frame, 9 x 48 x 64."""
    rows, columns = np.mgrid[:48, :96]
    waves = [128 + 90 * np.sin(columns / (5 + 3 * channel) + rows / 9 + channel) for channel in range(3)]
    picture = np.stack(waves, axis=-1).astype(np.uint8)
    return np.stack([picture[:, shift : shift + 64] for shift in range(9)])


def test_bits_are_kept_to_and_more_are_better(clip):
    coded = [h264_at_bits(clip, bits, 8.0) for bits in (2500, 6000, 20000)]
    for each, bits in zip(coded, (2500, 6000, 20000), strict=True):
        assert each.frames.shape == clip.shape and each.frames.dtype == np.uint8
        assert 0.85 * bits < each.bits <= bits
    quality = [psnr(each.frames, clip) for each in coded]
    assert quality == sorted(quality) and quality[0] > 18 and quality[2] > quality[0] + 5
    factors = [each.rate_factor for each in coded]
    assert factors == sorted(factors, reverse=True)


def test_a_given_first_frame_is_nearly_lossless_and_costs_nothing(clip):
    alone, given = h264_at_bits(clip, 4000, 8.0), h264_at_bits(clip, 4000, 8.0, first_is_given=True)
    assert picture_psnr(given.frames[0], clip[0]) > 45 > picture_psnr(alone.frames[0], clip[0])
    assert given.bits <= 4000 and psnr(given.frames, clip) > psnr(alone.frames, clip) + 2


def test_where_the_coarsest_quantizer_needs_more_it_says_so():
    noise = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    coded = h264_at_bits(noise, 40, 8.0)
    assert coded.bits > 40 and coded.rate_factor == 51.0 and coded.frames.shape == noise.shape


def test_only_slices_count():
    settings, picture, later = b"\x67\x42\x0a", b"\x65" + b"\x88" * 9, b"\x41" + b"\x9a" * 4
    stream = b"\x00\x00\x00\x01" + settings + b"\x00\x00\x01" + picture + b"\x00\x00\x00\x01" + later
    assert slice_bits(stream, (SLICE, PICTURE_SLICE)) == 8 * 15
    assert slice_bits(stream, (SLICE,)) == 8 * 5
    assert slice_bits(stream, (7,)) == 8 * 3


def test_odd_sizes_are_coded_and_no_bits_are_refused(clip):
    odd = clip[:, :33, :41]
    assert psnr(h264_at_bits(odd, 6000, 8.0).frames, odd) > 20
    for bits in (0, float("nan")):
        with pytest.raises(ValueError, match="expected bits > 0"):
            h264_at_bits(clip, bits, 8.0)
