"""Training of the transformer by low-rank adapters (peft's LoRA): what is adapted, and what trains in full beside it.

A camera is a new modality to a model that was pretrained on video alone, so the camera embeddings, the special tokens and
the heads train in full and are saved with the adapter (`modules_to_save`); that, and the default targets, are our choices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration

if TYPE_CHECKING:
    from peft import PeftModel


@dataclass
class LoraArguments:
    """The section `lora`; with it, or with --lora, an adapter is trained instead of all weights."""

    rank: int = 16
    """Rank of the adapters."""
    alpha: float = 32.0
    """They count `alpha / rank`."""
    dropout: float = 0.0
    """Dropout before the adapters."""
    targets: str = r"decoder\.layers\.\d+\..*_proj"
    """Regular expression for the whole names of the linear maps that get an adapter; all of the decoder's."""
    modules_to_save: list[str] = field(default_factory=lambda: ["camera_embedding", "special_tokens", "head"])
    """Modules that train in full and are saved with the adapter."""


def add_lora(model: CamViGForConditionalGeneration, arguments: LoraArguments) -> PeftModel:
    """Freezes the model and gives it adapters. Raises ValueError where `targets` or `modules_to_save` name nothing."""
    from peft import LoraConfig, get_peft_model

    names = {name for name, _ in model.named_children()}
    if unknown := set(arguments.modules_to_save) - names:
        expected = ", ".join(sorted(names))
        raise ValueError(f"expected lora.modules_to_save among {expected}, got {', '.join(sorted(unknown))}")
    config = LoraConfig(
        r=arguments.rank,
        lora_alpha=arguments.alpha,  # type: ignore[arg-type]
        lora_dropout=arguments.dropout,
        target_modules=arguments.targets,
        modules_to_save=list(arguments.modules_to_save),
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise ValueError(f"expected lora.targets that name linear maps, got {' '.join(str(error).split())}") from None
    return adapted  # type: ignore[return-value]
