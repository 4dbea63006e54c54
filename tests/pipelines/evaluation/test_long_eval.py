"""Long videos measured: what each kind begins with, scores with a known answer, and the figures' shapes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from camvig.pipelines.evaluation.long_clips import long_room_eval_clips
from camvig.pipelines.evaluation.long_eval import evaluate_long
from camvig.pipelines.evaluation.long_pictures import write_decay_plot, write_long_sheet
from camvig.pipelines.evaluation.long_scores import long_scores, loop_closure, summarise
from camvig.pipelines.evaluation.long_videos import KINDS, SEED_STEP, cut_frames, joined_frames
from camvig.pipelines.json_values import without_nan


@pytest.fixture(scope="module")
def clips():
    """Two figures of eight, as far as their middle."""
    return long_room_eval_clips("validation", 6, 2, 32)[-2:]


@pytest.fixture(scope="module")
def found(tiny_pipeline, clips):
    return evaluate_long(tiny_pipeline, clips, seed=3)


def test_stretches_are_the_clip(clips):
    for clip in clips:
        assert np.array_equal(joined_frames([stretch.frames for stretch in clip.stretches]), clip.frames)
        user, known = clip.paths, [stretch.path for stretch in clip.stretches]
        assert user[0].allclose(known[0])
        ratio = clip.median_depths[1] / clip.median_depths[0]
        assert np.allclose(user[1].camera_to_world[:, :3, 3], known[1].camera_to_world[:, :3, 3] * ratio)


def test_what_each_kind_begins_with(found, clips):
    assert tuple(found.videos) == KINDS
    for index, clip in enumerate(clips):
        of = {kind: videos[index] for kind, videos in found.videos.items()}
        for kind, (first, second) in of.items():
            assert first.shape == second.shape == (17, 32, 32, 3), kind
            if kind != "noise_floor":
                assert np.array_equal(first[0], clip.frames[0]), kind
            if kind not in ("noise_floor", "static", "restart", "restart_known_depth"):
                assert np.array_equal(second[0], first[-1]), kind
        for kind in ("model_known_depth", "restart", "restart_known_depth"):
            assert np.array_equal(of[kind][0], of["model"][0])
        for kind in ("restart", "restart_known_depth"):
            assert np.array_equal(of[kind][1][0], clip.frames[16])


def test_the_model_is_generate_long(found, clips, tiny_pipeline):
    generators = [torch.Generator().manual_seed(3 + 1 + number * SEED_STEP) for number in range(2)]
    for kind, depths in (("model", None), ("model_known_depth", clips[1].median_depths)):
        video = tiny_pipeline.generate_long(
            clips[1].frames[0], clips[1].path, generator=generators, median_depths=depths
        ).frames[0]
        assert np.array_equal(joined_frames(found.videos[kind][1]), np.stack([np.asarray(frame) for frame in video]))
        generators = [torch.Generator().manual_seed(3 + 1 + number * SEED_STEP) for number in range(2)]


def test_figures_have_an_entry_a_stretch_and_a_frame(found):
    figures = json.loads(json.dumps(without_nan(found.figures)))
    for name in ("flow_mse", "intervals", "over_static", "flow_cosine", "motion_ratio", "psnr", "sharpness"):
        assert set(figures[name]) == set(KINDS) and all(len(values) == 2 for values in figures[name].values()), name
    for name in ("flow_mse_by_frame", "psnr_by_frame", "sharpness_by_frame"):
        assert all(len(values) == 32 for values in figures[name].values()), name
    for kind in KINDS:
        steps = np.array(figures["flow_mse_by_frame"][kind]).reshape(2, 16)
        assert steps.mean(axis=1) == pytest.approx(figures["flow_mse"][kind])
        assert figures["lengths"][1]["flow_mse"][kind] == pytest.approx(np.mean(figures["flow_mse"][kind]))
    lengths = [(one["generated_frames"], one["different_frames"]) for one in figures["lengths"]]
    assert lengths == [(17, 17), (34, 33)]
    assert [one["value"] for one in figures["over_static"]["static"]] == pytest.approx([1, 1])
    drift = figures["comparisons"]["drift"]
    assert drift[0]["value"] == 0 and drift[1]["value"] == pytest.approx(
        figures["flow_mse"]["model"][1] - figures["flow_mse"]["restart"][1]
    )
    assert figures["depth_change"][0] == 1 and figures["depth_change"][1] > 1
    assert figures["seconds"]["videos"]["processor"] > 0 and len(figures["per_clip"]) == 2


def test_the_same_seed_gives_the_same_figures(found, clips, tiny_pipeline):
    again = evaluate_long(tiny_pipeline, clips, seed=3).figures
    for name, value in found.figures.items():
        if name != "seconds":
            assert without_nan(again[name]) == without_nan(value), name


def test_scores_with_a_known_answer(clips):
    true = [cut_frames(clip.frames) for clip in clips]
    blurred = [
        [np.repeat(stretch.mean(axis=(1, 2), keepdims=True), 32, 1).repeat(32, 2).astype(np.uint8) for stretch in one]
        for one in true
    ]
    scores = {
        "true": long_scores(true, clips),
        "grey": long_scores(blurred, clips),
        "static": long_scores([[np.repeat(one[0][:1], 17, axis=0)] * 2 for one in true], clips),
    }
    figures = summarise(scores, scores["true"], seed=0)
    assert figures["flow_mse"]["true"] == [0, 0] and figures["psnr"]["static"][0] > figures["psnr"]["grey"][0]
    assert [one["value"] for one in figures["sharpness"]["true"]] == pytest.approx([1, 1])
    assert [one["value"] for one in figures["sharpness"]["grey"]] == pytest.approx([0, 0], abs=1e-6)
    assert all(one["value"] > 0 for one in figures["over_static"]["grey"])


def test_a_loop_that_closes_and_one_that_does_not(clips):
    true = [cut_frames(clip.frames) for clip in clips]
    shifted = [[np.roll(stretch, 3, axis=2) for stretch in one] for one in true]
    (row,) = loop_closure({"true": true, "shifted": shifted}, clips)
    eights = sum(clip.move.startswith("eight") for clip in clips)
    assert row["frame"] == 32 and row["clips"] == eights > 0
    assert row["shift_px"]["true"] < 0.05 < 1 < row["shift_px"]["shifted"]
    assert np.isnan(row["psnr"]["true"]) and row["psnr"]["shifted"] < 30  # equal frames have no finite PSNR


def test_pictures(found, clips, tmp_path):
    write_decay_plot({"checkpoint": "tiny", **found.figures}, tmp_path / "decay.png")
    write_long_sheet(found.videos, clips, tmp_path / "sheet.png")
    with Image.open(tmp_path / "decay.png") as plot, Image.open(tmp_path / "sheet.png") as sheet:
        assert plot.size == (800, 900) and sheet.height == 2 * (18 + 5 * 36)
        assert np.asarray(plot.convert("RGB")).std() > 10


def test_what_cannot_be_measured_says_why(tiny_pipeline, clips):
    with pytest.raises(ValueError, match="at least 2 clips"):
        evaluate_long(tiny_pipeline, clips[:1])
