"""The rows of every clip dataset: the columns that all builders share, and how a clip becomes such a row.

What always holds: a row is one clip; rows of different builders have the shared columns in common, so they can be mixed
and trained on together; what one builder knows besides stands in columns of its own, after these.

    video               mp4 of 17 frames, {"bytes", "path": None}: H.264, see `clip_videos.encode_video`
    has_path            whether the camera path is known; False for plain video
    camera_to_world     (17, 4, 4) float32, OpenCV axes, relative to the first pose, in scene_depth
    intrinsics          (17, 4) float32, fx, fy, cx, cy normalised by width and height; fy / fx is the picture's true
                        aspect (width / height), also where the picture is squashed to a square
    depth_scale         one scene_depth, the median z-depth of the first frame, in `depth_unit`; 0 without a path
    depth_unit          "metre", "scene" (a reconstruction's own, unknown in metres), "" without a path
    move                one of `room_paths.MOVES`, "recorded" for the path of a real camera, "unknown" without a path
    fps                 frames a second
    clip_id             no two clips of a dataset share one
    scene_id            no scene is in two splits
    source              the kind of scene: "procedural_rooms", "video", "posed_video", ...
    credit              whom the licence asks to name, or where the scene is from; "" if nobody
    licence             of the pictures, as their owner states it
    generator_version   of the code that cut or rendered the clip

Without a path the pose columns hold stand-ins of the right shapes, so that batches can be made: 17 identities and a lens
of 65 degrees along the longer side, of which only the aspect is true. They are no path: `camera_path_of` refuses them,
and a model is to be given its missing-camera token instead.
"""

from __future__ import annotations

from typing import Any

import datasets
import numpy as np

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.intrinsics import DEFAULT_INTRINSICS
from ..camera_paths.units import Unit
from .clip_length import NUM_FRAMES
from .clip_videos import encode_video

SHARED_COLUMNS = {
    "video": datasets.Video(decode=False),
    "has_path": datasets.Value("bool"),
    "camera_to_world": datasets.Array3D((NUM_FRAMES, 4, 4), "float32"),
    "intrinsics": datasets.Array2D((NUM_FRAMES, 4), "float32"),
    "depth_scale": datasets.Value("float32"),
    "depth_unit": datasets.Value("string"),
    "move": datasets.Value("string"),
    "fps": datasets.Value("float32"),
    "clip_id": datasets.Value("string"),
    "scene_id": datasets.Value("string"),
    "source": datasets.Value("string"),
    "credit": datasets.Value("string"),
    "licence": datasets.Value("string"),
    "generator_version": datasets.Value("string"),
}

ABOUT_COLUMNS = """\
- video: mp4 (H.264, yuv444p).
- has_path: whether the camera path is known. Where it is not, the pose columns are stand-ins (identities, a lens of 65
  degrees), depth_scale is 0 and move is "unknown".
- camera_to_world: (T, 4, 4), OpenCV axes (x right, y down, z forward), relative to the first pose, translations in scene
  depths (1.0 = the median z-depth of the first frame).
- intrinsics: (T, 4), fx, fy, cx, cy normalised by the picture's width and height; the pictures are squashed to a square,
  fy / fx is their true aspect.
- depth_scale: one scene depth, in depth_unit.
- scene_id: no scene is in two splits."""
"""For the description of a dataset."""


def clip_features(**more: Any) -> datasets.Features:
    """The shared columns, then a builder's own: `clip_features(scene_seed=datasets.Value("int64"))`."""
    return datasets.Features(SHARED_COLUMNS | more)


def video_column(frames: np.ndarray, fps: float) -> dict[str, Any]:
    """Frames [17, H, W, 3] uint8 -> the column `video`."""
    if len(frames) != NUM_FRAMES:
        raise ValueError(f"expected {NUM_FRAMES} frames, got {len(frames)}")
    return {"bytes": encode_video(frames, fps), "path": None}


def path_columns(path: CameraPath, depth_scale: float, depth_unit: Unit, move: str) -> dict[str, Any]:
    """The columns from `has_path` to `move` of a clip whose path is known: 17 relative poses in scene_depth."""
    if path.unit != "scene_depth" or path.num_frames != NUM_FRAMES:
        raise ValueError(f"expected {NUM_FRAMES} poses in scene_depth, got {path.num_frames} in {path.unit}")
    if not np.allclose(path.camera_to_world[0], np.eye(4), rtol=0, atol=1e-6):
        raise ValueError(
            f"expected a path relative to its first pose, got one that starts at {path.camera_to_world[0]}"
        )
    return {
        "has_path": True,
        "camera_to_world": path.camera_to_world.astype(np.float32),
        "intrinsics": path.intrinsics.astype(np.float32),
        "depth_scale": depth_scale,
        "depth_unit": depth_unit,
        "move": move,
    }


def no_path_columns(aspect: float) -> dict[str, Any]:
    """The same columns without a path: stand-ins, of which only the aspect (width / height) is true."""
    longer = DEFAULT_INTRINSICS[0]  # the focal length in longer sides
    fx, fy = (longer, longer * aspect) if aspect >= 1 else (longer / aspect, longer)
    return {
        "has_path": False,
        "camera_to_world": np.tile(np.eye(4, dtype=np.float32), (NUM_FRAMES, 1, 1)),
        "intrinsics": np.tile(np.array([fx, fy, 0.5, 0.5], np.float32), (NUM_FRAMES, 1)),
        "depth_scale": 0.0,
        "depth_unit": "",
        "move": "unknown",
    }


def camera_path_of(row: dict[str, Any]) -> CameraPath:
    """The camera path of a row, relative to its first pose, in scene_depth. `ValueError` where the row has none."""
    if not row["has_path"]:
        raise ValueError(f"expected a clip with a camera path, got {row['clip_id']}, which has none (plain video)")
    return CameraPath(row["camera_to_world"], row["intrinsics"], fps=row["fps"], unit="scene_depth")
