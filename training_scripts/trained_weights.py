"""What of a network goes into a state: all that training changes, and nothing that it does not.

What always holds: a state has the weights that train and all buffers, under the names that they have in one process, and a
checksum of the weights that are frozen, which a start brings along itself (LoRA's base). A state is loaded strictly, beside
the same frozen weights, or refused. Sharded training (FSDP) saves by Accelerate's own way, all weights.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_model
from torch import Tensor, nn

FROZEN = "frozen.json"


def save_trained_weights_alone(accelerator: Accelerator):
    """From now on `save_state` and `load_state` of an accelerator do so; call it once, after `prepare`."""

    def save(wrapped: list[nn.Module], weights: list[dict[str, Any]], folder: str):
        models = [accelerator.unwrap_model(model) for model in wrapped]
        for number, (model, outer) in enumerate(zip(models, wrapped, strict=True)):
            if weights:  # none where they are sharded
                prefix = "" if model is outer else "module."
                state = {name.removeprefix(prefix): values for name, values in weights[number].items()}
                frozen = frozen_weights(model)
                weights[number] = {name: values for name, values in state.items() if name not in frozen}
        if weights and accelerator.is_main_process and any(map(frozen_weights, models)):
            checksums = [_checksum(frozen_weights(model)) for model in models]
            (Path(folder) / FROZEN).write_text(json.dumps(checksums), encoding="utf-8")

    def load(wrapped: list[nn.Module], folder: str):
        for number, model in enumerate(map(accelerator.unwrap_model, wrapped)):
            _load(model, Path(folder), number)
        wrapped.clear()  # Accelerate loads what is left in the list

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)


def frozen_weights(model: nn.Module) -> dict[str, Tensor]:
    """The parameters without a gradient, by name."""
    return {name: weight for name, weight in model.named_parameters() if not weight.requires_grad}


def _load(model: nn.Module, folder: Path, number: int):
    """Raises RuntimeError where a state is of another network, or of one with other frozen weights."""
    frozen = frozen_weights(model)
    if frozen:
        checksums = json.loads((folder / FROZEN).read_text(encoding="utf-8")) if (folder / FROZEN).is_file() else {}
        if not checksums or checksums[number] != _checksum(frozen):
            raise RuntimeError("expected the frozen weights of the run's start, got others (another checkpoint?)")
    file = folder / f"model{f'_{number}' if number else ''}.safetensors"
    missing, unexpected = load_model(model, file, strict=False)
    if wrong := sorted({*missing, *unexpected} - frozen.keys()):
        raise RuntimeError(f"{len(wrong)} weights are missing or unexpected, such as {wrong[0]}")


def _checksum(weights: dict[str, Tensor]) -> int:
    """CRC-32 of names and bytes."""
    checksum = 0
    for name, weight in sorted(weights.items()):
        content = weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        checksum = zlib.crc32(content.data, zlib.crc32(name.encode(), checksum))
    return checksum
