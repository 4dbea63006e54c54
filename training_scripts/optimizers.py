"""Optimizers of the training scripts: Muon for the matrices inside the networks, AdamW for everything else.

Muon (Jordan et al. 2024) moves each matrix by an orthogonalised momentum. A convolution kernel is treated as
the matrix `[out, in * height * width]` that it multiplies by. Which parameters go where is told by a regular expression.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from .training_arguments import TrainingArguments

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration, and its steps; torch's own defaults."""
NEWTON_SCHULZ_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Muon over matrices and, as matrices, convolution kernels: torch's own (`torch.optim.Muon`) but for two things.

    It takes the kernels themselves, where torch's would need views of them as matrices, and those come loose when a model is
    wrapped for several processes, or sharded. And it orthogonalises in the precision that it is given, where torch's always
    takes bfloat16: in a float32 training, gradients that differ by float32's rounding (other processes, other processors)
    would move weights by bfloat16's.
    """

    def __init__(
        self,
        parameters: list[nn.Parameter],
        learning_rate: float,
        weight_decay: float = 0.0,
        precision: torch.dtype = torch.float32,
    ):
        super().__init__(parameters, {"lr": learning_rate, "weight_decay": weight_decay, "momentum": 0.95})
        self.precision = precision

    @torch.no_grad()
    def step(self, closure=None):
        if closure is not None:
            raise ValueError("expected no closure")
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]):
        average = self.state[weight].setdefault("momentum_buffer", torch.zeros_like(gradient))
        average.lerp_(gradient, 1 - group["momentum"])
        nesterov = gradient.lerp(average, group["momentum"]).flatten(1)  # [out, in * ...]
        update = orthogonalised(nesterov.to(self.precision)).to(weight.dtype)
        length = group["lr"] * max(1, update.shape[0] / update.shape[1]) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(update.view_as(weight), alpha=-length)


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix near it whose singular values are about 1 (0.7 to 1.2), by Newton and Schulz's iteration (Jordan et al. 2024)."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T.contiguous()


def build_optimizers(model: nn.Module, muon_pattern: str, arguments: TrainingArguments) -> list[torch.optim.Optimizer]:
    """[AdamW, Muon] over what requires gradients: weights of two or more dimensions whose name matches go to Muon.

    With `optimizer` "adamw" there is one AdamW for all. The matching weights alone decay.
    """
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    matrices = [weight for name, weight in trained.items() if weight.ndim >= 2 and re.search(muon_pattern, name)]
    of_matrices = set(map(id, matrices))
    others = [weight for weight in trained.values() if id(weight) not in of_matrices]
    groups = [{"params": others, "weight_decay": 0.0}]
    if arguments.optimizer == "adamw":
        groups.append({"params": matrices, "weight_decay": arguments.weight_decay})
    groups = [group for group in groups if group["params"]]
    optimizers: list[torch.optim.Optimizer] = []
    if groups:
        optimizers.append(torch.optim.AdamW(groups, lr=arguments.learning_rate, betas=(0.9, 0.98)))
    if matrices and arguments.optimizer == "muon":
        precision = torch.float32 if arguments.mixed_precision == "no" else torch.bfloat16
        optimizers.append(Muon(matrices, arguments.muon_learning_rate, arguments.weight_decay, precision))
    return optimizers
