"""Moving objects of the rooms: rigid bodies of boxes and balls, each with a pose that is a closed formula of time.

What always holds: an object does not deform; `motion(times)` gives its pose at any times, so frames can be rendered in any
order and the exact flow of each of its points is known. Metres, seconds, the room's axes (y points down, the floor is y = 0).
An object may bring boxes that stand still (the stand of a fan, the dark behind a door): they become part of the room.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .moving_contacts import outline
from .room_furniture import BoxList
from .room_scene import RoomScene
from .room_textures import texture_bank

_SIGNS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
Motion = Callable[[np.ndarray], np.ndarray]  # times [T] in seconds -> object_to_world [T, 4, 4]


@dataclass(frozen=True)
class MovingPart:
    """One box or ball of an object, in the object's frame."""

    to_object: np.ndarray  # [4, 4]
    half: tuple[float, float, float]  # half sizes; a ball has its radius three times
    is_ball: bool
    texture: int
    scale: float  # texture repeats a metre; round the whole of a ball
    tint: np.ndarray  # [3]
    is_picture: bool = False


@dataclass(frozen=True)
class MovingObject:
    """One rigid object; `fixed` are arguments of `BoxList.add` for what belongs to it and stands still."""

    kind: str
    parts: list[MovingPart]
    motion: Motion
    fixed: list[dict] = field(default_factory=list)

    def outline(self) -> tuple[np.ndarray, np.ndarray]:
        """Points [P, 3] in the object's frame, and the radius [P] around each: spheres inside it, close to one another."""
        poses, halves = np.stack([part.to_object for part in self.parts]), np.array([part.half for part in self.parts])
        return outline(poses, halves, np.array([part.is_ball for part in self.parts]))

    def fixed_outline(self) -> tuple[np.ndarray, np.ndarray]:
        """The same of what stands still and casts shadows, in the room."""
        solid = [box for box in self.fixed if box.get("is_solid", True)]
        poses = np.array([_box_pose(box) for box in solid]).reshape(-1, 4, 4)
        halves = np.array([box["half_size"] for box in solid]).reshape(-1, 3)
        return outline(poses, halves, np.zeros(len(solid), bool))


def _box_pose(box: dict) -> np.ndarray:
    cosine, sine = np.cos(box["yaw"]), np.sin(box["yaw"])
    x, y, z = box["centre"]
    return np.array([[cosine, 0, -sine, x], [0, 1, 0, y], [sine, 0, cosine, z], [0, 0, 0, 1]])


@dataclass(frozen=True)
class MovingObjects:
    """K objects of P parts at T frames, as arrays; the parts of an object lie together."""

    kinds: tuple[str, ...]
    object_to_world: np.ndarray  # [T, K, 4, 4]
    part_to_object: np.ndarray  # [P, 4, 4]
    part_starts: np.ndarray  # [K + 1] object k has the parts part_starts[k] .. part_starts[k + 1] - 1
    part_shapes: np.ndarray  # [P, 4]: 1 for a ball or 0 for a box, then half sizes
    part_materials: np.ndarray  # [P, 8]: textures of sides and top, scale, tint, emission, is it a picture

    def for_kernels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What `room_kernels` calls `moving`."""
        owners = np.repeat(np.arange(len(self.kinds)), np.diff(self.part_starts))
        poses = self.object_to_world[:, owners] @ self.part_to_object
        centres, radii = zip(*map(self._sphere, range(len(self.kinds))), strict=True)
        centres = np.einsum("tkij,kj->tki", self.object_to_world[..., :3, :3], np.stack(centres))
        centres = centres + self.object_to_world[..., :3, 3]
        spheres = np.concatenate([centres, np.broadcast_to(np.array(radii)[:, None], (*centres.shape[:2], 1))], -1)
        return np.ascontiguousarray(poses), self.part_shapes, self.part_starts, np.ascontiguousarray(spheres)

    def _sphere(self, number: int) -> tuple[np.ndarray, float]:
        """Centre [3] in its own frame and radius of a sphere around an object."""
        parts = slice(self.part_starts[number], self.part_starts[number + 1])
        poses, shapes = self.part_to_object[parts], self.part_shapes[parts]
        corners = (_SIGNS * shapes[:, None, 1:]) @ poses[:, :3, :3].swapaxes(1, 2) + poses[:, None, :3, 3]  # [P, 8, 3]
        centre = (corners.min((0, 1)) + corners.max((0, 1))) / 2
        of_balls = np.sqrt(((poses[:, :3, 3] - centre) ** 2).sum(-1)) + shapes[:, 1]
        of_boxes = np.sqrt(((corners - centre) ** 2).sum(-1).max(-1))
        return centre, float(np.where(shapes[:, 0] > 0, of_balls, of_boxes).max()) + 1e-6


def as_arrays(objects: Sequence[MovingObject], times: np.ndarray) -> MovingObjects:
    """Objects at some times, for `render_moving`."""
    parts = [part for thing in objects for part in thing.parts]
    counts = [len(thing.parts) for thing in objects]
    materials = [[part.texture, part.texture, part.scale, *part.tint, 0.0, float(part.is_picture)] for part in parts]
    return MovingObjects(
        kinds=tuple(thing.kind for thing in objects),
        object_to_world=np.stack([thing.motion(times) for thing in objects], axis=1),
        part_to_object=np.stack([part.to_object for part in parts]),
        part_starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        part_shapes=np.array([[float(part.is_ball), *part.half] for part in parts]),
        part_materials=np.array(materials),
    )


def no_objects(num_frames: int) -> MovingObjects:
    """The arrays of a room at rest."""
    nothing = np.zeros((0, 4, 4))
    return MovingObjects(
        (), np.zeros((num_frames, 0, 4, 4)), nothing, np.zeros(1, np.int64), np.zeros((0, 4)), np.zeros((0, 8))
    )


def with_fixed_boxes(scene: RoomScene, objects: Sequence[MovingObject]) -> RoomScene:
    """The room with what its moving objects bring along that stands still."""
    fixed = [box for thing in objects for box in thing.fixed]
    if not fixed:
        return scene
    added = BoxList(np.random.default_rng(0), texture_bank(scene.split))  # nothing is drawn here
    for box in fixed:
        added.add(**box)
    names = ("boxes", "box_textures", "box_scale", "box_tint", "box_emission", "box_is_picture", "box_is_solid")
    joined = {
        name: np.concatenate([getattr(scene, name), np.array(getattr(added, name), getattr(scene, name).dtype)])
        for name in names
    }
    return replace(scene, **joined)
