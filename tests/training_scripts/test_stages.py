"""Every training script runs with its debug configuration, in the order of a real training, and ends in a pipeline."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from safetensors.torch import load_file

from camvig import CamViGCameraTokenizer, CamViGPipeline
from camvig.training_scripts import (
    assemble_checkpoint,
    finetune,
    train_camera_tokenizer,
    train_visual_tokenizer,
)
from camvig.training_scripts.tokenize_clips import Tokenizers, tokenize_clips

CONFIGS = Path(finetune.__file__).parent / "configs"


def run(script, monkeypatch, *arguments: object):
    """As if in a process of its own: Accelerate keeps one state a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, arguments)])
    script.main()


def stage_arguments(name: str, folder: Path, **changes: object) -> list[str]:
    changes = {"training.output_dir": folder / name, **changes}
    settings = [text for key, value in changes.items() for text in ("--set", f"{key}={value}")]
    return ["--config", str(CONFIGS / f"{name}_debug.yaml"), *settings]


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def tokenize(folder: Path) -> int:
    """Ids of the clips that the visual tokenizer was trained on, augmented; how many rows were written."""
    tokenizers = Tokenizers.load(*(folder / name / "model" for name in ("visual_tokenizer", "camera_tokenizer")))
    return tokenize_clips([folder / "clips" / "rooms-train-32"], tokenizers, folder / "ids", augment=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder in which all stages have run."""
    folder = tmp_path_factory.mktemp("runs")
    cache = {"data.cache_dir": folder / "clips"}
    tokenizers = {name: folder / name / "model" for name in ("visual_tokenizer", "camera_tokenizer")}
    with pytest.MonkeyPatch.context() as monkeypatch:
        run(train_visual_tokenizer, monkeypatch, *stage_arguments("visual_tokenizer", folder, **cache))
        run(train_visual_tokenizer, monkeypatch, *stage_arguments("visual_tokenizer_image", folder, **cache))
        inflate = {**cache, "training.init_from": folder / "visual_tokenizer_image" / "model"}
        run(train_visual_tokenizer, monkeypatch, *stage_arguments("visual_tokenizer_plain", folder, **inflate))
        run(train_camera_tokenizer, monkeypatch, *stage_arguments("camera_tokenizer", folder))
        places = [f"--{name.replace('_', '-')}={place}" for name, place in tokenizers.items()]
        tokenize(folder)
        sources = {f"data.{name}": place for name, place in tokenizers.items()}
        run(
            finetune,
            monkeypatch,
            *stage_arguments("transformer", folder, **{"data.token_cache": folder / "ids"}, **sources),
        )
        parts = [*places, f"--transformer={folder / 'transformer' / 'model'}"]
        run(assemble_checkpoint, monkeypatch, *parts, "--output-dir", folder / "checkpoint")
    return folder


@pytest.mark.parametrize(
    "stage", ["visual_tokenizer", "visual_tokenizer_image", "visual_tokenizer_plain", "camera_tokenizer", "transformer"]
)
def test_stage_leaves_curves_and_a_model(trained, stage):
    lines = metrics(trained / stage)
    assert lines[-1]["split"] == "validation"
    assert (trained / stage / "model" / "model.safetensors").exists()
    recorded = json.loads((trained / stage / "training.json").read_text())
    assert recorded["step"] == recorded["steps"] and recorded["cpu_seconds"] > 0
    start = json.loads((trained / stage / "starts.jsonl").read_text())
    assert (
        start["config"]["training"]["steps"] == recorded["steps"]
        and start["config"]["data"]
        and start["config"]["model"]
    )
    (cache,) = recorded["data"]
    known = [] if stage == "transformer" else ["CC0-1.0"]  # a cache of rendered clips says nothing of licences
    assert all(source["rows"] > 0 and source["licences"] == known for source in cache["sources"]) and cache["sources"]
    page = (trained / stage / "report.html").read_text()
    assert "Finished" in page and page.count("<svg") >= 2


def test_the_decoder_alone_learns_a_canvas_and_ids_stay(trained, tmp_path, monkeypatch):
    before = trained / "visual_tokenizer" / "model"
    changes = {"model.has_canvas": True, "data.decoder_alone": True, "training.init_from": before, "training.steps": 2}
    cache = {"data.cache_dir": trained / "clips", "data.validation_clips": 2}
    run(train_visual_tokenizer, monkeypatch, *stage_arguments("visual_tokenizer", tmp_path, **changes, **cache))
    old, new = load_file(before / "model.safetensors"), load_file(tmp_path / "visual_tokenizer/model/model.safetensors")
    decoder = {name for name in old if name.startswith("autoencoder.decoder.")}
    painting = {name for name in decoder if name.split(".")[2] in ("content", "blend1", "blend2")}
    assert all(torch.equal(new[name], old[name]) for name in old.keys() - decoder)
    assert not any(torch.equal(new[name], old[name]) for name in decoder - painting)
    assert {name.split(".")[2] for name in new.keys() - old.keys()} == {"canvas"}
    places = trained / "camera_tokenizer" / "model"
    tokenizers = [Tokenizers.load(folder, places) for folder in (before, tmp_path / "visual_tokenizer/model")]
    assert len({each.fingerprint for each in tokenizers}) == 1


@pytest.mark.parametrize("stage", ["visual_tokenizer", "visual_tokenizer_plain"])
def test_a_decoder_alone_needs_trained_ids_of_the_motion_kind(stage, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"expected kind 'motion' and training\.init_from with data\.decoder_alone"):
        run(train_visual_tokenizer, monkeypatch, *stage_arguments(stage, tmp_path, **{"data.decoder_alone": True}))
    assert not any(tmp_path.iterdir())


def test_the_plain_tokenizer_trains_with_all_its_losses_and_leaves_sample_grids(trained):
    lines = metrics(trained / "visual_tokenizer_plain")
    last = [line for line in lines if line["split"] == "train"][-1]
    assert {"pixels", "temporal", "perceptual", "sample_entropy", "batch_entropy", "commitment"} <= set(last)
    assert {"adversarial", "adversarial_scale", "adversary_loss", "adversary_lecam"} <= set(last)
    assert "adversarial" not in lines[0]
    assert {"psnr", "perceptual", "used_codes", "digit_entropy", "dead_digits"} <= set(lines[-1])
    with Image.open(trained / "visual_tokenizer_plain" / "samples" / "step-00000006.png") as grid:
        assert grid.size == (5 * 32, 2 * 2 * 32)
    with Image.open(trained / "visual_tokenizer_image" / "samples" / "step-00000004.png") as grid:
        assert grid.size == (4 * 32, 2 * 32)


def test_transformer_is_validated_with_its_controls(trained):
    last = metrics(trained / "transformer")[-1]
    controls = {f"flow_mse_{name}" for name in ("static", "reconstruction", "wrong_path", "no_camera", "ratio")}
    assert {"loss", "loss_wrong_path", "loss_no_camera", "flow_mse", *controls} <= set(last)
    assert np.asarray(Image.open(trained / "transformer" / "sheets" / f"{last['step']:08d}.png")).std() > 5


def test_training_and_held_out_losses_are_told_by_frame_and_factor(trained):
    parts = {f"loss_frame_{frame}" for frame in (1, 2, 3, 4)} | {"loss_factor_0", "loss_factor_1"}
    for split in ("train", "validation"):
        last = [line for line in metrics(trained / "transformer") if line["split"] == split][-1]
        assert parts <= set(last)
        assert last["loss_factor_0"] + last["loss_factor_1"] == pytest.approx(last["loss"], rel=1e-5)
        assert sum(last[f"loss_frame_{frame}"] for frame in (1, 2, 3, 4)) / 4 == pytest.approx(last["loss"], rel=1e-5)


def test_the_parts_make_a_pipeline(trained):
    pipeline = CamViGPipeline.from_pretrained(trained / "checkpoint")
    pipeline.set_progress_bar_config(disable=True)
    frames = pipeline(Image.new("RGB", (48, 32), "teal"), "pan left 5deg").frames[0]
    assert len(frames) == 17 and frames[0].size == (48, 32)


def test_caching_again_keeps_what_is_there(trained):
    parts = sorted((trained / "ids").glob("*.parquet"))
    times = [part.stat().st_mtime_ns for part in parts]
    assert tokenize(trained) == 0
    assert parts and [part.stat().st_mtime_ns for part in parts] == times


@pytest.mark.parametrize("kind", ["dct", "uniform"])
def test_the_other_kinds_of_camera_tokenizer_are_fitted(kind, real_paths_file, monkeypatch, tmp_path):
    config = CONFIGS / f"camera_tokenizer_{kind}.yaml"
    values = {"training.output_dir": tmp_path / "run", "data.paths": 200, "data.validation_paths": 20}
    values["data.real_paths"] = real_paths_file
    settings = [text for key, value in values.items() for text in ("--set", f"{key}={value}")]
    for _ in range(2):  # a second run replaces the first
        run(train_camera_tokenizer, monkeypatch, "--config", config, *settings)
    figures = json.loads((tmp_path / "run" / "fit.json").read_text())
    assert figures["paths"] == 200 + 24 and set(figures) == {"paths", "sampled", "real"}
    assert figures["sampled"]["rotation_deg_mean"] < 1 and figures["real"]["shortened_pct"] == 0
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["fit.json", "model"]
    tokenizer = CamViGCameraTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert tokenizer.config.kind == kind and tokenizer.fitted.is_fitted
