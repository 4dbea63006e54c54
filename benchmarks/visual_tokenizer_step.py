"""One training step of the visual tokenizer at full size: parameters, seconds and peak memory, in one JSON line.

    nice -n 10 python benchmarks/visual_tokenizer_step.py [--config FILE] [--steps 1] [--num-threads N]

The step is the trainer's own (`TrainingStep`), with the losses, the discriminator from the start, the moving average, bf16
autocast and activation checkpointing that the configuration says, on one real clip of a rendered room. Peak memory is
the process's largest resident set; `before_gb` is what is resident when all weights are made.
"""

import argparse
import dataclasses
import json
import resource
import time
from pathlib import Path

import torch
from accelerate import Accelerator

from camvig import CamViGVisualTokenizer, CamViGVisualTokenizerConfig
from camvig.training_scripts.precision import chosen_precision
from camvig.training_scripts.stage_config import load_stage
from camvig.training_scripts.train_visual_tokenizer import MUON_PATTERN, VisualDataArguments
from camvig.training_scripts.training_step import TrainingStep
from camvig.training_scripts.visual_discriminator import build_adversary
from camvig.training_scripts.visual_losses import PlainLosses
from camvig.training_scripts.visual_validation import validation_batch
from camvig.training_scripts.weight_average import WeightAverage

PAPER = Path(__file__).parents[1] / "training_scripts" / "configs" / "visual_tokenizer_paper.yaml"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=PAPER)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--num-threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.num_threads)
    print(json.dumps({"benchmark": "visual_tokenizer_step", "config": options.config.stem, **measure(options)}))


def measure(options) -> dict:
    config, data, arguments = load_stage(options.config, [], CamViGVisualTokenizerConfig, VisualDataArguments)
    precision = chosen_precision(arguments.mixed_precision, torch.device("cpu"))
    changes = {"batch_size": 1, "gradient_accumulation": 1, "init_from": None, "mixed_precision": precision}
    arguments = dataclasses.replace(arguments, **changes)
    assert data.discriminator is not None
    discriminator = dataclasses.replace(data.discriminator, start=0.0)
    torch.manual_seed(0)
    model, adversary = CamViGVisualTokenizer(config).train(), build_adversary(discriminator)
    video = validation_batch("validation", 1, config.image_size)["video"][:, :, : config.num_frames]
    losses = PlainLosses(data.losses, adversary, discriminator)
    accelerator = Accelerator(mixed_precision=precision)
    step = TrainingStep(accelerator, model, MUON_PATTERN, lambda number: {"video": video}, losses, arguments, adversary)
    average = WeightAverage(model, arguments.ema_decay) if arguments.ema_decay else None
    before, seconds = peak_gb(), []
    for number in range(options.steps):
        wall, cpu = time.perf_counter(), time.process_time()
        is_applied, values, _ = step.take(number)
        assert is_applied, values
        if average:
            average.step()
        seconds.append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        "parameters": model.num_parameters(),
        "discriminator_parameters": sum(weight.numel() for weight in adversary.module.parameters()),
        "video": list(video.shape),
        "activation_checkpointing": arguments.activation_checkpointing,
        "threads": torch.get_num_threads(),
        "seconds": [round(wall, 1) for wall, _ in seconds],
        "cpu_seconds": [round(cpu, 1) for _, cpu in seconds],
        "before_gb": round(before, 2),
        "peak_gb": round(peak_gb(), 2),
        "losses": {name: float(f"{value:.4g}") for name, value in values.items()},
    }


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
