"""The one training loop, shared by all stages: Accelerate, schedules, validation, curves, and exact resume.

What holds: a batch is a pure function of (seed, step, process), the learning rate a pure function of the step, and the
state on disk (model, optimizers, random states, step) is replaced as a whole by a rename; so a run that is killed at any
moment and started again gives the weights that it would have given without the kill.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from ..camera_paths.atomic_file import write_then_rename
from .curves import plot_curves
from .optimizers import build_optimizers

Batch = dict[str, Tensor]
Losses = dict[str, Tensor]


@dataclass
class TrainingArguments:
    """How a stage is trained; the same fields for every stage, read from the YAML configuration."""

    output_dir: str
    """Folder of the run: `model/` (the result), `state/` (for resuming), `metrics.jsonl`, `curves.png`."""
    steps: int
    """Optimizer steps of the whole run."""
    batch_size: int
    """Samples a step and process."""
    learning_rate: float = 2e-3
    """AdamW's, for everything that Muon does not train."""
    muon_learning_rate: float = 0.02
    """Muon's, for the matrices and kernels inside the networks."""
    weight_decay: float = 0.0
    """Muon's decoupled weight decay."""
    warmup_steps: int = 50
    """Linear warm-up from 0."""
    decay_share: float = 0.6
    """Share of the steps, at the end, over which the learning rate falls linearly to 2%."""
    gradient_clip: float = 1.0
    """Largest norm of AdamW's and Muon's gradients together."""
    seed: int = 0
    """Seeds the weights, the batches and the noise."""
    mixed_precision: str = "bf16"
    """"bf16" (autocast) or "no"."""
    validate_every: int = 500
    """Steps between validations."""
    save_every: int = 250
    """Steps between states for resuming."""
    keep_steps: list[int] | None = None
    """Steps whose model is kept besides, as `model-<step>/` (for ablations at equal steps)."""
    init_from: str | None = None
    """Folder of a saved model whose weights the run starts from; without it, from random ones. No optimizer state."""


def learning_rate_factor(step: int, arguments: TrainingArguments) -> float:
    """Linear warm-up, constant, then linear decay to 2%: a function of the step alone."""
    warmup = min(1.0, (step + 1) / max(1, arguments.warmup_steps))
    remaining = (arguments.steps - step) / max(1.0, arguments.decay_share * arguments.steps)
    return warmup * min(1.0, max(0.02, remaining))


def load_weights(model: nn.Module, folder: Path):
    """Copies the weights of `folder/model.safetensors` into a model of the same shape, in the model's own precision.

    Raises ValueError, with what does not fit, unless names and shapes are those of the model.
    """
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines())
        raise ValueError(f"expected weights of {type(model).__name__} in {folder} (init_from): {reason}") from None


class Trainer:
    """Runs one stage.

    Args:
        model: a `PreTrainedModel`; it is saved with `save_pretrained` into `<output_dir>/model`.
        muon_pattern: regular expression over parameter names: matrices for Muon.
        batch_at: (step, process index, number of processes) -> batch of tensors; deterministic.
        compute_losses: (model, batch, progress in [0, 1]) -> named scalar losses, "loss" being the one to minimise.
        validate: (model) -> named numbers; None for no validation.
        after_step: (model, steps done) -> None, called after each step; deterministic; None for nothing.
    """

    def __init__(
        self,
        model: nn.Module,
        muon_pattern: str,
        batch_at: Callable[[int, int, int], Batch],
        compute_losses: Callable[[Any, Batch, float], Losses],
        validate: Callable[[Any], dict[str, float]] | None,
        arguments: TrainingArguments,
        after_step: Callable[[Any, int], None] | None = None,
    ):
        self.arguments = arguments
        self.folder = Path(arguments.output_dir)
        self.accelerator = Accelerator(mixed_precision=arguments.mixed_precision)
        if arguments.init_from:
            load_weights(model, Path(arguments.init_from))
        model.to(self.accelerator.device)  # before Muon takes views of the weights
        optimizers = build_optimizers(
            model, muon_pattern, arguments.learning_rate, arguments.muon_learning_rate, arguments.weight_decay
        )
        self.model, *self.optimizers = self.accelerator.prepare(model, *optimizers)
        self.base_rates = [group["lr"] for optimizer in self.optimizers for group in optimizer.param_groups]
        self.batch_at, self.compute_losses, self.validate, self.after_step = (
            batch_at,
            compute_losses,
            validate,
            after_step,
        )
        self.step, self.wall_seconds, self.cpu_seconds = 0, 0.0, 0.0

    def train(self):
        """Trains to the last step, from the saved state where there is one, and saves the model."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        arguments, seconds = self.arguments, _Clock()
        bar = tqdm(
            total=arguments.steps, initial=self.step, disable=not self.accelerator.is_main_process, mininterval=5
        )
        while self.step < arguments.steps:
            losses = self._optimize()
            self.step += 1
            if self.after_step:
                self.after_step(self.accelerator.unwrap_model(self.model), self.step)
            bar.update()
            wall, cpu = seconds.lap()
            self.wall_seconds += wall
            self.cpu_seconds += cpu
            if self.step % 50 == 0:
                bar.set_postfix(loss=f"{losses['loss']:.4f}")
                self._log("train", losses)
            if self.validate and (self.step % arguments.validate_every == 0 or self.step == arguments.steps):
                self._validate()
            if self.step in (arguments.keep_steps or ()):
                self._save_model(f"model-{self.step}")
            if self.step % arguments.save_every == 0 or self.step == arguments.steps:
                self._save_state()
        bar.close()
        self._save_model("model")
        self.accelerator.end_training()

    def _optimize(self) -> dict[str, float]:
        accelerator, arguments = self.accelerator, self.arguments
        batch = self.batch_at(self.step, accelerator.process_index, accelerator.num_processes)
        batch = {name: tensor.to(accelerator.device) for name, tensor in batch.items()}
        factor = learning_rate_factor(self.step, arguments)
        groups = (group for optimizer in self.optimizers for group in optimizer.param_groups)
        for group, rate in zip(groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        with accelerator.autocast():
            losses = self.compute_losses(self.model, batch, self.step / arguments.steps)
        if not torch.isfinite(losses["loss"]):
            raise FloatingPointError(
                f"the loss is {losses['loss'].item()} at step {self.step}; lower the learning rate"
            )
        accelerator.backward(losses["loss"])
        accelerator.clip_grad_norm_(self.model.parameters(), arguments.gradient_clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad(set_to_none=True)
        return {name: value.item() for name, value in losses.items()}

    def _validate(self):
        assert self.validate is not None
        self.model.eval()
        with torch.no_grad(), self.accelerator.autocast():
            results = self.validate(self.accelerator.unwrap_model(self.model))
        self.model.train()
        self._log("validation", results)

    def _log(self, split: str, values: dict[str, float]):
        if not self.accelerator.is_main_process:
            return
        times = {"wall_seconds": round(self.wall_seconds, 1), "cpu_seconds": round(self.cpu_seconds, 1)}
        rounded = {name: float(f"{value:.5g}") for name, value in values.items()}
        with open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, "split": split, **times, **rounded}) + "\n")
        if split == "validation":
            tqdm.write(f"step {self.step}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
            plot_curves(self.folder / "metrics.jsonl", self.folder / "curves.png")

    def _save_model(self, name: str):
        if self.accelerator.is_main_process:
            self.accelerator.unwrap_model(self.model).save_pretrained(self.folder / name)
            (self.folder / "training.json").write_text(
                json.dumps({**asdict(self.arguments), **self._progress()}, indent=2) + "\n", encoding="utf-8"
            )

    def _progress(self) -> dict[str, float]:
        return {"step": self.step, "wall_seconds": self.wall_seconds, "cpu_seconds": self.cpu_seconds}

    def _save_state(self):
        temporary, final, old = (self.folder / name for name in ("state.new", "state", "state.old"))
        self.accelerator.save_state(str(temporary))
        if not self.accelerator.is_main_process:
            return
        (temporary / "progress.json").write_text(json.dumps(self._progress()), encoding="utf-8")
        if final.exists():
            os.replace(final, old)
        os.replace(temporary, final)
        shutil.rmtree(old, ignore_errors=True)

    def _resume(self):
        final, old = self.folder / "state", self.folder / "state.old"
        if old.exists() and not final.exists():  # killed between the two renames
            os.replace(old, final)
        if final.exists():
            self.accelerator.load_state(str(final))
            progress = json.loads((final / "progress.json").read_text(encoding="utf-8"))
            self.step, self.wall_seconds, self.cpu_seconds = (progress[key] for key in self._progress())
            self.accelerator.print(f"resumed {self.folder} at step {self.step}")
        self._drop_later_metrics()

    def _drop_later_metrics(self):
        """Lines that the killed run wrote after its last state would stand twice."""
        file = self.folder / "metrics.jsonl"
        if file.exists() and self.accelerator.is_main_process:
            whole = file.read_text(encoding="utf-8").splitlines(keepends=True)
            lines = [line for line in whole if line.endswith("\n") and json.loads(line)["step"] <= self.step]
            with write_then_rename(file) as temporary:
                temporary.write_text("".join(lines), encoding="utf-8")


class _Clock:
    """Wall and processor seconds since the last lap."""

    def __init__(self):
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def lap(self) -> tuple[float, float]:
        before = self.wall, self.cpu
        self.wall, self.cpu = time.monotonic(), time.process_time()
        return self.wall - before[0], self.cpu - before[1]
