"""Stage configurations: every shipped YAML file loads, and what is wrong in one is refused in one clear line."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
import yaml

from camvig import (
    CamViGCameraTokenizerConfig,
    CamViGConfig,
    CamViGForConditionalGeneration,
    CamViGVisualTokenizer,
    CamViGVisualTokenizerConfig,
)
from camvig.training_scripts import stage_config
from camvig.training_scripts.finetune_config import load_finetune
from camvig.training_scripts.stage_config import load_stage, parse_stage
from camvig.training_scripts.train_visual_tokenizer import VisualDataArguments
from camvig.training_scripts.training_arguments import TrainingArguments
from camvig.training_scripts.visual_discriminator import DiscriminatorArguments
from camvig.training_scripts.visual_losses import PlainLossWeights

CONFIGS = Path(stage_config.__file__).with_name("configs")
STAGES = {
    "visual_tokenizer": ("train_visual_tokenizer", "VisualDataArguments", CamViGVisualTokenizerConfig),
    "picture_depth": ("train_picture_depth", "PictureDepthDataArguments", CamViGVisualTokenizerConfig),
    "canvas": ("train_canvas", "CanvasDataArguments", CamViGVisualTokenizerConfig),
    "camera_tokenizer": ("train_camera_tokenizer", "CameraDataArguments", CamViGCameraTokenizerConfig),
    "transformer": ("finetune_config", "TransformerDataArguments", CamViGConfig),
}
"""Beginning of a file's name -> module, its data arguments, its model configuration."""
FINETUNE_STAGES = ("transformer", "finetune", "pretrain")


def stage_of(file: Path):
    names = [name for name in STAGES if file.stem == name or file.stem.startswith(f"{name}_")]
    assert len(names) == 1, f"{file.name}: expected a name that begins with one of {', '.join(STAGES)}"
    script, data_class, config_class = STAGES[names[0]]
    return config_class, getattr(importlib.import_module(f"camvig.training_scripts.{script}"), data_class)


def is_of(file: Path, stages) -> bool:
    return any(file.stem.startswith(f"{stage}_") for stage in stages)


def configurations_of(stages) -> list[Path]:
    return [file for file in sorted(CONFIGS.glob("*.yaml")) if is_of(file, stages)]


def test_every_shipped_configuration_is_of_a_stage():
    assert all(is_of(file, (*STAGES, *FINETUNE_STAGES)) for file in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("file", configurations_of(FINETUNE_STAGES), ids=lambda file: file.name)
def test_every_shipped_configuration_of_the_transformer_loads(file):
    stage = load_finetune(file, [])
    assert (stage.config is None) == ("model" not in yaml.safe_load(file.read_text(encoding="utf-8")))
    assert stage.training.steps > stage.training.warmup_steps and stage.lora is None
    assert (
        load_finetune(file, ["lora.rank=4"]).lora.rank == 4 and load_finetune(file, [], with_lora=True).lora.rank == 16
    )


@pytest.mark.parametrize("file", configurations_of(STAGES), ids=lambda file: file.name)
def test_every_shipped_configuration_loads(file):
    config_class, data_class = stage_of(file)
    config, data, training = load_stage(file, [], config_class, data_class)
    assert isinstance(config, config_class) and isinstance(data, data_class)
    assert isinstance(training.learning_rate, float) and isinstance(training.muon_learning_rate, float)
    assert isinstance(training.steps, int) and training.steps > training.warmup_steps >= 0
    for name, value in yaml.safe_load(file.read_text(encoding="utf-8"))["model"].items():
        if not isinstance(value, dict):
            assert getattr(config, name) == value


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("visual_tokenizer*.yaml")), ids=lambda file: file.name)
def test_every_visual_tokenizer_configuration_fits_its_network(file):
    config, _, _ = load_stage(file, [], *stage_of(file))
    with torch.device("meta"):
        tokenizer = CamViGVisualTokenizer(config)
    assert tokenizer.num_parameters() > 1000


@pytest.mark.parametrize(
    ("name", "millions", "tokens"), [("tiny", 7, 5 + 68 + 64 + 255), ("100m", 100, 392), ("paper", 926, 5 + 424 + 1279)]
)
def test_the_transformers_are_of_the_size_that_they_say(name, millions, tokens):
    file = CONFIGS / f"transformer_{name}.yaml"
    with torch.device("meta"):
        config = load_finetune(file, []).config
        cost = CamViGForConditionalGeneration(config).cost()
    assert round(cost.parameters / 1e6) == millions and cost.sequence_tokens == tokens


SECTIONS = {
    "model": {"kind": "motion", "image_size": 32, "hidden_sizes": [16, 32]},
    "data": {"cache_dir": "clips", "room_clips": 128},
    "training": {"output_dir": "run", "steps": 10, "batch_size": 2},
}


@pytest.fixture
def write(tmp_path):
    """Writes sections, with changes, and gives the file."""

    def write(**changes) -> Path:
        sections = {name: {**SECTIONS.get(name, {}), **values} for name, values in {**SECTIONS, **changes}.items()}
        file = tmp_path / "stage.yaml"
        file.write_text(yaml.safe_dump(sections), encoding="utf-8")
        return file

    return write


def load(file, *changes):
    return load_stage(file, list(changes), CamViGVisualTokenizerConfig, VisualDataArguments)


def test_sections_become_their_classes(write):
    config, data, training = load(write())
    assert config.kind == "motion" and config.image_size == 32 and config.temporal_downsample == 4
    assert data == VisualDataArguments(cache_dir="clips", room_clips=128)
    assert training == TrainingArguments(output_dir="run", steps=10, batch_size=2)


def test_single_values_are_set(write):
    changes = [
        "model.quantizer=fsq",
        "model.hidden_sizes=[8, 64]",
        "data.panorama_clips=0",
        "training.steps=3",
        "training.output_dir=a=b.c",
        "training.keep_steps=[1, 2]",
        "training.learning_rate=0.5",
    ]
    config, data, training = load(write(), *changes)
    assert config.quantizer == "fsq" and list(config.hidden_sizes) == [8, 64] and data.panorama_clips == 0
    assert (training.steps, training.output_dir, training.keep_steps) == (3, "a=b.c", [1, 2])
    assert training.learning_rate == 0.5


def test_sections_inside_sections_become_their_classes(write):
    file = write(data={"losses": {"perceptual": 1}, "discriminator": {"channels": 16}})
    _, data, _ = load(file, "data.losses.perceptual_network=lpips-vgg", "data.discriminator.start=0.5")
    assert data.losses == PlainLossWeights(perceptual=1.0, perceptual_network="lpips-vgg")
    assert data.discriminator == DiscriminatorArguments(channels=16, start=0.5)
    assert load(file, "data.discriminator=null")[1].discriminator is None
    assert load(write(), "data.discriminator.levels=3")[1].discriminator == DiscriminatorArguments(levels=3)


@pytest.mark.parametrize(
    "change, message",
    [
        ("data.losses.perceptul=1", "PlainLossWeights under data.losses, got perceptul .did you mean perceptual"),
        ("data.losses.perceptual=much", "expected data.losses.perceptual of type float, got 'much'"),
        ("data.losses=1", "expected data.losses of type PlainLossWeights, got 1"),
        ("data.discriminator.loss=wgan", "data.discriminator: expected loss 'hinge', 'non_saturating', got 'wgan'"),
        ("data.cache_dir.name=1", "inside a section, got cache_dir with the value 'clips'"),
    ],
)
def test_wrong_things_inside_sections_are_refused(write, change, message):
    with pytest.raises(ValueError, match=message):
        load(write(), change)


@pytest.mark.parametrize("text, number", [("1e-3", 1e-3), ("2.0e-3", 2e-3), ("1", 1.0)])
def test_rates_are_numbers_however_they_are_written(write, text, number):
    """YAML 1.1 reads 1e-3, without a point, as a word."""
    rate = load(write(), f"training.learning_rate={text}")[2].learning_rate
    assert isinstance(rate, float) and rate == number


def test_no_is_a_word(write):
    """YAML 1.1 reads it as False."""
    assert load(write(), "training.mixed_precision=no")[2].mixed_precision == "no"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"optimizer": {"kind": "sgd"}}, "expected the sections model, data and training .* optimizer"),
        (
            {"model": {"image_sise": 64}},
            r"CamViGVisualTokenizerConfig under model, got image_sise \(did you mean image_size",
        ),
        ({"data": {"cashe_dir": "x"}}, r"cashe_dir \(did you mean cache_dir\?\)"),
        ({"training": {"epochs": 3}}, "under training, got epochs$"),
        ({"training": {"save_evry": 3}}, r"save_evry \(did you mean save_every\?\)"),
        ({"training": {"schedule": "sine"}}, "training: expected schedule 'wsd', 'cosine', 'linear', got 'sine'"),
        ({"model": {"kind": "still"}}, "'plain' or 'motion', got 'still'"),
        ({"model": {"image_size": "large"}}, "image_size"),
        ({"model": {"num_frames": 16}}, r"1 \+ a multiple of 4, got 16"),
        ({"data": {"room_clips": "many"}}, "room_clips"),
        ({"training": {"steps": "many"}}, "steps"),
        ({"training": {"steps": 2.5}}, "steps"),
        ({"training": {"learning_rate": "fast"}}, "learning_rate"),
    ],
)
def test_unknown_and_wrong_things_are_refused(write, changes, message):
    with pytest.raises(ValueError, match=message):
        load(write(**changes))


@pytest.mark.parametrize("section, key", [("data", "cache_dir"), ("training", "output_dir"), ("training", "steps")])
def test_missing_values_are_named(tmp_path, section, key):
    sections = {
        name: {k: v for k, v in values.items() if (name, k) != (section, key)} for name, values in SECTIONS.items()
    }
    file = tmp_path / "stage.yaml"
    file.write_text(yaml.safe_dump(sections), encoding="utf-8")
    with pytest.raises(ValueError, match=key):
        load(file)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected the sections model, data and training .* got NoneType"),
        ("model: {}\ndata: {}\n", "expected the sections .* got model, data"),
        ("model:\ndata: {cache_dir: x}\ntraining: {output_dir: x, steps: 1, batch_size: 1}\n", "model"),
        ("model: [1\n", "stage.yaml"),
    ],
    ids=["empty", "no training", "an empty section", "no YAML"],
)
def test_files_that_are_no_stage_are_refused(tmp_path, text, message):
    file = tmp_path / "stage.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load(file)


@pytest.mark.parametrize("change", ["training.steps", "steps=3", "optimizer.steps=3", "=", ""])
def test_changes_that_say_nothing_are_refused(write, change):
    with pytest.raises(ValueError, match=r"expected --set SECTION\.KEY=VALUE"):
        load(write(), change)


def test_changes_of_unknown_keys_are_refused(write):
    with pytest.raises(ValueError, match="stepps"):
        load(write(), "training.stepps=3")


def run_parse_stage(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["train", *map(str, arguments)])
    return parse_stage("Trains.", CamViGVisualTokenizerConfig, VisualDataArguments)


def test_a_command_line_is_read_and_seeds_everything(monkeypatch, write):
    arguments = ("--config", write(), "--set", "training.seed=4", "training.seed=5", "--set", "model.quantizer=fsq")
    config, _, training = run_parse_stage(monkeypatch, *arguments)
    first = torch.rand(3)
    run_parse_stage(monkeypatch, *arguments)
    assert config.quantizer == "fsq" and training.seed == 5 and torch.equal(torch.rand(3), first)


@pytest.mark.parametrize("change", ["training.stepps=3", "model.kind=still", "training.steps=many", "nothing"])
def test_a_wrong_command_line_ends_with_one_line(monkeypatch, capsys, write, change):
    with pytest.raises(SystemExit) as exit_info:
        run_parse_stage(monkeypatch, "--config", write(), "--set", change)
    assert exit_info.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("option", ["--output_dir", "--output-dir"])
def test_the_output_folder_is_an_option_of_every_script(monkeypatch, write, option):
    _, _, training = run_parse_stage(monkeypatch, "--config", write(), option, "elsewhere")
    assert training.output_dir == "elsewhere"


def test_keys_of_a_configuration_inside_are_checked_too():
    file = CONFIGS / "transformer_debug.yaml"
    with pytest.raises(
        ValueError, match=r"Qwen3Config under model.text_config, got hidden_sise \(did you mean hidden_size"
    ):
        load_stage(file, ["model.text_config={model_type: qwen3, hidden_sise: 32}"], *stage_of(file))


def test_a_missing_file_ends_with_one_line(monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit):
        run_parse_stage(monkeypatch, "--config", tmp_path / "none.yaml")
    assert "none.yaml" in capsys.readouterr().err.splitlines()[-1]
