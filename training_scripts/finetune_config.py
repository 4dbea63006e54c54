"""What `finetune.py` reads: a YAML with `data` and `training`, and, as they are needed, `model` and `lora`.

`model` may be left out where `data.checkpoint` gives the architecture; given with one, it has to be the same.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ..modeling_camvig.configuration_camvig import CamViGConfig
from .lora import LoraArguments
from .stage_config import build_config, command_line, fill, read_sections, start
from .training_arguments import TrainingArguments

STAGES = ("pretrain", "finetune")


@dataclass
class TransformerDataArguments:
    """What the transformer is trained on, and where it starts."""

    stage: str = "finetune"
    """"pretrain" (every clip without its path: plain video) or "finetune" (paths, with a share of plain video)."""
    token_cache: str | None = None
    """Folder of cached ids (camvig data tokenize)."""
    video_token_cache: str | None = None
    """Stage "finetune": another folder, of plain videos; without it all clips are of `token_cache`."""
    path_share: float = 0.7
    """With `video_token_cache`: share of the samples that are of `token_cache`, kept exactly (the paper's is 70%)."""
    debug_clips: int = 0
    """Instead of the folders: ids of so many procedural rooms, made at the start (a third of them as plain video)."""
    checkpoint: str | None = None
    """Where to start from: a pipeline folder or "camvig-tiny", or a transformer's folder (then name the tokenizers, too)."""
    visual_tokenizer: str | None = None
    """Folder of the visual tokenizer that made the ids; by default the checkpoint's."""
    camera_tokenizer: str | None = None
    """Folder of the camera tokenizer that made them, or camera-codec-compact or camera-codec-4x106; by default the checkpoint's."""
    missing_camera_share: float = 0.12
    """Stage "finetune": share of the samples with a path that train with the missing-camera token, for guidance."""
    attention: str = "sdpa"
    """Attention implementation; "camvig_matmul" is meant for CPUs in bfloat16."""
    validation_clips: int = 64
    """Held-out clips for the losses; 0 = no validation."""
    validation_folder: str | None = None
    """Folder of clips that training never sees, as `camvig data tokenize` takes it; without it, rooms of the validation split."""
    generated_clips: int = 24
    """How many of them, 2 or more, are also generated, with the controls, and scored by flow MSE; 0 = none."""

    def __post_init__(self):
        if self.stage not in STAGES:
            raise ValueError(f"expected stage 'pretrain' or 'finetune', got {self.stage!r}")
        if bool(self.token_cache) == bool(self.debug_clips):
            raise ValueError("expected either token_cache or debug_clips")
        if self.video_token_cache and (self.stage == "pretrain" or not self.token_cache):
            raise ValueError("expected video_token_cache beside token_cache, in stage 'finetune' only")
        if not self.checkpoint and not (self.visual_tokenizer and self.camera_tokenizer):
            raise ValueError("expected checkpoint, or visual_tokenizer and camera_tokenizer")
        if self.debug_clips and self.debug_clips < 3:
            raise ValueError(f"expected debug_clips of at least 3, got {self.debug_clips}")


@dataclass
class FinetuneStage:
    """All that a run is told."""

    data: TransformerDataArguments
    training: TrainingArguments
    config: CamViGConfig | None
    lora: LoraArguments | None
    push_to_hub: str | None = None
    """Repository that the result is pushed to after the run: "user/name"."""
    private: bool = False
    """A new one is made a private one."""


def parse_finetune(description: str | None) -> FinetuneStage:
    """The command line of `finetune.py`; everything is seeded."""
    parser = command_line(description)
    parser.add_argument("--lora", action="store_true", help="train an adapter, by the section lora or its defaults")
    parser.add_argument(
        "--push-to-hub", "--push_to_hub", metavar="USER/NAME", help="push the pipeline, or the adapter, after the run"
    )
    parser.add_argument(
        "--private", action="store_true", help="with --push-to-hub: make a new repository a private one"
    )
    options = parser.parse_args()
    if options.private and not options.push_to_hub:
        parser.error("expected --private with --push-to-hub only")
    try:
        stage = load_finetune(options.config, options.set, options.output_dir, options.lora)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    start(options, stage.training)
    return dataclasses.replace(stage, push_to_hub=options.push_to_hub, private=options.private)


def load_finetune(
    file: Path, changes: list[str], output_dir: str | None = None, with_lora: bool = False
) -> FinetuneStage:
    """The sections of a YAML file, checked. Raises ValueError on unknown sections, keys and values."""
    sections = read_sections(file, changes, output_dir, ("data", "training"), ("model", "lora"))
    config = build_config(CamViGConfig, sections["model"]) if "model" in sections else None
    data = fill(TransformerDataArguments, "data", sections["data"])
    if config is None and not data.checkpoint:
        raise ValueError(f"expected the section model in {file}, or data.checkpoint to start from")
    lora = fill(LoraArguments, "lora", sections.get("lora", {})) if with_lora or "lora" in sections else None
    return FinetuneStage(data, fill(TrainingArguments, "training", sections["training"]), config, lora)
