"""What `finetune.py` starts from: the tokenizers of the ids, the transformer, the caches, and, at the end, a whole pipeline.

What always holds: ids, tokenizers and transformer fit each other, or one ValueError says what does not: a cache made by
other tokenizers (by the fingerprint of their weights), a checkpoint that is no transformer of ours, or one that speaks
other ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..dataset_builders.procedural_rooms import LICENCE
from ..dataset_builders.rooms.room_clips import room_clips
from ..dataset_builders.token_cache import TokenCache, part_file, sources_in, write_part
from ..modeling_camvig.configuration_camvig import CamViGConfig
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from ..modeling_camvig.motion_autoencoder import MotionAutoencoder, PictureAutoencoder
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from ..pipelines.checkpoint_folder import check_components_fit, find_checkpoint_folder, load_component
from ..pipelines.lora_weights import load_lora, without_lora
from ..pipelines.pipeline_camvig import CamViGPipeline
from .assemble_checkpoint import assemble
from .finetune_config import TransformerDataArguments
from .states import discard
from .token_batches import TokenBatches
from .tokenize_clips import Tokenizers, encode_clips
from .training_arguments import TrainingArguments
from .training_loop import load_weights

NEWER_INPUTS = ("picture_features.", "video_context.from_camera.")
"""Parts of a transformer that a saved one may lack."""


@dataclass(frozen=True)
class Parts:
    """Folders of the parts that a run starts from; `transformer` is None for random weights."""

    visual_tokenizer: Path
    camera_tokenizer: Path
    transformer: Path | None

    @classmethod
    def find(cls, data: TransformerDataArguments) -> Parts:
        """The parts of `data.checkpoint`, and those that are named themselves."""
        folder = _local_folder(data.checkpoint) if data.checkpoint else None
        is_pipeline = folder is not None and (folder / "model_index.json").exists()
        if folder is not None and not is_pipeline and not (data.visual_tokenizer and data.camera_tokenizer):
            raise ValueError(
                f"expected a pipeline folder as data.checkpoint, or data.visual_tokenizer and data.camera_tokenizer too, "
                f"got {folder} without model_index.json"
            )
        inside = folder if folder is not None else Path()
        return cls(
            _named_folder(data.visual_tokenizer, inside / "visual_tokenizer"),
            _named_folder(data.camera_tokenizer, inside / "camera_tokenizer"),
            inside / "transformer" if is_pipeline else folder,
        )


def _named_folder(name: str | None, otherwise: Path) -> Path:
    """A folder, or that of an embedded tokenizer's name."""
    return otherwise if name is None else find_checkpoint_folder(name) or Path(name)


def _local_folder(checkpoint: str) -> Path:
    return find_checkpoint_folder(checkpoint) or Path(CamViGPipeline.download(checkpoint))


def load_transformer(
    parts: Parts, config: CamViGConfig | None, tokenizers: Tokenizers
) -> CamViGForConditionalGeneration:
    """The checkpoint's transformer in float32, or one of `config` with random weights; it fits the tokenizers."""
    if config is None:
        assert parts.transformer is not None
        model = read_transformer(parts.transformer)
    else:
        model = CamViGForConditionalGeneration(config)
        if config.camera_feature_size:
            model.set_camera_features(tokenizers.camera.code_vectors())
        if config.picture_feature_size:
            model.set_picture_features(_picture_autoencoder(tokenizers.visual))
    check_components_fit(tokenizers.visual, tokenizers.camera, model)
    return model


def initialize(model: nn.Module, folder: Path):
    """Starts from a saved transformer (`init_from`), which may be one that hears less of its image or of its camera.

    What is new begins with weights of 0: the model starts as the saved one.
    """
    if not isinstance(model, CamViGForConditionalGeneration):  # with adapters around it
        return load_weights(model, folder)
    saved = read_transformer(folder)
    model.generation_config = saved.generation_config
    new = {name: weight for name, weight in model.state_dict().items() if name.startswith(NEWER_INPUTS)}
    learned = {name: torch.zeros_like(weight) for name, weight in new.items() if name in dict(model.named_parameters())}
    try:
        model.load_state_dict(new | learned | saved.state_dict())
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"expected weights of this transformer in {folder} (init_from): {reason}") from None


def _picture_autoencoder(tokenizer: CamViGVisualTokenizer) -> PictureAutoencoder:
    if not isinstance(tokenizer.autoencoder, MotionAutoencoder):
        raise ValueError(
            f"expected a visual tokenizer of kind 'motion' with picture_feature_size > 0, got {tokenizer.config.kind!r}"
        )
    return tokenizer.autoencoder.picture


def read_transformer(folder: Path) -> CamViGForConditionalGeneration:
    file = folder / "config.json"
    found = json.loads(file.read_text(encoding="utf-8")).get("model_type") if file.is_file() else None
    if found != CamViGConfig.model_type:
        raise ValueError(f"expected a transformer of model_type {CamViGConfig.model_type!r} in {folder}, got {found!r}")
    model = load_component(CamViGForConditionalGeneration, folder, torch.float32)
    assert isinstance(model, CamViGForConditionalGeneration)
    return model


def open_batches(data: TransformerDataArguments, training: TrainingArguments, tokenizers: Tokenizers) -> TokenBatches:
    """The batches of a run, from the caches that `data` names."""
    shares = _shares_of_caches(data)
    caches = [TokenCache(folder, tokenizers.fingerprint) for folder in shares]
    missing = 1.0 if data.stage == "pretrain" else data.missing_camera_share
    camera = tokenizers.camera.config
    padding = camera.codebook_size - 1 if camera.kind == "dct" else None
    return TokenBatches(caches, list(shares.values()), training.batch_size, missing, training.seed, padding)


def data_record(data: TransformerDataArguments) -> list[dict]:
    """What a run trains on, for its training.json: name, share of the samples, and sources (`sources_in`) of each cache."""
    return [
        {"cache": Path(folder).resolve().name, "share": share, "sources": sources_in(Path(folder))}
        for folder, share in _shares_of_caches(data).items()
    ]


def _shares_of_caches(data: TransformerDataArguments) -> dict[str, float]:
    assert data.token_cache is not None
    if data.video_token_cache:
        return {data.token_cache: data.path_share, data.video_token_cache: 1 - data.path_share}
    return {data.token_cache: 1.0}


def make_debug_ids(data: TransformerDataArguments, folder: Path, tokenizers: Tokenizers):
    """Ids of the first procedural rooms of the training split; a third of them as plain video. `data` then names them."""
    videos = data.debug_clips // 3 if data.stage == "finetune" else 0
    counts = {"paths": data.debug_clips - videos, "videos": videos}
    start = 0
    for name, count in counts.items():
        file = part_file(folder / name, name, 0)
        if count and not file.exists():
            size = tokenizers.visual.config.image_size
            clips = room_clips("train", count, start=start, size=size)
            rows = encode_clips([{**vars(clip), "has_path": name == "paths"} for clip in clips], tokenizers)
            origin = {"source": f"procedural rooms ({name})", "variant": "as rendered", "move": "", "licence": LICENCE}
            write_part(
                file,
                [{**row, **origin, "clip_index": start + index} for index, row in enumerate(rows)],
                tokenizers.fingerprint,
            )
        start += count
    data.token_cache, data.video_token_cache = str(folder / "paths"), str(folder / "videos") if videos else None


def write_pipeline(parts: Parts, trained: Path, output: Path, is_adapter: bool):
    """The trained transformer, an adapter merged into it, with its tokenizers as a pipeline folder."""
    transformer = trained
    if is_adapter:
        assert parts.transformer is not None
        adapted = load_lora(read_transformer(parts.transformer), trained, "default")
        adapted.merge_adapter()
        transformer = output.with_name(f".{output.name}.merged")
        without_lora(adapted).save_pretrained(transformer)
    assemble(parts.visual_tokenizer, parts.camera_tokenizer, transformer, output)
    if is_adapter:
        discard(transformer)
