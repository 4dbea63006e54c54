"""nerfstudio's `camera_path.json`: what its viewer and its Blender add-on write, and `ns-render camera-path` plays.

A frame has a flat row-major OpenGL camera-to-world matrix and `fov`, the vertical field of view in degrees. As nerfstudio
itself reads the file (`get_path_from_json` in its cameras/camera_paths.py, `RenderCameraPath` in its scripts/render.py):
pixels are square, so the horizontal field of view follows from `render_width` and `render_height`; the principal point is
the middle; the video lasts `seconds`, whatever `fps` says. `aspect` is ignored there (the add-on always writes 1); here it
is taken only where it is the aspect of the render size before that was rounded to whole pixels.

The poses are in the frame of the trained model, not in that of its `transforms.json`: the model's
`dataparser_transforms.json` (a rotation, a shift and a scale) lies between the two, so the unit is unknown. The world keeps its
axes, here too: nerfstudio's has z up, a path that starts at the identity has y down.
Only perspective cameras are read. Keyframes, crop and render times are not part of the path.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..camera_path import CameraPath
from .json_numbers import json_frames, json_numbers, json_positive
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world, picture_size_of


def recognise(source: PathSource) -> bool:
    """An object with a list `camera_path` of objects that have a `camera_to_world`."""
    content = source.json_or_none
    frames = content.get("camera_path") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        return False
    return all(isinstance(frame, dict) and "camera_to_world" in frame for frame in frames[:3])


def read(source: PathSource, options: PathOptions) -> RawPath:
    frames, content = json_frames(source, "camera_path"), source.json
    camera_type = content.get("camera_type", "perspective")
    if str(camera_type).lower() != "perspective":
        raise source.error(f'expected "camera_type" to be perspective, got {camera_type!r}')
    matrices = [
        json_numbers(source, fields.get("camera_to_world"), (16,), '"camera_to_world"', frame)
        for frame, fields in enumerate(frames)
    ]
    fy = 0.5 / np.tan(np.radians(_fields_of_view(source, frames)) / 2)
    middle = np.full(len(frames), 0.5)
    intrinsics = np.stack([fy / _aspects(source, frames, options), fy, middle, middle], axis=1)
    poses = np.reshape(matrices, (-1, 4, 4))
    return RawPath(poses, "opengl", "camera-to-world", intrinsics, fps=_fps(source, len(frames), options))


def _fields_of_view(source: PathSource, frames: list[dict]) -> np.ndarray:
    """Vertical, in degrees, [T]."""
    angles = [float(json_numbers(source, each.get("fov"), (), '"fov"', frame)) for frame, each in enumerate(frames)]
    for frame, angle in enumerate(angles):
        if not 0 < angle < 180:
            raise source.error(f'frame {frame}: expected "fov" between 0 and 180 degrees, got {angle:g}')
    return np.array(angles)


def _aspects(source: PathSource, frames: list[dict], options: PathOptions) -> np.ndarray:
    """Width / height of every frame, [T]: that of the render size, or the `aspect` that the render size is rounded from."""
    width, height = (json_positive(source, source.json, key) for key in ("render_width", "render_height"))
    if width is None or height is None:
        if options.picture_size is None:
            raise source.error(
                'expected "render_width" and "render_height" (nerfstudio needs them too), got none: '
                "--picture-size WIDTHxHEIGHT"
            )
        width, height = options.picture_size
    stated = [json_positive(source, fields, "aspect", frame) for frame, fields in enumerate(frames)]
    return np.array([each if each and _fits(each, width, height) else width / height for each in stated])


def _fits(aspect: float, width: float, height: float) -> bool:
    """Whether a picture in whole pixels has this aspect, up to the rounding of one of its sides."""
    return min(abs(width - height * aspect), abs(height - width / aspect)) < 0.5 + 1e-6


def _fps(source: PathSource, count: int, options: PathOptions) -> float | None:
    """Frames a second; `ValueError` where `fps` and `seconds` contradict each other and the user does not say."""
    fps, seconds = (json_positive(source, source.json, key) for key in ("fps", "seconds"))
    if fps is None or seconds is None:
        return fps if seconds is None else count / seconds
    if options.fps is None and abs(fps * seconds - count) > 1 + 1e-6:
        raise source.error(
            f'expected as many frames as "fps" x "seconds", {fps:g} x {seconds:g}, got {count}: '
            f"--fps {fps:g} or --fps {count / seconds:g} (as nerfstudio plays it)"
        )
    return fps


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    """Every pose is a keyframe too, so that nerfstudio's viewer can open the file."""
    width, height = (round(side) for side in picture_size_of(path, options))
    if not _fits(path.aspect, width, height):
        raise ValueError(
            f"expected a picture size of the path's aspect, {path.aspect:.4g}, since camera_path.json has square pixels, "
            f"got {width}x{height}: change the path's with for_picture"
        )
    matrices = from_opencv_camera_to_world(path.camera_to_world, "opengl", "camera-to-world").reshape(-1, 16).tolist()
    angles = np.degrees(2 * np.arctan(0.5 / path.intrinsics[:, 1])).tolist()
    frames = [
        {"camera_to_world": matrix, "fov": angle, "aspect": path.aspect}
        for matrix, angle in zip(matrices, angles, strict=True)
    ]
    keyframes = [{"matrix": each["camera_to_world"], "fov": each["fov"], "aspect": each["aspect"]} for each in frames]
    content = {
        "camera_type": "perspective",
        "render_width": width,
        "render_height": height,
        "fps": path.fps,
        "seconds": path.duration_seconds,
        "is_cycle": False,
        "smoothness_value": 0.0,
        "default_transition_sec": 1 / path.fps,
        "keyframes": keyframes,
        "camera_path": frames,
    }
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


FORMAT = PathFormat(
    name="camera-path",
    title="nerfstudio camera path (camera_path.json)",
    suffixes=(".json",),
    carries=frozenset({"place", "fps", "focal length", "zoom"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="OpenGL camera-to-world and a vertical field of view in degrees, square pixels; in the frame of the trained "
    "model, not in that of its transforms.json: dataparser_transforms.json lies between the two",
)
