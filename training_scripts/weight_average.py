"""`WeightAverage`: the exponential moving average of a model's trained weights (diffusers' `EMAModel`), saved as safetensors.

Averages are taken over parameters, not buffers; frozen parameters are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusers.training_utils import EMAModel
from safetensors.torch import load_file, save_file
from torch import nn

FILE = "average.safetensors"


class WeightAverage:
    """The average over the steps of `model`, which stays the same object."""

    def __init__(self, model: nn.Module, decay: float):
        self.named = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.average = EMAModel(self.named.values(), decay=decay)

    def step(self):
        """Takes the weights of a step in; call it once a step."""
        self.average.step(self.named.values())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the averaged weights."""
        self.average.store(self.named.values())
        self.average.copy_to(self.named.values())
        try:
            yield
        finally:
            self.average.restore(self.named.values())

    def save(self, folder: Path):
        weights = zip(self.named, self.average.shadow_params, strict=True)
        save_file({name: weight.cpu().contiguous() for name, weight in weights}, folder / FILE)

    def load(self, folder: Path, steps: int):
        """The average that `save` wrote after `steps` steps."""
        saved = load_file(folder / FILE)
        shadow = [saved[name].to(weight.device) for name, weight in self.named.items()]
        self.average.load_state_dict({"shadow_params": shadow, "optimization_step": steps})
