"""Trains `CamViGVisualTokenizer`, either kind, on rendered rooms and panorama clips.

    accelerate launch -m camvig.training_scripts.train_visual_tokenizer --config training_scripts/configs/visual_tokenizer_tiny.yaml

Clips are rendered into the cache folder first (what is there is kept). Run again after a kill, it goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from accelerate import PartialState

from ..dataset_builders.clip_cache import ClipCache, write_clip_cache
from ..dataset_builders.panorama_clips import panorama_clip
from ..dataset_builders.rooms.room_clips import room_clips
from ..modeling_camvig.configuration_camvig import CamViGVisualTokenizerConfig
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .stage_config import parse_stage
from .training_loop import Trainer
from .visual_batches import training_batch
from .visual_losses import motion_losses, plain_losses
from .visual_validation import validate_motion, validate_plain, validation_batch

MUON_PATTERN = r"(blocks|encoder|decoder)\.\d+\.(conv1|conv2|previous|qkv|project)\.weight|\.(down|up)\.weight"
"""Kernels between hidden layers; what touches pixels, codes and flow stays with AdamW."""


@dataclass
class VisualDataArguments:
    """What a visual tokenizer is trained on."""

    cache_dir: str
    """Folder of the rendered clips (about 0.35 MB a clip at 64x64)."""
    room_clips: int = 8192
    """Clips of rooms of the training split, in multiples of 128."""
    panorama_clips: int = 1024
    """Rotation and zoom clips of real panoramas, in multiples of 128."""
    validation_clips: int = 64
    """Clips of rooms of the validation split."""
    extra_pictures: int = 1
    """Frames a clip, besides its first, that the picture autoencoder learns from."""
    flow_weight: list[float] = field(default_factory=lambda: [16.0, 6.0])
    """What the flow's error counts at the first and at the last step (kind "motion")."""
    hidden_weight: float = 0.3
    """What the error of the pixels counts that frame 0 does not show (kind "motion")."""
    num_processes: int = 2
    """Processes that render."""


def training_room(index: int, size: int):
    """Clip `index` of the training split, rendered by one thread: the processes share the cores."""
    return next(room_clips("train", 1, start=index, size=size, threads=1))


def prepare_cache(data: VisualDataArguments, size: int) -> ClipCache:
    """Renders what is missing and opens the cache."""
    folder = Path(data.cache_dir)
    rooms, panoramas = folder / f"rooms-train-{size}", folder / f"panoramas-{size}"
    shards = write_clip_cache(rooms, partial(training_room, size=size), data.room_clips, data.num_processes)
    shards += write_clip_cache(panoramas, partial(panorama_clip, size=size), data.panorama_clips, data.num_processes)
    return ClipCache(shards)


def main():
    config, data, arguments = parse_stage(__doc__, CamViGVisualTokenizerConfig, VisualDataArguments)
    with PartialState().main_process_first():  # the others find everything rendered
        cache = prepare_cache(data, config.image_size)
    held_out = validation_batch("validation", data.validation_clips, config.image_size)
    motion = partial(motion_losses, flow_weight=data.flow_weight, hidden_weight=data.hidden_weight)

    def batch_at(number: int):
        return training_batch(cache, arguments.batch_size, (arguments.seed, number), data.extra_pictures)

    Trainer(
        CamViGVisualTokenizer(config),
        MUON_PATTERN,
        batch_at,
        motion if config.kind == "motion" else plain_losses,
        partial(validate_motion if config.kind == "motion" else validate_plain, batch=held_out),
        arguments,
    ).train()


if __name__ == "__main__":
    main()
