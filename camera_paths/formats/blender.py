"""Blender: a Python script that makes a camera with a keyframe for every pose, for Blender 2.8 and newer.

Run it in Blender's Scripting tab, or with `blender --python path.py`. The first camera stands at the origin, upright, looking
along +y, in Blender's world (z up; its cameras have x right, y up and look along -z); lengths are the path's own numbers.
The sensor is 36 mm wide and fitted horizontally, so the focal length is 36 mm x fx, and the shifts that move the principal point
are in picture widths: shift_x = 0.5 - cx to the right, shift_y = (cy - 0.5) / aspect up. Between keyframes, which are frames
1, 2, ..., everything is linear. Blender keeps float32.

Scripts are not read, nor are .blend files: a path comes back from Blender as glTF (File > Export > glTF 2.0, with
cameras and animations).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..camera_path import CameraPath
from ..units import UNIT_IN_WORDS
from .path_format import TO_OPENCV, PathFormat, PathOptions, PathSource, RawPath, picture_size_of

OPENCV_TO_BLENDER = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # the world: z up, y ahead
SENSOR_WIDTH = 36.0  # mm, Blender's default
SHORTEST_LENS = 1.0  # mm, the least that Blender takes

SCRIPT = '''\
"""A camera path for Blender, written by camvig: {description}.

Run it in Blender's Scripting tab, or with: blender --python {name}
One Blender unit is one of the path's {unit}.
"""

import bpy

FPS = {fps}
RESOLUTION = {resolution}
PIXEL_ASPECT = {pixel_aspect}
SENSOR_WIDTH = {sensor_width}  # mm

# A frame a row: location x, y, z; rotation quaternion w, x, y, z; focal length in mm; shift x, y.
FRAMES = [
{rows}
]


def curves_of(datablock):
    """The animation curves of a camera or a lens, also in the layered actions of Blender 4.4 and newer."""
    animation = datablock.animation_data
    if not hasattr(animation.action, "layers"):
        return animation.action.fcurves
    strips = [strip for layer in animation.action.layers for strip in layer.strips]
    return [curve for strip in strips for curve in strip.channelbag(animation.action_slot).fcurves]


def animate(datablock, columns):
    """Keyframes for the properties (name, index) of a datablock, each with a column of FRAMES."""
    for name in {{name for name, index in columns}}:
        datablock.keyframe_insert(name, frame=1)
    for curve in curves_of(datablock):
        column = columns[curve.data_path, curve.array_index]
        curve.keyframe_points.add(len(FRAMES) - len(curve.keyframe_points))
        positions = [number for frame, row in enumerate(FRAMES, start=1) for number in (frame, row[column])]
        curve.keyframe_points.foreach_set("co", positions)
        for keyframe in curve.keyframe_points:
            keyframe.interpolation = "LINEAR"
            keyframe.handle_left_type = keyframe.handle_right_type = "AUTO_CLAMPED"
        curve.update()


def make_camera():
    lens = bpy.data.cameras.new("camvig camera")
    lens.sensor_fit = "HORIZONTAL"
    lens.sensor_width = SENSOR_WIDTH
    lens.lens, lens.shift_x, lens.shift_y = FRAMES[0][7:]
    camera = bpy.data.objects.new("camvig camera", lens)
    bpy.context.scene.collection.objects.link(camera)
    camera.rotation_mode = "QUATERNION"
    locations = {{("location", index): index for index in range(3)}}
    rotations = {{("rotation_quaternion", index): 3 + index for index in range(4)}}
    animate(camera, {{**locations, **rotations}})
    if any(row[7:] != FRAMES[0][7:] for row in FRAMES):
        animate(lens, {{("lens", 0): 7, ("shift_x", 0): 8, ("shift_y", 0): 9}})
    return camera


def set_scene(scene, camera):
    scene.camera = camera
    scene.render.fps = max(1, round(FPS))
    scene.render.fps_base = scene.render.fps / FPS
    scene.frame_start, scene.frame_end = 1, len(FRAMES)
    scene.render.resolution_x, scene.render.resolution_y = RESOLUTION
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = PIXEL_ASPECT
    scene.frame_set(1)


set_scene(bpy.context.scene, make_camera())
'''


def recognise(source: PathSource) -> bool:
    """A file that only Blender could read a path from, so that `read` can say what to do."""
    return source.suffix in (".py", ".blend") and source.file.is_file()


def read(source: PathSource, options: PathOptions) -> RawPath:
    raise source.error(
        f"expected a camera path that can be read, got {source.suffix or 'a file'} of Blender's: open it in Blender, export it "
        "with File > Export > glTF 2.0 (cameras and animations included), and read the .glb or .gltf"
    )


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    width, height = (max(1, round(side)) for side in picture_size_of(path, options))
    aspect = path.aspect * height / width  # of a pixel: 1 where the picture has the path's own shape
    sensor_width = max(SENSOR_WIDTH, SHORTEST_LENS / path.intrinsics[:, 0].min())
    rows = np.concatenate([_poses(path), _lenses(path, float(sensor_width))], axis=1).tolist()
    script = SCRIPT.format(
        description=path.describe(),
        name="PATH.py",
        unit=UNIT_IN_WORDS[path.unit],
        fps=repr(path.fps),
        resolution=(width, height),
        pixel_aspect=(1.0, 1.0) if math.isclose(aspect, 1) else (max(1.0, aspect), max(1.0, 1 / aspect)),
        sensor_width=repr(float(sensor_width)),
        rows="\n".join(f"    {tuple(row)!r}," for row in rows),
    )
    file.write_text(script, encoding="utf-8")


def _poses(path: CameraPath) -> np.ndarray:
    """Locations and quaternions w, x, y, z without leaps from one sign to the other, [T, 7]."""
    poses = OPENCV_TO_BLENDER @ path.relative().camera_to_world @ TO_OPENCV["opengl"]
    quaternions = Rotation.from_matrix(poses[:, :3, :3]).as_quat(scalar_first=True)
    turned_over = np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0
    quaternions[1:] *= np.cumprod(np.where(turned_over, -1, 1))[:, None]
    return np.concatenate([poses[:, :3, 3], quaternions], axis=1)


def _lenses(path: CameraPath, sensor_width: float) -> np.ndarray:
    """Focal lengths in mm and shifts in picture widths, [T, 3]."""
    fx, _, cx, cy = path.intrinsics.T
    return np.stack([sensor_width * fx, 0.5 - cx, (cy - 0.5) / path.aspect], axis=1)


FORMAT = PathFormat(
    name="blender",
    title="Blender (a script that makes the camera)",
    suffixes=(".py",),
    carries=frozenset({"fps", "focal length", "zoom", "principal point"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="the first camera stands upright at the origin and looks along +y, z is up; lengths in the path's own unit; "
    "comes back from Blender as glTF",
)
