"""Trains `CamViGVisualTokenizer`: kind "plain" on any clips and pictures, kind "motion" on rendered rooms and panoramas.

    accelerate launch -m camvig.training_scripts.train_visual_tokenizer --config training_scripts/configs/visual_tokenizer_tiny.yaml

Rooms and panoramas are rendered into the cache folder first (what is there is kept). Run again after a kill, it goes on where it
was. A plain tokenizer is trained as a picture tokenizer first and inflated (`training.init_from`): docs/visual_tokenizers.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import broadcast

from ..camera_paths.plots import write_png
from ..dataset_builders.clip_cache import ClipCache, write_clip_cache
from ..dataset_builders.panorama_clips import panorama_clip
from ..dataset_builders.procedural_rooms import LICENCE
from ..dataset_builders.rooms.room_clips import room_clips
from ..modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from ..modeling_camvig.inflation import inflated
from ..modeling_camvig.motion_autoencoder import MotionAutoencoder
from ..modeling_camvig.plain_autoencoder import PlainAutoencoder
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .dead_digits import restart_dead_digits
from .stage_config import parse_stage
from .training_arguments import TrainingArguments
from .training_loop import Trainer, load_weights, main_process_first
from .visual_batches import Prefetched, plain_batch, training_batch
from .visual_discriminator import DiscriminatorArguments, build_adversary
from .visual_losses import PlainLosses, PlainLossWeights, motion_losses
from .visual_sources import ClipDataset, FrameSource, PictureFolder, RenderedClips, Sources
from .visual_validation import held_out_clips, sample_grid, validate_motion, validate_plain, validation_batch

MUON_PATTERN = r"(blocks|encoder|decoder)\.\d+\.(conv1|conv2|previous|qkv|project)\.weight|\.(down|up)\.weight"
"""Kernels between hidden layers of kind "motion"; what touches pixels, codes and flow stays with AdamW, and all of kind "plain"."""
PROBE_CLIPS = 8
"""Clips on which dead digits are looked for (at 17x128x128: 10,240 latents)."""

FIRST_MOVING_CLIP, MOVING_OBJECTS = 2**20, 2
"""Number in the training split of the first clip in which things move, so that its rooms are others; how many things."""


@dataclass
class VisualDataArguments:
    """What a visual tokenizer is trained on, and what its losses count."""

    cache_dir: str
    """Folder of the rendered clips (about 0.35 MB a clip at 64x64), and of clips once they are read."""
    room_clips: int = 8192
    """Clips of rooms of the training split."""
    moving_room_clips: int = 0
    """Clips of other rooms of it, in each of which two objects move by themselves (kind "motion")."""
    panorama_clips: int = 1024
    """Rotation and zoom clips of real panoramas."""
    clips: list[str] = field(default_factory=list)
    """Folders of clips that `camvig data` made, such as out/train of cut-videos (kind "plain")."""
    pictures: list[str] = field(default_factory=list)
    """Folders of pictures, for tokenizers of pictures (kind "plain" with num_frames 1)."""
    validation: list[str] = field(default_factory=list)
    """Folders of clips, or for num_frames 1 of pictures, to validate on instead of rooms (kind "plain")."""
    validation_clips: int = 64
    """Clips of the validation split, or of `validation`."""
    losses: PlainLossWeights = field(default_factory=PlainLossWeights)
    """Kind "plain": what its losses count."""
    discriminator: DiscriminatorArguments | None = None
    """Kind "plain": a discriminator, if there is to be one."""
    restart_every: int = 500
    """Kind "plain": steps between looking for dead digits; 0 for never."""
    extra_pictures: int = 1
    """Frames a clip, besides its first, that the picture autoencoder learns from (kind "motion")."""
    flow_weight: list[float] = field(default_factory=lambda: [16.0, 6.0])
    """What the flow's error counts at the first and at the last step (kind "motion")."""
    hidden_weight: float = 0.3
    """What the error of the pixels counts that frame 0 does not show (kind "motion")."""
    moving_weight: float = 1.0
    """What the motion of a pixel of a thing that moves by itself counts, beside 1 of one at rest (kind "motion")."""
    decoder_alone: bool = False
    """Kind "motion": train what codes of later latent frames are decoded with, and nothing else. Ids stay as they are, and with
    them cached ids and transformers that were trained on them."""
    num_processes: int = 2
    """Processes that render, and threads of each training process that read clips (kind "plain")."""


def training_room(index: int, size: int, moving_objects: int = 0):
    """Clip `index` of the training split, rendered by one thread: the processes share the cores."""
    return next(room_clips("train", 1, start=index, size=size, moving_objects=moving_objects, threads=1))


def moving_room(index: int, size: int):
    return training_room(FIRST_MOVING_CLIP + index, size, MOVING_OBJECTS)


def prepare_shards(data: VisualDataArguments, size: int) -> list[Path]:
    """Renders what is missing; the shards."""
    folder = Path(data.cache_dir)
    makers = {
        f"rooms-train-{size}": (training_room, data.room_clips),
        f"moving-rooms-train-{size}": (moving_room, data.moving_room_clips),
        f"panoramas-{size}": (panorama_clip, data.panorama_clips),
    }
    shards = []
    for name, (make, count) in makers.items():
        shards += write_clip_cache(folder / name, partial(make, size=size), count, data.num_processes)
    return shards


def prepare_sources(data: VisualDataArguments, config: CamViGVisualTokenizerConfig) -> Sources:
    """All that a plain tokenizer trains on."""
    if data.pictures and config.num_frames > 1:
        raise ValueError(f"expected data.pictures with num_frames 1 only, got {config.num_frames} frames")
    shards = prepare_shards(data, config.image_size)
    sources: list[FrameSource] = [RenderedClips(ClipCache(shards))] if shards else []
    return Sources(sources + open_folders(data, data.clips, data.pictures), config.num_frames)


def open_folders(data: VisualDataArguments, clips: list[str], pictures: list[str]) -> list[FrameSource]:
    cache = Path(data.cache_dir) / "datasets"
    return [*(ClipDataset(Path(folder), cache) for folder in clips), *(PictureFolder(Path(f)) for f in pictures)]


def data_record(data: VisualDataArguments, folders: Sequence[FrameSource]) -> list[dict]:
    """What a run trains on, for its training.json: rendered clips, and those of folders, with their licences."""
    rendered = {
        "procedural rooms": data.room_clips,
        "procedural rooms with moving objects": data.moving_room_clips,
        "panoramas": data.panorama_clips,
    }
    sources = [{"source": name, "rows": count, "licences": [LICENCE]} for name, count in rendered.items() if count]
    for one in folders:
        if isinstance(one, (ClipDataset, PictureFolder)):
            licences = one.licences if isinstance(one, ClipDataset) else []
            sources.append({"source": one.folder.resolve().name, "rows": len(one), "licences": licences})
    return [{"cache": "clips", "share": 1.0, "sources": sources}]


def held_out_batch(data: VisualDataArguments, config: CamViGVisualTokenizerConfig):
    """The clips of a plain tokenizer's validation."""
    if data.validation:
        is_clips = [any(Path(folder).glob("*.parquet")) or config.num_frames > 1 for folder in data.validation]
        folders = list(zip(data.validation, is_clips, strict=True))
        sources = open_folders(data, [f for f, clips in folders if clips], [f for f, clips in folders if not clips])
        return held_out_clips(Sources(sources, config.num_frames), data.validation_clips, config.image_size)
    batch = validation_batch("validation", data.validation_clips, config.image_size)
    return {"video": batch["video"][:, :, : config.num_frames]}


def initialize(model: CamViGVisualTokenizer, folder: Path):
    """Starts from a saved model of the same shape, inflates one of pictures, or takes all but the canvas (`init_from`)."""
    try:
        saved = CamViGVisualTokenizerConfig.from_pretrained(folder)
    except OSError as error:
        raise ValueError(f"expected a saved visual tokenizer in {folder} (init_from): {error}") from None
    if model.config.has_canvas and saved.kind == "motion" and not saved.has_canvas:
        return load_all_but_canvas(model, saved, folder)
    if saved.num_frames > 1 or model.config.num_frames == 1:
        return load_weights(model, folder)
    image = CamViGVisualTokenizer(saved)
    load_weights(image, folder)
    model.load_state_dict(inflated(image, model))


def load_all_but_canvas(model: CamViGVisualTokenizer, saved: CamViGVisualTokenizerConfig, folder: Path):
    """Weights of a motion tokenizer without a canvas; what blends and paints stays as it was initialised."""
    other = CamViGVisualTokenizer(saved)
    load_weights(other, folder)
    painting = re.compile(r"autoencoder\.decoder\.(canvas|content|blend1|blend2)\.")
    weights = {name: weight for name, weight in other.state_dict().items() if not painting.match(name)}
    model.load_state_dict(model.state_dict() | weights)


def freeze(model: CamViGVisualTokenizer, decoder_alone: bool):
    """Kind "motion": the depth network stays as it is (`train_picture_depth`), and if so asked for what ids are made with."""
    autoencoder = model.autoencoder
    assert isinstance(autoencoder, MotionAutoencoder)
    if decoder_alone:
        model.requires_grad_(False)
        autoencoder.decoder.requires_grad_(True)
    if autoencoder.depth is not None:
        autoencoder.depth.requires_grad_(False)


class PlainTending:
    """What a plain tokenizer's run does after steps and at validations: dead digits, numbers, sample grids."""

    def __init__(self, sources: Sources, batch, data: VisualDataArguments, arguments: TrainingArguments):
        self.sources, self.batch, self.data, self.arguments = sources, batch, data, arguments
        self.step = 0

    def after_step(self, model: CamViGVisualTokenizer, step: int):
        """Every `restart_every` steps of the first three quarters, so that what is restarted can still be learned."""
        self.step, every = step, self.data.restart_every
        if not every or step % every or step > 0.75 * self.arguments.steps:
            return
        seed = (self.arguments.seed, 1, step)
        probe = plain_batch(self.sources, model.config.image_size, PROBE_CLIPS, seed)["video"].to(model.device)
        autoencoder = model.autoencoder
        assert isinstance(autoencoder, PlainAutoencoder)
        restarted = restart_dead_digits(autoencoder, probe)
        if restarted and PartialState().num_processes > 1 and type(autoencoder) is PlainAutoencoder:
            for layer in (autoencoder.last_projection, autoencoder.first_projection):  # rounding may differ
                for weight in layer.parameters():
                    weight.data.copy_(broadcast(weight.data))  # pyright: ignore[reportArgumentType]

    def validate(self, model: CamViGVisualTokenizer) -> dict[str, float]:
        """The numbers of `validate_plain`; writes `samples/step-N.png`."""
        if PartialState().is_main_process:
            folder = Path(self.arguments.output_dir) / "samples"
            folder.mkdir(parents=True, exist_ok=True)
            write_png(sample_grid(model, self.batch["video"]), folder / f"step-{self.step:08d}.png")
        return validate_plain(model, self.batch) | {"unreadable_clips": float(len(self.sources.unreadable))}


def plain_trainer(
    config: CamViGVisualTokenizerConfig, data: VisualDataArguments, arguments: TrainingArguments
) -> Trainer:
    with main_process_first():  # the others find everything rendered and read
        sources, held_out = prepare_sources(data, config), held_out_batch(data, config)
    tending = PlainTending(sources, held_out, data, arguments)
    adversary = build_adversary(data.discriminator) if data.discriminator else None

    def batch_at(number: int):
        return plain_batch(sources, config.image_size, arguments.batch_size, (arguments.seed, 0, number))

    return Trainer(
        CamViGVisualTokenizer(config),
        MUON_PATTERN,
        Prefetched(batch_at, data.num_processes, PartialState().num_processes),
        PlainLosses(data.losses, adversary, data.discriminator),
        tending.validate,
        arguments,
        tending.after_step,
        adversary,
        data=data,
        sources=data_record(data, sources.sources),
        initialize=initialize,
    )


def motion_trainer(
    config: CamViGVisualTokenizerConfig, data: VisualDataArguments, arguments: TrainingArguments
) -> Trainer:
    with main_process_first():
        cache = ClipCache(prepare_shards(data, config.image_size))
    held_out = validation_batch("validation", data.validation_clips, config.image_size)

    def batch_at(number: int):
        return training_batch(cache, arguments.batch_size, (arguments.seed, number), data.extra_pictures)

    model = CamViGVisualTokenizer(config)
    freeze(model, data.decoder_alone)
    return Trainer(
        model,
        MUON_PATTERN,
        batch_at,
        partial(
            motion_losses,
            flow_weight=data.flow_weight,
            hidden_weight=data.hidden_weight,
            moving_weight=data.moving_weight,
        ),
        partial(validate_motion, batch=held_out),
        arguments,
        data=data,
        sources=data_record(data, ()),
        initialize=initialize,
    )


def check_decoder_alone(kind: str, init_from: str | None):
    """ValueError where there is no decoder to train alone, or nothing trained beside it."""
    if kind != "motion" or not init_from:
        raise ValueError(
            f"expected kind 'motion' and training.init_from with data.decoder_alone, got {kind!r} and {init_from}"
        )


def main():
    config, data, arguments = parse_stage(__doc__, CamViGVisualTokenizerConfig, VisualDataArguments)
    if data.decoder_alone:
        check_decoder_alone(config.kind, arguments.init_from)
    build = motion_trainer if config.kind == "motion" else plain_trainer
    build(config, data, arguments).train()


if __name__ == "__main__":
    main()
