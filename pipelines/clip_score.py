"""How well a clip follows its camera path: a score for every clip, also where nothing is known but the path.

| method | the motion that the clip should show | where |
| --- | --- | --- |
| "reference flow" | that of a clip which follows the path | a true clip is known |
| "depth flow" | that of frame 0's points along the path | frame 0's depth is known |
| "implied depth" | that of frame 0's points along the path, at the depths that fit the clip best | only the path is known |

`score` is the flow agreement of `clip_score_flow.Motion`: 1 - squared error of the motion over the wanted motion's square. 1 is
exact, 0 as good as a clip that stands, below 0 worse than that. It ranks clips of ONE path and picture; scores of
different methods are not to be compared. It is cheap and always there.

Poses (`poses=True`) are recovered from the frames alone by COLMAP and compared with the path in degrees: slower by far, and they
fail on many small or blurry clips, which is said, not hidden. They are to read, not to rank by.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ..camera_paths.camera_path import CameraPath
from ..metrics.camera_path_errors import rotation_errors
from ..metrics.clip_arrays import check_clip, check_same_shape
from ..metrics.pose_errors import direction_error_degrees
from .clip_score_flow import Motion, clip_flow, depth_motion, implied_motion, reference_motion

Method = Literal["reference flow", "depth flow", "implied depth"]


@dataclass(frozen=True)
class PoseScore:
    """The recovered camera against the path; errors are NaN without success."""

    success: bool  # every frame has a pose
    recovered_frames: int
    rotation_error_degrees: float  # mean over frames 1..
    last_rotation_error_degrees: float  # of the last frame
    translation_direction_error_degrees: float  # mean; NaN too where the path hardly travels
    problem: str | None  # why there is no success
    seconds: float

    def fields(self) -> dict[str, Any]:
        """For JSON: rounded, None for what is not a number."""
        return _for_json(asdict(self))


@dataclass(frozen=True)
class ClipScore:
    """How well a clip follows its path; see the head of this file."""

    score: float  # -inf..1, flow agreement; best-of ranks by it. NaN where the path leaves the picture at once
    method: Method
    flow_cosine: float  # -1..1, whether directions are right; NaN for a path without motion
    motion_ratio: float  # how much of the wanted motion is there, 1 is right; NaN for a path without motion
    seconds: float  # that scoring took, poses apart
    poses: PoseScore | None = None  # where asked for

    @property
    def rank(self) -> float:
        """By which the best of several clips is chosen: the score, -inf where there is none."""
        return -math.inf if math.isnan(self.score) else self.score

    def fields(self) -> dict[str, Any]:
        """For JSON: rounded, None for what is not a number, and without what was not asked for."""
        fields = _for_json(asdict(self))
        return fields if self.poses is not None else {name: fields[name] for name in fields if name != "poses"}


def score_clip(
    frames: np.ndarray,
    path: CameraPath,
    *,
    depth: np.ndarray | None = None,
    reference: np.ndarray | None = None,
    poses: bool = False,
    seed: int = 0,
) -> ClipScore:
    """How well frames [T, H, W, 3] uint8 follow a path of T poses, by the best method for what is known.

    Args:
        frames: T of at least 2 (3 for poses).
        path: its lens is that of the frames: `path.for_picture(width, height)`, unless they were squashed.
        depth: [H, W] of frame 0, z in scene depths, infinite where there is nothing.
        reference: [T, H, W, 3] uint8, a clip that follows the path; it goes before `depth`.
        poses: also recover the poses; needs `pip install "camvig[formats]"`.
        seed: of the recovery of poses, the only thing that is random.

    Raises:
        ValueError: arrays that do not fit each other, or a path without a known scale.
    """
    check_clip(frames)
    path = _checked_path(path, len(frames))
    started = time.perf_counter()
    method, motion = _motion(frames, path, depth, reference)
    score, cosine, ratio = motion.agreement, motion.cosine, motion.ratio
    seconds = time.perf_counter() - started
    return ClipScore(score, method, cosine, ratio, seconds, score_poses(frames, path, seed) if poses else None)


def score_poses(frames: np.ndarray, path: CameraPath, seed: int = 0) -> PoseScore:
    """The poses recovered from frames [T, H, W, 3] uint8, T of at least 3, against the path. ImportError without pycolmap."""
    from ..metrics.pose_recovery import recover_poses

    started = time.perf_counter()
    found = recover_poses(frames, path.intrinsics, seed=seed)
    if found.camera_to_world is None:
        errors = (math.nan, math.nan, math.nan)
    else:
        true = path.relative().camera_to_world
        turns = rotation_errors(true[None], found.camera_to_world[None])[0]
        direction = direction_error_degrees(found.camera_to_world, true)
        errors = (float(turns.mean()), float(turns[-1]), direction)
    seconds = time.perf_counter() - started
    return PoseScore(found.success, found.num_registered, *errors, found.problem, seconds)


def _motion(
    frames: np.ndarray, path: CameraPath, depth: np.ndarray | None, reference: np.ndarray | None
) -> tuple[Method, Motion]:
    if reference is not None:
        check_clip(reference)
        check_same_shape(frames, reference)
        return "reference flow", reference_motion(clip_flow(frames), clip_flow(reference))
    if depth is None:
        return "implied depth", implied_motion(clip_flow(frames), path)
    if depth.shape != frames.shape[1:3] or not (depth > 0).all():
        raise ValueError(f"expected depth {list(frames.shape[1:3])} of numbers above 0, got {list(depth.shape)}")
    return "depth flow", depth_motion(clip_flow(frames), path, depth)


def _checked_path(path: CameraPath, frames: int) -> CameraPath:
    if path.num_frames != frames:
        raise ValueError(f"expected a camera path of {frames} poses, as many as frames, got {path.num_frames}")
    return path.to_unit("scene_depth").relative()


def _for_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _for_json(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
