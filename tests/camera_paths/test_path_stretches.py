"""Stretches put together again are the path; scale, rest at the end, and words for what cannot be cut."""

from __future__ import annotations

import numpy as np
import pytest

from camvig import CameraPath
from camvig.camera_paths.path_stretches import count_stretches, cut_into_stretches


@pytest.mark.parametrize(("poses", "stretches"), [(2, 1), (17, 1), (18, 2), (33, 2), (49, 3), (65, 4), (66, 5)])
def test_how_many_stretches_a_path_needs(poses, stretches):
    assert count_stretches(poses) == stretches
    assert len(cut_into_stretches(CameraPath.orbit(30, num_frames=poses))) == stretches


def test_stretches_in_sequence_are_the_path():
    path = CameraPath.from_text("orbit left 60deg, dolly in 20%, zoom in 1.3x", num_frames=65)
    first, *others = cut_into_stretches(path)
    for stretch in (first, *others):
        assert stretch.num_frames == 17 and np.allclose(stretch.camera_to_world[0], np.eye(4))
    whole = first
    for stretch in others:
        whole = whole.compose(stretch)
    assert whole.allclose(path, tolerance=1e-9)


def test_the_camera_rests_where_the_path_ends():
    path = CameraPath.truck(0.3, num_frames=20)
    last = cut_into_stretches(path)[-1].camera_to_world[:, 0, 3]
    assert np.allclose(last[:4], 0.3 / 19 * np.arange(4)) and np.allclose(last[3:], last[3])


def test_only_ratios_of_depths_count_and_only_for_translations():
    path = CameraPath.from_text("dolly in 50%, pan right 20deg", num_frames=33)
    plain = cut_into_stretches(path)
    metres, halves = cut_into_stretches(path, 17, [3.0, 1.5]), cut_into_stretches(path, 17, [1.0, 0.5])
    assert metres[0].allclose(plain[0])
    for one, other in zip(metres, halves, strict=True):
        assert one.allclose(other, tolerance=1e-12)
    assert np.allclose(metres[1].camera_to_world[:, :3, 3], 2 * plain[1].camera_to_world[:, :3, 3])
    assert np.allclose(metres[1].camera_to_world[:, :3, :3], plain[1].camera_to_world[:, :3, :3])


def test_a_path_in_metres_is_cut_in_its_first_depth():
    path = CameraPath.dolly(0.4, num_frames=33).to_unit("metre", median_depth=2.5)
    assert cut_into_stretches(path)[1].allclose(cut_into_stretches(CameraPath.dolly(0.4, num_frames=33))[1], 1e-12)


@pytest.mark.parametrize(
    ("path", "depths", "message"),
    [
        (CameraPath.static(1), None, "at least 2 poses"),
        (CameraPath.static(33), [1.0], "expected 2 median depths above 0"),
        (CameraPath.static(33), [1.0, 0.0], "expected 2 median depths above 0"),
        (
            CameraPath(np.tile(np.eye(4), (20, 1, 1)), np.full((20, 4), 0.5), unit="metre"),
            None,
            "expected the median depth",
        ),
    ],
)
def test_what_cannot_be_cut_says_why(path, depths, message):
    with pytest.raises(ValueError, match=message):
        cut_into_stretches(path, 17, depths)
