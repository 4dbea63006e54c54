"""Trains `CamViGCameraTokenizer` on sampled camera paths, or fits it, if its kind is not "codec" (`fit_camera_tokenizer`).

    accelerate launch -m camvig.training_scripts.train_camera_tokenizer --config training_scripts/configs/camera_tokenizer_tiny.yaml

A codec: first encoder and decoder alone, then the codebooks are fitted to their latents and everything trains together, while
codes that are hardly used are moved to latents that occur. Run again after a kill, it goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..dataset_builders.path_samples import sample_model_paths
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.configuration_camvig import CamViGCameraTokenizerConfig
from .fit_camera_tokenizer import fit_camera_tokenizer, with_real_paths
from .stage_config import parse_stage
from .training_loop import Trainer, TrainingArguments

NO_MUON = r"$^"
"""Matches nothing: AdamW trains all of the codec's weights."""


@dataclass
class CameraDataArguments:
    """What a camera tokenizer is trained on."""

    paths: int = 20000
    """Sampled paths for training."""
    validation_paths: int = 512
    """Sampled paths, of another seed, for validation."""
    warm_up_share: float = 0.35
    """Share of the steps without quantizers; then the codebooks are fitted."""
    restart_every: int = 100
    """Steps between restarts of dead codes."""
    restart_share: float = 0.85
    """Share of the steps after which codes are left alone."""
    real_paths: str | None = None
    """A .npz of real paths (`dataset_builders.real_paths`); kinds other than "codec" are also fitted to those not held out."""
    codebook_paths: int = 1000
    """Paths to which codebooks are fitted, and that decide which codes are dead."""


Paths = tuple[torch.Tensor, torch.Tensor]


def path_tensors(count: int, seed: int) -> Paths:
    poses, intrinsics = sample_model_paths(count, seed)
    return torch.from_numpy(poses), torch.from_numpy(intrinsics)


def choose(paths: Paths, count: int, seed: tuple[int, ...]) -> Paths:
    indices = torch.from_numpy(np.random.default_rng(seed).integers(len(paths[0]), size=count))
    return paths[0][indices], paths[1][indices]


def camera_losses(model, batch: dict[str, torch.Tensor], progress: float, warm_up_share: float):
    output = model(batch["camera_to_world"], batch["intrinsics"], quantize=progress >= warm_up_share)
    return {"loss": output.loss, "reconstruction": output.reconstruction_loss, "codec": output.codec_loss}


def validate_camera(model: CamViGCameraTokenizer, paths: Paths) -> dict[str, float]:
    """Errors after 1, 2, ... levels: translation in scene depths, rotation in degrees, focal length relative."""
    ids = model.encode(*paths)
    frames = model.config.codec_frames
    results = {}
    for levels in range(1, model.config.num_levels + 1):
        errors = path_errors(*paths, *model.decode(ids[:, : levels * frames]))
        suffix = "" if levels == model.config.num_levels else f"_{levels}_levels"
        results |= {f"{name}{suffix}": value for name, value in errors.items()}
    return results | {"distinct_codes": ids.unique().numel() / model.config.vocab_size}


def path_errors(poses: torch.Tensor, intrinsics: torch.Tensor, other: torch.Tensor, other_intrinsics: torch.Tensor):
    """Mean errors over poses 1.. of paths relative to their first pose."""
    turn = poses[:, 1:, :3, :3].transpose(-1, -2) @ other[:, 1:, :3, :3]
    cosine = ((turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)
    focal_ratio = other_intrinsics[..., :2] / intrinsics[..., :2]
    return {
        "translation_error": float((poses[:, 1:, :3, 3] - other[:, 1:, :3, 3]).norm(dim=-1).mean()),
        "rotation_error_degrees": float(torch.rad2deg(cosine.arccos()).mean()),
        "focal_error": float(focal_ratio.log().abs().mean()),
    }


def tend_codebooks(
    model: CamViGCameraTokenizer, step: int, paths: Paths, data: CameraDataArguments, arguments: TrainingArguments
):
    """After each step: fits the codebooks once, when the warm-up ends, and moves dead codes now and then."""
    fit_at, last_restart = round(data.warm_up_share * arguments.steps), data.restart_share * arguments.steps
    if step < fit_at or step > last_restart or (step - fit_at) % data.restart_every:
        return
    chosen = choose(paths, data.codebook_paths, (arguments.seed, 1, step))
    generator = torch.Generator().manual_seed(arguments.seed + step)
    (model.initialize_codebooks if step == fit_at else model.restart_dead_codes)(*chosen, generator=generator)


def main():
    config, data, arguments = parse_stage(__doc__, CamViGCameraTokenizerConfig, CameraDataArguments)
    paths, held_out = path_tensors(data.paths, arguments.seed), path_tensors(data.validation_paths, arguments.seed + 1)
    if config.kind != "codec":
        fit_camera_tokenizer(config, *with_real_paths(paths, held_out, data.real_paths), Path(arguments.output_dir))
        return

    def batch_at(number: int):
        poses, intrinsics = choose(paths, arguments.batch_size, (arguments.seed, number))
        return {"camera_to_world": poses, "intrinsics": intrinsics}

    Trainer(
        CamViGCameraTokenizer(config),
        NO_MUON,
        batch_at,
        partial(camera_losses, warm_up_share=data.warm_up_share),
        partial(validate_camera, paths=held_out),
        arguments,
        partial(tend_codebooks, paths=paths, data=data, arguments=arguments),
        data=data,
    ).train()


if __name__ == "__main__":
    main()
