"""Pages are made of results alone, and no result stands there without its controls."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from camvig.pipelines.evaluation.long_pictures import STYLES
from camvig.pipelines.measured_results import FLOW_ROWS
from camvig.training_scripts.reproduce import registry
from camvig.training_scripts.reproduce.experiments import SCALES, Choices
from camvig.training_scripts.reproduce.page import write_page
from camvig.training_scripts.reproduce.tables import MOTION_ROWS, flow_table, motion_table

CHOICES = Choices(captures=Path(), posed=Path())


def scores(factor: float = 1.0, moving: bool = False) -> dict:
    """camvig-tiny's evaluation, with the model's errors times a factor; made-up motion of things where it is asked for."""
    found = json.loads(resources.files("camvig.checkpoints").joinpath("camvig-tiny", "eval.json").read_text())
    found["flow_mse"]["model"] *= factor
    found["intervals"]["model"] = [factor * end for end in found["intervals"]["model"]]
    if moving:
        found["data"] = "moving-rooms"
        motion = {name: {kind: factor * (1 + place) for place, kind in enumerate(FLOW_ROWS)} for name in MOTION_ROWS}
        ends = {
            f"{name}_intervals": {kind: [0.9 * value, 1.1 * value] for kind, value in values.items()}
            for name, values in motion.items()
        }
        found["motion"] = {"clips": 40, **motion, **ends}
    return found


def long_scores() -> dict:
    """As `camvig eval-long` writes it, of 2 stretches."""
    kinds = ("model", "restart", "static", "noise_floor")
    value = {"value": 0.5, "interval": [0.4, 0.6]}
    both = {kind: [1.0, 2.0] for kind in kinds}
    curves = {kind: np.linspace(1, 2, 32).tolist() for kind in kinds}
    names = ("drift", "scale", "model_minus_planar_warp", "model_minus_reconstruction", "model_minus_static")
    shown = dict.fromkeys(STYLES, curves["model"]) | curves
    return {
        "checkpoint": "camvig-tiny", "split": "test", "clips": 4, "frames": 33, "stretches": 2,
        "flow_mse": both, "psnr": both, "intervals": {kind: [[0.9, 1.1], [1.8, 2.2]] for kind in kinds},
        "over_static": {kind: [value, value] for kind in kinds}, "sharpness": {kind: [value, value] for kind in kinds},
        "comparisons": {name: [value, value] for name in names},
        "lengths": [{"generated_frames": 17 * n, "over_static": dict.fromkeys(kinds, value)} for n in (1, 2)],
        "loop_closure": [{"frame": 32, "clips": 2, "shift_px": dict.fromkeys(kinds, 1.5), "psnr": dict.fromkeys(kinds, 20.0)}],
        **{f"{name}_by_frame": shown for name in ("flow_mse", "psnr", "sharpness")},
    }  # fmt: skip


def fake_results(experiment, work: Path) -> list:
    """What the stages would leave behind, and their records."""
    stages = experiment.stages_of(SCALES["full"], CHOICES)
    for number, stage in enumerate(stages):
        record = {"command": list(stage.words), "seconds": 90.0, "finished": "2026-01-02T03:04:05", "commit": "abc123"}
        stage.write_record(work, {**record, "versions": {"torch": "2.13.0" if number else "2.12.0"}})
        file = work / stage.result
        if stage.result.endswith(".json"):
            file.parent.mkdir(parents=True, exist_ok=True)
            found = long_scores() if "long" in stage.name else scores(1 + number, "moving" in stage.name)
            file.write_text(json.dumps(found))
        if stage.name.startswith("train-"):
            rows = [
                {"step": step, "split": "validation", "loss": 2.0, "loss_wrong_path": 2.75, "loss_no_camera": 2.25}
                for step in range(50, 1501, 50)
            ]
            file.parent.mkdir(parents=True, exist_ok=True)
            (file.parent / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return stages


@pytest.mark.parametrize("name", registry.EXPERIMENTS)
def test_every_page_has_its_controls_commands_and_hours(name, tmp_path):
    experiment = registry.EXPERIMENTS[name]
    stages = fake_results(experiment, tmp_path / "work")
    page, picture = write_page(experiment, SCALES["full"], stages, tmp_path / "work", tmp_path / "docs")
    text = page.read_text()
    assert experiment.question in text and f"![{name}]({picture.name})" in text and "debug" not in text
    assert np.ptp(imread(picture)) > 0.5
    for stage in stages:
        assert (
            f"    {stage.shown('runs/reproduce')}\n" in text and f"| {stage.name} | 1.5 | 2026-01-02 | abc123 |" in text
        )
    assert f"{len(stages) * 90 / 3600:.1f} hours" in text and str(tmp_path) not in text
    assert ("torch 2.12.0 and 2.13.0" in text) == (len(stages) > 1)
    if name == "long-paths":
        for words in ("| static | 1.000 (0.900 to 1.100) |", "| model | 0.50 (0.40 to 0.60) |", "1.50 px, 20.0 dB"):
            assert words in text
    else:
        for words in FLOW_ROWS.values():
            assert f"| {words} | " in text
        value, (low, high) = scores()["flow_mse"]["static"], scores()["intervals"]["static"]
        assert f"{value:.3f} ({low:.3f} to {high:.3f})" in text


@pytest.mark.parametrize(
    "scale, words", [("debug", "it shows that all of it runs"), ("third", "trainings of 500 steps")]
)
def test_a_page_of_less_than_full_scale_says_so(tmp_path, scale, words):
    experiment = registry.EXPERIMENTS["long-paths"]
    stages = fake_results(experiment, tmp_path)
    text = write_page(experiment, SCALES[scale], stages, tmp_path, tmp_path / "docs")[0].read_text()
    assert f"`camvig reproduce long-paths --scale {scale}` runs" in text and f"**Scale {scale}: {words}" in text
    assert f"`runs/reproduce-{scale}` is its work folder" in text


def test_a_table_of_flow_has_each_kind_its_interval_and_what_is_missing():
    one, without = scores(), scores()
    for found, factor in ((one, 2), (without, 1)):
        found["flow_mse"] |= {"model": 0.25 * factor, "depth_warp": 0.125}
        found["intervals"] |= {"model": [0.2 * factor, 0.3 * factor], "depth_warp": [0.1, 0.15]}
    without["flow_mse"]["depth_warp"] = without["intervals"]["depth_warp"] = None
    without["unavailable"] = {"depth_warp": "the clips have no depth", "pose": "not asked for"}
    lines = flow_table({"one": one, "two": without}).splitlines()
    assert len([line for line in lines if line.startswith("|")]) == 2 + len(FLOW_ROWS)
    assert "| model, the true path | 0.500 (0.400 to 0.600) | 0.250 (0.200 to 0.300) |" in lines
    depth = next(line for line in lines if line.startswith("| depth_warp"))
    assert depth.endswith("| 0.125 (0.100 to 0.150) | – |")
    assert "No `depth_warp` of two: the clips have no depth." in lines and not any("`pose`" in line for line in lines)
    about = f"{one['clips']} clips of {one['scenes']} scenes of `rooms`, test split, 17 frames of 64 pixels"
    assert any(line.startswith(about) for line in lines)
    without["data"] = "videos"
    text = flow_table({"one": one, "two": without})
    assert f"\n- one: {about}" in text and "\n- two: " in text and "of `videos`" in text
    assert "No `depth_warp`: the clips have no depth." in flow_table({"two": without})


def test_a_table_of_motion_has_each_kind_and_survives_clips_where_nothing_moves():
    still = scores(moving=True)
    still["motion"]["kept"] = None
    text = motion_table({"one": scores(2.0, moving=True), "two": still}, "kept")
    assert "| model | 2.000 (1.800 to 2.200) | – |" in text and "| static | 6.000 (5.400 to 6.600) | – |" in text


def test_the_mixture_page_sets_following_beside_motion_kept(tmp_path):
    experiment = registry.EXPERIMENTS["mixture"]
    fake_results(experiment, tmp_path)
    text = experiment.findings_of(SCALES["full"], tmp_path, tmp_path / "picture.png")
    rows = [line for line in text.splitlines() if line.startswith(("| 100/0 |", "| 70/30 |", "| 0/100 |"))]
    assert len(rows) == 3
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert float(cells[5]) * 3 == pytest.approx(float(cells[6]), rel=1e-3)  # static is the third kind
