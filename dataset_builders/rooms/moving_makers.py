"""Draws moving objects: balls that roll, bounce or hang and swing, doors in doorways and of closets, fans.

What always holds: a maker draws an object for a wished place in a room and knows nothing of what else is there: whether it
fits and is seen is for `moving_placement` to judge. Metres, seconds, radians. Sizes, speeds and shares are our choice; a fan
turns so slowly that its next blade is not taken for this one at 8 frames a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from .moving_motions import bounce, hinge, roll, spin, swing
from .moving_objects import MovingObject, MovingPart
from .room_furniture import BoxList
from .room_scene import RoomScene

BALLS = ("checks", "stripes", "tiles", "bricks", "waves", "marble", "carpet")
BLADES = ("wood", "plain", "stripes", "planks")
GAP = 0.025  # metres between a door and its frame


@dataclass(frozen=True)
class Wish:
    """Where an object is wanted: a point that the camera sees, or may see past, and the camera itself."""

    scene: RoomScene
    point: np.ndarray  # [3]
    surface: np.ndarray  # [3] what the camera sees behind the point
    camera: np.ndarray  # [3]
    target: BoxList  # its generator and its textures; no box is added to it

    @property
    def rng(self) -> np.random.Generator:
        return self.target.rng


Maker = Callable[[Wish], MovingObject | None]


def _placed(x: float, y: float, z: float, rotation: np.ndarray | None = None) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    if rotation is not None:
        pose[:3, :3] = rotation
    return pose


def _turned_by_yaw(yaw: float) -> np.ndarray:
    """x to (cos yaw, 0, sin yaw) and z to (-sin yaw, 0, cos yaw), as the boxes of a room."""
    return Rotation.from_rotvec([0.0, -yaw, 0.0]).as_matrix()


def _ball(wish: Wish, radius: float, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> MovingPart:
    texture, repeats = wish.target.texture(*BALLS), float(wish.rng.integers(2, 4))
    return MovingPart(_placed(*centre), (radius, radius, radius), True, texture, repeats, wish.target.tint(0.12))


def _box(wish: Wish, centre: tuple[float, float, float], half: tuple[float, float, float], texture: int, tint: np.ndarray,
         rotation: np.ndarray | None = None, is_picture: bool = False, scale: float = 1.5) -> MovingPart:  # fmt: skip
    return MovingPart(_placed(*centre, rotation), half, False, texture, scale, tint, is_picture)


def rolling_ball(wish: Wish) -> MovingObject:
    """Rolls over the floor and is above the wished point about halfway."""
    rng = wish.rng
    radius, heading = rng.uniform(0.11, 0.26), rng.uniform(-math.pi, math.pi)
    speed = rng.uniform(0.3, 1.2)
    slowing, before = rng.choice([0.0, rng.uniform(0.0, 0.3)]) * speed, rng.uniform(0.1, 0.8) * speed
    start = np.array([wish.point[0] - before * math.sin(heading), -radius, wish.point[2] - before * math.cos(heading)])
    turn = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    return MovingObject("rolling_ball", [_ball(wish, radius)], roll(start, heading, radius, speed, slowing, turn))


def bouncing_ball(wish: Wish) -> MovingObject:
    """Bounces above the wished point's place on the floor, and drifts."""
    rng = wish.rng
    radius, heading, speed = rng.uniform(0.1, 0.22), rng.uniform(-math.pi, math.pi), rng.uniform(0.0, 0.5)
    start = np.array([wish.point[0] - speed * math.sin(heading), -radius, wish.point[2] - speed * math.cos(heading)])
    turn, spinning = Rotation.from_quat(rng.normal(size=4)).as_matrix(), rng.normal(0, 1.0, 3)
    motion = bounce(start, heading, speed, rng.uniform(0.1, 0.4), rng.random(), spinning, turn)
    return MovingObject("bouncing_ball", [_ball(wish, radius)], motion)


def swinging_ball(wish: Wish) -> MovingObject | None:
    """Hangs from the ceiling on a cord and swings through the wished point; None where that is too near the ceiling."""
    rng = wish.rng
    radius, ceiling = rng.uniform(0.11, 0.22), wish.scene.shell[2]
    length = min(wish.point[1], -0.35) - ceiling
    if length < 0.45:
        return None
    amplitude = math.radians(rng.uniform(10.0, 28.0))
    cord = _box(wish, (0.0, (length - radius) / 2, 0.0), (0.008, (length - radius) / 2, 0.008),
                wish.target.texture("plain"), np.full(3, 0.5))  # fmt: skip
    motion = swing(np.array([wish.point[0], ceiling, wish.point[2]]), length, rng.uniform(-math.pi, math.pi), amplitude,
                   rng.uniform(-math.pi, math.pi))  # fmt: skip
    return MovingObject("swinging_ball", [_ball(wish, radius, (0.0, length, 0.0)), cord], motion)


def _leaf(wish: Wish, width: float, height: float, thickness: float) -> list[MovingPart]:
    """A door leaf that spans x from 0 to `width` from its hinge, with a handle on both sides."""
    texture, tint = wish.target.texture("door"), wish.target.tint(0.1)
    leaf = _box(wish, (width / 2, -0.015 - height / 2, 0.0), (width / 2, height / 2, thickness / 2), texture, tint,
                is_picture=True)  # fmt: skip
    handle = _box(wish, (width - 0.09, -1.0, 0.0), (0.06, 0.012, thickness / 2 + 0.04), wish.target.texture("plain"),
                  np.full(3, 0.7))  # fmt: skip
    return [leaf, handle]


def _swings(rng: np.random.Generator, widest_degrees: float) -> tuple[float, float, float, float]:
    """First and last angle, begin and duration of a door that opens or closes, in half of the cases from or to ajar."""
    shut = rng.choice([0.0, math.radians(rng.uniform(5.0, 35.0))])
    opened = math.radians(rng.uniform(50.0, widest_degrees))
    first, last = (shut, opened) if rng.random() < 0.5 else (opened, shut)
    duration = rng.uniform(1.2, 2.4)
    return first, last, rng.uniform(-0.3, max(0.1, 1.8 - duration)), duration


def doorway_door(wish: Wish) -> MovingObject | None:
    """A door in the doorway of the dividing wall, hinged at one jamb; None where the room has no doorway."""
    rng, doorways = wish.rng, wish.scene.doorways
    if not len(doorways):
        return None
    jambs = doorways[rng.integers(len(doorways))]
    hinged, free = jambs if rng.random() < 0.5 else jambs[::-1]
    along = (free - hinged) / np.linalg.norm(free - hinged)
    width, height = min(float(np.linalg.norm(free - hinged)) - 2 * GAP, 1.0), -hinged[1] - GAP
    parts = _leaf(wish, width, height, 0.04)
    foot = hinged + GAP * along
    base = _placed(foot[0], 0.0, foot[2], _turned_by_yaw(math.atan2(along[2], along[0])))
    first, last, begin, duration = _swings(rng, 92.0)
    side = float(rng.choice([-1.0, 1.0]))
    return MovingObject("doorway_door", parts, hinge(base, side * first, side * last, begin, duration))


def closet_door(wish: Wish) -> MovingObject | None:
    """A door of a built-in closet on an outer wall, where the camera sees that wall; None where it sees none."""
    rng, shell = wish.rng, wish.scene.shell
    gaps = {(axis, side): abs(wish.surface[axis] - shell[2 * axis + side]) for axis in (0, 2) for side in (0, 1)}
    (axis, side), gap = min(gaps.items(), key=lambda item: item[1])
    if gap > 0.02:
        return None
    width, height = rng.uniform(0.55, 0.9), min(rng.uniform(1.7, 2.05), -shell[2] - 0.1)
    other, inwards, front = 2 - axis, (1.0 if side == 0 else -1.0), 0.085
    direction = float(rng.choice([-1.0, 1.0]))
    middle, hinged, wall = np.zeros(3), np.zeros(3), shell[2 * axis + side]
    middle[axis], middle[other], middle[1] = wall + inwards * 0.03, wish.surface[other], -0.015 - height / 2
    hinged[axis], hinged[other] = wall + inwards * front, wish.surface[other] - direction * width / 2
    along = np.zeros(3)
    along[other] = direction
    base = _placed(hinged[0], hinged[1], hinged[2], _turned_by_yaw(math.atan2(along[2], along[0])))
    into_room = float(np.sign(base[:3, 2] @ (np.eye(3)[axis] * inwards)))
    first, last, begin, duration = _swings(rng, 125.0)
    half = np.full(3, 0.03)
    half[other], half[1] = width / 2 - 0.01, height / 2 - 0.01
    dark = {"centre": middle, "half_size": half, "yaw": 0.0, "texture": wish.target.texture("plain"), "scale": 0.5,
            "tint": np.full(3, 0.3), "is_solid": False}  # fmt: skip
    motion = hinge(base, into_room * first, into_room * last, begin, duration)
    return MovingObject("closet_door", _leaf(wish, width, height, 0.035), motion, [dark])


def _blades(wish: Wish, count: int, inner: float, outer: float, half_width: float, axis: int) -> list[MovingPart]:
    """Blades around an axis (1: y, 2: z), each turned a little about its own length."""
    texture, tint, pitch = (
        wish.target.texture(*BLADES),
        wish.target.tint(0.1),
        math.radians(wish.rng.uniform(8.0, 18.0)),
    )
    other = None if wish.rng.random() < 0.5 else wish.target.texture(*BLADES)
    parts = []
    for number in range(count):
        about = Rotation.from_rotvec(2 * math.pi * number / count * np.eye(3)[axis]).as_matrix()
        half = ((outer - inner) / 2, 0.008, half_width) if axis == 1 else ((outer - inner) / 2, half_width, 0.008)
        middle = about @ np.array([(inner + outer) / 2, 0.0, 0.0])
        rotation = about @ Rotation.from_rotvec([pitch, 0.0, 0.0]).as_matrix()
        painted = texture if other is None or number else other  # one blade may differ from the others
        parts.append(_box(wish, tuple(middle), half, painted, tint, rotation))
    return parts


def ceiling_fan(wish: Wish) -> MovingObject | None:
    """Hangs under the ceiling above the wished point; None where the ceiling is low."""
    rng, ceiling = wish.rng, wish.scene.shell[2]
    if -ceiling < 2.45:
        return None
    drop, radius, count = rng.uniform(0.22, 0.35), rng.uniform(0.45, 0.7), int(rng.integers(3, 6))
    base = _placed(wish.point[0], ceiling + drop, wish.point[2])
    rate = rng.uniform(0.8, 2.6) * rng.choice([-1.0, 1.0])
    hub = _box(wish, (0.0, -0.02, 0.0), (0.08, 0.06, 0.08), wish.target.texture("plain"), wish.target.tint(0.1))
    parts = [hub, *_blades(wish, count, 0.07, radius, rng.uniform(0.055, 0.09), axis=1)]
    rod = {"centre": (wish.point[0], ceiling + drop / 2 - 0.04, wish.point[2]), "half_size": (0.02, drop / 2 - 0.04, 0.02),
           "yaw": 0.0, "texture": wish.target.texture("plain"), "tint": np.full(3, 0.8)}  # fmt: skip
    motion = spin(base, 1, rng.uniform(0, 2 * math.pi), float(rate), rng.uniform(-0.2, 0.2))
    return MovingObject("ceiling_fan", parts, motion, [rod])


def standing_fan(wish: Wish) -> MovingObject:
    """A fan on a stand on the floor below the wished point, that blows about towards the camera."""
    rng, (x, _, z) = wish.rng, wish.point
    height, radius, count = rng.uniform(0.7, 1.3), rng.uniform(0.2, 0.36), int(rng.integers(3, 5))
    towards = wish.camera - wish.point
    yaw = math.atan2(-towards[0], towards[2]) + rng.uniform(-0.8, 0.8)  # the local z axis is (-sin yaw, 0, cos yaw)
    base = _placed(x, -height, z, _turned_by_yaw(yaw))
    rate = rng.uniform(0.9, 3.0) * rng.choice([-1.0, 1.0])
    hub = _box(wish, (0.0, 0.0, 0.0), (0.05, 0.05, 0.04), wish.target.texture("plain"), wish.target.tint(0.1))
    parts = [hub, *_blades(wish, count, 0.03, radius, radius * rng.uniform(0.22, 0.32), axis=2)]
    texture, tint = wish.target.texture("plain"), wish.target.tint(0.1)
    back = base[:3, :3] @ np.array([0.0, 0.0, -0.13])
    fixed = [
        {"centre": (x + back[0], -0.02, z + back[2]), "half_size": (0.17, 0.02, 0.17)},
        {"centre": (x + back[0], -height / 2, z + back[2]), "half_size": (0.022, height / 2 - 0.02, 0.022)},
        {"centre": (x + back[0] * 0.75, -height, z + back[2] * 0.75), "half_size": (0.055, 0.055, 0.055)},
    ]
    fixed = [box | {"yaw": yaw, "texture": texture, "tint": tint} for box in fixed]
    motion = spin(base, 2, rng.uniform(0, 2 * math.pi), float(rate), rng.uniform(-0.2, 0.2))
    return MovingObject("standing_fan", parts, motion, fixed)


MAKERS: dict[str, tuple[Maker, float]] = {  # kind -> its maker and its share among those that are tried first
    "rolling_ball": (rolling_ball, 0.2),
    "bouncing_ball": (bouncing_ball, 0.14),
    "swinging_ball": (swinging_ball, 0.16),
    "doorway_door": (doorway_door, 0.2),
    "closet_door": (closet_door, 0.1),
    "ceiling_fan": (ceiling_fan, 0.1),
    "standing_fan": (standing_fan, 0.1),
}
