"""Trains the depth network of a motion tokenizer (`picture_depth`) on frames of rendered clips, and nothing else of it.

    accelerate launch -m camvig.training_scripts.train_picture_depth --config training_scripts/configs/picture_depth_tiny.yaml

What always holds: `training.init_from` is a visual tokenizer, with or without a depth network; the result is the same tokenizer,
whose ids and pictures are those of before, with one. Run again after a kill, it goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..dataset_builders.clip_cache import ClipCache, shards_in
from ..dataset_builders.procedural_rooms import LICENCE
from ..dataset_builders.rooms.room_clips import room_clips
from ..modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from ..modeling_camvig.motion_autoencoder import MotionAutoencoder
from ..modeling_camvig.visual_tokenizer import CamViGVisualTokenizer
from .stage_config import parse_stage
from .train_visual_tokenizer import MUON_PATTERN
from .training_loop import Trainer, load_weights
from .visual_batches import change_colours, log_inverse_depth, video_tensor

POOL = 2
"""Pixels a side of one value of the depth network."""
NEAREST_COUNTED = 6.0
"""Inverse depth, in medians: errors of what is nearer count no more."""


@dataclass
class PictureDepthDataArguments:
    """What a depth network is trained on."""

    clips: list[str]
    """Folders of lossless clips with depth, as `camvig data render-rooms` writes them."""
    validation_clips: int = 256
    """First frames of the validation split's rooms."""


def depth_batch(cache: ClipCache, size: int, seed: tuple[int, ...]) -> dict[str, Tensor]:
    """`size` random frames of random clips, half of them mirrored, in other colours: see `picture_batch`."""
    rng = np.random.default_rng(seed)
    frames, depths = [], []
    for index in rng.integers(len(cache), size=size):
        clip = cache[int(index)]
        number, step = rng.integers(len(clip["frames"])), rng.choice([-1, 1])
        frames.append(change_colours(clip["frames"][number][None, :, ::step], rng)[0])
        depths.append(clip["depth"][number][:, ::step])
    return picture_batch(np.stack(frames), np.stack(depths))


def picture_batch(frames: np.ndarray, depths: np.ndarray) -> dict[str, Tensor]:
    """`[B, S, S, 3]`, `[B, S, S]` -> pictures `video [B, 3, 1, S, S]` and their `depth [B, 1, S/2, S/2]`, log inverse."""
    depth = log_inverse_depth(depths.astype(np.float32), POOL)
    return {"video": video_tensor(frames[:, None]), "depth": torch.from_numpy(depth)[:, None]}


def depth_losses(model, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
    """Errors of log inverse depth and of its edges, absolute, and of inverse depth, by which things move, squared."""
    found, true = model(batch["video"])["log_inverse_depth"], batch["depth"]
    error = found - true
    losses = {
        "log": error.abs().mean(),
        "edges": error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean(),
        "inverse": (_counted(found) - _counted(true)).square().mean(),
    }
    return {"loss": losses["log"] + 0.5 * losses["edges"] + 0.5 * losses["inverse"], **losses}


def _counted(log_inverse_depth: Tensor) -> Tensor:
    return log_inverse_depth.exp().clamp(max=NEAREST_COUNTED)


@torch.no_grad()
def validate_depth(model: CamViGVisualTokenizer, batch: dict[str, Tensor]) -> dict[str, float]:
    """Mean errors: of the log (of the network, of what the ids tell, of a constant), and root mean square of inverse depth."""
    autoencoder = cast(MotionAutoencoder, model.autoencoder)
    assert autoencoder.depth is not None
    found, of_ids = [], []
    for video in batch["video"].to(model.device).split(64):
        found.append(autoencoder.depth(video[:, :, 0]))
        codes = autoencoder.quantizer.ids_to_codes(model.encode(video)[:, 0])
        of_ids.append(
            torch.nn.functional.interpolate(autoencoder.picture.decode(codes)[1], found[-1].shape[-2:], mode="bilinear")
        )
    network, ids, true = torch.cat(found).cpu(), torch.cat(of_ids).cpu(), batch["depth"]
    return {
        "depth_l1": float((network - true).abs().mean()),
        "depth_l1_of_ids": float((ids - true).abs().mean()),
        "depth_l1_constant": float((true - true.median()).abs().mean()),
        "inverse_rmse": float((_counted(network) - _counted(true)).square().mean().sqrt()),
        "inverse_rmse_of_ids": float((_counted(ids) - _counted(true)).square().mean().sqrt()),
    }


def initialize(model: CamViGVisualTokenizer, folder: Path):
    """Takes a saved tokenizer's weights (`init_from`); a new depth network begins as its picture encoder does."""
    saved = CamViGVisualTokenizerConfig.from_pretrained(folder)
    if saved.has_depth_network:
        return load_weights(model, folder)
    other = CamViGVisualTokenizer(saved)
    load_weights(other, folder)
    weights = model.state_dict() | other.state_dict()
    picture, depth = "autoencoder.picture.", "autoencoder.depth."
    shared = {name for name in weights if name.startswith(depth) and name.replace(depth, picture) in other.state_dict()}
    trunk = {name for name in shared if not name.startswith(f"{depth}up.")}
    model.load_state_dict(weights | {name: weights[name.replace(depth, picture)] for name in trunk})


def main():
    config, data, arguments = parse_stage(__doc__, CamViGVisualTokenizerConfig, PictureDepthDataArguments)
    if not config.has_depth_network or not arguments.init_from:
        raise SystemExit("expected model.has_depth_network and training.init_from, the tokenizer that it is for")
    shards = [shard for folder in data.clips for shard in shards_in(Path(folder))]
    cache = ClipCache(shards)
    rooms = list(room_clips("validation", data.validation_clips, size=config.image_size))
    held_out = picture_batch(np.stack([r.frames[0] for r in rooms]), np.stack([r.depth[0] for r in rooms]))
    model = CamViGVisualTokenizer(config).requires_grad_(False)
    cast(MotionAutoencoder, model.autoencoder).depth.requires_grad_(True)  # pyright: ignore[reportOptionalMemberAccess]
    source = {"source": "procedural rooms", "rows": len(cache), "licences": [LICENCE]}
    Trainer(
        model,
        MUON_PATTERN,
        lambda number: depth_batch(cache, arguments.batch_size, (arguments.seed, number)),
        depth_losses,
        partial(validate_depth, batch=held_out),
        arguments,
        data=data,
        sources=[{"cache": "clips", "share": 1.0, "sources": [source]}],
        initialize=initialize,
    ).train()


if __name__ == "__main__":
    main()
