"""A checkpoint to the Hub: what `camvig push` and `pipe.push_to_hub` do.

A pipeline folder goes with a card, an example and, unless `code` is False, the files that load it where camvig is not
installed (`standalone_files`); a folder with a peft adapter goes with a card. What always holds: the folder itself is not
changed, the pipeline was loaded from it strictly before anything is sent, and only files that belong to a checkpoint go.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from huggingface_hub import CommitInfo, ModelCard
from PIL import Image
from safetensors import SafetensorError, safe_open

from ..dataset_builders.rooms.room_clips import room_clip
from .checkpoint_folder import EMBEDDED, find_checkpoint_folder, one_line
from .hub_upload import check_repository, upload_folder
from .measured_results import read_results
from .model_card import CardFacts, adapter_card, pipeline_card
from .pipeline_camvig import CamViGPipeline
from .standalone_files import write_standalone_files
from .training_record import read_run, without_local_paths
from .video_files import write_gif

RECORDS = (
    "eval.json",
    "LIMITS.md",
    "TRAINING.md",
    "gallery.jpg",
    "training/*.json",
    "training/*.jsonl",
    "training/*.png",
)
FILES = {
    "pipeline": ("model_index.json", "*/config.json", "*/generation_config.json", "*/*.safetensors", "*/*.index.json"),
    "adapter": ("adapter_config.json", "adapter_model.safetensors"),
}

EXAMPLE_PATH = "dolly in 20%, pan right 8deg"
EXAMPLE_ROOM = ("test", 0, 0)  # split, scene, clip
EXAMPLE_SIZE = 192


def push_checkpoint(
    folder: Path,
    repo_id: str,
    *,
    eval_file: Path | None = None,
    runs: Sequence[Path] = (),
    licence: str | None = None,
    base_model: str | None = None,
    code: bool = True,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
    commit_message: str | None = None,
    create_pr: bool = False,
) -> CommitInfo:
    """Sends a pipeline folder or a peft adapter's folder to "user/name", in one commit.

    Args:
        folder: with `model_index.json`, or with `adapter_config.json`.
        repo_id: a missing repository is made.
        eval_file: what `camvig eval --json` wrote, in place of the folder's own eval.json.
        runs: output folders of the training runs; their training.json and metrics.jsonl go into `training/`.
        licence: in the Hub's words ("apache-2.0"); without it the card says that none is stated.
        base_model: of an adapter, "user/name"; without it, what its configuration says, if that is no local folder.
        code: also the files that load the pipeline where camvig is not installed.
        private: for a new repository; None is the Hub's default.
        revision: a branch, made where it is missing; None is the main one.
        token: None is the one of `hf auth login` or HF_TOKEN.
        commit_message: of the commit.
        create_pr: as a pull request instead.

    Raises:
        ValueError: no checkpoint in the folder, or the Hub says no; one line. Nothing is pushed then.
    """
    kind = _kind_of(folder)
    if base_model is not None and kind == "pipeline":
        raise ValueError(f"expected a base model only of an adapter, got {base_model} for the pipeline in {folder}")
    check_repository(repo_id, kind, token)
    with TemporaryDirectory() as temporary:
        staged = Path(temporary) / "checkpoint"
        _stage(folder, staged, FILES[kind])
        _add_records(staged, eval_file, runs)
        facts = CardFacts(repo_id=repo_id, licence=licence, base_model=base_model)
        finish = _finish_adapter if kind == "adapter" else partial(_finish_pipeline, code=code)
        card = finish(folder, staged, facts)
        card.save(staged / "README.md")
        message = commit_message or f"{kind.capitalize()}, with a card written from its records"
        return upload_folder(
            staged,
            repo_id,
            private=private,
            revision=revision,
            token=token,
            message=message,
            create_pr=create_pr,
        )


def write_example(pipeline: CamViGPipeline, file: Path) -> str:
    """Writes a gif of a room that training never saw, and says in one sentence how it was made.

    The room, the path and the seed are fixed, so it is no chosen one.
    """
    split, scene, clip = EXAMPLE_ROOM
    frames = room_clip(split, scene, clip, size=EXAMPLE_SIZE).frames
    generator = torch.Generator().manual_seed(0)
    video = pipeline(Image.fromarray(frames[0]), EXAMPLE_PATH, generator=generator).frames[0]
    write_gif(video, file)
    return f"`{EXAMPLE_PATH}`, seed 0, from a picture of procedural room {scene} of the {split} split; not chosen among others."


def _kind_of(folder: Path) -> str:
    """ "pipeline" or "adapter"."""
    if not folder.is_dir():
        raise ValueError(f"expected a folder with a pipeline or a peft adapter, got {folder}: no such folder")
    for file, kind in (("model_index.json", "pipeline"), ("adapter_config.json", "adapter")):
        if (folder / file).is_file():
            return kind
    raise ValueError(
        f"expected a pipeline or a peft adapter in {folder}, got no model_index.json and no adapter_config.json"
    )


def _stage(folder: Path, staged: Path, patterns: Sequence[str]) -> None:
    """Weights are linked, not copied; whatever is no checkpoint's stays where it is."""
    for pattern in (*patterns, *RECORDS):
        for file in folder.glob(pattern):
            target = staged / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".safetensors":
                target.symlink_to(file.resolve())
            else:
                shutil.copyfile(file, target)


def _add_records(staged: Path, eval_file: Path | None, runs: Sequence[Path]) -> None:
    staged.mkdir(exist_ok=True)
    if eval_file is not None:
        read_results(eval_file)
        shutil.copyfile(eval_file, staged / "eval.json")
    for run in runs:
        read_run(run / "training.json")
        (staged / "training").mkdir(exist_ok=True)
        shutil.copyfile(run / "training.json", staged / "training" / f"{run.resolve().name}.json")
        if (run / "metrics.jsonl").is_file():
            shutil.copyfile(run / "metrics.jsonl", staged / "training" / f"{run.resolve().name}.jsonl")
    for file in (staged / "training").glob("*.json"):
        record = without_local_paths(read_run(file))
        file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _finish_pipeline(folder: Path, staged: Path, facts: CardFacts, code: bool) -> ModelCard:
    pipeline = CamViGPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    example = write_example(pipeline, staged / "example.gif")
    libraries = write_standalone_files(staged, version("camvig")) if code else ()
    return pipeline_card(staged, pipeline, replace(facts, example=example, libraries=libraries))


def _finish_adapter(folder: Path, staged: Path, facts: CardFacts) -> ModelCard:
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        with safe_open(folder / "adapter_model.safetensors", framework="pt") as weights:
            weights.keys()
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"expected a whole peft adapter in {folder}, got {one_line(error)}") from None
    base = facts.base_model or base_model_of(config.get("base_model_name_or_path") or "")
    config["base_model_name_or_path"] = base  # peft writes the path on this machine
    (staged / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return adapter_card(staged, replace(facts, base_model=base))


def base_model_of(name: str) -> str | None:
    """The checkpoint that a transformer's path says it is from: a repository, also in the Hub's cache, or the embedded one.

    None for a folder that only this machine knows.
    """
    cached = re.search(r"models--([^/]+)--([^/]+)/snapshots/", name)
    if cached:
        return f"{cached[1]}/{cached[2]}"
    embedded = find_checkpoint_folder(EMBEDDED)
    if name == EMBEDDED or (embedded and Path(name).resolve() in (embedded, embedded / "transformer")):
        return EMBEDDED
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not Path(name).exists() else None
