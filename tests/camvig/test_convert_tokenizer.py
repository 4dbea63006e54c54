"""`camvig convert-tokenizer` on small checkpoints by the original's names: the folder, and one line for whatever is wrong."""

from __future__ import annotations

import json
import pathlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from camvig.cli import main
from camvig.modeling_camvig.configuration_camvig import CamViGConfig
from camvig.modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from camvig.modeling_camvig.open_weights import open_weights_config, original_name
from camvig.modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from camvig.pipelines.convert_tokenizer import read_config
from camvig.pipelines.pipeline_camvig import CamViGPipeline
from camvig.training_scripts.assemble_checkpoint import assemble
from camvig.training_scripts.optimizers import build_optimizers
from camvig.training_scripts.tokenize_clips import Tokenizers, encode_clips
from camvig.training_scripts.train_visual_tokenizer import MUON_PATTERN
from camvig.training_scripts.training_arguments import TrainingArguments
from camvig.training_scripts.training_loop import load_weights
from camvig.training_scripts.visual_losses import PlainLosses, PlainLossWeights
from camvig.training_scripts.visual_validation import validate_plain

SMALL = {
    "open-magvit2": {"hidden_sizes": [32, 32, 32, 32], "blocks_per_level": 1, "image_size": 32},
    "vidtok": {"hidden_sizes": [8, 8, 8, 8], "blocks_per_level": 1, "image_size": 32},
}


def tokenizer_of(source: str) -> CamViGVisualTokenizer:
    torch.manual_seed(0)
    return CamViGVisualTokenizer(open_weights_config(source, **SMALL[source])).eval()


def checkpoint_of(tokenizer: CamViGVisualTokenizer, source: str) -> dict[str, torch.Tensor]:
    """Raw weights, averages that are a little different, and what only training needs."""
    raw = {original_name(name, source): value.data for name, value in tokenizer.autoencoder.named_parameters()}
    averages = {"model_ema." + name.replace(".", ""): value * 1.01 for name, value in raw.items()}
    return {**raw, "loss.discriminator.main.0.weight": torch.zeros(3), **averages, "model_ema.decay": torch.zeros(())}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A folder with a .ckpt, as Lightning writes it, and a small.yaml of each source."""
    folder = tmp_path_factory.mktemp("open")
    for source, settings in SMALL.items():
        content = {"state_dict": checkpoint_of(tokenizer_of(source), source), "epoch": 3, "callbacks": {}}
        torch.save(content, folder / f"{source}.ckpt")
        (folder / f"{source}.yaml").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def convert(files, tmp_path):
    def run(source="open-magvit2", checkpoint=None, config=None, output=tmp_path / "out", **options) -> int:
        more = [part for name, value in options.items() for part in (f"--{name}", value)]
        checkpoint, config = checkpoint or files / f"{source}.ckpt", config or files / f"{source}.yaml"
        arguments = ["convert-tokenizer", checkpoint, output, "--from", source, "--config", config, *more]
        return main([str(argument) for argument in arguments])

    return run


@pytest.fixture
def fails(convert, tmp_path, capsys):
    """One line on stderr with these parts, and nothing written."""

    def check(*parts: str, status: int = 1, **arguments):
        before = sorted(tmp_path.rglob("*"))
        assert convert(**arguments) == status
        line = capsys.readouterr().err
        assert line.startswith("camvig: error: ") and line.count("\n") == 1, line
        assert all(part in line for part in parts), line
        assert sorted(tmp_path.rglob("*")) == before

    return check


@pytest.mark.parametrize("source", SMALL)
@pytest.mark.parametrize("copy", ["raw", "ema"])
def test_a_checkpoint_becomes_a_folder(convert, source, copy, tmp_path, capsys):
    assert convert(source, weights=copy) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("took ") and "1 of the losses" in said[0] and said[1] == str(tmp_path / "out")
    loaded, original = CamViGVisualTokenizer.from_pretrained(tmp_path / "out"), tokenizer_of(source)
    for name, value in original.autoencoder.named_parameters():
        scale = 1.01 if copy == "ema" else 1.0
        assert torch.equal(loaded.autoencoder.get_parameter(name), value.data * scale)
    about = json.loads((tmp_path / "out" / "origin.json").read_text())
    assert about["checkpoint"] == f"{source}.ckpt" and about["weights"] == copy
    assert about["licence"] == {"open-magvit2": "Apache-2.0", "vidtok": "MIT"}[source]


def test_safetensors_and_bare_weights(convert, tmp_path):
    weights = checkpoint_of(tokenizer_of("vidtok"), "vidtok")
    save_file(weights, tmp_path / "weights.safetensors")
    torch.save(weights, tmp_path / "weights.pth")
    results = []
    for name in ("weights.safetensors", "weights.pth"):
        assert convert("vidtok", checkpoint=tmp_path / name, output=tmp_path / "to" / name) == 0
        results.append((tmp_path / "to" / name / "model.safetensors").read_bytes())
    assert results[0] == results[1]


def test_wrong_files(fails, files, tmp_path):
    fails("no such file", checkpoint=tmp_path / "nowhere.ckpt")
    fails("a folder", checkpoint=tmp_path)
    for name in ("text.ckpt", "text.safetensors", "text.zip"):
        (tmp_path / name).write_text("this is no checkpoint")
    (tmp_path / "empty.ckpt").touch()
    (tmp_path / "cut.ckpt").write_bytes((files / "open-magvit2.ckpt").read_bytes()[:5000])
    fails("expected a whole checkpoint", "text.ckpt", checkpoint=tmp_path / "text.ckpt")
    fails("expected a whole checkpoint", "empty.ckpt", checkpoint=tmp_path / "empty.ckpt")
    fails("expected a whole checkpoint", "cut.ckpt", checkpoint=tmp_path / "cut.ckpt")
    fails("expected whole safetensors", "text.safetensors", checkpoint=tmp_path / "text.safetensors")
    fails("expected a checkpoint .ckpt", "text.zip", checkpoint=tmp_path / "text.zip")
    torch.save({"state_dict": {"epoch": 3}}, tmp_path / "numbers.ckpt")
    fails("expected weights by name", "numbers.ckpt", checkpoint=tmp_path / "numbers.ckpt")


def test_a_pickle_with_code_is_not_run(convert, fails, files, tmp_path, monkeypatch, capsys):
    """And what the message says to do works."""
    content = torch.load(files / "open-magvit2.ckpt", weights_only=True)
    torch.save({**content, "callbacks": pathlib.PurePosixPath("x")}, tmp_path / "code.ckpt")
    fails("code.ckpt holds more than weights", "weights_only=False", "save_file", checkpoint=tmp_path / "code.ckpt")
    assert convert(checkpoint=tmp_path / "code.ckpt") == 1
    recipe = capsys.readouterr().err.split("keep its weights alone: ")[1]
    monkeypatch.chdir(tmp_path)
    exec(recipe, {})
    assert convert(checkpoint=tmp_path / "code.safetensors") == 0


def test_wrong_weights(fails, files, tmp_path):
    fails("open-magvit2.ckpt", "missing", "unexpected", source="vidtok", checkpoint=files / "open-magvit2.ckpt")
    content = torch.load(files / "open-magvit2.ckpt", weights_only=True)["state_dict"]
    torch.save({**content, "encoder.extra.weight": torch.zeros(1)}, tmp_path / "more.ckpt")
    fails("more.ckpt", "1 unexpected (encoder.extra.weight)", checkpoint=tmp_path / "more.ckpt")
    content.pop("model_ema.encoderconv_outconv_1bias")
    torch.save(content, tmp_path / "less.ckpt")
    fails("less.ckpt", "1 missing (model_ema.encoderconv_outconv_1bias)", checkpoint=tmp_path / "less.ckpt")


def test_wrong_settings(fails, tmp_path):
    fails("'cosmos'", source="cosmos", config="x.yaml", checkpoint="x.ckpt", status=2)
    fails("'best'", weights="best", status=2)
    fails("nowhere.yaml", config=tmp_path / "nowhere.yaml")
    for text, parts in (
        ("colour: red", ("['colour']",)),
        ("just words", ("just words",)),
        ("image_size: big", ("wrong.yaml", "image_size")),
        ("image_size: 33", ("wrong.yaml", "multiples of 8")),
        ("hidden_sizes: [64, 64, 64, 64]\nblocks_per_level: 1", ("of shape [64, 3, 3, 3, 3], got [32, 3, 3, 3, 3]",)),
        ("hidden_sizes: [64, 64]", ("spatial_downsample",)),
    ):
        (tmp_path / "wrong.yaml").write_text(text)
        fails(*parts, config=tmp_path / "wrong.yaml")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").touch()
    fails("a new or empty folder", output=tmp_path / "full")


@pytest.mark.parametrize("source", SMALL)
def test_training_goes_on_from_it(convert, files, source, tmp_path):
    assert convert(source) == 0
    model = CamViGVisualTokenizer(read_config(files / f"{source}.yaml", source))
    load_weights(model, tmp_path / "out")
    arguments = TrainingArguments("run", steps=4, batch_size=2, learning_rate=1e-4, muon_learning_rate=1e-4)
    optimizers = build_optimizers(model, MUON_PATTERN, arguments)
    batch = {"video": torch.rand(2, 3, 5, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1}
    plain_losses = PlainLosses(PlainLossWeights())
    before = validate_plain(model.eval(), batch)["psnr"]
    for _ in range(4):
        losses = plain_losses(model.train(), batch, 0.0)
        losses["loss"].backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert validate_plain(model.eval(), batch)["psnr"] > before


@pytest.mark.parametrize("source", SMALL)
def test_the_pipeline_and_the_caches_take_it(convert, source, tmp_path, build_tiny_pipeline, make_picture):
    assert convert(source) == 0
    visual = CamViGVisualTokenizer.from_pretrained(tmp_path / "out")
    tiny = build_tiny_pipeline()
    settings = tiny.transformer.config.to_dict() | {"visual_levels": visual.config.code_levels}
    transformer = CamViGForConditionalGeneration(CamViGConfig.from_dict(settings)).eval()
    pipeline = CamViGPipeline(visual, tiny.camera_tokenizer, transformer)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(tmp_path / "pipeline")
    picture = make_picture(32, 32)
    loaded = CamViGPipeline.from_pretrained(tmp_path / "pipeline")
    output = loaded(picture, "pan right 10deg", generator=torch.Generator().manual_seed(0), output_type="np")
    assert output.frames[0].shape == (17, 32, 32, 3)

    tokenizers = Tokenizers.load(tmp_path / "out", tmp_path / "pipeline" / "camera_tokenizer")
    frames = np.random.default_rng(0).integers(0, 256, (17, 32, 32, 3), dtype=np.uint8)
    frames[0] = np.asarray(picture)
    poses, intrinsics = np.tile(np.eye(4, dtype=np.float32), (17, 1, 1)), np.full((17, 4), 0.5, np.float32)
    clip = {"frames": frames, "depth": None, "has_path": False, "camera_to_world": poses, "intrinsics": intrinsics}
    (row,) = encode_clips([clip], tokenizers)
    in_use = loaded.encode_pictures([loaded.prepare_picture(picture)])
    assert row["image_ids"] == in_use[0].tolist() and len(row["video_ids"]) == 4 * 16


@pytest.mark.parametrize("source", SMALL)
def test_caches_and_assembled_checkpoints_keep_its_precision(convert, source, tmp_path, build_tiny_pipeline):
    assert convert(source) == 0
    tiny = build_tiny_pipeline()
    settings = tiny.transformer.config.to_dict() | {"visual_levels": tokenizer_of(source).config.code_levels}
    CamViGForConditionalGeneration(CamViGConfig.from_dict(settings)).save_pretrained(tmp_path / "transformer")
    tiny.camera_tokenizer.save_pretrained(tmp_path / "camera")
    assemble(tmp_path / "out", tmp_path / "camera", tmp_path / "transformer", tmp_path / "checkpoint")
    converted = CamViGVisualTokenizer.from_pretrained(tmp_path / "out", dtype=torch.float32)
    assembled = CamViGPipeline.from_pretrained(tmp_path / "checkpoint").visual_tokenizer
    cached = Tokenizers.load(tmp_path / "out", tmp_path / "camera").visual
    for name, weight in converted.named_parameters():
        assert torch.equal(assembled.get_parameter(name), weight) and torch.equal(cached.get_parameter(name), weight)
