"""Cards are filled from records, and say what no record holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from camvig.pipelines.checkpoint_folder import find_checkpoint_folder
from camvig.pipelines.measured_results import measured_results, read_results
from camvig.pipelines.model_card import CardFacts, pipeline_card
from camvig.pipelines.push_checkpoint import base_model_of
from camvig.pipelines.training_record import read_run, training_record, without_local_paths

SCORES = {
    "split": "test",
    "clips": 8,
    "flow_mse": {"model": 0.5, "reconstruction": 0.25, "static": 2.0, "wrong_path": 3.0, "no_camera": 2.5},
    "psnr": {"reconstruction": 30.04, "model": 24.0},
    "psnr_hidden": {"reconstruction": 22.0, "model": 18.0},
    "flow_mse_by_move": {
        "dolly": {"clips": 3, "model": 0.1, "static": 0.4},
        "static": {"clips": 1, "model": 0.1, "static": 0.0},
    },
    "mirror": {"left": 0.1, "right": 0.2},
    "seconds_per_video": 1.25,
    "tokens_per_second": 200.4,
    "settings": {"guidance_scale": 1.5, "temperature": 0.5},
}


def test_results_stand_beside_their_controls():
    text = measured_results(SCORES, "eval.json", 32)
    assert "| flow MSE, px² of 32x32 frames | value | over static |" in text
    assert (
        "| model, the true path | 0.500 | 0.25 |" in text
        and "| wrong_path: another clip's path | 3.000 | 1.50 |" in text
    )
    assert "reconstruction 30.0 dB, generated 24.0 dB" in text and "dolly 0.25 (3)." in text
    assert "temperature 0.5, guidance 1.5. The full" in text and "training never saw" in text
    means = {**SCORES, "settings": {**SCORES["settings"], "mean_of": 4}}
    assert "guidance 1.5, the mean of 4 draws. The full" in measured_results(means, "eval.json", 32)
    rigid = {**SCORES, "settings": {**SCORES["settings"], "rigid_scene": True}}
    assert "guidance 1.5, decoded as a scene at rest. The full" in measured_results(rigid, "eval.json", 32)
    assert "training never saw" not in measured_results({**SCORES, "split": "train"}, "eval.json", 32)


@pytest.mark.parametrize("content", ["", "[]", '{"flow_mse": {}}'])
def test_what_is_no_evaluation_is_refused(tmp_path, content):
    (tmp_path / "eval.json").write_text(content)
    with pytest.raises(ValueError, match=r"expected results of camvig eval --json in .*eval\.json"):
        read_results(tmp_path / "eval.json")


def test_a_record_says_what_it_does_not_hold(tmp_path):
    assert training_record(tmp_path) == "Not recorded."
    (tmp_path / "training").mkdir()
    run = {"steps": 3000, "step": 3000, "batch_size": 8, "cpu_seconds": 5400, "commit": "abc1234", "data": ["rooms"]}
    (tmp_path / "training" / "first.json").write_text(json.dumps(run))
    row = "| first | rooms | 3,000 x 8 | not recorded | not recorded | 1.50 h | abc1234 | not recorded |"
    assert row in training_record(tmp_path)
    (tmp_path / "TRAINING.md").write_text("# How\n\nSlowly.\n\n## Data\n\nRooms.\n")
    text = training_record(tmp_path)
    assert text.startswith("Slowly.\n\n#### Data") and row in text


def test_a_record_tells_data_with_licences_and_the_configuration(tmp_path):
    rooms = {"source": "rooms", "rows": 12000, "licences": ["CC0-1.0"]}
    data = [
        {"cache": "ids", "share": 0.7, "sources": [rooms, {"source": "kitchen", "rows": 5, "licences": []}]},
        {"cache": "videos", "share": 0.3, "sources": [{"source": "cut", "rows": 7, "licences": ["A", "B"]}]},
    ]
    config = {"data": {"token_cache": "/home/me/ids", "path_share": 0.7}, "training": {"output_dir": "runs/x"}}
    run = {"step": 10, "batch_size": 8, "samples_per_step": 32, "commit": "abc, def", "data": data, "config": config}
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "x.json").write_text(json.dumps(without_local_paths(run)))
    text = training_record(tmp_path)
    shown = "70% ids of rooms: 12,000 (CC0-1.0), kitchen: 5 (licence not recorded); 30% videos of cut: 7 (A, B)"
    assert f"| x | {shown} | 10 x 32 |" in text and "| abc, def | below |" in text
    assert (
        "  token_cache: ids\n  path_share: 0.7\n" in text and "  output_dir: runs/x\n" in text and "/home" not in text
    )


def test_a_broken_record_is_an_error(tmp_path):
    (tmp_path / "training.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"training\.json of a run in .*, got list"):
        read_run(tmp_path / "training.json")
    with pytest.raises(ValueError, match="No such file"):
        read_run(tmp_path / "nowhere.json")


def test_a_card_is_filled_from_the_folder(tiny_pipeline, tmp_path: Path):
    (tmp_path / "eval.json").write_text(json.dumps(SCORES))
    (tmp_path / "LIMITS.md").write_text("Costs $5 and bends {edges}.\n")
    facts = CardFacts("user/tiny", licence="cc-by-4.0", libraries=["PIL", "torch"], example="A room.")
    card = pipeline_card(tmp_path, tiny_pipeline, facts)
    assert card.data.license == "cc-by-4.0" and card.data.library_name == "diffusers"
    assert card.data.tags == ["image-to-video", "camera-control", "camvig"]
    assert "| model, the true path | 0.500 | 0.25 |" in card.text and "32x32 frames" in card.text
    assert "Costs $5 and bends {edges}." in card.text and "pip install pillow torch" in card.text
    assert "17 poses -> 2 x 17 ids of 32" in card.text and "motion kind, 17x32x32 -> 5x4x4 ids" in card.text


def test_a_card_without_records_invents_nothing(tiny_pipeline, tmp_path):
    card = pipeline_card(tmp_path, tiny_pipeline, CardFacts("user/tiny"))
    assert card.data.license is None and "trust_remote_code" not in card.text
    for words in (
        "Not measured",
        "Not stated by its makers.",
        "Not recorded.",
        "Not made.",
        "## Licence\n\nNot stated.",
    ):
        assert words in card.text


def test_a_base_model_is_a_name_that_others_can_load(tmp_path):
    assert base_model_of("user/base") == "user/base"
    assert base_model_of("/home/me/.cache/hub/models--user--base/snapshots/abc123/transformer") == "user/base"
    embedded = find_checkpoint_folder("camvig-tiny")
    assert base_model_of(f"{embedded}/transformer") == base_model_of("camvig-tiny") == "camvig-tiny"
    assert base_model_of(str(tmp_path)) is None and base_model_of("") is None
