"""Motion kept: 1 for the true motion, 0 for a frozen object, whatever the camera does."""

import numpy as np
import pytest

from camvig.metrics.motion_kept import motion_kept

SHAPE = (3, 8, 8)


@pytest.fixture
def clip():
    """Flow of a camera, of the truth (an object moves over it), and the object's mask."""
    camera = np.random.default_rng(0).normal(size=(*SHAPE, 2)).astype(np.float32)
    mask = np.zeros(SHAPE, bool)
    mask[:, 2:5, 3:6] = True
    truth = camera.copy()
    truth[mask] += np.array([2.0, -1.0], np.float32)
    return camera, truth, mask


def test_the_truth_is_kept_and_the_camera_alone_is_frozen(clip):
    camera, truth, mask = clip
    kept, frozen = motion_kept(truth, truth, camera, mask), motion_kept(camera, truth, camera, mask)
    assert kept.ratio == pytest.approx(1) and kept.cosine == pytest.approx(1) and kept.num_pixels == 27
    assert frozen == (0.0, 0.0, 27)


@pytest.mark.parametrize("factor", [0.25, 2.0, -1.0])
def test_the_ratio_is_the_part_of_the_motion(clip, factor):
    camera, truth, mask = clip
    result = motion_kept(camera + np.float32(factor) * (truth - camera), truth, camera, mask)
    assert result.ratio == pytest.approx(factor, rel=1e-5) and result.cosine == pytest.approx(np.sign(factor))


def test_motion_across_is_not_kept(clip):
    camera, truth, mask = clip
    across = (truth - camera)[..., ::-1] * np.array([1, -1], np.float32)
    assert motion_kept(camera + across, truth, camera, mask)[:2] == pytest.approx((0, 0), abs=1e-6)


def test_what_happens_outside_the_mask_does_not_count(clip):
    camera, truth, mask = clip
    elsewhere = truth.copy()
    elsewhere[~mask] += 9.0
    assert motion_kept(elsewhere, truth, camera, mask).ratio == pytest.approx(1)


def test_without_moving_objects_there_is_no_value(clip):
    camera, truth, mask = clip
    assert np.isnan(motion_kept(truth, truth, camera, np.zeros_like(mask)).ratio)
    assert np.isnan(motion_kept(truth, camera, camera, mask).ratio)  # the mask is there, but nothing moves in it


def test_bad_input_is_refused(clip):
    camera, truth, mask = clip
    with pytest.raises(ValueError, match="in one shape"):
        motion_kept(truth, truth, camera[:2], mask)
    with pytest.raises(ValueError, match=r"expected moving_mask \[3, 8, 8\] of bool, got \[3, 8, 8\] of uint8"):
        motion_kept(truth, truth, camera, mask.astype(np.uint8))
