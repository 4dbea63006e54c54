"""The camera's motion and the things' own: known answers of true, still, warped and turned videos of rooms in which things move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from camvig.dataset_builders import clip_cache
from camvig.dataset_builders.render_rooms import RoomsPlan, render_rooms
from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.metrics.flow_mse import dis_flow
from camvig.pipelines.evaluation.controls import depth_warp, planar_warp, reencoded, static_video
from camvig.pipelines.evaluation.eval_clips import EvalClip, read_eval_clips
from camvig.pipelines.evaluation.evaluate import KINDS, evaluate
from camvig.pipelines.evaluation.motion_scores import (
    MotionTruth,
    camera_flows,
    motion_scores,
    own_motion,
    stayed_in_place,
    summarise_motion,
)
from camvig.pipelines.evaluation.report import report_text
from camvig.pipelines.json_values import without_nan

from .conftest import PerfectSource

SIZE = 48


@pytest.fixture(scope="module")
def clips() -> list[EvalClip]:
    return read_eval_clips("moving-rooms", "validation", 5, SIZE, 17)[0]


@pytest.fixture(scope="module")
def true_flows(clips) -> list[np.ndarray]:
    return [dis_flow(clip.frames) for clip in clips]


@pytest.fixture(scope="module")
def truths(clips, true_flows) -> list[MotionTruth]:
    return [MotionTruth.of(*each) for each in zip(clips, true_flows, strict=True)]


@pytest.fixture(scope="module")
def summary(clips, true_flows, truths) -> dict:
    videos = {
        "model": [clip.frames for clip in clips],
        "noise_floor": [reencoded(clip) for clip in clips],
        "static": [static_video(clip.frames) for clip in clips],
        "depth_warp": [depth_warp(clip) for clip in clips],
        "planar_warp": [planar_warp(clip, flow).frames for clip, flow in zip(clips, true_flows, strict=True)],
    }
    flows = {kind: [dis_flow(video) for video in made] for kind, made in videos.items()}
    flows["exact"] = [clip.flow_parts().total for clip in clips]
    return summarise_motion({kind: motion_scores(made, truths) for kind, made in flows.items()}, tuple(flows), 0)


def test_moving_rooms_are_rooms_with_objects_whose_flow_is_known(clips):
    rooms = list(room_clips("validation", 5, size=SIZE, moving_objects=2))
    for clip, room in zip(clips, rooms, strict=True):
        np.testing.assert_array_equal(clip.frames, room.frames)
        np.testing.assert_array_equal(clip.object_ids, room.object_ids)
        moving = clip.flow_parts().objects[room.object_ids[:-1] > 0]
        assert np.abs(moving).max() > 0.1
    (one,) = {len(room.object_kinds) for room in room_clips("validation", 2, size=16, moving_objects=1)}
    fewer = read_eval_clips("moving-rooms", "validation", 2, SIZE, 17, moving_objects=one)[0]
    assert all(clip.object_to_world is not None and clip.object_to_world.shape[1] == 1 for clip in fewer)


def test_the_true_video_keeps_all_motion_and_a_camera_alone_none(summary):
    assert summary["clips"] == 5
    for name in ("kept", "agreement", "amount"):
        assert summary[name]["model"] == pytest.approx(1, abs=1e-4), name
        assert 0.85 < summary[name]["noise_floor"] < 1.15, name
    assert summary["kept"]["exact"] == pytest.approx(1, abs=0.35) and summary["agreement"]["exact"] > 0.6
    for kind in ("depth_warp", "planar_warp"):
        assert abs(summary["kept"][kind]) < 0.15 and summary["amount"][kind] < 0.25, kind
        low, high = summary["kept_intervals"][kind]
        assert low <= summary["kept"][kind] <= high < 0.5, kind


def test_the_camera_error_is_that_of_the_noise_floor_for_true_videos_and_zero_for_exact_flow(summary):
    camera = summary["camera_mse"]
    assert camera["exact"] < 1e-9 and summary["false_motion"]["exact"] < 1e-9
    assert camera["model"] == pytest.approx(camera["noise_floor"], rel=0.3)
    assert camera["static"] > 3 * camera["depth_warp"]


def test_a_still_picture_follows_no_camera_and_has_no_motion_of_its_own(summary):
    assert summary["false_motion"]["static"] < 0.01 < summary["camera_mse"]["static"]
    assert abs(summary["kept"]["static"]) < 0.02 and summary["amount"]["static"] < 0.02


def test_another_camera_is_a_camera_error_and_no_motion(clips, truths):
    """A flow that a small turn, step and zoom are added to."""
    for clip, truth in zip(clips, truths, strict=True):
        wrong = np.array([0.004, -0.006, 0.005, 0.01, 0.004, -0.01, 0.01])
        added = np.stack(
            [camera_flows(depth, lens) @ wrong for depth, lens in zip(clip.depth, clip.path.intrinsics, strict=True)]
        )[:-1]
        flow = truth.camera + added
        scores = motion_scores([flow], [truth])
        assert scores.camera_mse[0] > 0.01 and scores.false_motion[0] < 1e-8
        assert scores.kept[0] / scores.true_power[0] == pytest.approx(0, abs=1e-3)


def test_the_flow_of_a_small_camera_motion_is_the_exact_one(clips):
    """Each of the seven motions against `exact_flow`, from a pose to one a little farther."""
    from scipy.spatial.transform import Rotation

    from camvig.dataset_builders.exact_flow import forward_flow

    clip, small = clips[0], 1e-4
    depth, lens = clip.depth[0], clip.path.intrinsics[0]
    expected = camera_flows(depth, lens)
    for number in range(7):
        moved, lenses = np.tile(np.eye(4), (2, 1, 1)), np.tile(lens, (2, 1))
        if number < 3:
            moved[1, :3, :3] = Rotation.from_rotvec(small * np.eye(3)[number]).as_matrix()
        elif number < 6:
            moved[1, number - 3, 3] = small * np.median(depth)
        else:
            lenses[1, :2] *= 1 + small
        flow = forward_flow(np.stack([depth, depth]), moved, lenses)[0] / small
        error = np.abs(flow - expected[..., number])
        assert np.quantile(error, 0.99) < 0.02 * SIZE, number


def test_where_things_would_be_had_they_stayed_is_where_they_are_in_the_first_frame(clips):
    clip = clips[0]
    assert clip.object_ids is not None
    ids = clip.object_ids[0] > 0
    np.testing.assert_array_equal(stayed_in_place(clip, ids)[0], ids)
    at_rest = replace(clip, object_to_world=np.tile(clip.object_to_world[:1], (17, 1, 1, 1)))
    rest = MotionTruth.of(at_rest, dis_flow(clip.frames))
    assert (rest.around[0] >= ids).all() and 0.0 < rest.around.mean() < 0.8


def test_without_pixels_at_rest_nothing_is_fitted(clips, true_flows):
    nowhere = np.zeros(true_flows[0].shape[:3], bool)
    own = own_motion(true_flows[0], np.zeros_like(true_flows[0]), nowhere, clips[0])
    np.testing.assert_array_equal(own, true_flows[0])


def test_the_evaluation_reports_motion_and_clips_at_rest_have_only_false_motion(clips, room_pair):
    moving = evaluate(clips[:2], PerfectSource(clips[:2]), pose_clips=0)
    figures = without_nan(moving.figures)
    assert figures["motion"]["clips"] == 2 and set(figures["motion"]["kept"]) == set(KINDS)
    assert figures["motion"]["kept"]["model"] == pytest.approx(1, abs=1e-4)
    assert figures["motion"]["kept"]["no_camera"] is None
    assert figures["per_clip"][0]["motion"]["static"]["amount"] == pytest.approx(0, abs=0.02)
    shown = {**figures, "videos": "mine", "data": "moving-rooms", "split": "test", "evaluation": {}, "versions": {}}
    page = report_text(moving, shown)
    assert "moving by themselves" in page and f"{figures['motion']['kept']['depth_warp']:.2f}" in page

    at_rest = evaluate(room_pair, PerfectSource(room_pair), pose_clips=0)
    figures = without_nan(at_rest.figures)
    assert figures["motion"]["clips"] == 0 and figures["motion"]["kept"] is None
    assert figures["motion"]["false_motion"]["static"] < 0.01 < figures["motion"]["camera_mse"]["static"]
    shown = {**figures, "videos": "mine", "data": "rooms", "split": "test", "evaluation": {}, "versions": {}}
    assert "motion kept" not in report_text(at_rest, shown)
    flat = [replace(clip, depth=None) for clip in room_pair]
    figures = evaluate(flat, PerfectSource(flat), pose_clips=0).figures
    assert figures["motion"] is None and figures["unavailable"]["motion"] == "the clips have no depth"


def test_a_folder_of_rooms_with_moving_objects_is_measured_like_them(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(clip_cache, "SHARD_CLIPS", 2)
    render_rooms(RoomsPlan(clips=3, split="validation", size=SIZE, moving_objects=2), tmp_path / "rooms")
    read, split = read_eval_clips(str(tmp_path / "rooms"), None, 3, SIZE, 9)
    assert split == "all" and len(read) == 3
    by_scene = {tuple(clip.frames[0].ravel()[:300]): clip for clip in clips}
    for clip in read:
        same = by_scene[tuple(clip.frames[0].ravel()[:300])].first(9)
        np.testing.assert_array_equal(clip.object_ids, same.object_ids)
        assert np.abs(clip.flow_parts().total - same.flow_parts().total).max() < 0.05
    small = read_eval_clips(str(tmp_path / "rooms"), None, 2, 24, 9)[0]
    assert small[0].object_ids is not None and small[0].object_ids.shape == (9, 24, 24)


def test_variants_take_the_objects_along(clips):
    clip = clips[0]
    mirrored = clip.mirrored()
    assert mirrored.object_ids is not None and clip.object_ids is not None
    np.testing.assert_array_equal(mirrored.object_ids, clip.object_ids[:, :, ::-1])
    expected = clip.flow_parts().total[:, :, ::-1] * [-1, 1]
    np.testing.assert_allclose(mirrored.flow_parts().total, expected, atol=2e-3)
