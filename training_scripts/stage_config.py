"""Reading a stage's YAML: sections `model` (the transformers configuration), `data` and `training`.

Unknown keys and wrong types are refused; `--set section.key=value` changes single values, so a debug run needs no file.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import torch
import yaml
from accelerate.utils import set_seed
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig

from .training_arguments import TrainingArguments

Configuration = TypeVar("Configuration", bound=PreTrainedConfig)
DataArguments = TypeVar("DataArguments")
Arguments = TypeVar("Arguments")


def parse_stage(
    description: str | None, config_class: type[Configuration], data_class: type[DataArguments]
) -> tuple[Configuration, DataArguments, TrainingArguments]:
    """Parses the command line of a training script, seeds everything and sets the number of threads."""
    parser = command_line(description)
    options = parser.parse_args()
    try:
        stage = load_stage(options.config, options.set, config_class, data_class, options.output_dir)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    start(options, stage[2])
    return stage


def command_line(description: str | None) -> argparse.ArgumentParser:
    """The options that every training script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="YAML file of the stage")
    parser.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="SECTION.KEY=VALUE", help="change values"
    )
    parser.add_argument("--output_dir", "--output-dir", metavar="FOLDER", help="instead of training.output_dir")
    parser.add_argument("--num-threads", type=int, default=None, help="processor threads; all by default")
    return parser


def start(options: argparse.Namespace, training: TrainingArguments):
    """Sets the number of threads and seeds everything."""
    if options.num_threads:
        torch.set_num_threads(options.num_threads)
    set_seed(training.seed)


def load_stage(
    file: Path,
    changes: list[str],
    config_class: type[Configuration],
    data_class: type[DataArguments],
    output_dir: str | None = None,
) -> tuple[Configuration, DataArguments, TrainingArguments]:
    """The three sections of a YAML file, checked. Raises ValueError on unknown sections, keys and values."""
    sections = read_sections(file, changes, output_dir, ("model", "data", "training"))
    config = build_config(config_class, sections["model"])
    return config, fill(data_class, "data", sections["data"]), fill(TrainingArguments, "training", sections["training"])


def read_sections(
    file: Path, changes: list[str], output_dir: str | None, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, dict[str, Any]]:
    """The sections of a YAML file by name, with the changes of the command line."""
    try:
        sections = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"expected YAML in {file}, got: {' '.join(str(error).split())}") from None
    if not isinstance(sections, dict) or not set(needed) <= set(sections) <= {*needed, *optional}:
        names = f"{', '.join(needed[:-1])} and {needed[-1]}" + (f" (and {', '.join(optional)})" if optional else "")
        raise ValueError(f"expected the sections {names} in {file}, got {_names(sections)}")
    for name, values in sections.items():
        if not isinstance(values, dict):
            raise ValueError(f"expected keys and values under {name} in {file}, got {values!r}")
    for change in changes:
        _change(sections, change, (*needed, *optional))
    if output_dir is not None:
        sections["training"]["output_dir"] = output_dir
    return sections


def build_config(config_class: type[Configuration], values: dict[str, Any]) -> Configuration:
    """The section `model` as a configuration; keys that it, or a configuration inside it, does not have are refused."""
    _check_keys(values, {field.name for field in dataclasses.fields(config_class)}, config_class.__name__, "model")
    try:
        config = config_class(**values)
    except StrictDataclassError as error:
        raise ValueError(f"model: {error.__cause__ or error}") from None
    for name, inner in values.items():
        if isinstance(inner, dict):
            inner_class = type(getattr(config, name))
            known = {"model_type", *(field.name for field in dataclasses.fields(inner_class))}
            _check_keys(inner, known, inner_class.__name__, f"model.{name}")
    return config


def _check_keys(values: Iterable[str], known: Iterable[str], owner: str, section: str):
    """Refuses unknown keys, each with the known one that it is nearest to."""
    known = sorted(known)
    unknown = [f"{key}{_nearest(key, known)}" for key in sorted(map(str, values)) if key not in known]
    if unknown:
        raise ValueError(f"expected fields of {owner} under {section}, got {', '.join(unknown)}")


def _nearest(key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def fill(arguments_class: type[Arguments], section: str, values: dict[str, Any]) -> Arguments:
    """A section -> its dataclass: nothing unknown, nothing missing, everything of its type (whole numbers pass as float)."""
    types = get_type_hints(arguments_class)
    _check_keys(values, types, arguments_class.__name__, section)
    readers = {float: _number, str: _word}
    values = {name: readers.get(types[name], lambda same: same)(value) for name, value in values.items()}
    for name, value in values.items():  # a section inside the section
        inner = next(filter(dataclasses.is_dataclass, (types[name], *get_args(types[name]))), None)
        if isinstance(value, dict) and isinstance(inner, type):
            values[name] = fill(inner, f"{section}.{name}", value)
    for name, value in values.items():
        if not _fits(value, types[name]):
            kind = getattr(types[name], "__name__", types[name])
            raise ValueError(f"expected {section}.{name} of type {kind}, got {value!r}")
    try:
        return arguments_class(**values)
    except (TypeError, ValueError) as error:  # names the missing fields, or the wrong value
        raise ValueError(f"{section}: {error}") from None


def _number(value):
    """YAML reads 1 as an integer and 1e-3, without a point, as a word."""
    try:
        return value if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return value


def _word(value):
    """YAML reads no as False."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _fits(value, kind) -> bool:
    if isinstance(kind, UnionType):
        return any(_fits(value, option) for option in get_args(kind))
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(item, get_args(kind)[0]) for item in value)
    return type(value) is kind  # a bool is no int here


def _change(sections: dict, change: str, known: tuple[str, ...]):
    place, equals, value = change.partition("=")
    section, dot, key = place.partition(".")
    if not equals or not dot or section not in known:
        names = f"{', '.join(known[:-1])} or {known[-1]}"
        raise ValueError(f"expected --set SECTION.KEY=VALUE with section {names}, got {change!r}")
    *inner, key = key.split(".")
    values = sections.setdefault(section, {})
    for name in inner:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise ValueError(f"expected --set {place} inside a section, got {name} with the value {values!r}")
    values[key] = yaml.safe_load(value)


def _names(sections) -> str:
    return ", ".join(map(str, sections)) if isinstance(sections, dict) else type(sections).__name__
