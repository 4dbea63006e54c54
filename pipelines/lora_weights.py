"""LoRA adapters of the transformer, as `training_scripts/finetune.py --lora` and peft write them.

An adapter is a folder (or a Hub repository) with `adapter_config.json` and `adapter_model.safetensors`; it holds the modules
that were trained in full as well. Loaded, the transformer is wrapped by peft's `PeftModel`; removed, it is what it was.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from .checkpoint_folder import one_line


def load_lora(transformer: Any, adapter: str | os.PathLike[str], adapter_name: str) -> Any:
    """The transformer with an adapter, which is active. Raises ValueError where it does not fit, or there is none."""
    from peft import PeftModel

    folder = Path(adapter).expanduser()
    source = str(folder) if folder.is_dir() else str(adapter)
    try:
        if isinstance(transformer, PeftModel):
            transformer.load_adapter(source, adapter_name)
            transformer.set_adapter(adapter_name)
            return transformer.eval()
        return PeftModel.from_pretrained(transformer, source, adapter_name=adapter_name).eval()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ValueError(f"expected LoRA weights of this transformer in {adapter}, got: {one_line(error)}") from error


def without_lora(transformer: Any) -> PreTrainedModel:
    """The transformer alone again; with the adapters in its weights if they are fused."""
    from peft.utils import ModulesToSaveWrapper

    if any(getattr(module, "merged", False) for module in transformer.modules()):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All adapters are already merged")
            return transformer.merge_and_unload()
    original = transformer.get_base_model()
    for name, module in list(original.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):  # peft's unload() alone would leave what was trained in full
            original.set_submodule(name, module.original_module)
    return transformer.unload()


class LoraAdapters:
    """LoRA of a pipeline's transformer."""

    transformer: Any

    def load_lora_weights(
        self, pretrained_model_name_or_path: str | os.PathLike, adapter_name: str = "default"
    ) -> None:
        """Put a LoRA adapter on the transformer, from a folder (or Hub repository) that `finetune.py --lora` or peft wrote.

        Raises ValueError where there is none, or it does not fit the transformer.
        """
        self.transformer = load_lora(self.transformer, pretrained_model_name_or_path, adapter_name)

    def fuse_lora(self) -> None:
        """Add the adapter to the transformer's weights: the same videos, without the time that adapters take."""
        self._with_lora().merge_adapter()

    def unfuse_lora(self) -> None:
        """Take it out again, to within rounding."""
        self._with_lora().unmerge_adapter()

    def unload_lora_weights(self) -> None:
        """The transformer without adapters: as it was, or, after `fuse_lora`, with them in its weights for good."""
        self.transformer = without_lora(self._with_lora())  # type: ignore[assignment]

    def _with_lora(self) -> Any:
        if isinstance(self.transformer, PreTrainedModel):
            raise ValueError("expected a transformer with a LoRA adapter, got none: call load_lora_weights first")
        return self.transformer
