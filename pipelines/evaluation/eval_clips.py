"""The clips that a system is measured on, whatever they come from: true frames, their path, and exact depth where it is known.

What always holds: clips have names of their own that can be file names, one size and one length; a path is relative to its
first pose, in scene_depth, with the lens of the picture squashed to a square (fy / fx is the true aspect). The same call
gives the same clips in the same order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ...camera_paths.camera_path import CameraPath
from ...dataset_builders.clip_folders import spread_clips
from ...dataset_builders.clip_length import FPS, NUM_FRAMES
from ...dataset_builders.clip_variants import is_in_range, mirrored, relative_path, reversed_in_time
from ...dataset_builders.exact_flow import backward_flow
from ...dataset_builders.rooms.room_clips import room_clips

FEWEST_FRAMES = 3
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class EvalClip:
    """One clip."""

    name: str
    scene: str
    move: str
    frames: np.ndarray  # [T, S, S, 3] uint8
    path: CameraPath
    depth: np.ndarray | None  # [T, S, S] float32, z in the unit of camera_to_world
    camera_to_world: np.ndarray  # [T, 4, 4], in the unit of depth; of no scale that is known without it

    @cached_property
    def to_first_frame(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`exact_flow.backward_flow` of a clip with depth: flow [T-1, 2, S, S], visibility and in_front [T-1, S, S]."""
        assert self.depth is not None
        return backward_flow(self.depth, self.camera_to_world, self.path.intrinsics)

    @property
    def hidden(self) -> np.ndarray | None:
        """`[T-1, S, S]` bool: what frame 0 does not show of frames 1..; None without depth."""
        return None if self.depth is None else self.to_first_frame[1] == 0

    def first(self, num_frames: int) -> EvalClip:
        """Its first frames."""
        path = replace(
            self.path,
            camera_to_world=self.path.camera_to_world[:num_frames],
            intrinsics=self.path.intrinsics[:num_frames],
        )
        depth = None if self.depth is None else self.depth[:num_frames]
        parts = {"frames": self.frames[:num_frames], "camera_to_world": self.camera_to_world[:num_frames]}
        return replace(self, path=path, depth=depth, **parts)

    def mirrored(self) -> EvalClip:
        """Left becomes right, in frames, depth and path."""
        return self._variant(mirrored(self._arrays()), self.path.mirrored())

    def backwards(self) -> EvalClip | None:
        """The last frame becomes the first; None without depth, which gives the scale, or where the path leaves the range."""
        if self.depth is None or not is_in_range(variant := reversed_in_time(self._arrays())):
            return None
        return self._variant(variant, CameraPath(*relative_path(variant), fps=self.path.fps, unit="scene_depth"))

    def _arrays(self) -> dict:
        return {
            "frames": self.frames,
            "depth": self.depth,
            "camera_to_world": self.camera_to_world,
            "intrinsics": self.path.intrinsics,
        }

    def _variant(self, arrays: dict, path: CameraPath) -> EvalClip:
        frames = np.ascontiguousarray(arrays["frames"])
        return replace(self, frames=frames, path=path, depth=arrays["depth"], camera_to_world=arrays["camera_to_world"])


def read_eval_clips(data: str, split: str | None, count: int, size: int, num_frames: int) -> tuple[list[EvalClip], str]:
    """At most `count` clips of `data`, "rooms" or a folder of clips, and the name of their split.

    Args:
        data: of a folder, its part named like the split if it has such parts, as `camvig data cut-videos` leaves them.
        split: None is "test"; of a folder without parts, "all" of it.
        size: S, pixels a side.
        num_frames: how many of a clip's frames, from the first.

    Raises:
        ValueError: no such folder or split, fewer than 2 clips with a path, or frames that a clip does not have.
    """
    if not FEWEST_FRAMES <= num_frames <= NUM_FRAMES:
        raise ValueError(f"expected {FEWEST_FRAMES} to {NUM_FRAMES} frames a clip, got {num_frames}")
    if data == "rooms":
        clips, split = _rooms(split or "test", count, size), split or "test"
    else:
        folder, split = _folder_of(Path(data), split)
        clips = [_of_folder(clip, size) for clip in spread_clips(folder, count)]
    if len(clips) < 2:
        raise ValueError(
            f"expected at least 2 clips with a camera path, so that one can take another's path, got {len(clips)}"
            + ("" if data == "rooms" else f" in {data}")
        )
    names = [clip.name for clip in clips]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"expected clips of different names in {data}, got more than one {twice[0]}")
    return [clip.first(num_frames) for clip in clips], split


def _rooms(split: str, count: int, size: int) -> list[EvalClip]:
    rooms = tqdm(room_clips(split, count, size=size), total=count, desc="rendering rooms")
    return [
        EvalClip(
            name=f"room-{split}-{room.scene_seed:06d}-{room.clip_seed}",
            scene=f"{split}-{room.scene_seed}",
            move=room.move,
            frames=room.frames,
            path=room.path,
            depth=room.depth,
            camera_to_world=room.camera_to_world,
        )
        for room in rooms
    ]


def _folder_of(folder: Path, split: str | None) -> tuple[Path, str]:
    if not folder.is_dir():
        raise ValueError(f"expected rooms or a folder of clips as data, got {folder}: no such folder")
    there = [name for name in SPLITS if (folder / name).is_dir()]
    if split is None and not there:
        return folder, "all"
    wanted = split or "test"
    if wanted not in there:
        raise ValueError(f"expected a split {wanted} in {folder}, got {', '.join(there) or 'a folder without splits'}")
    return folder / wanted, wanted


def _of_folder(clip: dict, size: int) -> EvalClip:
    depth, poses = clip["depth"], np.asarray(clip["camera_to_world"], np.float64)
    return EvalClip(
        name=re.sub(r"[^\w.-]+", "_", clip["clip_id"]),
        scene=clip["scene_id"],
        move=clip["move"],
        frames=resized(np.asarray(clip["frames"]), (size, size)),
        path=CameraPath(*relative_path(clip), fps=FPS, unit="scene_depth"),
        depth=None if depth is None else _nearest(np.asarray(depth, np.float32), size),
        camera_to_world=poses,
    )


def resized(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Frames `[T, h, w, 3]` uint8 -> `[T, H, W, 3]`; `size` is (H, W)."""
    if frames.shape[1:3] == size:
        return frames
    shrinks = frames.shape[1] >= size[0] and frames.shape[2] >= size[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, size[::-1], interpolation=interpolation) for frame in frames])


def _nearest(depth: np.ndarray, size: int) -> np.ndarray:
    if depth.shape[1:] == (size, size):
        return depth
    return np.stack([cv2.resize(each, (size, size), interpolation=cv2.INTER_NEAREST) for each in depth])
