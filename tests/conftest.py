"""Tiny real models, built from real configurations with a seed: what pipelines and commands are tested on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from PIL import Image

    from camvig import CamViGCameraTokenizer, CamViGPipeline


def build_tiny_camera_tokenizer(kind: str) -> CamViGCameraTokenizer:
    """An untrained codec of 2 x 17 ids, or one of another kind, fitted to 200 sampled paths."""
    import torch
    from transformers import DacConfig

    from camvig import CamViGCameraTokenizer, CamViGCameraTokenizerConfig
    from camvig.dataset_builders.path_samples import sample_model_paths

    if kind != "codec":
        settings = {"dct": {"dct_scale": 10.0, "dct_vocab_size": 256, "max_tokens": 30}, "uniform": {"num_bins": 16}}
        tokenizer = CamViGCameraTokenizer(CamViGCameraTokenizerConfig(kind=kind, **settings[kind])).eval()
        tokenizer.fit(*map(torch.from_numpy, sample_model_paths(200, 0)))
        return tokenizer
    codec_config = DacConfig(
        encoder_hidden_size=8,
        decoder_hidden_size=16,
        downsampling_ratios=[2, 4],
        n_codebooks=2,
        codebook_size=32,
        codebook_dim=4,
    )
    return CamViGCameraTokenizer(CamViGCameraTokenizerConfig(codec_config=codec_config, samples_per_value=1)).eval()


def build_tiny_pipeline(kind: str = "motion", seed: int = 0, camera_kind: str = "codec") -> CamViGPipeline:
    """Untrained: 17 frames of 32x32, latent 5x4x4, the tiny camera tokenizer, one layer of width 32."""
    import torch
    from transformers import Qwen3Config

    from camvig import (
        CamViGConfig,
        CamViGForConditionalGeneration,
        CamViGPipeline,
        CamViGVisualTokenizer,
        CamViGVisualTokenizerConfig,
    )

    torch.manual_seed(seed)
    hidden_sizes = (16, 32) if kind == "motion" else (8, 8, 16, 16)
    visual_config = CamViGVisualTokenizerConfig(
        kind=kind, quantizer="fsq", image_size=32, hidden_sizes=hidden_sizes, blocks_per_level=1
    )
    visual_tokenizer = CamViGVisualTokenizer(visual_config).eval()
    camera_tokenizer = build_tiny_camera_tokenizer(camera_kind)
    text_config = Qwen3Config(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=256,
    )
    config = CamViGConfig(
        text_config=text_config,
        visual_levels=[8] * 6,
        visual_factors=(512, 512),
        latent_size=4,
        camera_kind=camera_kind,
        camera_levels=camera_tokenizer.config.num_levels,
        camera_codebook_size=camera_tokenizer.config.codebook_size,
        camera_frames=camera_tokenizer.config.tokens_per_level,
    )
    transformer = CamViGForConditionalGeneration(config).eval()
    pipeline = CamViGPipeline(visual_tokenizer, camera_tokenizer, transformer)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="session")
def tiny_pipeline() -> CamViGPipeline:
    """A pipeline of the motion kind, the one of the shipped checkpoint. Do not change it."""
    return build_tiny_pipeline()


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_pipeline: CamViGPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, saved. Copy it before you damage it."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    tiny_pipeline.save_pretrained(folder)
    return folder


def make_picture(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    """A smooth colourful picture."""
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(name="make_picture", scope="session")
def make_picture_fixture() -> Callable[..., Image.Image]:
    """`make_picture(width, height, seed)`."""
    return make_picture


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    """A 48x32 PNG."""
    file = tmp_path / "photo.png"
    make_picture().save(file)
    return file


@pytest.fixture(name="build_tiny_pipeline", scope="session")
def build_tiny_pipeline_fixture() -> Callable[..., CamViGPipeline]:
    """`build_tiny_pipeline(kind, seed, camera_kind)`, where a test needs one of its own."""
    return build_tiny_pipeline


@pytest.fixture(scope="session")
def run_on_local_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """`run_on_local_hub(code, *arguments)`: what Python code prints for which the Hub is one on this machine.

    In a process of its own, because `huggingface_hub` reads the Hub's address when it is imported.
    """
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("local_hub.py")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    settings = {
        "HF_ENDPOINT": server.stdout.readline().strip(),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
        "HF_TOKEN": "hf_made_up",
        "HF_HOME": str(tmp_path_factory.mktemp("hf_home")),
    }

    def run(code: str, *arguments: object) -> str:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    server.kill()
    server.wait()


@pytest.fixture(scope="session")
def real_paths_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for tracked cameras: random walks of 49 poses of sources a..d, OpenGL axes, metres; one stands still."""
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (16, 49, 1, 1))
    poses[..., :3, 3] = np.cumsum(np.cumsum(rng.normal(0, 0.004, (16, 49, 3)), axis=1), axis=1)
    angles = np.cumsum(np.cumsum(rng.normal(0, 0.003, (16, 49)), axis=1), axis=1)
    angles[-2] = np.linspace(0, 6, 49)  # beyond what a model follows
    poses[..., 0, 0], poses[..., 2, 2] = np.cos(angles), np.cos(angles)
    poses[..., 0, 2], poses[..., 2, 0] = np.sin(angles), -np.sin(angles)
    poses[-1, :, :3, 3] = 0
    file = tmp_path_factory.mktemp("real_paths") / "paths.npz"
    np.savez(file, c2w=poses.astype(np.float32), source=np.repeat(list("abcd"), 4), fps=np.full(16, 10, np.float32))
    return file
