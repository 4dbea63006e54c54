"""Batches whose loss or gradient is not finite: named, counted, kept for inspection, and past a limit the end of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

CLIP_NAMES = "clip_names"
"""Key under which a batch may hold the names of its clips, a list of as many strings as its tensors have rows."""


def bad_clips(batch: dict[str, Any]) -> list[str]:
    """Names of the clips that hold a number that is not finite; of all clips if the fault is not in the numbers."""
    names = batch.get(CLIP_NAMES)
    if names is None:
        return []
    is_bad = torch.zeros(len(names), dtype=torch.bool)
    for values in batch.values():
        if isinstance(values, Tensor) and values.is_floating_point() and len(values) == len(names):
            is_bad |= (
                ~values.detach().flatten(1).isfinite().all(1).cpu() if values.ndim > 1 else ~values.isfinite().cpu()
            )
    return [name for name, bad in zip(names, is_bad, strict=True) if bad or not is_bad.any()]


def save_bad_batch(file: Path, batches: list[dict[str, Any]], step: int, losses: dict[str, float]):
    """Writes the batches of a step, tensor `i.name` for the i-th, with step, clips and losses as metadata."""
    tensors = {
        f"{number}.{name}": values.detach().cpu().contiguous().clone()
        for number, batch in enumerate(batches)
        for name, values in batch.items()
        if isinstance(values, Tensor)
    }
    clips = [name for batch in batches for name in batch.get(CLIP_NAMES, [])]
    metadata = {"step": str(step), "clips": json.dumps(clips), "losses": json.dumps(losses)}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file, metadata=metadata)
