"""Clips as mp4 in memory."""

import numpy as np
import pytest

from camvig.dataset_builders.clip_videos import decode_video, encode_video


def test_encoding_is_deterministic_and_takes_odd_sizes():
    frames = np.random.default_rng(0).integers(0, 256, (5, 17, 19, 3), dtype=np.uint8)
    video = encode_video(frames, fps=8)
    assert video == encode_video(frames, fps=8)
    assert decode_video(video).shape == frames.shape


def test_what_is_no_video_is_refused():
    with pytest.raises(ValueError, match="expected the bytes of a video, got 5 bytes"):
        decode_video(b"hello")
    with pytest.raises(ValueError, match="float64"):
        encode_video(np.zeros((2, 16, 16, 3)), fps=8)
