"""Contacts of moving objects, in numba: spheres inside them, against a room's shell and solids, and against other spheres.

What always holds: an answer is that of testing everything; the kernels stop at the first contact, which makes the many tries of
`moving_placement` cheap. Points are [S, P, 3]: P spheres at S times.
"""

import math

import numba
import numpy as np

from .room_scene import RoomScene

SPACING = 0.18  # metres, at most, between the points of an outline
SMALLEST = 0.02  # metres, the radius of the spheres in thinner parts
_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def outline(to_object, halves, are_balls):
    """Points [P, 3] in an object's frame and a radius [P] around each: spheres inside its parts, close to one another.

    to_object [N, 4, 4] and halves [N, 3] of the parts. Across a ball or a thin side there is one point, along others a row.
    """
    counts, reaches, radii = np.ones((len(halves), 3), np.int64), np.zeros((len(halves), 3)), np.empty(len(halves))
    for part in range(len(halves)):
        radii[part] = halves[part, 0] if are_balls[part] else max(halves[part].min(), SMALLEST)
        for axis in range(3):
            reach = max(halves[part, axis] - radii[part], 0.0)
            if reach > 0.0 and not are_balls[part]:
                reaches[part, axis], counts[part, axis] = reach, 2 + int(2 * reach / SPACING)
    total = (counts[:, 0] * counts[:, 1] * counts[:, 2]).sum()
    points, around, place = np.empty((total, 3)), np.empty(total), np.empty(3)
    number = 0
    for part in range(len(halves)):
        for index in np.ndindex((counts[part, 0], counts[part, 1], counts[part, 2])):
            for axis in range(3):
                step = 2 * reaches[part, axis] / max(counts[part, axis] - 1, 1)
                place[axis] = -reaches[part, axis] + index[axis] * step
            around[number] = radii[part]
            for axis in range(3):
                turned = 0.0
                for other in range(3):
                    turned += to_object[part, axis, other] * place[other]
                points[number, axis] = turned + to_object[part, axis, 3]
            number += 1
    return points, around


@_jit
def swept(poses, points):
    """Points [P, 3] of an object at its poses [S, 4, 4] in the room: [S, P, 3]."""
    found = np.empty((len(poses), len(points), 3))
    for time in range(len(poses)):
        for number in range(len(points)):
            for axis in range(3):
                turned = 0.0
                for other in range(3):
                    turned += poses[time, axis, other] * points[number, other]
                found[time, number, axis] = turned + poses[time, axis, 3]
    return found


@_jit
def _box_distance_squared(box, x, y, z):
    """From a point to a box of `RoomScene.boxes`; 0 inside."""
    ex, ey, ez = x - box[0], y - box[1], z - box[2]
    gap_x = max(abs(box[6] * ex + box[7] * ez) - box[3], 0.0)
    gap_y = max(abs(ey) - box[4], 0.0)
    gap_z = max(abs(box[6] * ez - box[7] * ex) - box[5], 0.0)
    return gap_x * gap_x + gap_y * gap_y + gap_z * gap_z


@_jit
def _are_free(points, margins, shell, solids):
    for time in range(points.shape[0]):
        for number in range(points.shape[1]):
            x, y, z = points[time, number, 0], points[time, number, 1], points[time, number, 2]
            margin = margins[number]
            gap = min(x - shell[0], shell[1] - x, y - shell[2], shell[3] - y, z - shell[4], shell[5] - z)
            if gap <= margin:
                return False
            for box in range(solids.shape[0]):
                if _box_distance_squared(solids[box], x, y, z) <= margin * margin:
                    return False
    return True


@_jit
def _keep_apart(points, radii, others, other_radii, distance):
    for time in range(points.shape[0]):
        for first in range(points.shape[1]):
            for second in range(others.shape[1]):
                x = points[time, first, 0] - others[time, second, 0]
                y = points[time, first, 1] - others[time, second, 1]
                z = points[time, first, 2] - others[time, second, 2]
                if math.sqrt(x * x + y * y + z * z) < distance + radii[first] + other_radii[second]:
                    return False
    return True


def are_free(scene: RoomScene, points: np.ndarray, margins: np.ndarray) -> bool:
    """Whether all points [S, P, 3] stay more than their margin [P] away from the shell and all solids of a room."""
    return bool(_are_free(np.ascontiguousarray(points), margins, scene.shell, scene.boxes[scene.box_is_solid]))


def keep_apart(
    points: np.ndarray, radii: np.ndarray, others: np.ndarray, other_radii: np.ndarray, distance: float
) -> bool:
    """Whether spheres [S, P, 3], [P] and [S, Q, 3], [Q] keep `distance` from one another at all S times."""
    return bool(_keep_apart(np.ascontiguousarray(points), radii, np.ascontiguousarray(others), other_radii, distance))
