"""What one training step of the transformer costs, and how much of this machine's own rate it uses (utilisation).

    OMP_NUM_THREADS=1 python benchmarks/transformer_step.py [--config training_scripts/configs/transformer_tiny.yaml]

Random ids; forward, backward, clipping and the optimizers of the trainer; one JSON line a combination of precision and
attention. Utilisation = the model's own FLOPs (`model.cost()`: recomputation and optimizer are not counted) a second of
the whole step, over the rate of a 2048 x 2048 product in the precision that the processor has units for. It is timed just
before and just after each step: the quicker of the two counts, and the median of the steps is printed. With one thread all
times are processor seconds, so that other work on the machine disturbs them little; with more they are wall-clock seconds.

On processors with bfloat16 matrix units "bf16" wins; on others "no" does, and "bf16" is so slow that it is left out unless it is
asked for.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch

from camvig import CamViGConfig, CamViGForConditionalGeneration
from camvig.training_scripts.finetune import MUON_PATTERN
from camvig.training_scripts.finetune_config import load_finetune
from camvig.training_scripts.optimizers import build_optimizers
from camvig.training_scripts.precision import has_bfloat16_units

DEFAULT_CONFIG = Path(__file__).parents[1] / "training_scripts/configs/transformer_tiny.yaml"
MATMUL_SIZE = 2048
HAS_BFLOAT16 = has_bfloat16_units(torch.device("cpu"))
PRECISIONS = ["no", "bf16"] if HAS_BFLOAT16 else ["no"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, help="samples a step; the configuration's by default")
    parser.add_argument("--mixed-precision", nargs="+", choices=["no", "bf16"], default=PRECISIONS)
    parser.add_argument("--attention", nargs="+", default=["sdpa", "camvig_matmul"])
    parser.add_argument("--compile", action="store_true", help="through torch.compile (needs a C++ compiler)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    stage = load_finetune(options.config, [])
    config, training = stage.config, stage.training
    batch_size = options.batch_size or training.batch_size
    for precision in options.mixed_precision:
        for attention in options.attention:
            torch.manual_seed(0)
            model = CamViGForConditionalGeneration(config).train()
            model.set_attn_implementation(attention)
            setting = {
                "config": options.config.stem,
                "parameters": model.cost().parameters,
                "mixed_precision": precision,
                "attention": attention,
                "compiled": options.compile,
                "batch_size": batch_size,
                "threads": options.threads,
            }
            arguments = replace(training, mixed_precision=precision)
            step = TrainingStep(model, arguments, batch_size, precision == "bf16", options.compile, options.threads)
            step.run()  # the first is slower
            print(json.dumps({"benchmark": "transformer_step", **setting, **step.measure(options.steps)}), flush=True)


def random_batch(config: CamViGConfig, size: int) -> dict[str, torch.Tensor]:
    lengths = {"image_ids": config.tokens_per_latent_frame, "video_ids": config.num_video_tokens}
    ids = {name: torch.randint(config.visual_vocab_size, (size, length)) for name, length in lengths.items()}
    levels = torch.arange(config.camera_levels).repeat_interleave(config.camera_frames)
    codes = torch.randint(config.camera_codebook_size, (size, len(levels)))
    return {**ids, "camera_ids": codes + levels * config.camera_codebook_size}


class TrainingStep:
    """A step of the trainer on one random batch, timed in its parts.

    Args:
        model: a `CamViGForConditionalGeneration`.
        training: `TrainingArguments`, for the optimizers.
        adapted: `model` with adapters around it, if it has any; what has a gradient is then trained by AdamW.
    """

    def __init__(self, model, training, batch_size, autocast=True, compiled=False, threads=1, adapted=None):
        self.training, self.autocast = training, autocast
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.forward = torch.compile(adapted or model) if compiled else adapted or model
        self.batch = random_batch(model.config, batch_size)
        self.optimizers = (
            [torch.optim.AdamW(self.parameters, training.learning_rate)]
            if adapted
            else build_optimizers(model, MUON_PATTERN, training)
        )
        self.flops = batch_size * model.cost().training_flops
        self.clock = time.process_time if threads == 1 else time.perf_counter

    def measure(self, steps: int) -> dict[str, float]:
        """Medians of `steps` steps."""
        rows = []
        for _ in range(steps):
            before = self.matmul_rate()
            started = time.perf_counter()
            model_seconds, optimizer_seconds = self.run()
            wall = time.perf_counter() - started
            rate, seconds = max(before, self.matmul_rate()), model_seconds + optimizer_seconds
            rows.append(
                {
                    "model_gflop": self.flops / 1e9,
                    "step_seconds": seconds,
                    "optimizer_seconds": optimizer_seconds,
                    "wall_seconds": wall,
                    "matmul_gflop_per_second": rate / 1e9,
                    "utilisation": self.flops / seconds / rate,
                    "utilisation_without_optimizer": self.flops / model_seconds / rate,
                }
            )
        return {name: float(f"{statistics.median(row[name] for row in rows):.4g}") for name in rows[0]}

    def run(self) -> tuple[float, float]:
        """Seconds of forward and backward, and of clipping and the optimizers."""
        started = self.clock()
        self.compute_gradients()
        middle = self.clock()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.training.gradient_clip)
        for optimizer in self.optimizers:
            optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        return middle - started, self.clock() - middle

    def compute_gradients(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss = self.forward(**self.batch, return_logits=False).loss
        loss.backward()

    def matmul_rate(self) -> float:
        """FLOPs a second of a square product, after one that warms the caches."""
        matrix = torch.randn(MATMUL_SIZE, MATMUL_SIZE, dtype=torch.bfloat16 if HAS_BFLOAT16 else torch.float32)
        matrix @ matrix
        started = self.clock()
        matrix @ matrix
        return 2 * MATMUL_SIZE**3 / (self.clock() - started)


if __name__ == "__main__":
    main()
