"""Does the camera that can be seen in a video follow the path? Poses are recovered from frames and held against the path.

What always holds: a clip whose poses cannot be recovered is counted in `success_rate` and listed with its reason, never dropped
without a word; errors are means over the clips that have them, with the number of those (`clips_of`). Beside the model stand the
noise floor (`ground_truth`: the same recovery on the true video) and two cameras that need no recovery: one at rest, and another
clip's path. Definitions: `metrics.pose_errors`.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from typing import Any

import numpy as np

from ...camera_paths.camera_path import CameraPath
from ...metrics.bootstrap import bootstrap_interval
from ...metrics.pose_errors import PoseErrors, mean_pose_errors, pose_errors
from ...metrics.pose_recovery import RecoveredPoses, quiet_colmap, recover_poses
from .in_threads import in_threads
from .requests import Videos

NAMES = {
    "rotation_error_deg": "rotation_error_deg",
    "direction_error_deg": "translation_direction_error_deg",
    "aligned_translation_error": "aligned_translation_error",
    "rotation_error": "rot_err",
    "translation_error_cameractrl": "trans_err_cameractrl",
    "translation_error_cami2v_rel": "trans_err_cami2v",
    "cam_mc_rel": "cam_mc",
}
"""Fields of `PoseErrors` -> names in the JSON."""
NO_PYCOLMAP = "pycolmap is not installed: pip install camvig[formats]"


def can_recover_poses() -> bool:
    """Whether pycolmap is installed."""
    return importlib.util.find_spec("pycolmap") is not None


def spread_indices(count: int, chosen: int) -> list[int]:
    """`chosen` of `count` clips, evenly over all."""
    if chosen >= count:
        return list(range(count))
    return [int(index) for index in np.floor((np.arange(chosen) + 0.5) * count / chosen)]


def pose_scores(
    videos: dict[str, Videos], paths: list[CameraPath], wrong_paths: list[CameraPath], trials: int, seed: int
) -> dict[str, Any]:
    """Errors of the videos of each kind against the paths, beside a camera at rest and the wrong paths themselves.

    Args:
        videos: `model` first of all; `ground_truth` for the noise floor; each in the order of the paths.
        paths: what was asked for.
        wrong_paths: others'.
        trials: of the recovery.
        seed: of the recovery and the intervals.
    """
    truths = [path.camera_to_world for path in paths]
    tables = {kind: _of_videos(made, paths, trials, seed, kind) for kind, made in videos.items()}
    rest = [pose_errors(np.tile(np.eye(4), (len(truth), 1, 1)), truth) for truth in truths]
    wrong = [pose_errors(other.camera_to_world, truth) for other, truth in zip(wrong_paths, truths, strict=True)]
    model = tables.pop("model")
    return {
        **model,
        **tables,
        "camera_at_rest": _summary(rest, seed),
        "wrong_path": _summary(wrong, seed),
        "trials": trials,
    }


def _of_videos(videos: Videos, paths: list[CameraPath], trials: int, seed: int, kind: str) -> dict[str, Any]:
    def recover(video: np.ndarray, path: CameraPath) -> RecoveredPoses:
        return recover_poses(video, path.intrinsics, trials=trials, seed=seed)

    with quiet_colmap():
        recovered = in_threads(recover, videos, paths, desc=f"poses, {kind.replace('_', ' ')}")
    errors = [
        None if found.camera_to_world is None else pose_errors(found.camera_to_world, path.camera_to_world)
        for found, path in zip(recovered, paths, strict=True)
    ]
    problems = Counter(found.problem or "unknown" for found in recovered if found.camera_to_world is None)
    return {**_summary(errors, seed), "problems": dict(sorted(problems.items()))}


def _summary(errors: list[PoseErrors | None] | list[PoseErrors], seed: int) -> dict[str, Any]:
    means = mean_pose_errors(errors)
    known = {
        name: np.array([value for each in errors if each and np.isfinite(value := getattr(each, name))])
        for name in NAMES
    }
    return {
        "clips": means.num_clips,
        "failed": means.num_failed,
        "success_rate": means.success_rate,
        **{ours: means.means[name] for name, ours in NAMES.items()},
        "clips_of": {ours: means.counts[name] for name, ours in NAMES.items()},
        "intervals": {ours: list(bootstrap_interval(known[name], seed=seed)) for name, ours in NAMES.items()},
    }
