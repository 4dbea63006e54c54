"""The evaluation: its controls mean what they say, it is the same twice, and its report holds all of it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from camvig.pipelines.evaluation.bias import bias_of
from camvig.pipelines.evaluation.evaluate import KINDS, evaluate, evaluate_pipeline
from camvig.pipelines.evaluation.flow_scores import FlowScores, without_worst_scene
from camvig.pipelines.evaluation.report import chosen_clips, findings, report_text
from camvig.pipelines.evaluation.report_charts import interval_bars, scatter
from camvig.pipelines.evaluation.report_pictures import write_sheet
from camvig.pipelines.json_values import without_nan
from camvig.pipelines.measured_results import measured_results

SECONDS = ("seconds", "seconds_per_video", "tokens_per_second")


@pytest.fixture(scope="module")
def measured(tiny_pipeline, room_pair):
    return evaluate_pipeline(tiny_pipeline, room_pair, seed=3, pose_clips=0)


@pytest.fixture(scope="module")
def perfect(perfect_source, room_pair):
    return evaluate(room_pair, perfect_source, pose_clips=0)


def test_every_control_is_there(measured):
    figures = measured.figures
    assert set(figures["flow_mse"]) == set(figures["intervals"]) == set(KINDS)
    assert all(value > 0 for value in figures["flow_mse"].values())
    for kind, (low, high) in figures["intervals"].items():
        assert low <= figures["flow_mse"][kind] <= high, kind
    assert figures["flow_mse"]["noise_floor"] < figures["flow_mse"]["static"]
    assert figures["seconds_per_video"] > 0 and figures["tokens_per_second"] > 0
    assert sum(row["clips"] for row in figures["flow_mse_by_move"].values()) == 2
    assert figures["unavailable"] == {"pose": "not asked for"}
    difference = figures["differences"]["model_minus_planar_warp"]["value"]
    assert difference == pytest.approx(figures["flow_mse"]["model"] - figures["flow_mse"]["planar_warp"])
    ratio = figures["ratios"]["wrong_path_over_model"]["value"]
    assert ratio == pytest.approx(figures["flow_mse"]["wrong_path"] / figures["flow_mse"]["model"])


def test_it_is_the_same_twice_to_the_digit(measured, tiny_pipeline, room_pair):
    again = evaluate_pipeline(tiny_pipeline, room_pair, seed=3, pose_clips=0)
    first, second = (
        json.dumps({name: value for name, value in without_nan(found.figures).items() if name not in SECONDS})
        for found in (measured, again)
    )
    assert first == second


def test_a_perfect_model_scores_zero_and_static_scores_the_motion(perfect):
    flow = perfect.figures["flow_mse"]
    assert flow["model"] == flow["reconstruction"] == 0 < flow["noise_floor"] < flow["static"]
    assert flow["wrong_path"] == flow["static"]  # it stands still with another path
    assert perfect.figures["flow_cosine"]["model"] == pytest.approx(1, abs=1e-6)
    assert perfect.figures["motion_ratio"]["model"] == pytest.approx(1)
    assert perfect.figures["normalised_flow_mse"]["static"] == pytest.approx(1, abs=0.05)
    assert perfect.figures["ssim"]["model"] == 1 and perfect.figures["perceptual"]["model"] == pytest.approx(
        0, abs=1e-6
    )
    for kind in ("left_right", "up_down"):
        row = perfect.figures["bias"][kind]
        assert row is None or row["relative_difference"] == 0
    assert all(high <= 0 for _, high in (row["interval"] for row in perfect.figures["differences"].values()))


def test_what_a_system_cannot_do_is_said(perfect):
    assert perfect.figures["flow_mse"]["no_camera"] is None and perfect.figures["intervals"]["no_camera"] is None
    assert perfect.figures["unavailable"]["no_camera"] == "it always has a camera"


def test_without_depth_the_oracle_is_missing(perfect_source, room_pair):
    from dataclasses import replace

    flat = [replace(clip, depth=None) for clip in room_pair]
    figures = evaluate(flat, perfect_source, pose_clips=0).figures
    assert figures["flow_mse"]["depth_warp"] is None and figures["flow_mse"]["planar_warp"] > 0
    for name in ("depth_warp", "psnr_hidden", "flow_mse_hidden"):
        assert figures["unavailable"][name] == "the clips have no depth"
    assert figures["bias"]["up_down"] is None and "bias.up_down" in figures["unavailable"]
    assert math.isnan(figures["flow_mse_hidden"]["model"])


def test_bias_may_be_left_out_and_the_rest_stays(perfect, perfect_source, room_pair):
    found = evaluate(room_pair, perfect_source, pose_clips=0, with_bias=False)
    assert found.figures["bias"] == {"left_right": None, "up_down": None} and found.figures["mirror"] == {"clips": 0}
    assert found.figures["unavailable"]["bias.left_right"] == "not asked for"
    assert found.figures["flow_mse"] == perfect.figures["flow_mse"]
    said = {"videos": "outputs", "data": "rooms", "split": "validation", "evaluation": {}, "versions": {}}
    assert "bias.left_right: not asked for" in report_text(found, {**without_nan(found.figures), **said})


def test_bias_pairs_both_directions():
    found = bias_of(("left", "right"), ["left", "right"], np.array([1.0, 2.0]), np.array([4.0, 3.0]), seed=0)
    assert (found["left"], found["right"]) == (2.0, 3.0)  # left: 1 and 3; right: 4 and 2
    assert found["left_minus_right"]["value"] == -1 and found["relative_difference"] == pytest.approx(1 / 3)
    assert bias_of(("up", "down"), [], np.empty(0), np.empty(0), seed=0) == {"clips": 0}


def test_pairs_of_some_clips_are_compared_alone():
    pairs = ("left", "right"), ["left", "right"], np.array([1.0, 2.0]), np.array([4.0, 3.0])
    found = bias_of(*pairs, seed=0, among=np.array([False, True]))
    assert (found["clips"], found["left"], found["right"]) == (1, 3.0, 2.0)
    assert bias_of(*pairs, seed=0, among=np.zeros(2, bool)) == {"clips": 0}


def flow_of(errors: list[float]) -> FlowScores:
    return FlowScores(*[np.array(errors)] * 6, mse_by_step=np.ones((len(errors), 4)))


def test_what_hangs_on_the_worst_scene(room_pair):
    clips = [replace(room_pair[0], scene=scene) for scene in ("a", "b", "b", "c")]
    scores = {"model": flow_of([1, 3, 4, 2]), "static": flow_of([4, 4, 4, 8]), "wrong_path": flow_of([2, 0, 0, 4])}
    found = without_worst_scene(clips, scores, seed=0)
    assert found is not None
    assert (found["scene"], found["clips"], found["share_of_error"]) == ("b", 2, pytest.approx(0.7))
    assert found["ratios"]["model_over_static"]["value"] == pytest.approx(3 / 12)
    assert found["ratios"]["wrong_path_over_model"]["value"] == pytest.approx(6 / 3)
    assert found["differences"]["model_minus_static"]["value"] == pytest.approx((-3 - 6) / 2)
    assert without_worst_scene(clips[1:], {kind: of.of(np.arange(4) > 0) for kind, of in scores.items()}, 0) is None
    assert without_worst_scene(clips, {"model": flow_of([0] * 4), "static": flow_of([4] * 4)}, 0) is None
    sentence = findings({"differences": found["differences"], "without_worst_scene": found})[-1]
    assert sentence.startswith("70% of the error is in one scene, b (2 clips): 0.25 of static without it")


def test_the_card_reads_it(measured):
    figures = {**without_nan(measured.figures), "split": "test"}
    text = measured_results(figures, "eval.json", 32)
    assert f"| {figures['flow_mse']['planar_warp']:.3f} |" in text and "2 clips of procedural rooms" in text
    assert ("Left and right moves" in text) == (figures["mirror"]["clips"] > 0)
    rest = {"clips": 1, "share_of_error": 0.6, "ratios": {"model_over_static": {"value": 0.25}}}
    hangs = measured_results({**figures, "without_worst_scene": rest}, "eval.json", 32)
    assert "1 of the clips, has 60% of the model's; without it 0.25 over static." in hangs and "60%" not in text
    del figures["flow_mse"]["planar_warp"]  # an earlier record
    assert "planar_warp" not in measured_results({**figures, "data": "my clips"}, "eval.json", 32)


def test_the_report_needs_nothing_else(measured, tmp_path):
    figures = {**without_nan(measured.figures), "checkpoint": "tiny & small", "data": "rooms", "split": "validation"}
    figures |= {"evaluation": {"clips": 2}, "versions": {"torch": "2"}}
    page = report_text(measured, figures)
    assert "tiny &amp; small" in page and "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and page.count("data:image/webp;base64,") == 2
    for kind in KINDS:
        assert f"{figures['flow_mse'][kind]:.3f}" in page, kind
    assert "pose: not asked for" in page
    write_sheet(measured, tmp_path / "sheet.png")
    assert np.asarray(Image.open(tmp_path / "sheet.png")).std() > 5


def test_the_report_of_videos_says_what_is_missing(perfect):
    figures = {**without_nan(perfect.figures), "videos": "outputs", "data": "rooms", "split": "validation"}
    page = report_text(perfect, {**figures, "evaluation": {}, "versions": {}})
    assert "outputs on rooms" in page and "no_camera: it always has a camera" in page
    assert "<td>no camera</td>" not in page and "<td>flat picture</td>" in page


def test_findings_say_what_the_intervals_say():
    figures = {
        "differences": {
            "model_minus_static": {"value": -1.0, "interval": [-2.0, -0.5]},
            "model_minus_planar_warp": {"value": 0.2, "interval": [0.1, 0.3]},
            "model_minus_depth_warp": {"value": 0.2, "interval": [-0.1, 0.3]},
            "model_minus_no_camera": {"value": 0.2, "interval": [None, None]},
        }
    }
    sentences = findings(figures)
    assert [sentence.split(":")[0] for sentence in sentences] == [
        "less error than static",
        "more error than flat picture",
        "no clear difference from true depth",
    ]


def test_best_median_and_worst_are_no_clip_twice(measured):
    chosen = chosen_clips(measured)
    indices = [index for group in chosen.values() for index in group]
    assert sorted(indices) == [0, 1]
    mse = measured.flow["model"].mse
    assert mse[chosen["Best"][0]] == mse.min()


def test_charts_survive_missing_intervals_and_zeros():
    nan = float("nan")
    assert "whisker" not in interval_bars("bars", [("model", "model", 1.0, (nan, nan))])
    assert interval_bars("bars", [("model", "a<b", 1.0, (0.5, 2.0))]).count("whisker") == 1
    assert scatter("dots", [("still", 0.0, 0.0)], "x", "y") == ""
    assert scatter("dots", [("one", 0.1, 0.2), ("still", 0.0, 0.1)], "x", "y").count("<circle") == 1
