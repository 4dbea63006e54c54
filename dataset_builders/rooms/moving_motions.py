"""Motions of rigid objects in a room: closed formulas of time, times [T] in seconds -> object_to_world [T, 4, 4].

What always holds: each function returns a motion, which may be asked for any times in any order. Metres, the room's axes (y
points down, the floor is y = 0), gravity 9.81 m/s^2. Directions on the floor are angles: (sin a, 0, cos a).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

GRAVITY = 9.81  # m/s^2
UP = np.array([0.0, -1.0, 0.0])


def poses(rotations: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Rotations [T, 3, 3] and positions [T, 3] -> [T, 4, 4]."""
    matrices = np.tile(np.eye(4), (len(rotations), 1, 1))
    matrices[:, :3, :3], matrices[:, :3, 3] = rotations, positions
    return matrices


def turned(axis: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotations [T, 3, 3] about a unit axis by angles [T] in radians."""
    return Rotation.from_rotvec(np.asarray(angles)[:, None] * axis).as_matrix()


def on_floor(angle: float) -> np.ndarray:
    """The direction [3] of an angle on the floor."""
    return np.array([math.sin(angle), 0.0, math.cos(angle)])


def roll(
    start: np.ndarray, heading: float, radius: float, speed: float, slowing: float, turn: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """A ball that rolls without slipping: s(t) = speed t - slowing t^2 / 2, until it would turn round; there it stays.

    start [3] is its centre at time 0, `turn` [3, 3] how it lies then.
    """
    direction = on_floor(heading)
    axis = np.cross(UP, direction)

    def motion(times: np.ndarray) -> np.ndarray:
        rolling = np.minimum(times, speed / slowing) if slowing > 0 else np.asarray(times)
        distance = speed * rolling - slowing * rolling**2 / 2
        return poses(turned(axis, distance / radius) @ turn, start + distance[:, None] * direction)

    return motion


def bounce(
    start: np.ndarray, heading: float, speed: float, height: float, phase: float, spin: np.ndarray, turn: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """A ball that bounces evenly, `height` metres high, drifts on at `speed` and turns by the vector `spin` a second.

    start [3] is its centre at time 0 when it touches the floor; `phase` 0..1 is the share of the first bounce already done.
    Between two touches its height is v p - g p^2 / 2, p seconds after the touch, with v = sqrt(2 g height).
    """
    launch = math.sqrt(2 * GRAVITY * height)
    period = 2 * launch / GRAVITY

    def motion(times: np.ndarray) -> np.ndarray:
        since = np.mod(np.asarray(times) + phase * period, period)
        raised = launch * since - GRAVITY * since**2 / 2
        positions = start + np.asarray(times)[:, None] * speed * on_floor(heading) + raised[:, None] * UP
        return poses(Rotation.from_rotvec(np.asarray(times)[:, None] * spin).as_matrix() @ turn, positions)

    return motion


def swing(
    pivot: np.ndarray, length: float, heading: float, amplitude: float, phase: float
) -> Callable[[np.ndarray], np.ndarray]:
    """A pendulum about `pivot`: angle(t) = amplitude cos(sqrt(g / length) t + phase), radians, in a vertical plane.

    In its own frame the pendulum hangs along +y from the origin.
    """
    axis, rate = np.cross(UP, on_floor(heading)), math.sqrt(GRAVITY / length)

    def motion(times: np.ndarray) -> np.ndarray:
        angles = amplitude * np.cos(rate * np.asarray(times) + phase)
        return poses(turned(axis, angles), np.broadcast_to(pivot, (len(angles), 3)))

    return motion


def hinge(
    base: np.ndarray, first: float, last: float, begin: float, duration: float
) -> Callable[[np.ndarray], np.ndarray]:
    """A leaf that turns about its own y axis from `first` to `last` radians, eased by half a cosine, and rests before and after.

    base [4, 4] is its pose at angle 0; positive angles turn x towards z.
    """

    def motion(times: np.ndarray) -> np.ndarray:
        share = np.clip((np.asarray(times) - begin) / duration, 0.0, 1.0)
        angles = first + (last - first) * (1 - np.cos(np.pi * share)) / 2
        return base @ poses(turned(UP, angles), np.zeros((len(angles), 3)))

    return motion


def spin(base: np.ndarray, axis: int, first: float, rate: float, change: float) -> Callable[[np.ndarray], np.ndarray]:
    """Turns about one of its own axes by first + rate t + change t^2 / 2 radians; base [4, 4] is its pose at angle 0."""

    def motion(times: np.ndarray) -> np.ndarray:
        angles = first + rate * np.asarray(times) + change * np.asarray(times) ** 2 / 2
        return base @ poses(turned(np.eye(3)[axis], angles), np.zeros((len(angles), 3)))

    return motion
