"""Validation of the transformer: it reports what the evaluation reports, with its controls, and is the same twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camvig.dataset_builders import render_clips as rendering
from camvig.dataset_builders.render_clips import render_clips
from camvig.dataset_builders.rooms.room_clips import room_clips
from camvig.pipelines.evaluation.eval_clips import read_eval_clips
from camvig.pipelines.evaluation.evaluate import evaluate_pipeline
from camvig.training_scripts.held_out_clips import HeldOutClips, held_out_clips
from camvig.training_scripts.sample_sheet import sample_sheet
from camvig.training_scripts.tokenize_clips import Tokenizers
from camvig.training_scripts.transformer_validation import TransformerValidation


@pytest.fixture(scope="module")
def tokenizers(tiny_pipeline) -> Tokenizers:
    return Tokenizers(tiny_pipeline.visual_tokenizer, tiny_pipeline.camera_tokenizer, "fingerprint")


@pytest.fixture(scope="module")
def clips(tokenizers) -> HeldOutClips:
    return held_out_clips(tokenizers, 3)


def test_held_out_rooms_are_those_of_the_evaluation(clips):
    for frames, path, room in zip(clips.frames, clips.paths, room_clips("validation", 3, size=32), strict=True):
        np.testing.assert_array_equal(frames, room.frames)
        np.testing.assert_allclose(path.camera_to_world, room.path.camera_to_world, atol=1e-6)


def test_held_out_clips_of_a_folder_are_spread_over_its_files(tokenizers, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "CLIPS_PER_FILE", 3)
    render_clips(["room:train/5"], 5, tmp_path / "room", size=48)
    all_clips = held_out_clips(tokenizers, 5, tmp_path / "room")
    some = held_out_clips(tokenizers, 3, tmp_path / "room")
    assert all_clips.frames[0].shape == (17, 32, 32, 3) and len(all_clips) == 5
    for place, chosen in enumerate((0, 1, 3)):  # two of the first file, one of the second
        np.testing.assert_array_equal(some.frames[place], all_clips.frames[chosen])
        assert torch.equal(some.ids["video_ids"][place], all_clips.ids["video_ids"][chosen])
    with pytest.raises(ValueError, match=f"at least 2 held-out clips .*, got 1 in {tmp_path}"):
        held_out_clips(tokenizers, 1, tmp_path / "room")


def test_validation_reports_the_numbers_of_the_evaluation(tiny_pipeline, tokenizers, clips):
    results = TransformerValidation(clips, tokenizers, generated=3)(tiny_pipeline.transformer)
    rooms, _ = read_eval_clips("rooms", "validation", 3, size=32, num_frames=17)
    expected = evaluate_pipeline(tiny_pipeline, rooms, pose_clips=0).figures["flow_mse"]
    assert results["flow_mse"] == pytest.approx(expected["model"])
    for control in ("reconstruction", "static", "wrong_path", "no_camera"):
        assert results[f"flow_mse_{control}"] == pytest.approx(expected[control]), control
    assert results["flow_mse_ratio"] == pytest.approx(results["flow_mse"] / results["flow_mse_static"])


def test_validation_is_the_same_twice_and_has_a_sheet(tiny_pipeline, tokenizers, clips):
    validation = TransformerValidation(clips, tokenizers, generated=2)
    first, again = validation(tiny_pipeline.transformer), validation(tiny_pipeline.transformer)
    assert np.array_equal(np.asarray(first.pop("sheet")), np.asarray(again.pop("sheet")))
    assert first == again


def test_losses_are_those_of_the_model_and_the_controls_differ(tiny_pipeline, tokenizers, clips):
    model = tiny_pipeline.transformer
    losses = TransformerValidation(clips, tokenizers, generated=0)(model)
    assert "sheet" not in losses and "flow_mse" not in losses
    with torch.no_grad():
        assert losses["loss"] == pytest.approx(model(**clips.ids).loss.item())
        ids = {name: value for name, value in clips.ids.items() if name != "camera_ids"}
        assert losses["loss_no_camera"] == pytest.approx(model(**ids).loss.item())
    assert losses["loss_wrong_path"] != losses["loss"] != losses["loss_no_camera"]
    assert sum(losses[f"loss_frame_{number}"] for number in (1, 2, 3, 4)) / 4 == pytest.approx(losses["loss"])


def test_a_model_with_adapters_is_validated_as_it_is(build_tiny_pipeline, tokenizers, clips):
    peft = pytest.importorskip("peft")
    plain = build_tiny_pipeline().transformer
    validation = TransformerValidation(clips, tokenizers, generated=2)
    expected = validation(plain)
    config = peft.LoraConfig(
        target_modules=r"decoder\.layers\.\d+\..*_proj", modules_to_save=["camera_embedding", "head"]
    )
    adapted = peft.get_peft_model(plain, config)  # adapters begin as nothing
    assert {**validation(adapted), "sheet": None} == {**expected, "sheet": None}
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_B" in name:
                weights.add_(0.3)
    assert validation(adapted)["loss"] != expected["loss"]


@pytest.mark.parametrize("generated", [1, 4])
def test_too_few_or_too_many_generated_clips(tokenizers, clips, generated):
    with pytest.raises(ValueError, match=f"0 or 2 to 3 held-out clips to generate, got {generated}"):
        TransformerValidation(clips, tokenizers, generated)


def test_the_sheet_shows_each_video_in_its_row():
    colours = {"true": 40, "generated": 160, "no camera": 220}
    rows = {
        name: ([np.full((17, 32, 32, 3), value, np.uint8)] * 3, np.ones(3) if value > 40 else None)
        for name, value in colours.items()
    }
    sheet = np.asarray(sample_sheet(["dolly_in", "pan_left", "free"], rows, np.ones(3)))
    column = [int(value) for value in sheet[:, sheet.shape[1] // 2 - 60, 0]]
    shown = [
        value
        for value, before in zip(column, [255, *column], strict=False)
        if value != before and value in (40, 160, 220)
    ]
    assert shown[:6] == [40, 160, 220, 40, 160, 220]  # two clips in the left column, one in the right
    assert np.asarray(sample_sheet(["pan"], rows, np.ones(3))).shape[1] < sheet.shape[1] / 1.9
