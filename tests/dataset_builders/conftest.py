"""Small captures with exactly known cameras: views of a procedural room, written as nerfstudio writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camvig.dataset_builders.room_clips import RoomClip, room_clip

TO_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@pytest.fixture(scope="session")
def orbit_clip() -> RoomClip:
    """17 views of 96x96 pixels of a room, on an orbit."""
    return room_clip("train", 1, 0, 96, move="orbit_left")


@pytest.fixture
def write_capture(tmp_path: Path, orbit_clip: RoomClip) -> Callable[..., Path]:
    """`write_capture(name, poses=None, with_depth=False, **lens)`: a folder with transforms.json, images/ and depth/."""

    def write(name: str = "room", poses: np.ndarray | None = None, with_depth: bool = False, **lens: object) -> Path:
        folder = tmp_path / name
        for part in ("images", "depth"):
            (folder / part).mkdir(parents=True)
        size = orbit_clip.frames.shape[1]
        fx, fy, cx, cy = (orbit_clip.intrinsics[0] * size).tolist()
        frames = []
        for view, pose in enumerate(orbit_clip.camera_to_world if poses is None else poses):
            matrix = (TO_OPENGL @ pose @ TO_OPENGL).tolist()  # the world's axes are renamed with the camera's
            frame = {"file_path": f"images/view_{view:02d}.png", "transform_matrix": matrix}
            Image.fromarray(orbit_clip.frames[view]).save(folder / str(frame["file_path"]))
            if with_depth:
                frame["depth_file_path"] = f"depth/view_{view:02d}.png"
                steps = np.minimum(orbit_clip.depth[view] * 1000, 65535).astype(np.uint16)
                Image.fromarray(steps).save(folder / frame["depth_file_path"])
            frames.append(frame)
        content = {"w": size, "h": size, "fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, "frames": frames} | lens
        (folder / "transforms.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    return write
