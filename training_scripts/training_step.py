"""One optimizer step of a run: the gradients of its batches, clipped, applied if all of it is finite.

What holds: batch `(step * gradient_accumulation + i) * processes + process` is the i-th of a step on a process, so n
processes see the batches of one process that accumulates n. Losses are means over a step's batches and all processes, so
every process finds the same ones not finite, and all skip the step or none; then nothing has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from .adversary import Adversary
from .bad_batches import CLIP_NAMES
from .optimizers import build_optimizers
from .training_arguments import TrainingArguments, learning_rate_factor

Batch = dict[str, Any]
"""Named tensors with a row a sample, and, under `clip_names`, the names of the samples if they have any."""
Losses = dict[str, Tensor]


class TrainingStep:
    """A model, perhaps with an adversary, and their optimizers, on the device and wrapped by Accelerate."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        muon_pattern: str,
        batch_at: Callable[[int], Batch],
        compute_losses: Callable[[Any, Batch, float], Losses],
        arguments: TrainingArguments,
        adversary: Adversary | None,
    ):
        self.accelerator, self.arguments, self.adversary = accelerator, arguments, adversary
        self.batch_at, self.compute_losses = batch_at, compute_losses
        model.to(accelerator.device)
        if arguments.activation_checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
        if arguments.compile:
            model.compile()
        self.model, *self.optimizers = accelerator.prepare(model, *build_optimizers(model, muon_pattern, arguments))
        self.modules = [self.model]
        if adversary:
            adversary.module.to(accelerator.device)
            module, optimizer = accelerator.prepare(adversary.module, adversary.optimizer)
            self.modules.append(module)
            self.optimizers.append(optimizer)
        self.base_rates = [group["lr"] for group in self._groups()]

    def _groups(self) -> list[dict[str, Any]]:
        """The optimizers' groups of today: loading a state makes new ones."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def take(self, step: int) -> tuple[bool, dict[str, float], list[Batch]]:
        """Takes step number `step`, from 0: (whether it was applied, its losses and gradient norms, its batches)."""
        factor = learning_rate_factor(step, self.arguments)
        for group, rate in zip(self._groups(), self.base_rates, strict=True):
            group["lr"] = rate * factor
        batches = [self._batch(step, number) for number in range(self.arguments.gradient_accumulation)]
        losses = self._add_gradients(batches, step / self.arguments.steps)
        if all(map(math.isfinite, losses.values())):
            losses |= self._clip_gradients()
        is_finite = all(map(math.isfinite, losses.values()))
        if is_finite:
            for optimizer in self.optimizers:
                optimizer.step()
        for module in self.modules:
            module.zero_grad(set_to_none=True)
        return is_finite, losses, batches

    def _batch(self, step: int, number: int) -> Batch:
        accelerator = self.accelerator
        of_run = step * self.arguments.gradient_accumulation + number
        batch = self.batch_at(of_run * accelerator.num_processes + accelerator.process_index)
        return {name: v.to(accelerator.device) if isinstance(v, Tensor) else v for name, v in batch.items()}

    def _add_gradients(self, batches: list[Batch], progress: float) -> dict[str, float]:
        """Gradients of the mean loss over the batches. At losses that are not finite it stops, and returns those."""
        means: dict[str, float] = {}
        for number, batch in enumerate(batches):
            tensors = {name: values for name, values in batch.items() if name != CLIP_NAMES}
            with ExitStack() as unsynchronised:
                if number < len(batches) - 1:  # processes exchange gradients after the last batch only
                    for module in self.modules:
                        unsynchronised.enter_context(self.accelerator.no_sync(module))
                losses = self._losses_with_gradients(tensors, progress, 1 / len(batches))
            if not all(map(math.isfinite, losses.values())):
                return losses
            means = {name: means.get(name, 0.0) + value / len(batches) for name, value in losses.items()}
        return means

    def _losses_with_gradients(self, batch: Batch, progress: float, weight: float) -> dict[str, float]:
        if self.adversary:
            self.adversary.module.requires_grad_(False)
        with self.accelerator.autocast():
            made = self.compute_losses(self.model, batch, progress)
        values = self._backward({name: value for name, value in made.items() if value.ndim == 0}, weight)
        if self.adversary and math.isfinite(values["loss"]):
            self.adversary.module.requires_grad_(True)
            outputs = {name: value.detach() for name, value in made.items() if value.ndim > 0}
            with self.accelerator.autocast():
                losses = self.adversary.losses(self.modules[1], batch, outputs, progress)
            values |= {f"adversary_{name}": value for name, value in self._backward(losses, weight).items()}
        return values

    def _backward(self, losses: Losses, weight: float) -> dict[str, float]:
        """Adds the gradients of `weight * losses["loss"]` if that is finite; the losses' means over processes."""
        if not losses:
            return {}
        stacked = torch.stack([value.detach().float() for value in losses.values()])
        means: Tensor = self.accelerator.reduce(stacked, "mean")  # type: ignore[assignment]
        values = dict(zip(losses, means.tolist(), strict=True))
        if math.isfinite(values["loss"]):
            self.accelerator.backward(losses["loss"] * weight)
        return values

    def _clip_gradients(self) -> dict[str, float]:
        """Clips the gradients of each network; their norms before."""
        norms = {}
        for module, name in zip(self.modules, ("gradient_norm", "adversary_gradient_norm"), strict=False):
            norm = self.accelerator.clip_grad_norm_(module.parameters(), self.arguments.gradient_clip)
            norms[name] = float(norm) if norm is not None else 0.0
        return norms
