"""What the tests share: small videos, captures with exactly known cameras, and a scene that can be told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from camvig.dataset_builders.rooms.room_clips import RoomClip, room_clip
from camvig.dataset_builders.scenes.radiance_field import Rendering, SceneViews

TO_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def make_frames(count: int, seed: int = 0, step: float = 1.0, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Frames [count, *size, 3] uint8 of a scene that moves `step` pixels to the left a frame: large shapes, some detail."""
    height, width = size
    rng = np.random.default_rng(seed)
    wide = width + int(count * step) + 1
    shapes = rng.uniform(0, 255, (2, 2 + wide // 40, 3)).astype(np.float32)
    details = rng.normal(0, 25, (8, 1 + wide // 8, 3)).astype(np.float32)
    scene = sum(cv2.resize(layer, (wide, height), interpolation=cv2.INTER_LINEAR) for layer in (shapes, details))
    offsets = [round(frame * step) for frame in range(count)]
    return np.stack([scene[:, offset : offset + width] for offset in offsets]).clip(0, 255).astype(np.uint8)


def write_test_video(
    file: Path, frames: np.ndarray, fps: float | None = 24.0, milliseconds: Sequence[int] | None = None
) -> Path:
    """An mp4 with its index in front, so that it can be cut off; `milliseconds` are the frames' times instead of fps."""
    with av.open(str(file), "w", format="mp4", options={"movflags": "faststart"}) as container:
        rate = Fraction(1000) if milliseconds is not None else Fraction(fps or 24.0).limit_denominator(1001)
        options = {"crf": "12", "bf": "0", "g": "12", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.codec_context.thread_count = 1  # the same frames give the same file
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv444p"
        for index, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.time_base = 1 / rate
            frame.pts = index if milliseconds is None else milliseconds[index]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


@pytest.fixture(name="make_frames", scope="session")
def make_frames_fixture() -> Callable[..., np.ndarray]:
    """`make_frames(count, seed, step, size)`."""
    return make_frames


@pytest.fixture(name="write_test_video", scope="session")
def write_test_video_fixture() -> Callable[..., Path]:
    """`write_test_video(file, frames, fps, milliseconds)`."""
    return write_test_video


@dataclass(frozen=True)
class WallField:
    """The plane z = 2, for |x| and |y| up to `half_width`, seen by one view from the origin with a lens of 90 degrees."""

    half_width: float = 100.0
    name: str = "wall"
    unit: str = "scene"
    licence: str = "CC0-1.0"
    credit: str = "nobody"

    @property
    def views(self) -> SceneViews:
        return SceneViews(np.eye(4)[None], np.array([[0.5, 0.5, 0.5, 0.5]]))

    def render(self, camera_to_world, intrinsics, size) -> Rendering:
        height, width = size
        x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        fx, fy, cx, cy = intrinsics.T[:, :, None, None]
        shape = (len(intrinsics), height, width)
        rays = np.stack(
            [np.broadcast_to(part, shape) for part in ((x - cx) / fx, (y[:, None] - cy) / fy, np.ones(()))], -1
        )
        directions = np.einsum("tij,thwj->thwi", camera_to_world[:, :3, :3], rays)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (2 - camera_to_world[:, 2, 3, None, None]) / directions[..., 2]
            meets = camera_to_world[:, None, None, :2, 3] + depth[..., None] * directions[..., :2]
            hit = (depth > 0) & (np.abs(meets).max(axis=-1) <= self.half_width)
        depth = np.where(hit, depth, np.inf).astype(np.float32)
        chequers = np.floor(np.where(hit[..., None], meets, 0) * 2).sum(axis=-1) % 2
        return Rendering(
            np.repeat(np.where(hit, 0.2 + 0.6 * chequers, 0)[..., None], 3, axis=-1).astype(np.float32), depth
        )


@pytest.fixture
def make_wall() -> type[WallField]:
    return WallField


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
