"""Optimizers of the training scripts: Muon for the matrices inside the networks, AdamW for everything else.

Muon (Jordan et al. 2024; torch's own) moves each matrix by an orthogonalised momentum. A convolution kernel is treated as
the matrix `[out, in * height * width]` that it multiplies by. Which parameters go where is told by a regular expression.
"""

from __future__ import annotations

import re

import torch
from torch import nn

from .training_arguments import TrainingArguments


class Muon(torch.optim.Muon):
    """torch's Muon over matrices and, as matrices, convolution kernels.

    Matrices are the given parameters themselves, so that FSDP2 may put its shards in their place; a kernel is a view of
    its parameter, and its gradient is read from there (under FSDP2 kernels are not supported).
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float, weight_decay: float = 0.0):
        matrices = [p if p.ndim == 2 else nn.Parameter(p.detach().flatten(1)) for p in parameters]
        self._kernels = [pair for pair in zip(matrices, parameters, strict=True) if pair[0] is not pair[1]]
        super().__init__(matrices, lr=learning_rate, weight_decay=weight_decay, momentum=0.95)

    def step(self, closure=None):
        for matrix, kernel in self._kernels:
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)
        return super().step(closure)


def build_optimizers(model: nn.Module, muon_pattern: str, arguments: TrainingArguments) -> list[torch.optim.Optimizer]:
    """[AdamW, Muon] over what requires gradients: weights of two or more dimensions whose name matches go to Muon.

    With `optimizer` "adamw" there is one AdamW for all, as FSDP needs it. The matching weights alone decay.
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
        optimizers.append(Muon(matrices, arguments.muon_learning_rate, arguments.weight_decay))
    return optimizers
