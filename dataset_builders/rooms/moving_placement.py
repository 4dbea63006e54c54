"""Puts moving objects into a room in front of a camera whose path is known, so that they are seen and touch nothing.

What always holds: at all times objects keep out of walls, furniture, lamps, one another and the camera's way; each is in
sight in the first frame and in most others and none fills the picture. The path is not changed: a clip with moving objects
has the camera path of the clip without. All randomness comes from the generator given. Limits are our choice.
"""

from __future__ import annotations

import numpy as np

from ..clip_checks import MIN_NEAR_DEPTH
from ..clip_length import FPS, NUM_FRAMES
from .moving_makers import MAKERS, Wish
from .moving_objects import MovingObject, as_arrays, with_fixed_boxes
from .room_furniture import BoxList
from .room_paths import CLEARANCE, PlacedPath
from .room_renderer import render, render_moving
from .room_scene import RoomScene
from .room_textures import texture_bank

MAX_MOVING_OBJECTS = 3
FRAME_TIMES = np.arange(NUM_FRAMES) / FPS  # seconds
SWEEP_TIMES = np.arange(2 * NUM_FRAMES - 1) / (2 * FPS)  # at which contacts are looked for
TRIES = 30  # of one kind of object, before the next kind is tried
PROBE_SIZE = 32  # pixels a side of the pictures that judge what is seen
MIN_SHARE, MAX_SHARE = 0.004, 0.35  # of a frame that an object covers
MIN_FRAMES = 10  # in which an object covers at least MIN_SHARE; frame 0 is one of them
CAMERA_DISTANCE, LAMP_DISTANCE, OBJECT_DISTANCE = 0.3, 0.25, 0.05  # metres that surfaces keep away
TOUCH = 1e-3  # metres by which an object may touch, as a ball the floor

Outline = tuple[np.ndarray, np.ndarray]  # points [S, P, 3] of the room at the SWEEP_TIMES, and a radius [P] around each


def place_objects(scene: RoomScene, path: PlacedPath, count: int, rng: np.random.Generator) -> list[MovingObject]:
    """Draws `count` objects of different kinds, 1 to `MAX_MOVING_OBJECTS`; fewer where no more find a place.

    Raises ValueError for another count, and where not even one object of any kind finds a place.
    """
    if not 1 <= count <= MAX_MOVING_OBJECTS:
        raise ValueError(f"expected 1 to {MAX_MOVING_OBJECTS} moving objects, got {count}")
    kinds = list(MAKERS)
    shares = np.array([share for _, share in MAKERS.values()])
    placed: list[MovingObject] = []
    for number in rng.choice(len(kinds), len(kinds), replace=False, p=shares / shares.sum()):
        found = _try_kind(kinds[number], scene, path, placed, rng)
        placed += [] if found is None else [found]
        if len(placed) == count:
            break
    if not placed:
        raise ValueError(
            f"expected room for a moving object in scene {scene.split}/{scene.scene_seed} ({path.move}), found none"
        )
    return placed


def _try_kind(
    kind: str, scene: RoomScene, path: PlacedPath, placed: list[MovingObject], rng: np.random.Generator
) -> MovingObject | None:
    whole = with_fixed_boxes(scene, placed)
    target = BoxList(rng, texture_bank(scene.split))
    depth = render(whole, path.camera_to_world[:1], path.intrinsics[:1], PROBE_SIZE, antialias=0, threads=1)[1][0]
    for _ in range(TRIES):
        candidate = MAKERS[kind][0](_draw_wish(scene, path, depth, target))
        if candidate is None:
            continue
        if _touches_nothing(whole, path, candidate, placed) and _are_seen(scene, path, [*placed, candidate]):
            return candidate
    return None


def _draw_wish(scene: RoomScene, path: PlacedPath, depth: np.ndarray, target: BoxList) -> Wish:
    """A point on a ray of frame 0, before the surface that it meets."""
    rng, pose, (fx, fy, cx, cy) = target.rng, path.camera_to_world[0], path.intrinsics[0]
    column, row = rng.integers(PROBE_SIZE // 10, PROBE_SIZE - PROBE_SIZE // 10, 2)
    x, y = ((column + 0.5) / PROBE_SIZE - cx) / fx, ((row + 0.5) / PROBE_SIZE - cy) / fy
    ray = pose[:3, :3] @ np.array([x, y, 1.0]) * float(depth[row, column])
    return Wish(scene, pose[:3, 3] + rng.uniform(0.4, 0.97) * ray, pose[:3, 3] + ray, pose[:3, 3], target)


def _swept(thing: MovingObject) -> Outline:
    points, radii = thing.outline()
    poses = thing.motion(SWEEP_TIMES)
    return np.einsum("sij,pj->spi", poses[:, :3, :3], points) + poses[:, None, :3, 3], radii


def _standing(thing: MovingObject) -> Outline:
    points, radii = thing.fixed_outline()
    return np.broadcast_to(points, (len(SWEEP_TIMES), *points.shape)), radii


def _touches_nothing(scene: RoomScene, path: PlacedPath, thing: MovingObject, placed: list[MovingObject]) -> bool:
    moving, standing = _swept(thing), _standing(thing)
    camera = path.camera_to_world[:, None, :3, 3]
    if _gap((moving[0][::2], moving[1]), (camera, np.zeros(1))) < CAMERA_DISTANCE:
        return False
    lamps = np.broadcast_to(scene.lights, (len(SWEEP_TIMES), *scene.lights.shape))
    if _gap(moving, (lamps, np.zeros(len(scene.lights)))) < LAMP_DISTANCE:
        return False
    if len(standing[1]) and _gap((standing[0][::2], standing[1]), (camera, np.zeros(1))) < CLEARANCE:
        return False
    for other in map(_swept, placed):
        if _gap(moving, other) < OBJECT_DISTANCE or _gap(standing, other) < OBJECT_DISTANCE:
            return False
    return _is_free(scene, moving) and _is_free(scene, (standing[0][:1], standing[1]))


def _gap(first: Outline, second: Outline) -> float:
    """The smallest distance between two outlines at the same time; infinite if one is empty."""
    if not len(first[1]) or not len(second[1]):
        return np.inf
    between = np.linalg.norm(first[0][:, :, None] - second[0][:, None], axis=-1)
    return float((between - first[1][:, None] - second[1]).min())


def _is_free(scene: RoomScene, outline: Outline) -> bool:
    points, radii = outline
    return all(
        scene.clearance_is_free(points[:, radii == radius].reshape(-1, 3), radius - TOUCH).all()
        for radius in np.unique(radii)
    )


def _are_seen(scene: RoomScene, path: PlacedPath, objects: list[MovingObject]) -> bool:
    """Whether each object is seen as it should be, and the objects together do not come too near."""
    _, depth, object_ids = render_moving(with_fixed_boxes(scene, objects), as_arrays(objects, FRAME_TIMES),
                                         path.camera_to_world, path.intrinsics, PROBE_SIZE, antialias=0, threads=1)  # fmt: skip
    shares = np.stack([(object_ids == number).mean((1, 2)) for number in range(1, len(objects) + 1)])
    enough = shares >= MIN_SHARE
    if shares.max() > MAX_SHARE or not enough[:, 0].all() or enough.sum(1).min() < MIN_FRAMES:
        return False
    return np.quantile(depth, 0.05, axis=(1, 2)).min() >= MIN_NEAR_DEPTH * np.median(depth[0])
