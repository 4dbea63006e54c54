"""How far the camera of a generated clip is from the path that was asked for: RotErr, TransErr, CamMC by their definitions.

Paths are camera-to-world [T, 4, 4]; every function first makes both relative to their own first pose, so that the choice
of the world's axes does not count. Published numbers use two definitions that differ, and both are here by name:

| name | formula, over the poses after the first | translations are divided by |
| --- | --- | --- |
| RotErr (CameraCtrl and CamI2V) | sum arccos((tr(R_gen R_gt^T) - 1) / 2), radians | |
| TransErr (CameraCtrl, arXiv 2404.02101) | sum |t_gen - t_gt|^2, squared | each path's gap of its first two poses |
| TransErr (CamI2V, arXiv 2410.15957) | sum |t_gen - t_gt|, plain | "rel": each path's own farthest distance, "abs": the truth's |
| CamMC (CamI2V) | sum of the L2 norm of the 12 numbers [R, t]_gen - [R, t]_gt | as CamI2V's TransErr |

The sums grow with the number of frames: compare clips of one length only. `rotation_error_degrees`, `direction_error_degrees`
and `aligned_translation_error` are means instead, and do not depend on scale, which one camera alone cannot know.

Where the true camera hardly translates (farthest distance from the first pose below `least_travel`), no translation error
means anything: NaN, and `mean_pose_errors` counts it. A clip whose poses could not be recovered is counted too, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

from ..camera_paths.rigid_motion import relative_to_first
from .camera_path_errors import LEAST_LENGTH, rotation_errors
from .clip_arrays import check_paths

Normalisation = Literal["rel", "abs"]
NAN = float("nan")


class PoseErrors(NamedTuple):
    """All errors of one clip; those with translation are NaN where the true camera hardly translates."""

    rotation_error_deg: float  # degrees, mean over poses 1..
    direction_error_deg: float  # degrees, mean over the poses that are away from the first
    aligned_translation_error: float  # parts of the true path's farthest distance, mean over poses 1..
    rotation_error: float  # RotErr, radians, sum
    translation_error_cameractrl: float
    translation_error_cami2v_rel: float
    cam_mc_rel: float


class MeanPoseErrors(NamedTuple):
    """Means over clips, and how many clips each leaves out."""

    means: dict[str, float]  # by the names of `PoseErrors`; NaN where no clip has the error
    counts: dict[str, int]  # of clips that each mean is over
    num_clips: int
    num_failed: int  # their poses were not recovered
    success_rate: float  # recovered over all clips; NaN without clips


def rotation_error(generated: np.ndarray, truth: np.ndarray) -> float:
    """RotErr of CameraCtrl and CamI2V: the sum over poses 1.. of the angle between the rotations, in radians."""
    generated, truth = _relative(generated, truth)
    return float(np.radians(rotation_errors(truth[None], generated[None])).sum())


def rotation_error_degrees(generated: np.ndarray, truth: np.ndarray) -> float:
    """The mean over poses 1.. of the angle between the rotations, in degrees (RotErr over T - 1)."""
    generated, truth = _relative(generated, truth)
    return float(rotation_errors(truth[None], generated[None]).mean())


def translation_error_cameractrl(
    generated: np.ndarray, truth: np.ndarray, *, least_travel: float = LEAST_LENGTH
) -> float:
    """TransErr of CameraCtrl: sum of |t_gen - t_gt|^2, each path divided by the distance of its first two poses.

    Fragile, as published: an eased path, or one error in the second pose, changes the scale of everything. NaN where the true
    camera hardly translates, or where one of the two gaps is 0.
    """
    generated, truth = _relative(generated, truth)
    gaps = np.linalg.norm(generated[1, :3, 3]), np.linalg.norm(truth[1, :3, 3])
    if farthest_distance(truth) < least_travel or min(gaps) <= np.finfo(np.float64).eps:
        return NAN
    return float(np.square(generated[:, :3, 3] / gaps[0] - truth[:, :3, 3] / gaps[1]).sum())


def translation_error_cami2v(
    generated: np.ndarray,
    truth: np.ndarray,
    normalisation: Normalisation = "rel",
    *,
    least_travel: float = LEAST_LENGTH,
) -> float:
    """TransErr of CamI2V: sum of |t_gen - t_gt|. "rel" does not depend on scale; "abs" wants both paths in one unit.

    "rel" divides each path by its own farthest distance from the first pose (a path that stands stays where it is), "abs"
    both by the truth's. NaN where the true camera hardly translates.
    """
    generated, truth = _relative(generated, truth)
    if farthest_distance(truth) < least_travel:
        return NAN
    generated, truth = _normalised(generated, truth, normalisation)
    return float(np.linalg.norm(generated[:, :3, 3] - truth[:, :3, 3], axis=1).sum())


def cam_mc(
    generated: np.ndarray,
    truth: np.ndarray,
    normalisation: Normalisation = "rel",
    *,
    least_travel: float = LEAST_LENGTH,
) -> float:
    """CamMC of CamI2V: sum of the L2 norm of [R, t]_gen - [R, t]_gt (12 numbers), translations as for its TransErr.

    NaN where the true camera hardly translates: its translations would be noise over noise.
    """
    generated, truth = _relative(generated, truth)
    if farthest_distance(truth) < least_travel:
        return NAN
    generated, truth = _normalised(generated, truth, normalisation)
    return float(np.sqrt(np.square(generated[:, :3] - truth[:, :3]).sum(axis=(1, 2))).sum())


def direction_error_degrees(generated: np.ndarray, truth: np.ndarray, *, least_travel: float = LEAST_LENGTH) -> float:
    """Mean angle in degrees between the ways (first pose to pose j) of both cameras; needs no scale (our choice).

    Over the poses 1.. at which the true camera is at least `least_travel` from its first pose; a generated camera that stands
    there has 90 degrees. NaN where there is no such pose.
    """
    generated, truth = _relative(generated, truth)
    ways, true_ways = generated[1:, :3, 3], truth[1:, :3, 3]
    away = np.linalg.norm(true_ways, axis=1) >= least_travel
    if not away.any():
        return NAN
    ways, true_ways = ways[away], true_ways[away]
    across, along = np.linalg.norm(np.cross(ways, true_ways), axis=1), (ways * true_ways).sum(axis=1)
    stands = np.linalg.norm(ways, axis=1) == 0
    return float(np.degrees(np.where(stands, np.pi / 2, np.arctan2(across, along))).mean())


def aligned_translation_error(generated: np.ndarray, truth: np.ndarray, *, least_travel: float = LEAST_LENGTH) -> float:
    """Mean distance over poses 1.. after the ONE scale s >= 0 that fits best, over the truth's farthest distance.

    mean |s t_gen - t_gt| / max |t_gt|, s = max(<t_gen, t_gt> / <t_gen, t_gen>, 0); one scale as in WorldScore. 0 is perfect; a
    camera that stands has the true one's mean distance. NaN where the true camera hardly translates.
    """
    generated, truth = _relative(generated, truth)
    farthest = farthest_distance(truth)
    if farthest < least_travel:
        return NAN
    ways, true_ways = generated[1:, :3, 3], truth[1:, :3, 3]
    power = np.square(ways).sum()
    scale = max(float((ways * true_ways).sum() / power), 0.0) if power > 0 else 0.0
    return float(np.linalg.norm(scale * ways - true_ways, axis=1).mean() / farthest)


def pose_errors(generated: np.ndarray, truth: np.ndarray, *, least_travel: float = LEAST_LENGTH) -> PoseErrors:
    """All errors of one clip, those that need no common scale: what poses out of a picture sequence can tell."""
    pair = generated, truth
    return PoseErrors(
        rotation_error_degrees(*pair),
        direction_error_degrees(*pair, least_travel=least_travel),
        aligned_translation_error(*pair, least_travel=least_travel),
        rotation_error(*pair),
        translation_error_cameractrl(*pair, least_travel=least_travel),
        translation_error_cami2v(*pair, "rel", least_travel=least_travel),
        cam_mc(*pair, "rel", least_travel=least_travel),
    )


def mean_pose_errors(errors: Iterable[PoseErrors | None]) -> MeanPoseErrors:
    """Means over clips; None stands for a clip whose poses were not recovered, which is counted and has no error."""
    clips = list(errors)
    found = [clip for clip in clips if clip is not None]
    columns = {name: [getattr(clip, name) for clip in found] for name in PoseErrors._fields}
    known = {name: [value for value in column if not np.isnan(value)] for name, column in columns.items()}
    return MeanPoseErrors(
        {name: float(np.mean(values)) if values else NAN for name, values in known.items()},
        {name: len(values) for name, values in known.items()},
        len(clips),
        len(clips) - len(found),
        len(found) / len(clips) if clips else NAN,
    )


def farthest_distance(camera_to_world: np.ndarray) -> float:
    """The largest distance of a path [T, 4, 4] from its first pose, in the path's unit."""
    centres = camera_to_world[:, :3, 3].astype(np.float64)
    return float(np.linalg.norm(centres - centres[0], axis=1).max())


def _relative(generated: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    check_paths(generated, truth, least_poses=2)
    return relative_to_first(generated.astype(np.float64)), relative_to_first(truth.astype(np.float64))


def _normalised(generated: np.ndarray, truth: np.ndarray, normalisation: str) -> tuple[np.ndarray, np.ndarray]:
    if normalisation not in ("rel", "abs"):
        raise ValueError(f'expected a normalisation "rel" or "abs", got {normalisation!r}')
    farthest = farthest_distance(truth)
    own = farthest_distance(generated) if normalisation == "rel" else farthest
    scaled = generated.copy(), truth.copy()
    scaled[0][:, :3, 3] /= own if own > 0 else 1.0
    scaled[1][:, :3, 3] /= farthest
    return scaled
