"""Cutting around the principal point: what is left shows the same rays as before, by the intrinsics that come with it."""

from __future__ import annotations

import numpy as np
import pytest

from camvig.dataset_builders.videos.principal_crop import centre_principal_point
from camvig.dataset_builders.videos.video_reader import TimedFrame

HEIGHT, WIDTH = 48, 64
LEVELS = 100.0  # of grey, for each unit of x / z: about 3 a pixel, so that half a pixel shows


def rays(lens: np.ndarray, height: int, width: int) -> np.ndarray:
    """x / z and y / z of what each pixel shows, [H, W, 2]."""
    fx, fy, cx, cy = lens
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.stack([(x - cx) / fx, (y - cy) / fy], axis=-1)


def colours(of: np.ndarray) -> np.ndarray:
    """A scene at infinity: red says where a ray goes from left to right, green from top to bottom; [..., 3]."""
    return np.concatenate([128 + LEVELS * of, np.zeros_like(of[..., :1])], axis=-1)


def pictures(lenses: np.ndarray, height: int = HEIGHT, width: int = WIDTH) -> list[TimedFrame]:
    return [
        TimedFrame(number / 8, colours(rays(lens, height, width)).round().astype(np.uint8), width / height)
        for number, lens in enumerate(lenses)
    ]


@pytest.mark.parametrize(
    "points", [[[0.5, 0.4375]], [[0.462, 0.531]], [[0.52, 0.45], [0.515, 0.461], [0.533, 0.5]]], ids=str
)
def test_what_is_left_shows_the_rays_that_its_intrinsics_say(points):
    lenses = np.array([[0.5, 0.7, *point] for point in points])
    centred = centre_principal_point(pictures(lenses), lenses)
    assert centred is not None and centred.pixels_cut != (0, 0)
    for frame, lens in zip(centred.frames, centred.intrinsics, strict=True):
        assert lens[2:].tolist() == [0.5, 0.5]
        expected = colours(rays(lens, *frame.rgb.shape[:2]))
        assert np.abs(frame.rgb - expected)[1:-1, 1:-1].max() <= 1.01  # rounded twice
        assert frame.aspect == pytest.approx(lens[1] / lens[0] * 0.5 / 0.7 * WIDTH / HEIGHT)
    sizes = {frame.rgb.shape for frame in centred.frames}
    assert len(sizes) == 1 and np.ptp(centred.intrinsics[:, :2], axis=0).tolist() == [0, 0]


def test_the_window_is_the_largest():
    lenses = np.array([[0.9, 1.4, 192.002 / 384, 120.671 / 256]])  # of a HoloLens
    centred = centre_principal_point([TimedFrame(0.0, np.zeros((256, 384, 3), np.uint8), 1.5)], lenses)
    assert centred is not None and centred.pixels_cut == (0, 15)
    assert centred.frames[0].rgb.shape == (241, 384, 3)
    np.testing.assert_allclose(centred.intrinsics, [[0.9, 1.4 * 256 / 241, 0.5, 0.5]])


def test_nothing_changes_where_the_principal_point_is_the_middle():
    lenses = np.array([[0.5, 0.7, 0.5, 0.5]] * 2)
    frames = [
        TimedFrame(0.0, np.random.default_rng(seed).integers(0, 256, (47, 63, 3), dtype=np.uint8), 1.5)
        for seed in range(2)
    ]
    centred = centre_principal_point(frames, lenses)
    assert centred is not None and centred.pixels_cut == (0, 0)
    np.testing.assert_array_equal(centred.intrinsics, lenses)
    for before, after in zip(frames, centred.frames, strict=True):
        np.testing.assert_array_equal(before.rgb, after.rgb)
        assert before.aspect == after.aspect


@pytest.mark.parametrize(("point", "is_enough"), [((0.5, 0.26), True), ((0.76, 0.5), False), ((0.5, -0.1), False)])
def test_too_little_is_no_picture(point, is_enough):
    lenses = np.array([[0.5, 0.7, 0.5, 0.5], [0.5, 0.7, *point]])
    frames = [TimedFrame(0.0, np.zeros((HEIGHT, WIDTH, 3), np.uint8), WIDTH / HEIGHT)] * 2
    assert (centre_principal_point(frames, lenses) is not None) == is_enough
