"""`TrainingArguments`: how a stage is trained, the same fields for every stage; and the learning rate as a function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .trackers import TRACKERS

SCHEDULES = ("wsd", "cosine", "linear")
RATE_FLOOR = 0.02
"""Share of the learning rate that is left at the end of a run."""


@dataclass
class TrainingArguments:
    """How a stage is trained; the same fields for every stage, read from the YAML configuration."""

    output_dir: str
    """Folder of the run: `model/` (the result), `states/` (for resuming), `metrics.jsonl`, `report.html`."""
    steps: int
    """Optimizer steps of the whole run."""
    batch_size: int
    """Samples a batch; a step has `batch_size * gradient_accumulation * processes` samples."""
    gradient_accumulation: int = 1
    """Batches a step and process, whose gradients are averaged."""
    optimizer: str = "muon"
    """"muon" (Muon for the matrices inside the networks, AdamW for the rest) or "adamw" (for everything)."""
    learning_rate: float = 2e-3
    """AdamW's, for everything that Muon does not train."""
    muon_learning_rate: float = 0.02
    """Muon's, for the matrices and kernels inside the networks."""
    weight_decay: float = 0.0
    """Decoupled weight decay of the matrices and kernels inside the networks; nothing else decays."""
    schedule: str = "wsd"
    """"wsd" (warm-up, stable, linear decay over `decay_share`), "cosine" or "linear" (both decay from the warm-up on)."""
    warmup_steps: int = 50
    """Linear warm-up from 0."""
    decay_share: float = 0.6
    """Schedule "wsd": share of the steps, at the end, over which the learning rate falls linearly to 2%."""
    gradient_clip: float = 1.0
    """Largest norm of all gradients of the model together."""
    ema_decay: float = 0.0
    """Decay of the moving average of the weights (0 = none). With one, the average is what is validated and saved as
    `model/`; it warms up as min(decay, (1 + step) / (10 + step)). The states hold the weights themselves as well."""
    seed: int = 0
    """Seeds the weights, the batches and the noise."""
    mixed_precision: str = "auto"
    """"bf16" (autocast), "no" (float32) or "auto": "bf16" where the hardware computes in it (`precision.py`), else "no"."""
    compile: bool = False
    """torch.compile the model's forward pass: minutes at the start, for speed afterwards."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, about a third more time."""
    log_every: int = 10
    """Steps between lines of training losses in `metrics.jsonl`."""
    validate_every: int = 500
    """Steps between validations."""
    save_every: int = 250
    """Steps between states for resuming."""
    keep_states: int = 2
    """How many of the newest states are kept; the one before serves when the newest is damaged."""
    keep_steps: list[int] | None = None
    """Steps whose model is kept besides, as `model-<step>/` (for ablations at equal steps)."""
    skip_bad_batches: int = 0
    """Steps that may be skipped because a loss or a gradient is not finite; one more stops the run."""
    init_from: str | None = None
    """Folder of a saved model whose weights the run starts from; without it, from random ones. No optimizer state."""
    report_to: list[str] | None = None
    """Trackers that get all numbers too: "trackio", "tensorboard", "wandb"; each has to be installed."""
    num_processes: int | None = None
    """Processes that must take part: `accelerate launch --cpu --num_processes 2`, for one, runs a single one silently."""

    def __post_init__(self):
        choices = {
            "schedule": SCHEDULES,
            "optimizer": ("muon", "adamw"),
            "mixed_precision": ("auto", "bf16", "no"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"expected {name} {', '.join(map(repr, known))}, got {getattr(self, name)!r}")
        if unknown := set(self.report_to or ()) - set(TRACKERS):
            raise ValueError(f"expected report_to {', '.join(map(repr, TRACKERS))}, got {', '.join(sorted(unknown))}")
        for name in ("batch_size", "gradient_accumulation", "log_every", "validate_every", "save_every", "keep_states"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of at least 1, got {getattr(self, name)}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"expected ema_decay from 0 to below 1, got {self.ema_decay}")


def learning_rate_factor(step: int, arguments: TrainingArguments) -> float:
    """Linear warm-up, then the schedule, down to 2%: a function of the step alone."""
    warmup = min(1.0, (step + 1) / max(1, arguments.warmup_steps))
    if arguments.schedule == "wsd":
        remaining = (arguments.steps - step) / max(1.0, arguments.decay_share * arguments.steps)
        return warmup * min(1.0, max(RATE_FLOOR, remaining))
    done = (step + 1 - arguments.warmup_steps) / max(1, arguments.steps - arguments.warmup_steps)
    done = min(1.0, max(0.0, done))
    decay = 1 - done if arguments.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
    return warmup * max(RATE_FLOOR, decay)
