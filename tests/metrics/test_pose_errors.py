"""Errors of poses by their published definitions: known answers, scale, and what is left out."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from camvig.camera_paths.rigid_motion import pose_matrices
from camvig.metrics.pose_errors import (
    PoseErrors,
    aligned_translation_error,
    cam_mc,
    direction_error_degrees,
    farthest_distance,
    mean_pose_errors,
    pose_errors,
    rotation_error,
    rotation_error_degrees,
    translation_error_cameractrl,
    translation_error_cami2v,
)

NUM_POSES = 5
WITH_TRANSLATION = (
    translation_error_cameractrl,
    translation_error_cami2v,
    cam_mc,
    direction_error_degrees,
    aligned_translation_error,
)


def path(centres: np.ndarray, pan_degrees: np.ndarray | float = 0.0) -> np.ndarray:
    """Poses [T, 4, 4] with the given centres [T, 3], panned."""
    angles = np.broadcast_to(pan_degrees, len(centres))
    return pose_matrices(Rotation.from_euler("Y", angles[:, None], degrees=True).as_matrix(), centres)


def truck(*steps: float) -> np.ndarray:
    """A camera that stands at the given x."""
    return path(np.array([[step, 0, 0] for step in steps], np.float64))


STRAIGHT = truck(0, 1, 2, 3, 4)


def random_path(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    poses = pose_matrices(Rotation.random(NUM_POSES, rng=rng).as_matrix(), rng.normal(size=(NUM_POSES, 3)))
    return poses


def test_rotation_error_is_the_sum_of_the_angles_in_radians():
    turned = STRAIGHT.copy()
    turned[:, :3, :3] = path(np.zeros((5, 3)), np.array([0, 1, 2, 3, 4.0]))[:, :3, :3]
    assert rotation_error(turned, STRAIGHT) == pytest.approx(math.radians(1 + 2 + 3 + 4))
    assert rotation_error_degrees(turned, STRAIGHT) == pytest.approx(2.5)


def test_rotation_error_is_the_published_formula():
    generated, truth = random_path(0), random_path(1)
    first, other = (poses[:1, :3, :3].transpose(0, 2, 1) @ poses[:, :3, :3] for poses in (generated, truth))
    traces = np.trace(first @ other.transpose(0, 2, 1), axis1=1, axis2=2)
    formula = np.arccos(np.clip((traces - 1) / 2, -1, 1)).sum()
    assert rotation_error(generated, truth) == pytest.approx(formula, abs=1e-6)


def test_cameractrl_squares_distances_in_gaps_of_the_first_two_poses():
    generated = truck(0, 2, 4, 6, 12)  # in its gaps 0 1 2 3 6
    assert translation_error_cameractrl(generated, STRAIGHT) == pytest.approx((6 - 4) ** 2)
    eased = truck(0, 0.5, 2, 3, 4)  # one small first step, and everything else is twice as far
    assert translation_error_cameractrl(eased, STRAIGHT) == pytest.approx((4 - 2) ** 2 + (6 - 3) ** 2 + (8 - 4) ** 2)
    assert math.isnan(translation_error_cameractrl(truck(0, 0, 1, 2, 3), STRAIGHT))


def test_cami2v_adds_plain_distances_over_the_farthest_one():
    generated = truck(0, 2, 4, 6, 8)
    assert translation_error_cami2v(generated, STRAIGHT) == pytest.approx(0, abs=1e-12)
    assert translation_error_cami2v(generated, STRAIGHT, "abs") == pytest.approx((1 + 2 + 3 + 4) / 4)
    standing = truck(0, 0, 0, 0, 0)
    for normalisation in ("rel", "abs"):
        assert translation_error_cami2v(standing, STRAIGHT, normalisation) == pytest.approx((1 + 2 + 3 + 4) / 4)
    opposite = truck(0, -1, -2, -3, -4)
    assert translation_error_cami2v(opposite, STRAIGHT) == pytest.approx(2 * (1 + 2 + 3 + 4) / 4)


def test_cam_mc_joins_rotation_and_translation():
    standing = truck(0, 0, 0, 0, 0)
    assert cam_mc(standing, STRAIGHT) == pytest.approx(translation_error_cami2v(standing, STRAIGHT))
    turned = STRAIGHT.copy()
    turned[1:, :3, :3] = path(np.zeros((1, 3)), 30.0)[0, :3, :3]
    frobenius = 2 * math.sqrt(2) * math.sin(math.radians(15))  # of the difference of two rotations 30 degrees apart
    assert cam_mc(turned, STRAIGHT) == pytest.approx(4 * frobenius)
    both = truck(0, 0, 0, 0, 0)
    both[:, :3, :3] = turned[:, :3, :3]
    assert cam_mc(both, STRAIGHT) == pytest.approx(sum(math.hypot(frobenius, step / 4) for step in (1, 2, 3, 4)))


def test_direction_is_an_angle_and_a_standing_camera_has_90_degrees():
    up = STRAIGHT.copy()
    up[:, :3, 3] = up[:, [1, 0, 2], 3]
    assert direction_error_degrees(up, STRAIGHT) == pytest.approx(90)
    assert direction_error_degrees(truck(0, -1, -2, -3, -4), STRAIGHT) == pytest.approx(180)
    assert direction_error_degrees(truck(0, 0, 0, 0, 0), STRAIGHT) == pytest.approx(90)
    assert direction_error_degrees(truck(0, 9, 9, 9, 9), STRAIGHT) == pytest.approx(0, abs=1e-9)


def test_aligned_error_finds_the_one_scale():
    assert aligned_translation_error(truck(0, 5, 10, 15, 20), STRAIGHT) == pytest.approx(0, abs=1e-12)
    mean_distance = (1 + 2 + 3 + 4) / 4 / 4
    for as_bad_as_standing in (truck(0, 0, 0, 0, 0), truck(0, -1, -2, -3, -4)):  # no negative scale
        assert aligned_translation_error(as_bad_as_standing, STRAIGHT) == pytest.approx(mean_distance)


@pytest.mark.parametrize("error", [rotation_error, *WITH_TRANSLATION])
def test_world_axes_do_not_count_and_the_truth_has_no_error(error):
    generated, truth = random_path(0), random_path(1)
    moved = random_path(2)[:1] @ generated
    assert error(moved, truth) == pytest.approx(error(generated, truth))
    assert error(random_path(3)[:1] @ truth, truth) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("error", WITH_TRANSLATION)
def test_scale_does_not_count(error):
    generated, truth = random_path(0), random_path(1)
    scaled = generated.copy()
    scaled[:, :3, 3] *= 7
    assert error(scaled, truth) == pytest.approx(error(generated, truth))


@pytest.mark.parametrize("error", WITH_TRANSLATION)
def test_no_translation_error_where_the_true_camera_hardly_translates(error):
    still = truck(0, 0.01, 0.019, 0.01, 0)
    assert math.isnan(error(STRAIGHT, still)) and not math.isnan(error(STRAIGHT, still, least_travel=0.005))


def test_means_count_what_they_leave_out():
    turning = path(np.zeros((5, 3)), np.linspace(0, 8, 5))
    moving, pan = pose_errors(STRAIGHT, STRAIGHT), pose_errors(path(np.zeros((5, 3))), turning)
    result = mean_pose_errors([moving, pan, None])
    assert (result.num_clips, result.num_failed, result.success_rate) == (3, 1, pytest.approx(2 / 3))
    assert result.counts["rotation_error_deg"] == 2 and result.counts["translation_error_cami2v_rel"] == 1
    assert result.means["rotation_error_deg"] == pytest.approx((0 + (2 + 4 + 6 + 8) / 4) / 2)
    assert result.means["cam_mc_rel"] == 0 and set(result.means) == set(PoseErrors._fields)


def test_means_without_clips_are_nan():
    assert math.isnan(mean_pose_errors([]).success_rate)
    all_failed = mean_pose_errors([None, None])
    assert all_failed.success_rate == 0 and all(math.isnan(mean) for mean in all_failed.means.values())


def test_farthest_distance_is_from_the_first_pose():
    assert farthest_distance(truck(1, 3, -3, 0)) == 4


@pytest.mark.parametrize(
    ("generated", "problem"),
    [
        (STRAIGHT[:4], r"in one shape, got \[4, 4, 4\] and \[5, 4, 4\]"),
        (STRAIGHT.astype(int), r"expected finite camera_to_world \[T, 4, 4\] .*, got \[5, 4, 4\] of int64"),
        (np.full((5, 4, 4), np.nan), "with NaN or infinity"),
    ],
)
def test_bad_paths_are_refused(generated, problem):
    for error in (rotation_error, *WITH_TRANSLATION):
        with pytest.raises(ValueError, match=problem):
            error(generated, STRAIGHT)


def test_another_normalisation_is_refused():
    with pytest.raises(ValueError, match="""expected a normalisation "rel" or "abs", got 'relative'"""):
        cam_mc(STRAIGHT, STRAIGHT, "relative")
