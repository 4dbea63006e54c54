"""Errors between camera paths: known answers."""

import math

import numpy as np
import pytest

from camvig.metrics.camera_path_errors import position_errors, rotation_errors, summarise_path_errors


def straight_path(end: float) -> np.ndarray:
    poses = np.tile(np.eye(4), (1, 17, 1, 1))
    poses[0, :, 2, 3] = np.linspace(0, end, 17)
    return poses


def pan(degrees: float) -> np.ndarray:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


@pytest.mark.parametrize("degrees", [1e-4, 0.3, 90.0, 179.0])
def test_rotation_error_is_the_angle(degrees):
    turned = straight_path(0.5)
    turned[:, 1:, :3, :3] = pan(degrees)
    np.testing.assert_allclose(rotation_errors(straight_path(0.5), turned), np.full((1, 16), degrees), rtol=1e-6)


def test_position_error_is_a_part_of_the_length_of_the_path():
    truth = straight_path(0.5)
    truth[:, 9:, 2, 3] = truth[:, 7::-1, 2, 3]  # there and back: as long, and ends where it began
    shifted = truth.copy()
    shifted[:, 1:, 0, 3] += 0.05
    np.testing.assert_allclose(position_errors(truth, shifted), np.full((1, 16), 10.0))


def test_paths_that_hardly_move_are_left_out_of_the_position():
    truth = np.concatenate([straight_path(0.019), straight_path(0.5)])
    other = truth.copy()
    other[0, 1:, 0, 3] += 1.0
    intrinsics = np.tile([0.8, 0.8, 0.5, 0.5], (2, 17, 1))
    wider = intrinsics * [math.exp(0.01), math.exp(-0.01), 1, 1]
    figures = summarise_path_errors(truth, other, intrinsics, wider)
    assert figures["translation_pct_mean"] == figures["translation_pct_p95"] == 0
    assert figures["focal_pct_mean"] == pytest.approx(1.0)
    alone = summarise_path_errors(truth[:1], other[:1], intrinsics[:1], wider[:1])
    assert math.isnan(alone["translation_pct_mean"])
