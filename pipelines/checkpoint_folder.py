"""Checkpoints, read strictly: a folder is found, whole, and its weights are exactly those its configuration asks for.

What always holds: safetensors only, never pickle; a missing or cut file, a missing or unexpected weight or a weight of
another shape is one `ValueError` of one line that names the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

EMBEDDED = "camvig-tiny"
PAPER_CODEC, COMPACT_CODEC = "camera-codec-4x106", "camera-codec-compact"
"""Embedded camera tokenizers: single components, of any pipeline."""
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"


def find_checkpoint_folder(name: str | os.PathLike[str]) -> Path | None:
    """The local folder that a name stands for; None if the name can only be a Hub repository.

    Raises:
        ValueError: the name is a path, and there is no such folder.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if str(name) in (EMBEDDED, PAPER_CODEC, COMPACT_CODEC):
        try:
            embedded = Path(str(resources.files("camvig.checkpoints"))) / name
        except ModuleNotFoundError:  # this is the code of a Hub repository, and camvig is not installed
            embedded = Path(name)
        if not embedded.is_dir():
            raise ValueError(
                f"expected the embedded checkpoint {str(name)!r}, got an installation of camvig without it"
            )
        return embedded
    looks_like_repository = str(name).count("/") == 1 and not str(name).startswith(("/", ".", "~", "\\"))
    if looks_like_repository and not folder.exists() and not folder.parent.is_dir():
        return None
    raise ValueError(f"expected a checkpoint folder, got {name}: {'a file' if folder.exists() else 'no such folder'}")


def read_model_index(folder: Path, components: dict[str, type[PreTrainedModel]]) -> None:
    """Check that `model_index.json` names these components by their classes."""
    index = _read_json(folder / "model_index.json")
    for name, component_class in components.items():
        found = index.get(name)
        if not isinstance(found, list) or found[-1:] != [component_class.__name__]:
            raise ValueError(
                f"expected {component_class.__name__} as {name} in {folder / 'model_index.json'}, "
                f"got {json.dumps(found)}"
            )


@contextmanager
def without_code(folder: Path, pipeline_class: type, components: dict[str, type[PreTrainedModel]]) -> Iterator[Path]:
    """The same folder, or, where it carries code of its own (`standalone_files`), a view of it with the installed classes.

    The view is a temporary folder of links, so that diffusers, which would want to run the code, does not see it.
    """
    index = _read_json(folder / "model_index.json")
    if not isinstance(index.get("_class_name"), list):
        yield folder
        return
    index["_class_name"] = pipeline_class.__name__
    index |= {name: [component.__module__, component.__name__] for name, component in components.items()}
    with TemporaryDirectory() as temporary:
        view = Path(temporary)
        (view / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
        for name in components:
            (view / name).mkdir()
            for file in (folder / name).iterdir():
                if file.suffix != ".py":
                    (view / name / file.name).symlink_to(file.resolve())
        yield view


def load_component(component_class: type[PreTrainedModel], folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """Load one component, all of it and nothing else.

    Raises:
        ValueError: see the head of this file.
    """
    _read_json(folder / "config.json")
    if (folder / "generation_config.json").exists():  # transformers would go on without a damaged one
        _read_json(folder / "generation_config.json")
    for file in _weight_files(folder):
        _check_weight_file(file)
    try:
        model, info = component_class.from_pretrained(  # type: ignore[misc]
            folder, dtype=dtype, use_safetensors=True, ignore_mismatched_sizes=True, output_loading_info=True
        )
    except Exception as error:  # whatever a wrong configuration leads to: one line that names the component
        raise ValueError(
            f"expected a loadable {component_class.__name__} in {folder}, got {one_line(error)}"
        ) from error
    _check_fit(folder, info)
    return model


def visual_tokenizer_dtype(folder: Path) -> torch.dtype:
    """The precision in which checkpoints and caches of ids hold the visual tokenizer in `folder`.

    bfloat16 for our own networks: half the bytes, and cache and checkpoint agree since both round alike. float32 for open
    weights, whose ids are to stay those of their original code. Raises ValueError for a missing or damaged configuration.
    """
    is_ours = _read_json(folder / "config.json").get("architecture", "camvig") == "camvig"
    return torch.bfloat16 if is_ours else torch.float32


def check_components_fit(
    visual_tokenizer: PreTrainedModel,
    camera_tokenizer: PreTrainedModel,
    transformer: PreTrainedModel,
) -> None:
    """Raise `ValueError` unless the transformer speaks the ids of both tokenizers."""
    visual, camera, config = visual_tokenizer.config, camera_tokenizer.config, transformer.config
    pairs = {
        "digits of a visual id": (list(visual.code_levels), list(config.visual_levels)),
        "frames a latent frame": (visual.temporal_downsample, config.temporal_downsample),
        "latent frames": (visual.latent_frames, config.latent_frames),
        "latent size": (visual.latent_size, config.latent_size),
        "camera kind": (camera.token_kind, config.camera_kind),
        "camera levels": (camera.num_levels, config.camera_levels),
        "camera codebook size": (camera.codebook_size, config.camera_codebook_size),
        "camera tokens a level": (camera.tokens_per_level, config.camera_frames),
        "poses of a path": (camera.num_poses, visual.num_frames),
    }
    for name, (one, other) in pairs.items():
        if one != other:
            raise ValueError(f"expected components that fit each other, got {name}: {one} in one, {other} in another")


def one_line(error: BaseException) -> str:
    """The message of an error with every run of white space as one space, at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _read_json(file: Path) -> dict:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"expected a checkpoint with {file}, got no such file") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"expected JSON in {file}, got {one_line(error)}") from None
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object in {file}, got {type(content).__name__}")
    return content


def _weight_files(folder: Path) -> list[Path]:
    """One file, or the shards that the index lists."""
    if (folder / WEIGHTS_INDEX).is_file():
        shards = _read_json(folder / WEIGHTS_INDEX).get("weight_map", {})
        return [folder / shard for shard in sorted(set(shards.values()))]
    return [folder / WEIGHTS]


def _check_weight_file(file: Path) -> None:
    if not file.is_file():
        raise ValueError(f"expected a checkpoint with {file}, got no such file")
    try:
        with safe_open(file, framework="pt") as weights:
            weights.keys()
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"expected whole safetensors in {file}, got a damaged or cut file: {one_line(error)}"
        ) from None


def _check_fit(folder: Path, info: dict) -> None:
    """Raise unless the weights are those that the configuration asks for."""
    mismatched = sorted(info["mismatched_keys"])
    if mismatched:
        key, in_file, in_config = mismatched[0]
        raise ValueError(
            f"expected weights that fit {folder / 'config.json'}, got {len(mismatched)} of another shape, "
            f"such as {key}: {list(in_file)} in the file, {list(in_config)} by the configuration"
        )
    for problem in ("missing", "unexpected"):
        keys = sorted(info[f"{problem}_keys"])
        if keys:
            raise ValueError(
                f"expected weights that fit {folder / 'config.json'}, got {len(keys)} {problem}, such as {keys[0]}"
            )
