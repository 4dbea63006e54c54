"""Reading a stage's YAML: three sections, `model` (the transformers configuration), `data` and `training`.

Unknown keys and wrong types are refused; `--set section.key=value` changes single values, so a debug run needs no file.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TypeVar

import torch
import yaml
from accelerate.utils import set_seed
from transformers import HfArgumentParser, PreTrainedConfig

from .training_loop import TrainingArguments

Configuration = TypeVar("Configuration", bound=PreTrainedConfig)
DataArguments = TypeVar("DataArguments")


def parse_stage(
    description: str | None, config_class: type[Configuration], data_class: type[DataArguments]
) -> tuple[Configuration, DataArguments, TrainingArguments]:
    """Parses the command line of a training script, seeds everything and sets the number of threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, required=True, help="YAML file of the stage")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change one value")
    parser.add_argument("--num-threads", type=int, default=None, help="processor threads; all by default")
    options = parser.parse_args()
    if options.num_threads:
        torch.set_num_threads(options.num_threads)
    try:
        stage = load_stage(options.config, options.set, config_class, data_class)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    set_seed(stage[2].seed)
    return stage


def load_stage(
    file: Path, changes: list[str], config_class: type[Configuration], data_class: type[DataArguments]
) -> tuple[Configuration, DataArguments, TrainingArguments]:
    """The three sections of a YAML file, checked. Raises ValueError on unknown sections, keys and values."""
    sections = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    if not isinstance(sections, dict) or set(sections) != {"model", "data", "training"}:
        raise ValueError(f"expected the sections model, data and training in {file}, got {_names(sections)}")
    for change in changes:
        _change(sections, change)
    known = {field.name for field in dataclasses.fields(config_class)}
    if unknown := set(sections["model"]) - known:
        raise ValueError(f"expected fields of {config_class.__name__} under model, got {', '.join(sorted(unknown))}")
    data = HfArgumentParser(data_class).parse_dict(sections["data"])[0]
    training = HfArgumentParser(TrainingArguments).parse_dict(sections["training"])[0]
    return config_class(**sections["model"]), data, training


def _change(sections: dict, change: str):
    place, equals, value = change.partition("=")
    section, dot, key = place.partition(".")
    if not equals or not dot or section not in sections:
        raise ValueError(f"expected --set SECTION.KEY=VALUE with section model, data or training, got {change!r}")
    sections[section][key] = yaml.safe_load(value)


def _names(sections) -> str:
    return ", ".join(map(str, sections)) if isinstance(sections, dict) else type(sections).__name__
