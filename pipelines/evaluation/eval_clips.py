"""The clips that a system is measured on, whatever they come from: true frames, their path, and exact depth where it is known.

What always holds: clips have names of their own that can be file names, one size and one length; a path is relative to its
first pose, in scene_depth, with the lens of the picture squashed to a square (fy / fx is the true aspect). The same call
gives the same clips in the same order.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from ...camera_paths.camera_path import CameraPath
from ...dataset_builders.clip_folders import spread_clips
from ...dataset_builders.clip_length import FPS, NUM_FRAMES
from ...dataset_builders.clip_variants import is_in_range, mirrored, relative_path, reversed_in_time
from ...dataset_builders.exact_flow import FlowParts, flow_to_first_frame, forward_flow_parts
from ...dataset_builders.panorama_clips import panorama_clip
from ...dataset_builders.rooms.room_clips import room_clips

FEWEST_FRAMES = 3
SPLITS = ("train", "validation", "test")
ROOMS = ("rooms", "moving-rooms")
PANORAMAS = "panoramas"
MOVING_OBJECTS = 2


@dataclass(frozen=True)
class EvalClip:
    """One clip."""

    name: str
    scene: str
    move: str
    frames: np.ndarray  # [T, S, S, 3] uint8
    path: CameraPath
    depth: np.ndarray | None  # [T, S, S] float32, z in the unit of camera_to_world; of panoramas that of a sphere
    camera_to_world: np.ndarray  # [T, 4, 4], in the unit of depth; of no scale that is known without it
    object_ids: np.ndarray | None = (
        None  # [T, S, S] uint8, k = shows object k - 1 that moves by itself; None: nothing does
    )
    object_to_world: np.ndarray | None = None  # [T, K, 4, 4], in the unit of depth

    @cached_property
    def to_first_frame(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of a clip with depth, moving objects included: flow [T-1, 2, S, S], visibility and in_front [T-1, S, S]."""
        assert self.depth is not None
        return flow_to_first_frame(self._arrays())

    def flow_parts(self) -> FlowParts:
        """`exact_flow.forward_flow_parts` of a clip with depth, with no objects where nothing moves by itself."""
        assert self.depth is not None
        nothing = np.zeros(self.depth.shape, np.uint8), np.zeros((len(self.depth), 0, 4, 4))
        objects = nothing if self.object_ids is None else (self.object_ids, self.object_to_world)
        return forward_flow_parts(self.depth, self.camera_to_world, self.path.intrinsics, *objects)

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
        parts = {name: values[:num_frames] for name, values in self._arrays().items() if values is not None}
        del parts["intrinsics"]
        return replace(self, path=path, **parts)

    def mirrored(self) -> EvalClip:
        """Left becomes right, in frames, depth, path and objects."""
        return self._variant(mirrored(self._arrays()), self.path.mirrored())

    def backwards(self) -> EvalClip | None:
        """The last frame becomes the first; None without depth, which gives the scale, or where the path leaves the range."""
        if self.depth is None or not is_in_range(variant := reversed_in_time(self._arrays())):
            return None
        return self._variant(variant, CameraPath(*relative_path(variant), fps=self.path.fps, unit="scene_depth"))

    def _arrays(self) -> dict[str, Any]:
        """As `clip_folders` has them."""
        names = ("frames", "depth", "camera_to_world", "object_ids", "object_to_world")
        arrays = {name: getattr(self, name) for name in names if name == "depth" or getattr(self, name) is not None}
        return arrays | {"intrinsics": self.path.intrinsics}

    def _variant(self, arrays: dict[str, Any], path: CameraPath) -> EvalClip:
        changed = {name: arrays[name] for name in self._arrays() if name != "intrinsics"}
        return replace(self, path=path, **(changed | {"frames": np.ascontiguousarray(arrays["frames"])}))


def read_eval_clips(
    data: str, split: str | None, count: int, size: int, num_frames: int, moving_objects: int = MOVING_OBJECTS
) -> tuple[list[EvalClip], str]:
    """At most `count` clips of `data`, one of `ROOMS`, `PANORAMAS` or a folder of clips, and the name of their split.

    Args:
        data: of a folder, its part named like the split if it has such parts, as `camvig data cut-videos` leaves them.
        split: None is "test"; of a folder with one part only, that part, with a warning; of a folder without parts, "all" of it.
            Panoramas have no "validation".
        size: S, pixels a side.
        num_frames: how many of a clip's frames, from the first.
        moving_objects: of each clip of moving rooms, at most.

    Raises:
        ValueError: no such folder or split, fewer than 2 clips with a path, or frames that a clip does not have.
    """
    if not FEWEST_FRAMES <= num_frames <= NUM_FRAMES:
        raise ValueError(f"expected {FEWEST_FRAMES} to {NUM_FRAMES} frames a clip, got {num_frames}")
    if data in ROOMS:
        split = split or "test"
        clips = _rooms(split, count, size, moving_objects if data == "moving-rooms" else 0)
    elif data == PANORAMAS:
        split = split or "test"
        clips = [_panorama(split, seed, size) for seed in range(count)]
    else:
        folder, split = _folder_of(Path(data), split)
        clips = [_of_folder(clip, size) for clip in spread_clips(folder, count)]
    if len(clips) < 2:
        raise ValueError(
            f"expected at least 2 clips with a camera path, so that one can take another's path, got {len(clips)}"
            + ("" if data in (*ROOMS, PANORAMAS) else f" in {data}")
        )
    names = [clip.name for clip in clips]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"expected clips of different names in {data}, got more than one {twice[0]}")
    return [clip.first(num_frames) for clip in clips], split


def _rooms(split: str, count: int, size: int, moving_objects: int) -> list[EvalClip]:
    clips = room_clips(split, count, size=size, moving_objects=moving_objects)
    rooms = tqdm(clips, total=count, desc="rendering rooms")
    return [
        EvalClip(
            name=f"room-{split}-{room.scene_seed:06d}-{room.clip_seed}",
            scene=f"{split}-{room.scene_seed}",
            move=room.move,
            frames=room.frames,
            path=room.path,
            depth=room.depth,
            camera_to_world=room.camera_to_world,
            **({"object_ids": room.object_ids, "object_to_world": room.object_to_world} if room.object_kinds else {}),
        )
        for room in rooms
    ]


def _panorama(split: str, seed: int, size: int) -> EvalClip:
    """The camera only turns and zooms, so flow and hidden regions by its stand-in depth are exact."""
    clip = panorama_clip(seed, size, split)
    return EvalClip(
        name=f"panorama-{split}-{clip.place}-{seed:06d}",
        scene=clip.place,
        move=clip.move,
        frames=clip.frames,
        path=clip.path,
        depth=clip.depth,
        camera_to_world=clip.camera_to_world,
    )


def _folder_of(folder: Path, split: str | None) -> tuple[Path, str]:
    if not folder.is_dir():
        names = ", ".join((*ROOMS, PANORAMAS))
        raise ValueError(f"expected {names} or a folder of clips as data, got {folder}: no such folder")
    there = [name for name in SPLITS if (folder / name).is_dir()]
    if split is None and not there:
        return folder, "all"
    wanted = split or (there[0] if len(there) == 1 else "test")
    if split is None and wanted != "test":
        warnings.warn(f"{folder} has no split test: measuring on its only one, {wanted}", stacklevel=2)
    if wanted not in there:
        raise ValueError(f"expected a split {wanted} in {folder}, got {', '.join(there) or 'a folder without splits'}")
    return folder / wanted, wanted


def _of_folder(clip: dict, size: int) -> EvalClip:
    depth, poses = clip["depth"], np.asarray(clip["camera_to_world"], np.float64)
    objects = {}
    if "object_ids" in clip:
        objects = {
            "object_ids": _nearest(np.asarray(clip["object_ids"]), size),
            "object_to_world": clip["object_to_world"],
        }
    return EvalClip(
        name=re.sub(r"[^\w.-]+", "_", clip["clip_id"]),
        scene=clip["scene_id"],
        move=clip["move"],
        frames=resized(np.asarray(clip["frames"]), (size, size)),
        path=CameraPath(*relative_path(clip), fps=FPS, unit="scene_depth"),
        depth=None if depth is None else _nearest(np.asarray(depth, np.float32), size),
        camera_to_world=poses,
        **objects,
    )


def resized(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Frames `[T, h, w, 3]` uint8 -> `[T, H, W, 3]`; `size` is (H, W)."""
    if frames.shape[1:3] == size:
        return frames
    shrinks = frames.shape[1] >= size[0] and frames.shape[2] >= size[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, size[::-1], interpolation=interpolation) for frame in frames])


def _nearest(maps: np.ndarray, size: int) -> np.ndarray:
    if maps.shape[1:] == (size, size):
        return maps
    return np.stack([cv2.resize(each, (size, size), interpolation=cv2.INTER_NEAREST) for each in maps])
