"""Every training script runs with its debug configuration, in the order of a real training, and ends in a pipeline."""

import json
import sys
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from PIL import Image

from camvig import CamViGCameraTokenizer, CamViGPipeline
from camvig.training_scripts import (
    assemble_checkpoint,
    train_camera_tokenizer,
    train_transformer,
    train_visual_tokenizer,
)
from camvig.training_scripts.tokenize_clips import Tokenizers, tokenize_clips

CONFIGS = Path(train_transformer.__file__).parent / "configs"


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
        run(train_visual_tokenizer, monkeypatch, *stage_arguments("visual_tokenizer_plain", folder, **cache))
        run(train_camera_tokenizer, monkeypatch, *stage_arguments("camera_tokenizer", folder))
        places = [f"--{name.replace('_', '-')}={place}" for name, place in tokenizers.items()]
        tokenize(folder)
        sources = {f"data.{name}": place for name, place in tokenizers.items()}
        run(
            train_transformer,
            monkeypatch,
            *stage_arguments("transformer", folder, **{"data.token_cache": folder / "ids"}, **sources),
        )
        parts = [*places, f"--transformer={folder / 'transformer' / 'model'}"]
        run(assemble_checkpoint, monkeypatch, *parts, "--output-dir", folder / "checkpoint")
    return folder


@pytest.mark.parametrize("stage", ["visual_tokenizer", "visual_tokenizer_plain", "camera_tokenizer", "transformer"])
def test_stage_leaves_curves_and_a_model(trained, stage):
    lines = metrics(trained / stage)
    assert lines[-1]["split"] == "validation"
    assert (trained / stage / "curves.png").stat().st_size > 1000
    assert (trained / stage / "model" / "model.safetensors").exists()
    recorded = json.loads((trained / stage / "training.json").read_text())
    assert recorded["step"] == recorded["steps"] and recorded["cpu_seconds"] > 0


def test_transformer_is_validated_with_its_controls(trained):
    last = metrics(trained / "transformer")[-1]
    assert {"loss", "loss_wrong_path", "loss_no_camera", "flow_mse_ratio"} <= set(last)


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
