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
from ..dataset_builders.procedural_rooms import LICENCE
from ..dataset_builders.real_paths import RealPaths, read_real_paths, split_by_source, vary_paths
from ..metrics.camera_path_errors import summarise_path_errors
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from ..pipelines.camera_tokenizer_study import Paths, real_tensors
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
    """A .npz of real paths (`dataset_builders.real_paths`): those of two thirds of its sources join the training."""
    real_sources: list[str] | None = None
    """The sources that join it instead; all others are held out (say, where their licence keeps them out of weights that ship)."""
    varied_paths: int = 12000
    """A codec sees the real ones as so many variations (`vary_paths`); the other kinds are fitted to them as they are."""
    start_as_identity: bool = False
    """Start from encoder and decoder that pass the signal on (`camera_codec_start`), not from random ones."""
    fine_codebooks: bool = False
    """Fit the codebooks finely (`camera_codebooks.fit_codebooks`), for a learning rate of 1e-6 or so."""
    coarse_weight: float = 0.0
    """Weight of the reconstructions by the first levels alone."""
    codebook_paths: int = 1000
    """Paths to which codebooks are fitted, and that decide which codes are dead."""


def sampled_paths(data: CameraDataArguments, seed: int) -> tuple[Paths, Paths]:
    """Sampled paths to train on, and to judge by."""
    train, held_out = (sample_model_paths(*of) for of in ((data.paths, seed), (data.validation_paths, seed + 1)))
    return tuple(map(torch.from_numpy, train)), tuple(map(torch.from_numpy, held_out))  # type: ignore[return-value]


def data_record(data: CameraDataArguments) -> list[dict]:
    """What a codec trains on, for its training.json."""
    sources = [{"source": "sampled paths", "rows": data.paths, "licences": [LICENCE]}]
    if data.real_paths:
        name = f"{Path(data.real_paths).name}, varied"
        sources.append({"source": name, "rows": data.varied_paths, "licences": []})
    return [{"cache": "paths", "share": 1.0, "sources": sources}]


def choose(paths: Paths, count: int, seed: tuple[int, ...]) -> Paths:
    indices = torch.from_numpy(np.random.default_rng(seed).integers(len(paths[0]), size=count))
    return paths[0][indices], paths[1][indices]


def camera_losses(model, batch: dict[str, torch.Tensor], progress: float, data: CameraDataArguments):
    """The losses of a step; `level_k` is the reconstruction by the first k levels, where it has a weight."""
    quantize = progress >= data.warm_up_share
    output = model(**batch, quantize=quantize, coarse_weight=data.coarse_weight if quantize else 0.0)
    levels = {f"level_{number + 1}": loss for number, loss in enumerate(output.level_losses[:-1])}
    return {"loss": output.loss, "reconstruction": output.reconstruction_loss, "codec": output.codec_loss, **levels}


def validate_camera(model: CamViGCameraTokenizer, judged: dict[str, Paths]) -> dict[str, float]:
    """`camera_path_errors` on each set of paths, also after the first 1, 2, ... levels, and the share of ids in use."""
    results, frames, used = {}, model.config.tokens_per_level, []
    for name, paths in judged.items():
        ids = model.encode(*paths)
        used.append(ids.flatten())
        for levels in range(1, model.config.num_levels + 1):
            decoded = model.decode(ids[:, : levels * frames])
            poses, read_poses, lens, read_lens = (
                part.numpy(force=True) for pair in zip(paths, decoded, strict=True) for part in pair
            )
            suffix = "" if levels == model.config.num_levels else f"_{levels}_levels"
            errors = summarise_path_errors(poses, read_poses, lens, read_lens)
            results |= {f"{name}_{key}{suffix}": value for key, value in errors.items()}
    return results | {"distinct_codes": torch.cat(used).unique().numel() / model.config.vocab_size}


def training_paths(data: CameraDataArguments, seed: int) -> tuple[Paths, dict[str, Paths]]:
    """Paths of a codec's training, and the held-out ones by name."""
    paths, held_out = sampled_paths(data, seed)
    if data.real_paths is None:
        return paths, {"sampled": held_out}
    fit, real = split_by_source(read_real_paths(data.real_paths), data.real_sources)
    varied = real_tensors(RealPaths(*vary_paths(fit, data.varied_paths, seed)))
    return (torch.cat([paths[0], varied[0]]), torch.cat([paths[1], varied[1]])), {
        "sampled": held_out,
        "real": real_tensors(real),
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
    if step == fit_at:
        model.initialize_codebooks(*chosen, generator=generator, fine=data.fine_codebooks)
    else:
        model.restart_dead_codes(*chosen, generator=generator)


def main():
    config, data, arguments = parse_stage(__doc__, CamViGCameraTokenizerConfig, CameraDataArguments)
    if config.kind != "codec":
        paths, held_out = sampled_paths(data, arguments.seed)
        fit_camera_tokenizer(
            config, *with_real_paths(paths, held_out, data.real_paths, data.real_sources), Path(arguments.output_dir)
        )
        return
    paths, judged = training_paths(data, arguments.seed)
    model = CamViGCameraTokenizer(config)
    if data.start_as_identity:
        model.start_as_identity()

    def batch_at(number: int):
        poses, intrinsics = choose(paths, arguments.batch_size, (arguments.seed, number))
        return {"camera_to_world": poses, "intrinsics": intrinsics}

    Trainer(
        model,
        NO_MUON,
        batch_at,
        partial(camera_losses, data=data),
        partial(validate_camera, judged=judged),
        arguments,
        partial(tend_codebooks, paths=paths, data=data, arguments=arguments),
        data=data,
        sources=data_record(data),
    ).train()


if __name__ == "__main__":
    main()
