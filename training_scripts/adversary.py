"""An adversary: a second network, trained against the model in the same loop (a discriminator, as in VQGAN).

A step of both, by the same batches:

1. The model's losses. `adversary.module` is frozen (no gradients for its weights), so the stage's `compute_losses` may
   call it on what the model made and let gradients pass through it. Next to its scalar losses `compute_losses` returns,
   as tensors that are no scalars, what the adversary has to see (say `"reconstruction"`): these are detached.
2. The adversary's losses, `losses(module, batch, outputs, progress)`, on the batch and those detached outputs. `{}` means
   that it does not train yet (a late start); that must follow from `progress` alone.
3. Both are stepped, or neither if any loss or gradient is not finite.

The weights, the optimizer and all buffers of the module are in the states for resuming; whatever it has to remember (as
LeCAM's moving averages) must be a buffer of the module. Its learning rate follows the run's schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Adversary:
    """What the trainer needs of an adversary."""

    module: nn.Module
    """The network. The stage calls it by this name for the model's losses."""
    optimizer: torch.optim.Optimizer
    """Over the module's parameters."""
    losses: Callable[[Any, dict[str, Any], dict[str, Tensor], float], dict[str, Tensor]]
    """(module, batch, the model's outputs, progress in [0, 1]) -> named scalars, "loss" being the one to minimise; they
    are logged as `adversary_<name>`. The module that is given is the one wrapped for data-parallel training."""
