"""Which precision a run computes in: bfloat16 where the hardware has units for it, float32 elsewhere.

A processor without them computes bfloat16 products in software, far slower than float32 ones (on one with AVX2 alone 0.9 against
87 GFLOP/s a core, a scratch measurement), so a run that asks for them there gives a warning.
"""

from __future__ import annotations

import warnings

import torch

CPU_UNITS = ("avx512_bf16", "amx_bf16", "bf16")
"""Of x86 and of ARM processors, as torch names them."""


def has_bfloat16_units(device: torch.device) -> bool:
    """Whether products of bfloat16 matrices are no slower than float32 ones."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        found = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch cannot tell
        return any(found.get(name, False) for name in CPU_UNITS)
    return True


def chosen_precision(asked: str, device: torch.device) -> str:
    """`TrainingArguments.mixed_precision` -> "bf16" or "no"."""
    has_units = has_bfloat16_units(device)
    if asked == "auto":
        return "bf16" if has_units else "no"
    if asked == "bf16" and not has_units:
        warnings.warn(
            f"expected mixed_precision 'no' or 'auto' on this {device.type}, got 'bf16', for which it has no units: "
            "steps will be many times slower",
            stacklevel=2,
        )
    return asked
