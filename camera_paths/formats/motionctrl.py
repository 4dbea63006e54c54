"""MotionCtrl's camera poses: a JSON list of frames, each 12 numbers, the rows of a 3x4 world-to-camera matrix (OpenCV).

Its own code says so (T_base in its app.py: "W2C", left is +x, up is +y, "zoom in" is -z of the translation), and its
presets: test_camera_L.json goes left, U up, I forward, SPIN-CW rolls clockwise. Its "Pan" is a truck or a pedestal,
its "Zoom" a dolly, and "CW" and "ACW" are rolls: a MotionCtrl path never zooms.

The numbers are taken as they stand. MotionCtrl's programs multiply the three coordinates of the translation by constants
before the model sees them, and then by a speed: (3, 1, 4) in main/inference/motionctrl_cmcm.py (SVD), (1.5, 1, 1.3) in
gradio_utils/camera_utils.py (its demos), by nothing in main/evaluation/motionctrl_inference.py. None is applied here, in
either direction, so the unit is unknown and the same file moves differently in each of them. Its models take
16 frames (SVD: the middle 14).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..camera_path import CameraPath
from .json_numbers import json_numbers
from .path_format import PathFormat, PathOptions, PathSource, RawPath, from_opencv_camera_to_world


def recognise(source: PathSource) -> bool:
    """A list of lists of 12 numbers."""
    frames = source.json_or_none
    if not isinstance(frames, list) or not frames:
        return False
    return all(
        isinstance(frame, list) and len(frame) == 12 and all(type(number) in (int, float) for number in frame)
        for frame in frames[:3]
    )


def read(source: PathSource, options: PathOptions) -> RawPath:
    frames = source.json
    if not isinstance(frames, list) or not frames:
        raise source.error("expected a list of frames of 12 numbers, got none")
    source.check_count(len(frames))
    matrices = [json_numbers(source, numbers, (12,), "its 3x4 matrix", frame) for frame, numbers in enumerate(frames)]
    return RawPath(np.reshape(matrices, (-1, 3, 4)), "opencv", "world-to-camera")


def write(path: CameraPath, file: Path, options: PathOptions) -> None:
    world_to_camera = from_opencv_camera_to_world(path.camera_to_world, "opencv", "world-to-camera")
    frames = world_to_camera[:, :3].reshape(-1, 12).tolist()
    file.write_text(json.dumps(frames, indent=1) + "\n", encoding="utf-8")


FORMAT = PathFormat(
    name="motionctrl",
    title="MotionCtrl camera poses",
    suffixes=(".json",),
    carries=frozenset({"place"}),
    recognise=recognise,
    read=read,
    write=write,
    remarks="12 numbers a frame, OpenCV world-to-camera; its programs multiply the translations by constants of their own, "
    'which are not applied here; its "Pan" is a truck, its "Zoom" a dolly',
)
