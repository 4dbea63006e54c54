"""Puts moving objects into a room in front of a camera whose path is known, so that they are seen and touch nothing.

What always holds: at all times objects keep out of walls, furniture, lamps, one another and the camera's way; each is in
sight in the first frame and in most others and none fills the picture. The path is not changed: a clip with moving objects
has the camera path of the clip without. All randomness comes from the generator given. Limits are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..clip_checks import MIN_NEAR_DEPTH
from ..clip_length import FPS, NUM_FRAMES
from .moving_contacts import are_free, keep_apart, swept
from .moving_makers import MAKERS, Wish
from .moving_objects import MovingObject, MovingObjects, as_arrays, with_fixed_boxes
from .room_furniture import BoxList
from .room_paths import CLEARANCE, PlacedPath
from .room_renderer import render, render_moving
from .room_scene import RoomScene
from .room_textures import texture_bank

MAX_MOVING_OBJECTS = 3
FRAME_TIMES = np.arange(NUM_FRAMES) / FPS  # seconds
SWEEP_TIMES = np.arange(2 * NUM_FRAMES - 1) / (2 * FPS)  # at which contacts are looked for
TRIES = 30  # of one kind of object, before the next kind is tried
ROUNDS = 6  # of trying all kinds, while none finds a place
PROBE_SIZE = 32  # pixels a side of the pictures that judge what is seen
MIN_SHARE, MAX_SHARE = 0.004, 0.35  # of a frame, without its margins, that an object covers
MARGIN = 3  # pixels of a probe at each side where being seen does not count
MIN_FRAMES = 10  # in which an object covers at least MIN_SHARE; frame 0 is one of them
CAMERA_DISTANCE, LAMP_DISTANCE, OBJECT_DISTANCE = 0.3, 0.25, 0.05  # metres that surfaces keep away
TOUCH = 1e-3  # metres by which an object may touch, as a ball the floor

Outline = tuple[np.ndarray, np.ndarray]  # points [S, P, 3] of the room at the SWEEP_TIMES, and a radius [P] around each


def place_objects(scene: RoomScene, path: PlacedPath, count: int, rng: np.random.Generator) -> list[MovingObject]:
    """Draws `count` objects of different kinds, 1 to `MAX_MOVING_OBJECTS`; fewer where no more find a place.

    Where not even one does, all kinds are tried again; after `ROUNDS` the room stays at rest and the list is empty: one clip of
    thousands must not end a rendering. Raises ValueError for another count.
    """
    if not 1 <= count <= MAX_MOVING_OBJECTS:
        raise ValueError(f"expected 1 to {MAX_MOVING_OBJECTS} moving objects, got {count}")
    rounds = (_one_round(scene, path, count, rng) for _ in range(ROUNDS))
    return next(filter(None, rounds), [])


def _one_round(scene: RoomScene, path: PlacedPath, count: int, rng: np.random.Generator) -> list[MovingObject]:
    kinds = list(MAKERS)
    shares = np.array([share for _, share in MAKERS.values()])
    placed: list[MovingObject] = []
    for number in rng.choice(len(kinds), len(kinds), replace=False, p=shares / shares.sum()):
        found = _try_kind(kinds[number], scene, path, placed, rng)
        placed += [] if found is None else [found]
        if len(placed) == count:
            break
    return placed


def _try_kind(
    kind: str, scene: RoomScene, path: PlacedPath, placed: list[MovingObject], rng: np.random.Generator
) -> MovingObject | None:
    whole = with_fixed_boxes(scene, placed)
    surroundings = _Surroundings.of(whole, path, placed)
    target = BoxList(rng, texture_bank(scene.split))
    depth = render(whole, path.camera_to_world[:1], path.intrinsics[:1], PROBE_SIZE, antialias=0, threads=1)[1][0]
    for _ in range(TRIES):
        candidate = MAKERS[kind][0](_draw_wish(scene, path, depth, target))
        if candidate is None:
            continue
        if surroundings.stay_untouched(candidate) and _are_seen(scene, path, [*placed, candidate]):
            return candidate
    return None


def _draw_wish(scene: RoomScene, path: PlacedPath, depth: np.ndarray, target: BoxList) -> Wish:
    """A point on a ray of frame 0, before the surface that it meets."""
    rng, pose, (fx, fy, cx, cy) = target.rng, path.camera_to_world[0], path.intrinsics[0]
    column, row = rng.integers(PROBE_SIZE // 10, PROBE_SIZE - PROBE_SIZE // 10, 2)
    x, y = ((column + 0.5) / PROBE_SIZE - cx) / fx, ((row + 0.5) / PROBE_SIZE - cy) / fy
    ray = pose[:3, :3] @ np.array([x, y, 1.0]) * float(depth[row, column])
    return Wish(scene, pose[:3, 3] + rng.uniform(0.4, 0.97) * ray, pose[:3, 3] + ray, pose[:3, 3], target)


@dataclass(frozen=True)
class _Surroundings:
    """What an object must keep away from."""

    scene: RoomScene
    camera: np.ndarray  # [S, 1, 3]
    lamps: np.ndarray  # [S, L, 3]
    others: list[Outline]  # of the objects that have a place

    @classmethod
    def of(cls, scene: RoomScene, path: PlacedPath, placed: list[MovingObject]) -> _Surroundings:
        camera = np.repeat(path.camera_to_world[:, None, :3, 3], 2, axis=0)[
            :-1
        ]  # at the times between it stays for a while
        lamps = np.repeat(scene.lights[None], len(SWEEP_TIMES), axis=0)
        return cls(scene, camera, lamps, [_swept(thing) for thing in placed])

    def stay_untouched(self, thing: MovingObject) -> bool:
        """Whether an object and what belongs to it touch nothing."""
        if thing.fixed and not self._stay_untouched_by_fixed(thing):
            return False
        points, radii = _swept(thing)
        return (
            keep_apart(points, radii, self.camera, np.zeros(1), CAMERA_DISTANCE)
            and keep_apart(points, radii, self.lamps, np.zeros(len(self.scene.lights)), LAMP_DISTANCE)
            and self._are_apart_from_others(points, radii)
            and are_free(self.scene, points, radii - TOUCH)
        )

    def _stay_untouched_by_fixed(self, thing: MovingObject) -> bool:
        points, radii = thing.fixed_outline()
        standing = np.repeat(points[None], len(SWEEP_TIMES), axis=0)
        return (
            keep_apart(standing, radii, self.camera, np.zeros(1), CLEARANCE)
            and self._are_apart_from_others(standing, radii)
            and are_free(self.scene, standing[:1], radii - TOUCH)
        )

    def _are_apart_from_others(self, points: np.ndarray, radii: np.ndarray) -> bool:
        return all(keep_apart(points, radii, *other, OBJECT_DISTANCE) for other in self.others)


def _swept(thing: MovingObject) -> Outline:
    points, radii = thing.outline()
    return swept(thing.motion(SWEEP_TIMES), points), radii


def _are_seen(scene: RoomScene, path: PlacedPath, objects: list[MovingObject]) -> bool:
    """Whether each object is seen as it should be, and the objects together do not come too near; frame 0 is judged first."""
    scene, moving = with_fixed_boxes(scene, objects), as_arrays(objects, FRAME_TIMES)
    first = replace(moving, object_to_world=moving.object_to_world[:1])
    seen = _shares(scene, first, path.camera_to_world[:1], path.intrinsics[:1])[0]
    if seen.min() < MIN_SHARE or seen.max() > MAX_SHARE:
        return False
    shares, depth = _shares(scene, moving, path.camera_to_world, path.intrinsics)
    if shares.max() > MAX_SHARE or (shares >= MIN_SHARE).sum(1).min() < MIN_FRAMES:
        return False
    return np.quantile(depth, 0.05, axis=(1, 2)).min() >= MIN_NEAR_DEPTH * np.median(depth[0])


def _shares(
    scene: RoomScene, objects: MovingObjects, camera_to_world: np.ndarray, intrinsics: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The share [K, T] of the inner part of each frame that each object covers, and the small depth maps [T, H, W]."""
    _, depth, object_ids = render_moving(
        scene, objects, camera_to_world, intrinsics, PROBE_SIZE, antialias=0, threads=1
    )
    numbers = range(1, len(objects.kinds) + 1)
    inner = object_ids[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return np.stack([(inner == number).mean((1, 2)) for number in numbers]), depth
