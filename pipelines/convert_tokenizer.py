"""Checkpoint files of other projects -> folders of a `CamViGVisualTokenizer`: what `camvig convert-tokenizer` does.

What always holds: pickles are read with `weights_only`, so nothing in a file is run; the folder appears whole or not at all,
with an origin.json that says where its weights come from; whatever does not fit is one `ValueError` that names the file.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..camera_paths.atomic_file import write_then_rename
from ..modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from ..modeling_camvig.open_weights import OPEN_WEIGHTS, convert_tokenizer, open_weights_config
from .checkpoint_folder import one_line

PICKLES = (".ckpt", ".pt", ".pth", ".bin")
REFUSED = (
    "holds more than weights, and is not run. Only if you trust it, keep its weights alone: "
    "import torch; from safetensors.torch import save_file; "
    'w = torch.load("{name}", map_location="cpu", weights_only=False)["state_dict"]; '
    'save_file({{k: v.clone().contiguous() for k, v in w.items()}}, "{stem}.safetensors")'
)


def convert_tokenizer_file(
    checkpoint: Path, output: Path, source: str, config_file: Path | None = None, weights: str | None = None
) -> str:
    """Convert one file; returns a line that says what was taken and dropped.

    Args:
        checkpoint: .ckpt, .pt, .pth or .bin (a pickle of weights, maybe under "state_dict"), or .safetensors.
        output: folder to write, new or empty.
        source: a key of `OPEN_WEIGHTS`.
        config_file: YAML or JSON with fields of `CamViGVisualTokenizerConfig` that differ from the published network.
        weights: "ema" or "raw"; None is the origin's own choice.

    Raises:
        ValueError: one line, for all that does not fit.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"expected a new or empty folder to write to, got {output}")
    config = read_config(config_file, source)
    state_dict = read_state_dict(checkpoint)
    try:
        conversion = convert_tokenizer(state_dict, source, config, weights)
    except ValueError as error:
        raise ValueError(f"{checkpoint}: {error}") from None
    origin = OPEN_WEIGHTS[source]
    about = {
        "repository": origin.repository,
        "licence": origin.licence,
        "checkpoint": checkpoint.name,
        "weights": conversion.weights,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    with write_then_rename(output) as folder:
        conversion.model.save_pretrained(folder)
        (folder / "origin.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return conversion.summary()


def read_config(file: Path | None, source: str) -> CamViGVisualTokenizerConfig:
    """The published network, with the fields of a file instead of its own."""
    if file is None:
        return open_weights_config(source)
    try:
        changes: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"expected a configuration (YAML or JSON) in {file}, got {one_line(error)}") from None
    fields = CamViGVisualTokenizerConfig.__annotations__
    unknown = sorted(set(changes) - set(fields)) if isinstance(changes, dict) else []
    if not isinstance(changes, dict) or unknown:
        raise ValueError(f"expected fields of CamViGVisualTokenizerConfig in {file}, got {unknown or changes}")
    try:
        return open_weights_config(source, **changes)
    except (ValueError, TypeError, StrictDataclassError) as error:
        raise ValueError(f"{file}: {one_line(error)}") from None


def read_state_dict(file: Path) -> Mapping[str, Tensor]:
    """The weights in a checkpoint file, by their names."""
    if not file.is_file():
        raise ValueError(f"expected a checkpoint file, got {file}: {'a folder' if file.is_dir() else 'no such file'}")
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"expected whole safetensors in {file}, got {one_line(error)}") from None
    if file.suffix not in PICKLES:
        raise ValueError(f"expected a checkpoint {', '.join(PICKLES)} or .safetensors, got {file}")
    return _tensors_of(_read_pickle(file), file)


def _read_pickle(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # whatever bytes that are no checkpoint lead to
        if isinstance(error, pickle.UnpicklingError) and re.search(r"Unsupported (global|class)", str(error)):
            raise ValueError(f"{file} {REFUSED.format(name=file.name, stem=file.stem)}") from None
        raise ValueError(f"expected a whole checkpoint in {file}, got {one_line(error)}") from None


def _tensors_of(content: Any, file: Path) -> Mapping[str, Tensor]:
    weights = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(weights, dict) or not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"expected weights by name, or under 'state_dict', in {file}, got {type(weights).__name__}")
    return weights
