"""`finetune.py` as it is started: full, by adapters, in both stages, and with what does not fit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from accelerate.state import AcceleratorState
from peft import PeftModel
from safetensors.torch import load_file
from transformers.models.qwen3.modeling_qwen3 import Qwen3MLP

from camvig import CamViGConfig, CamViGForConditionalGeneration, CamViGPipeline, CamViGVisualTokenizer
from camvig.dataset_builders.token_cache import write_part
from camvig.training_scripts import finetune
from camvig.training_scripts.finetune_config import TransformerDataArguments
from camvig.training_scripts.finetune_start import Parts, initialize
from camvig.training_scripts.tokenize_clips import Tokenizers


def write_ids(folder: Path, fingerprint: str, config, count: int, has_path: bool, seed: int):
    """Random ids of a transformer's geometry."""
    rng = np.random.default_rng(seed)
    level = np.repeat(np.arange(config.camera_levels), config.camera_frames) * config.camera_codebook_size
    rows = [
        {
            "image_ids": rng.integers(config.visual_vocab_size, size=config.tokens_per_latent_frame).tolist(),
            "video_ids": rng.integers(config.visual_vocab_size, size=config.num_video_tokens).tolist(),
            "camera_ids": (level + rng.integers(config.camera_codebook_size, size=len(level))).tolist(),
            "camera_to_world": [0.0],
            "intrinsics": [0.0],
            "has_path": has_path,
            "source": "random",
            "licence": "CC-BY-4.0" if has_path else "",
            "clip_index": index,
            "variant": "as rendered",
            "move": "",
        }
        for index in range(count)
    ]
    write_part(folder / "random-00000.parquet", rows, fingerprint)


@pytest.fixture(scope="module")
def caches(tiny_checkpoint, tiny_pipeline, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ids")
    parts = (tiny_checkpoint / "visual_tokenizer", tiny_checkpoint / "camera_tokenizer")
    fingerprint = Tokenizers.load(*parts).fingerprint
    for seed, (name, has_path) in enumerate({"paths": True, "videos": False}.items()):
        write_ids(folder / name, fingerprint, tiny_pipeline.transformer.config, 30, has_path, seed)
    return folder


@pytest.fixture
def write(tmp_path, caches, tiny_checkpoint):
    """Writes a YAML that starts from the tiny checkpoint, with changes, and gives the file."""

    def write(data=(), training=(), **more) -> Path:
        sections = {
            "data": {
                "checkpoint": str(tiny_checkpoint),
                "token_cache": str(caches / "paths"),
                "video_token_cache": str(caches / "videos"),
                "validation_clips": 0,
                **dict(data),
            },
            "training": {
                "output_dir": str(tmp_path / "run"),
                "steps": 6,
                "batch_size": 4,
                "warmup_steps": 1,
                "log_every": 1,
                "mixed_precision": "no",
                "learning_rate": 1e-3,
                **dict(training),
            },
            **more,
        }
        file = tmp_path / "finetune.yaml"
        file.write_text(yaml.safe_dump(sections), encoding="utf-8")
        return file

    return write


def run(monkeypatch, *arguments: object):
    monkeypatch.setattr(sys, "argv", ["finetune.py", *map(str, arguments)])
    finetune.main()


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def random_ids(config) -> dict[str, torch.Tensor]:
    """Those of a fixed clip."""
    generator = torch.Generator().manual_seed(0)
    image, video = (
        torch.randint(config.visual_vocab_size, (1, count), generator=generator)
        for count in (config.tokens_per_latent_frame, config.num_video_tokens)
    )
    camera = torch.arange(config.camera_levels).repeat_interleave(config.camera_frames) * config.camera_codebook_size
    return {"image_ids": image, "video_ids": video, "camera_ids": camera[None]}


def outputs(model, config) -> torch.Tensor:
    """Nats of every token of a fixed clip."""
    with torch.no_grad():
        return model(**random_ids(config)).per_token_loss


def test_full_training_leaves_a_whole_pipeline(monkeypatch, write, tmp_path, tiny_checkpoint):
    run(monkeypatch, "--config", write(training={"ema_decay": 0.5}), "--output_dir", tmp_path / "full")
    rows = metrics(tmp_path / "full")
    assert [row["step"] for row in rows] == list(range(1, 7))
    assert set(rows[0]) >= {"step", "split", "loss", "loss_frame_1", "loss_factor_0", "gradient_norm", "learning_rate"}
    trained = CamViGPipeline.from_pretrained(tmp_path / "full/pipeline").transformer
    before = CamViGForConditionalGeneration.from_pretrained(tiny_checkpoint / "transformer")
    changed = [not torch.equal(a, b.float()) for a, b in zip(trained.parameters(), before.parameters(), strict=True)]
    assert all(changed)
    averaged = load_file(tmp_path / "full/states/00000006/average.safetensors")
    saved = load_file(tmp_path / "full/model/model.safetensors")
    assert all(torch.equal(value, saved[name]) for name, value in averaged.items())


def test_init_from_takes_a_transformer_that_hears_less_and_starts_as_it(tiny_checkpoint, tiny_pipeline):
    saved = tiny_pipeline.transformer
    new_inputs = {"picture_feature_size": 32, "picture_feature_blocks": 1, "align_camera": True}
    model = CamViGForConditionalGeneration(CamViGConfig(**{**saved.config.to_dict(), **new_inputs})).eval()
    model.set_picture_features(tiny_pipeline.visual_tokenizer.autoencoder.picture)
    picture = model.picture_features.from_code.weight.clone()
    assert not torch.allclose(outputs(model, model.config), outputs(saved, saved.config))
    initialize(model, tiny_checkpoint / "transformer")
    assert torch.allclose(outputs(model, model.config), outputs(saved, saved.config), atol=1e-5)
    assert torch.equal(model.picture_features.from_code.weight, picture)  # the tokenizer's own, not 0
    model(**{name: ids.repeat(2, 1) for name, ids in random_ids(saved.config).items()}).loss.backward()
    assert model.picture_features.to_hidden.weight.grad.abs().sum() > 0
    assert model.video_context.from_camera.weight.grad.abs().sum() > 0


def test_init_from_refuses_a_transformer_of_another_shape(tiny_checkpoint, tiny_pipeline):
    config = CamViGConfig(**{**tiny_pipeline.transformer.config.to_dict(), "visual_factors": [64, 64, 64]})
    with pytest.raises(
        ValueError, match=r"expected weights of this transformer in .*transformer \(init_from\): .*size mismatch"
    ):
        initialize(CamViGForConditionalGeneration(config), tiny_checkpoint / "transformer")


@pytest.fixture
def adapter(monkeypatch, write, tmp_path) -> Path:
    run(monkeypatch, "--config", write(training={"learning_rate": 1e-2}), "--lora", "--set", "lora.rank=4")
    return tmp_path / "run"


def test_an_adapter_is_small_and_holds_what_trains_in_full(adapter, tiny_pipeline):
    weights = load_file(adapter / "model/adapter_model.safetensors")
    in_full = {name.split(".")[2] for name in weights if "lora_" not in name}
    assert in_full == {"camera_embedding", "special_tokens", "head"}
    adapted = {name.split(".")[-3] for name in weights if "lora_A" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    base = dict(tiny_pipeline.transformer.named_parameters())
    trained = weights["base_model.model.special_tokens.weight"]
    assert trained.shape == base["special_tokens.weight"].shape and not torch.equal(
        trained, base["special_tokens.weight"]
    )
    assert not (adapter / "model/model.safetensors").exists()


def test_an_adapter_loads_fuses_and_comes_off_again(adapter, tiny_checkpoint, make_picture):
    pipe = CamViGPipeline.from_pretrained(tiny_checkpoint)
    pipe.set_progress_bar_config(disable=True)
    config, bare = pipe.transformer.config, outputs(pipe.transformer, pipe.transformer.config)
    by_peft = PeftModel.from_pretrained(CamViGPipeline.from_pretrained(tiny_checkpoint).transformer, adapter / "model")
    expected = outputs(by_peft.eval(), config)
    assert (expected - bare).abs().max() > 0.01

    pipe.load_lora_weights(adapter / "model")
    torch.testing.assert_close(outputs(pipe.transformer, config), expected)
    assert len(pipe(make_picture(), "pan left 5deg", temperature=0).frames[0]) == 17
    with pytest.raises(ValueError, match=r"expected a transformer without LoRA adapter"):
        pipe.save_pretrained(adapter / "saved")
    pipe.fuse_lora()
    torch.testing.assert_close(outputs(pipe.transformer, config), expected, atol=1e-4, rtol=1e-4)
    pipe.unfuse_lora()
    torch.testing.assert_close(outputs(pipe.transformer, config), expected, atol=1e-4, rtol=1e-4)
    pipe.unload_lora_weights()
    torch.testing.assert_close(outputs(pipe.transformer, config), bare, atol=1e-4, rtol=1e-4)

    pipe.load_lora_weights(adapter / "model")
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    pipe.save_pretrained(adapter / "saved")
    again = CamViGPipeline.from_pretrained(adapter / "saved").transformer
    torch.testing.assert_close(outputs(again, config), expected, atol=1e-4, rtol=1e-4)
    merged = CamViGPipeline.from_pretrained(adapter / "pipeline").transformer  # stored in bfloat16
    assert (outputs(merged, config) - expected).abs().max() < 0.2 * (expected - bare).abs().max()
    with pytest.raises(ValueError, match=r"expected a transformer with a LoRA adapter, got none"):
        pipe.fuse_lora()


def test_an_adapter_of_another_shape_is_refused(adapter, build_tiny_pipeline, tmp_path):
    pipe = build_tiny_pipeline()
    config = json.loads((adapter / "model/adapter_config.json").read_text())
    (adapter / "model/adapter_config.json").write_text(json.dumps({**config, "r": 2}))
    with pytest.raises(ValueError, match=r"expected LoRA weights of this transformer in .*model, got: .*size mismatch"):
        pipe.load_lora_weights(adapter / "model")
    with pytest.raises(ValueError, match=r"expected LoRA weights of this transformer in .*nothing"):
        pipe.load_lora_weights(tmp_path / "nothing")


def test_an_adapter_run_goes_on_exactly(monkeypatch, write, tmp_path):
    settings = ["--lora", "--set", "training.save_every=2", "--set", "lora.rank=2", "--set", "training.ema_decay=0.9"]
    run(monkeypatch, "--config", write(), "--output_dir", tmp_path / "whole", *settings)
    shutil.copytree(tmp_path / "whole/states/00000004", tmp_path / "stopped/states/00000004")
    shutil.copy(tmp_path / "whole/metrics.jsonl", tmp_path / "stopped/metrics.jsonl")
    AcceleratorState._reset_state(reset_partial_state=True)
    run(monkeypatch, "--config", write(), "--output_dir", tmp_path / "stopped", *settings)
    for file in ("metrics.jsonl", "model/adapter_model.safetensors", "pipeline/transformer/model.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "stopped" / file).read_bytes()


def test_a_state_of_an_adapter_run_has_no_frozen_weights_and_wants_the_same_ones(
    monkeypatch, write, adapter, build_tiny_pipeline, tmp_path
):
    state, saved = tmp_path / "run/states/00000006", load_file(adapter / "model/adapter_model.safetensors")
    held = load_file(state / "model.safetensors")
    names = {name.replace(".modules_to_save.default", "").replace(".default", "") for name in held}
    assert set(saved) <= names
    assert not [name for name in held if "base_layer" in name or "norm" in name or "embedding.tables" in name]
    others = tmp_path / "others"
    build_tiny_pipeline(seed=1).save_pretrained(others)
    parts = {
        f"data.{name}": write_data(write)["checkpoint"] + f"/{name}"
        for name in ("visual_tokenizer", "camera_tokenizer")
    }
    changes = [f"{name}={value}" for name, value in {"data.checkpoint": f"{others}/transformer", **parts}.items()]
    with pytest.raises(ValueError, match=r"got another's: expected the frozen weights of the run's start, got others"):
        run(monkeypatch, "--config", write(), "--lora", "--set", "lora.rank=4", *changes)


def write_data(write) -> dict:
    return yaml.safe_load(write().read_text())["data"]


def test_the_record_of_a_run_tells_data_commit_and_configuration(adapter):
    record = json.loads((adapter / "training.json").read_text())
    start = json.loads((adapter / "starts.jsonl").read_text())
    assert record["commit"] == start["commit"] and record["config"] == start["config"]
    assert record["samples_per_step"] == 4 and record["processes"] == 1
    paths, videos = record["data"]
    assert (paths["cache"], paths["share"], videos["cache"]) == ("paths", 0.7, "videos")
    assert paths["sources"] == [{"source": "random", "rows": 30, "licences": ["CC-BY-4.0"]}]
    assert videos["sources"] == [{"source": "random", "rows": 30, "licences": []}]


def test_pretraining_hears_no_path(monkeypatch, write, tmp_path):
    """Only the missing-camera embedding is trained, not the camera's table."""
    settings = {"stage": "pretrain", "video_token_cache": None}
    run(monkeypatch, "--config", write(data=settings, training={"optimizer": "adamw"}))
    states = sorted((tmp_path / "run/states").iterdir())
    weights = load_file(states[-1] / "model.safetensors")
    start = CamViGForConditionalGeneration.from_pretrained(
        yaml.safe_load(write().read_text())["data"]["checkpoint"] + "/transformer"
    )
    before = start.state_dict()
    assert torch.equal(weights["camera_embedding.table.weight"], before["camera_embedding.table.weight"])
    assert not torch.equal(weights["camera_embedding.missing.weight"], before["camera_embedding.missing.weight"])


def test_activation_checkpointing_computes_twice_and_changes_no_loss(monkeypatch, write, tmp_path):
    calls = []
    warnings.filterwarnings("error", ".*checkpointing_enable.* is deprecated")
    forward = Qwen3MLP.forward
    monkeypatch.setattr(Qwen3MLP, "forward", lambda module, values: calls.append(1) or forward(module, values))
    for name, value in {"kept": "false", "again": "true"}.items():
        AcceleratorState._reset_state(reset_partial_state=True)
        change = f"training.activation_checkpointing={value}"
        run(monkeypatch, "--config", write(), "--output_dir", tmp_path / name, "--set", change)
        calls.append(name)
    assert calls.index("kept") == 6 and calls.index("again") == 6 + 1 + 2 * 6
    kept, again = ([row["loss"] for row in metrics(tmp_path / name)] for name in ("kept", "again"))
    assert kept == pytest.approx(again, rel=1e-6)


def test_a_cache_of_other_tokenizers_is_refused(monkeypatch, write, caches, tmp_path, tiny_pipeline):
    write_ids(tmp_path / "others", "of others", tiny_pipeline.transformer.config, 3, True, 0)
    with pytest.raises(
        ValueError, match=r"random-00000.parquet: expected ids of the tokenizers .*, got ids of of others"
    ):
        run(monkeypatch, "--config", write(data={"token_cache": str(tmp_path / "others")}))


@pytest.mark.parametrize(("name", "ids"), [("camera-codec-compact", 68), ("camera-codec-4x106", 424)])
def test_embedded_camera_codecs_are_found_by_their_names(tiny_checkpoint, name, ids):
    data = TransformerDataArguments(checkpoint=str(tiny_checkpoint), token_cache="ids", camera_tokenizer=name)
    parts = Parts.find(data)
    assert parts.visual_tokenizer == tiny_checkpoint / "visual_tokenizer"
    config = Tokenizers.load(parts.visual_tokenizer, parts.camera_tokenizer).camera.config
    assert config.num_levels * config.tokens_per_level == ids


def test_checkpoints_of_another_architecture_are_refused(monkeypatch, write, tiny_checkpoint, tmp_path):
    tokenizers = {name: str(tiny_checkpoint / name) for name in ("visual_tokenizer", "camera_tokenizer")}
    with pytest.raises(
        ValueError, match=r"expected a transformer of model_type 'camvig' in .*, got 'camvig_visual_tokenizer'"
    ):
        run(monkeypatch, "--config", write(data={"checkpoint": tokenizers["visual_tokenizer"], **tokenizers}))
    plain = CamViGVisualTokenizer.config_class(kind="plain", quantizer="fsq", image_size=64, hidden_sizes=(8, 8, 8, 8))
    CamViGVisualTokenizer(plain).save_pretrained(tmp_path / "plain")
    with pytest.raises(ValueError, match=r"expected components that fit each other, got latent size: 8 in one, 4"):
        run(monkeypatch, "--config", write(data={"visual_tokenizer": str(tmp_path / "plain")}))
    with pytest.raises(ValueError, match=r"expected a pipeline folder as data.checkpoint, or data.visual_tokenizer"):
        run(monkeypatch, "--config", write(data={"checkpoint": str(tiny_checkpoint / "transformer")}))


@pytest.mark.parametrize(
    "change, message",
    [
        ("data.stage=tune", "expected stage 'pretrain' or 'finetune', got 'tune'"),
        ("data.tokn_cache=x", "got tokn_cache (did you mean token_cache?)"),
        ("data.debug_clips=4", "expected either token_cache or debug_clips"),
        ("lora.rnk=4", "expected fields of LoraArguments under lora, got rnk (did you mean rank?)"),
        ("loar.rank=4", "with section data, training, model or lora, got 'loar.rank=4'"),
        ("data.checkpoint=null", "expected checkpoint, or visual_tokenizer and camera_tokenizer"),
    ],
)
def test_wrong_settings_end_in_one_line(monkeypatch, capsys, write, change, message):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--config", write(), "--set", change)
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_adapters_of_nothing_are_refused(monkeypatch, write):
    with pytest.raises(ValueError, match=r"expected lora.targets that name linear maps, got"):
        run(monkeypatch, "--config", write(), "--set", "lora.targets=nothing")
    with pytest.raises(ValueError, match=r"expected lora.modules_to_save among .*head.*, got haed"):
        run(monkeypatch, "--config", write(), "--set", "lora.modules_to_save=[haed]")


def test_it_starts_by_its_path(write):
    done = subprocess.run([sys.executable, finetune.__file__, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--output_dir" in done.stdout
