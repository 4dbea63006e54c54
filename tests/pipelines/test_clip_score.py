"""Scores of clips whose motion is known: a textured wall or two, seen by a camera that follows its path, or does not."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest

from camvig import CameraPath
from camvig.pipelines.clip_score import ClipScore, score_clip
from camvig.pipelines.clip_score_flow import Motion, clip_flow, depth_motion, implied_motion
from camvig.pipelines.evaluation.best_of_gain import best_of_chances, best_of_errors, gain_table

SIZE = 64
FRAMES = 9


def texture(size: int = 256) -> np.ndarray:
    """[S, S, 3] uint8, smooth enough to be followed."""
    noise = np.random.default_rng(0).integers(0, 256, (size // 4, size // 4, 3), dtype=np.uint8)
    return cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)


def wall_clip(path: CameraPath, depth: float = 1.0, size: int = SIZE) -> np.ndarray:
    """A wall that stands across the view at one depth, twice as wide as the first picture: [T, S, S, 3] uint8."""
    picture = texture()
    y, x = np.mgrid[:size, :size] + 0.5
    frames = []
    for pose, (fx, fy, cx, cy) in zip(path.relative().camera_to_world, path.intrinsics, strict=True):
        rays = np.stack([(x / size - cx) / fx, (y / size - cy) / fy, np.ones_like(x)], axis=-1) @ pose[:3, :3].T
        hit = pose[:2, 3] + rays[..., :2] * ((depth - pose[2, 3]) / rays[..., 2])[..., None]
        at = ((hit / depth * path.intrinsics[0, :2] + 0.5) * len(picture) / 2 + len(picture) / 4).astype(np.float32)
        frames.append(cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
    return np.stack(frames)


PATHS = {
    "truck": CameraPath.truck(0.25, num_frames=FRAMES),
    "pan": CameraPath.pan(8, num_frames=FRAMES),
    "dolly": CameraPath.dolly(0.25, num_frames=FRAMES),
    "orbit": CameraPath.orbit(15, num_frames=FRAMES),
    "zoom": CameraPath.zoom(1.3, num_frames=FRAMES),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_clip_that_follows_its_path_scores_near_one_by_every_method(name):
    path = PATHS[name]
    frames = wall_clip(path)
    known = {"reference": frames}, {"depth": np.ones((SIZE, SIZE), np.float32)}, {}
    for method, facts in zip(("reference flow", "depth flow", "implied depth"), known, strict=True):
        score = score_clip(frames, path, **facts)
        assert score.method == method and score.score > 0.9
        assert score.flow_cosine > 0.95 and abs(score.motion_ratio - 1) < 0.1


@pytest.mark.parametrize("name", PATHS)
def test_a_wrong_clip_scores_far_lower(name):
    path = PATHS[name]
    right = score_clip(wall_clip(path), path)
    still = score_clip(np.repeat(wall_clip(path)[:1], FRAMES, axis=0), path)
    assert abs(still.score) < 0.2 and abs(still.motion_ratio) < 0.05  # an orbit's small motion is not far from none
    other = wall_clip(PATHS["truck" if name in ("dolly", "zoom") else "dolly"])
    assert score_clip(other, path).score < right.score - 0.3
    mirrored = score_clip(wall_clip(path.mirrored()), path)
    if name in ("truck", "pan"):  # the other moves are their own mirror image, or nearly
        assert mirrored.score < 0 and mirrored.motion_ratio < -0.5


@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_half_the_way_is_not_a_scene_twice_as_far(factor):
    score = score_clip(
        wall_clip(CameraPath.truck(0.2 * factor, num_frames=FRAMES)), CameraPath.truck(0.2, num_frames=FRAMES)
    )
    assert score.score < 0.8 and abs(score.motion_ratio - factor) < 0.15


def test_the_implied_depth_follows_two_depths():
    """The lower half of the picture is nearer: one depth for all cannot explain it, a depth of its own for each point can."""
    path = CameraPath.truck(0.3, num_frames=FRAMES)
    far, near = wall_clip(path, depth=1.5), wall_clip(path, depth=0.75)
    frames = far.copy()
    frames[:, SIZE // 2 :] = near[:, SIZE // 2 :]
    flow = clip_flow(frames)
    assert implied_motion(flow, path).agreement > implied_motion(flow, path, levels=1).agreement + 0.05
    depth = np.full((SIZE, SIZE), 1.5)
    depth[SIZE // 2 :] = 0.75
    assert depth_motion(flow, path, depth).agreement > 0.9
    assert depth_motion(flow, path, depth[::-1]).agreement < 0.75


def test_a_path_without_motion_wants_a_clip_without_motion():
    path = CameraPath.static(num_frames=FRAMES)
    still, moving = wall_clip(path), wall_clip(PATHS["truck"])
    score = score_clip(still, path)
    assert score.score > 0.9 and math.isnan(score.flow_cosine) and math.isnan(score.motion_ratio)
    assert score_clip(moving, path).score < -1
    assert json.loads(json.dumps(score.fields(), allow_nan=False))["flow_cosine"] is None


def test_scores_hardly_depend_on_the_size_of_the_frames():
    path = PATHS["orbit"]
    small, large = (score_clip(wall_clip(path, size=size), path).score for size in (64, 200))
    assert abs(small - large) < 0.05


def test_wide_pictures_and_other_units():
    path = PATHS["pan"].for_picture(96, 48)
    frames = wall_clip(PATHS["pan"])[:, 16:48]
    assert frames.shape[1:3] == (32, 64)
    assert score_clip(frames, PATHS["pan"].for_picture(64, 32)).score > 0.9  # a crop of a square picture has its lens
    metres = path.to_unit("metre", 3.0)
    assert score_clip(frames, metres).score == pytest.approx(score_clip(frames, path).score)


def test_a_path_that_leaves_the_picture_has_no_score_and_ranks_last():
    path = CameraPath.pan(360 * 4, num_frames=FRAMES)  # half a turn a frame
    score = score_clip(wall_clip(PATHS["pan"]), path)
    assert math.isnan(score.score) and score.rank == -math.inf and score.fields()["score"] is None


def test_wrong_inputs_are_told_in_one_line():
    path, frames = PATHS["truck"], wall_clip(PATHS["truck"])
    for arguments, message in (
        ({"frames": frames[:-1]}, "path of 8 poses"),
        ({"frames": frames.astype(float)}, "uint8"),
        ({"frames": frames[:1], "path": CameraPath.static(num_frames=1)}, "at least 2"),
        ({"depth": np.ones((8, 8))}, "depth"),
        ({"depth": np.zeros((SIZE, SIZE))}, "above 0"),
        ({"reference": frames[:, :32]}, "one shape"),
        ({"path": CameraPath(path.camera_to_world, path.intrinsics, unit="metre")}, "median"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            score_clip(**{"frames": frames, "path": path, **arguments})
        assert "\n" not in str(error.value)


def test_the_agreement_is_by_its_formula():
    wanted, shown = np.array([[[3.0, 0.0], [0.0, 4.0]]]), np.array([[[3.0, 1.0], [0.0, 2.0]]])
    motion = Motion(wanted, shown, np.ones((1, 2), bool))
    assert motion.agreement == pytest.approx(1 - (1 + 4) / (9 + 16 + 2 * 0.04))


def test_the_best_of_n_by_counting():
    """Against all draws, one by one."""
    from itertools import combinations

    rng = np.random.default_rng(0)
    scores, errors = rng.normal(size=(3, 6)), rng.random((3, 6))
    for count in (1, 2, 4, 6):
        assert best_of_chances(6, count).sum() == pytest.approx(1)
        expected = [
            np.mean([row[max(draw, key=score.__getitem__)] for draw in combinations(range(6), count)])
            for score, row in zip(scores, errors, strict=True)
        ]
        assert best_of_errors(scores, errors, count) == pytest.approx(expected)
    table = gain_table(scores, errors, (1, 6))
    assert table["score"]["1"] == pytest.approx(errors.mean()) == pytest.approx(table["random"]["6"])
    assert table["oracle"]["6"] == pytest.approx(errors.min(axis=1).mean())
    with pytest.raises(ValueError, match="1 to 6 candidates, got 7"):
        best_of_chances(6, 7)


def test_scores_are_dataclasses_for_json():
    score = ClipScore(0.123456, "depth flow", float("nan"), -1.0, 0.5)
    assert score.fields() == {
        "score": 0.1235,
        "method": "depth flow",
        "flow_cosine": None,
        "motion_ratio": -1.0,
        "seconds": 0.5,
    }
