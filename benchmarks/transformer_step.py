"""Seconds of one training step of the tiny transformer, by precision and attention: which is quickest on this machine?

    python benchmarks/transformer_step.py [--config training_scripts/configs/transformer_tiny.yaml] [--steps 5]

Random ids, forward and backward, no optimizer; one JSON line a combination. On processors with bfloat16 matrix units
"bf16" wins, on others "no" does: set `training.mixed_precision` and `data.attention` accordingly.
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import torch

from camvig import CamViGConfig, CamViGForConditionalGeneration
from camvig.training_scripts.finetune_config import load_finetune

DEFAULT_CONFIG = Path(__file__).parents[1] / "training_scripts/configs/transformer_tiny.yaml"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    stage = load_finetune(options.config, [])
    config, training = stage.config, stage.training
    torch.manual_seed(0)
    model = CamViGForConditionalGeneration(config)
    batch = random_batch(config, training.batch_size)
    for precision, attention in itertools.product(("no", "bf16"), ("sdpa", "camvig_matmul")):
        model.set_attn_implementation(attention)
        seconds = step_seconds(model, batch, precision == "bf16", options.steps)
        print(
            json.dumps(
                {
                    "benchmark": "transformer_step",
                    "mixed_precision": precision,
                    "attention": attention,
                    "seconds": round(seconds, 3),
                }
            ),
            flush=True,
        )


def random_batch(config: CamViGConfig, size: int) -> dict[str, torch.Tensor]:
    lengths = {"image_ids": config.tokens_per_latent_frame, "video_ids": config.num_video_tokens}
    ids = {name: torch.randint(config.visual_vocab_size, (size, length)) for name, length in lengths.items()}
    levels = torch.arange(config.camera_levels).repeat_interleave(config.camera_frames)
    codes = torch.randint(config.camera_codebook_size, (size, len(levels)))
    return {**ids, "camera_ids": codes + levels * config.camera_codebook_size}


def step_seconds(model, batch: dict[str, torch.Tensor], autocast: bool, steps: int) -> float:
    """The fastest of `steps` steps, after one that is not counted."""
    seconds = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = model(**batch, return_logits=False).loss
        loss.backward()
        model.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


if __name__ == "__main__":
    main()
