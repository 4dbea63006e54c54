"""Motions obey the physics that they claim, and are rigid at all times."""

import math

import numpy as np
import pytest

from camvig.dataset_builders.rooms.moving_motions import GRAVITY, bounce, hinge, roll, spin, swing

TIMES = np.linspace(0, 2, 401)
STEP = TIMES[1] - TIMES[0]
BASE = np.array([[0.0, 0, -1, 2], [0, 1, 0, -1], [1, 0, 0, 3], [0, 0, 0, 1]])
MOTIONS = {
    "roll": roll(np.array([1.0, -0.2, 2.0]), 0.7, 0.2, 0.8, 0.1, np.eye(3)),
    "bounce": bounce(np.array([1.0, -0.1, 2.0]), 0.7, 0.3, 0.5, 0.3, np.array([1.0, 2.0, 0.5]), np.eye(3)),
    "swing": swing(np.array([1.0, -2.5, 2.0]), 1.2, 0.4, math.radians(8), 0.3),
    "hinge": hinge(BASE, 0.2, 1.3, 0.4, 1.2),
    "spin": spin(BASE, 2, 0.3, 1.5, 0.2),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_motions_are_rigid_and_do_not_depend_on_the_order_of_times(name):
    poses = MOTIONS[name](TIMES)
    turns = poses[:, :3, :3]
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3)) and np.allclose(np.linalg.det(turns), 1)
    assert np.array_equal(poses[:, 3], np.tile([0.0, 0, 0, 1], (len(TIMES), 1)))
    assert np.allclose(MOTIONS[name](TIMES[::-1])[::-1], poses)


def test_a_rolling_ball_does_not_slip():
    """The point of the ball that touches the floor stands still."""
    poses = MOTIONS["roll"](TIMES)
    for now in (50, 200, 350):
        touching = poses[now, :3, :3].T @ np.array([0, 0.2, 0])
        before, after = (poses[time, :3, :3] @ touching + poses[time, :3, 3] for time in (now - 1, now + 1))
        assert np.linalg.norm(after - before) / (2 * STEP) < 1e-3
    travelled = np.linalg.norm(poses[-1, :3, 3] - poses[0, :3, 3])
    assert travelled == pytest.approx(0.8 * 2 - 0.1 * 2**2 / 2)


def test_a_ball_that_slows_down_stops_and_does_not_come_back():
    poses = roll(np.zeros(3), 0.0, 0.1, 0.5, 0.5, np.eye(3))(TIMES)
    assert (np.diff(poses[:, 2, 3]) >= 0).all()
    assert poses[-1, 2, 3] == poses[200, 2, 3] == pytest.approx(0.5 * 1 - 0.5 / 2)


def test_a_bouncing_ball_falls_freely_between_its_touches_and_rises_as_high_as_asked():
    heights = -MOTIONS["bounce"](np.linspace(0, 2, 20001))[:, 1, 3] - 0.1
    assert heights.min() == pytest.approx(0, abs=1e-3) and heights.max() == pytest.approx(0.5, abs=1e-6)
    fall = np.diff(heights, 2) / 1e-4**2
    assert np.median(fall) == pytest.approx(-GRAVITY, rel=1e-3)


def test_a_pendulum_keeps_its_length_and_swings_in_its_period():
    poses = MOTIONS["swing"](np.linspace(0, 4, 40001))
    ends = poses[:, :3, :3] @ np.array([0, 1.2, 0]) + poses[:, :3, 3]
    assert np.allclose(np.linalg.norm(ends - [1.0, -2.5, 2.0], axis=1), 1.2)
    aside = (ends - [1.0, -2.5, 2.0]) @ [math.sin(0.4), 0, math.cos(0.4)]
    assert np.abs(aside).max() == pytest.approx(1.2 * math.sin(math.radians(8)), rel=1e-6)
    crossings = np.flatnonzero(np.diff(np.sign(aside))) * 1e-4
    assert np.diff(crossings) == pytest.approx(math.pi * math.sqrt(1.2 / GRAVITY), rel=1e-3)


def test_a_leaf_turns_from_its_first_to_its_last_angle_and_rests():
    poses = MOTIONS["hinge"](np.array([0.0, 0.4, 1.0, 1.6, 2.0]))
    directions = np.linalg.inv(BASE)[:3, :3] @ poses[:, :3, 0].T  # where the leaf's x axis points, in the base's axes
    angles = np.arctan2(directions[2], directions[0])
    assert angles == pytest.approx([0.2, 0.2, 0.75, 1.3, 1.3])
    assert np.allclose(poses[:, :3, 3], BASE[:3, 3])


def test_a_fan_turns_at_its_rate_about_its_own_axis():
    poses = MOTIONS["spin"](TIMES)
    assert np.allclose(poses[:, :3, 2], BASE[:3, 2])
    turned = np.linalg.inv(BASE)[:3, :3] @ poses[:, :3, 0].T
    assert np.unwrap(np.arctan2(turned[1], turned[0])) == pytest.approx(0.3 + 1.5 * TIMES + 0.1 * TIMES**2)
