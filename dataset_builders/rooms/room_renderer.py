"""Renders rooms by ray casting: colour with lights and soft shadows, and exact z-depth.

What always holds: depth belongs to the ray through the pixel's centre, colour is the mean of `antialias` squared sub-rays.
The work is done by `room_kernels`; `render` spreads frames over threads. Shading is our choice: textures times (ambient
with contact darkening + point lights).
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .moving_objects import MovingObjects
from .room_kernels import DIRECTIONS, light_cells, render_frames
from .room_scene import RoomScene
from .room_textures import packed_texels


def _materials(scene: RoomScene, objects: MovingObjects | None) -> np.ndarray:
    """A row a box, a moving part and a shell face, in this order: textures of sides and top, scale, tint, emission, is it a
    picture."""
    boxes = [scene.box_textures, scene.box_scale, scene.box_tint, scene.box_emission, scene.box_is_picture]
    faces = [np.repeat(scene.shell_textures[:, None], 2, axis=1), scene.shell_scale, scene.shell_tint, np.zeros((6, 2))]
    parts = [] if objects is None else [objects.part_materials]
    return np.concatenate([np.column_stack(boxes), *parts, np.column_stack(faces)]).astype(np.float64)


def _light_samples(scene: RoomScene, samples: int) -> np.ndarray:
    """Positions [S * L, 3] on the lights, one set a sub-ray: their mean makes shadows soft."""
    lights = np.repeat(scene.lights[None], samples, axis=0)
    if samples > 1:
        angle = 2 * math.pi * (np.arange(samples) + 0.37) / samples
        ring = np.stack([np.cos(angle), 0.3 * np.sin(2 * angle), np.sin(angle)], axis=1)
        lights = lights + ring[:, None] * scene.light_radius[None, :, None]
    return lights.reshape(-1, 3)


def render(scene: RoomScene, camera_to_world: np.ndarray, intrinsics: np.ndarray, size: int = 64, antialias: int = 2,
           threads: int | None = None) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Renders T frames of `size` x `size` pixels of a room at rest.

    camera_to_world [T, 4, 4] in metres, OpenCV axes; intrinsics [T, 4] normalised (fx, fy, cx, cy). Returns rgb
    [T, H, W, 3] uint8 and depth [T, H, W] float32, the z-depth in metres along the ray through each pixel's centre.
    antialias 0 leaves the colours out (rgb is black). `threads` defaults to the cores this process may use.
    """
    rgb, depth, _ = _render(scene, None, camera_to_world, intrinsics, size, antialias, threads)
    return rgb, depth


def render_moving(scene: RoomScene, objects: MovingObjects, camera_to_world: np.ndarray, intrinsics: np.ndarray,
                  size: int = 64, antialias: int = 2, threads: int | None = None
                  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """As `render`, with moving objects, which have a pose for each of the T frames.

    Also returns object_ids [T, H, W] uint8: which object the ray through a pixel's centre meets, from 1; 0 is the room.
    """
    if len(objects.object_to_world) != len(camera_to_world):
        raise ValueError(
            f"expected a pose of each object for {len(camera_to_world)} frames, got {len(objects.object_to_world)}"
        )
    return _render(scene, objects, camera_to_world, intrinsics, size, antialias, threads)


def _render(scene: RoomScene, objects: MovingObjects | None, camera_to_world: np.ndarray, intrinsics: np.ndarray,
            size: int, antialias: int, threads: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    poses = np.ascontiguousarray(camera_to_world, np.float64)
    lenses = np.ascontiguousarray(intrinsics, np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or lenses.shape != (len(poses), 4):
        raise ValueError(
            f"expected camera_to_world [T, 4, 4] and intrinsics [T, 4], got {poses.shape} and {lenses.shape}"
        )
    lights = _light_samples(scene, max(antialias * antialias, 1))
    cells = np.empty((len(lights) * DIRECTIONS, len(scene.boxes)), np.uint8)
    counts = np.empty(len(cells), np.int32)
    if antialias > 0:
        light_cells(scene.boxes, scene.box_is_solid, lights, cells, counts)
    materials = _materials(scene, objects) if antialias > 0 else np.empty((0, 8))
    rgb = np.zeros((len(poses), size, size, 3), np.uint8)
    depth = np.empty((len(poses), size, size), np.float32)
    object_ids = np.zeros((len(poses), size, size), np.uint8)
    arguments = (
        poses, lenses, scene.shell, scene.boxes, materials, lights, scene.light_colour, cells, counts,
        packed_texels(scene.split), None if objects is None else objects.for_kernels(), antialias, rgb, depth, object_ids,
    )  # fmt: skip
    workers = min(threads or len(os.sched_getaffinity(0)), len(poses))
    if workers == 1:
        render_frames(np.arange(len(poses)), *arguments)
    else:
        with ThreadPoolExecutor(workers) as pool:
            shares = [np.arange(start, len(poses), 2 * workers) for start in range(min(2 * workers, len(poses)))]
            list(pool.map(lambda frames: render_frames(frames, *arguments), shares))
    return rgb, depth, object_ids
