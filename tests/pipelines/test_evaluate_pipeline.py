"""The evaluation: its controls mean what they say, and it is the same twice."""

import numpy as np
import pytest
from PIL import Image

from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.pipelines import evaluate_pipeline
from camvig.pipelines.evaluate_pipeline import evaluate_rooms, mirror_test


def without_seconds(figures: dict) -> dict:
    return {name: value for name, value in figures.items() if name not in ("seconds_per_video", "tokens_per_second")}


def test_evaluation_has_every_control_and_repeats(tiny_pipeline, tmp_path):
    first = evaluate_rooms(tiny_pipeline, split="validation", clips=2, seed=3, sheet=tmp_path / "sheet.png")
    assert set(first["flow_mse"]) == {"model", "reconstruction", "static", "wrong_path", "no_camera"}
    assert all(value > 0 for value in first["flow_mse"].values())
    assert set(first["psnr"]) == set(first["psnr_hidden"]) == {"reconstruction", "model"}
    assert first["seconds_per_video"] > 0 and first["tokens_per_second"] > 0
    assert sum(entry["clips"] for entry in first["flow_mse_by_move"].values()) == 2
    assert np.asarray(Image.open(tmp_path / "sheet.png")).std() > 5
    again = evaluate_rooms(tiny_pipeline, split="validation", clips=2, seed=3)
    assert without_seconds(first) == without_seconds(again)


def test_a_perfect_model_scores_zero_and_static_scores_the_motion(tiny_pipeline, monkeypatch):
    rooms = list(room_clips("validation", 2, size=tiny_pipeline.visual_tokenizer.config.image_size))
    monkeypatch.setattr(evaluate_pipeline, "generate", lambda *_: [room.frames for room in rooms])
    monkeypatch.setattr(evaluate_pipeline, "mirror_test", lambda *_: {})
    figures = evaluate_rooms(tiny_pipeline, split="validation", clips=2)
    assert figures["flow_mse"]["model"] == 0 < figures["flow_mse"]["static"]


def test_mirror_test_compares_the_same_scenes(tiny_pipeline, monkeypatch):
    size = tiny_pipeline.visual_tokenizer.config.image_size
    rooms = [room for room in room_clips("validation", 12, size=size) if room.move.endswith(("_left", "_right"))]
    monkeypatch.setattr(evaluate_pipeline, "generate", lambda _, pictures, *__: [None] * len(pictures))
    monkeypatch.setattr(evaluate_pipeline, "flow_errors", lambda videos, flows: np.full(len(flows), 3.0))
    result = mirror_test(tiny_pipeline, rooms, list(range(len(rooms))), np.full(len(rooms), 3.0))
    assert result == {"clips": len(rooms), "left": 3.0, "right": 3.0, "relative_difference": 0.0}


def test_one_clip_has_no_wrong_path(tiny_pipeline):
    with pytest.raises(ValueError, match="at least 2 clips"):
        evaluate_rooms(tiny_pipeline, clips=1)
