"""Trains `CamViGForConditionalGeneration` on cached ids: an image and a camera path in, the rest of the video out.

    accelerate launch -m camvig.training_scripts.train_transformer --config training_scripts/configs/transformer_tiny.yaml

Rows of plain video train with the missing-camera token, and so does a share of the others (the paper mixes 30% plain
video; the share of the others is our choice). Run again after a kill, it goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from ..dataset_builders.token_cache import TokenCache
from ..modeling_camvig.configuration_camvig import CamViGConfig
from ..modeling_camvig.modeling_camvig import CamViGForConditionalGeneration
from .stage_config import parse_stage
from .tokenize_clips import Tokenizers
from .training_loop import Trainer
from .transformer_validation import validate_transformer, validation_clips

MUON_PATTERN = r"\.layers\.\d+\..*proj\.weight"
"""The matrices of the decoder's layers; embeddings, heads and norms stay with AdamW."""


@dataclass
class TransformerDataArguments:
    """What the transformer is trained on."""

    token_cache: str
    """Folder of cached ids."""
    visual_tokenizer: str
    """Folder of the visual tokenizer that made them (for validation)."""
    camera_tokenizer: str
    """Folder of the camera tokenizer that made them; its code vectors initialise the camera features."""
    missing_camera_share: float = 0.12
    """Share of the rows that train with the missing-camera token."""
    validation_clips: int = 64
    """Clips of rooms of the validation split for the losses."""
    attention: str = "sdpa"
    """Attention implementation; "camvig_matmul" is meant for CPUs in bfloat16."""
    generated_clips: int = 24
    """How many of them are also generated and scored by flow MSE."""


def token_batch(cache: TokenCache, indices: np.ndarray, missing_share: float, rng: np.random.Generator):
    """Rows -> tensors of a training step; rows without a path train with the missing-camera token, and a share of the others."""
    rows = cache.rows(indices)
    is_missing = ~rows.pop("has_path") | (rng.random(len(indices)) < missing_share)
    batch = {name: torch.from_numpy(ids.astype(np.int64)) for name, ids in rows.items()}
    return batch | {"camera_is_missing": torch.from_numpy(is_missing)}


def rows_at(step: int, rows: int, batch_size: int, seed: int) -> np.ndarray:
    """Indices of a step: every row once an epoch, in an order that seed and epoch fix."""
    positions = range(step * batch_size, (step + 1) * batch_size)
    epochs = {position // rows for position in positions}
    orders = {epoch: np.random.default_rng((seed, epoch)).permutation(rows) for epoch in epochs}
    return np.array([orders[position // rows][position % rows] for position in positions])


def token_losses(model, batch: dict[str, torch.Tensor], progress: float) -> dict[str, torch.Tensor]:
    return {"loss": model(**batch, return_logits=False).loss}


def main():
    config, data, arguments = parse_stage(__doc__, CamViGConfig, TransformerDataArguments)
    tokenizers = Tokenizers.load(data.visual_tokenizer, data.camera_tokenizer)
    visual, camera = tokenizers.visual, tokenizers.camera
    cache = TokenCache(data.token_cache, tokenizers.fingerprint)
    model = CamViGForConditionalGeneration(config)
    model.set_attn_implementation(data.attention)
    if config.camera_feature_size:
        model.set_camera_features(camera.code_vectors())
    clips = validation_clips(visual, camera, data.validation_clips)

    def batch_at(number: int):
        rng = np.random.default_rng((arguments.seed, 1, number))
        rows = rows_at(number, len(cache), arguments.batch_size, arguments.seed)
        return token_batch(cache, rows, data.missing_camera_share, rng)

    validate = partial(validate_transformer, clips=clips, visual=visual, generated=data.generated_clips)
    Trainer(model, MUON_PATTERN, batch_at, token_losses, validate, arguments).train()


if __name__ == "__main__":
    main()
