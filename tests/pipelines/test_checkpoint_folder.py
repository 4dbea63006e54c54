"""Saving and loading: an identical round trip, and one line for every way in which a folder can be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from camvig import CamViGPipeline
from camvig.pipelines import pipeline_files
from camvig.pipelines.checkpoint_folder import find_checkpoint_folder


@pytest.fixture
def damaged(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "damaged"))


def edit_config(file: Path, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def expect_one_line(folder: Path | str, *parts: str):
    with pytest.raises(ValueError) as error:
        CamViGPipeline.from_pretrained(folder)
    message = str(error.value)
    assert "\n" not in message and all(part in message for part in parts), message


def test_a_round_trip_changes_nothing(tiny_pipeline, tiny_checkpoint, make_picture):
    loaded = CamViGPipeline.from_pretrained(tiny_checkpoint)
    for name in pipeline_files.COMPONENTS:
        assert not getattr(loaded, name).training
    outputs = [
        pipeline(make_picture(), "truck left 10%", generator=torch.Generator().manual_seed(5), output_type="pt")
        for pipeline in (tiny_pipeline, loaded)
    ]
    assert torch.equal(outputs[0].video_ids, outputs[1].video_ids)
    assert torch.equal(outputs[0].frames, outputs[1].frames)


def test_weights_stored_in_bf16_are_computed_with_in_float32(
    tiny_checkpoint, build_tiny_pipeline, tmp_path, make_picture
):
    build_tiny_pipeline().to(torch.bfloat16).save_pretrained(tmp_path / "bf16")
    stored = load_file(tmp_path / "bf16" / "transformer" / "model.safetensors")
    assert {weight.dtype for weight in stored.values() if weight.is_floating_point()} == {torch.bfloat16}
    loaded = CamViGPipeline.from_pretrained(tmp_path / "bf16")
    assert {getattr(loaded, name).dtype for name in pipeline_files.COMPONENTS} == {torch.float32}
    as_stored = CamViGPipeline.from_pretrained(tmp_path / "bf16", dtype=torch.bfloat16)
    assert as_stored.transformer.dtype == torch.bfloat16
    for pipeline in (loaded, as_stored):
        assert pipeline(make_picture(), "static", temperature=0, output_type="pt").frames.dtype == torch.float32


def test_components_can_be_given(tiny_pipeline, tiny_checkpoint):
    loaded = CamViGPipeline.from_pretrained(tiny_checkpoint, transformer=tiny_pipeline.transformer)
    assert loaded.transformer is tiny_pipeline.transformer


def test_a_missing_folder(tmp_path):
    expect_one_line(tmp_path / "nowhere", "nowhere", "no such folder")
    expect_one_line("./no/such/folder", "no such folder")
    (tmp_path / "file").touch()
    expect_one_line(tmp_path / "file", "a file")


@pytest.mark.parametrize(
    "name",
    ["model_index.json", "transformer/config.json", "transformer/model.safetensors", "camera_tokenizer/config.json"],
)
def test_a_missing_file(damaged, name):
    (damaged / name).unlink()
    expect_one_line(damaged, name, "no such file")


@pytest.mark.parametrize("kept", [0, 4, 1000, -1])
def test_a_truncated_weight_file(damaged, kept):
    file = damaged / "visual_tokenizer" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    expect_one_line(damaged, "visual_tokenizer/model.safetensors", "damaged or cut")


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_configuration(damaged, content):
    (damaged / "transformer" / "config.json").write_text(content)
    expect_one_line(damaged, "transformer/config.json", "JSON")


def test_a_configuration_of_other_sizes(damaged):
    edit_config(damaged / "visual_tokenizer" / "config.json", hidden_sizes=[16, 64])
    expect_one_line(damaged, "visual_tokenizer/config.json", "of another shape")


def test_a_configuration_with_more_or_fewer_layers(damaged):
    file = damaged / "visual_tokenizer" / "config.json"
    edit_config(file, blocks_per_level=2)
    expect_one_line(damaged, "visual_tokenizer/config.json", "missing, such as")
    edit_config(file, blocks_per_level=0)
    expect_one_line(damaged, "visual_tokenizer/config.json", "unexpected, such as")


def test_a_configuration_that_cannot_be(damaged):
    edit_config(damaged / "visual_tokenizer" / "config.json", image_size=30)
    expect_one_line(damaged, "CamViGVisualTokenizer", "image_size in multiples of 8, got 30")


def test_a_missing_weight(damaged):
    file = damaged / "transformer" / "model.safetensors"
    weights = load_file(file)
    name = sorted(weights)[0]
    save_file({key: weight for key, weight in weights.items() if key != name}, file, {"format": "pt"})
    expect_one_line(damaged, "1 missing", name)


def test_components_that_do_not_fit_each_other(damaged):
    edit_config(damaged / "camera_tokenizer" / "config.json", num_poses=18)
    expect_one_line(damaged, "components that fit", "18")


def test_a_component_of_another_class(damaged):
    edit_config(damaged / "model_index.json", transformer=["transformers", "LlamaForCausalLM"])
    expect_one_line(damaged, "CamViGForConditionalGeneration", "LlamaForCausalLM")


def test_pickled_weights_are_not_read(damaged):
    folder = damaged / "transformer"
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    expect_one_line(damaged, "model.safetensors", "no such file")


def test_names_of_hub_repositories_are_told_from_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint_folder("somebody/camvig-large") is None
    (tmp_path / "runs").mkdir()
    with pytest.raises(ValueError, match="no such folder"):
        find_checkpoint_folder("runs/mine")


def test_a_hub_repository_is_downloaded_without_pickles_and_code(tiny_checkpoint, monkeypatch, tmp_path):
    asked = []

    def fake_snapshot_download(repository: str, allow_patterns: list[str], **arguments) -> str:
        asked.append((repository, allow_patterns, arguments))
        return str(tiny_checkpoint)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline_files, "snapshot_download", fake_snapshot_download)
    pipeline = CamViGPipeline.from_pretrained("somebody/camvig-tiny", revision="v1")
    assert isinstance(pipeline, CamViGPipeline)
    ((repository, patterns, arguments),) = asked
    assert repository == "somebody/camvig-tiny" and arguments == {"revision": "v1"}
    assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in patterns)


def test_a_repository_that_cannot_be_reached(monkeypatch, tmp_path):
    def unreachable(*names, **arguments):
        raise huggingface_hub.errors.LocalEntryNotFoundError("offline\nand nothing cached")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline_files, "snapshot_download", unreachable)
    expect_one_line("somebody/nothing", "somebody/nothing", "offline and nothing cached")
