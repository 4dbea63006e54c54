"""Ids that the transformer is given: of the right shape, in range, and filled in where a camera is missing; or a `ValueError`."""

from __future__ import annotations

import torch
from torch import Tensor

from .configuration_camvig import CamViGConfig


def check_visual_ids(name: str, ids: Tensor, num_tokens: int, config: CamViGConfig) -> Tensor:
    """Flattened to `[B, num_tokens]` and checked."""
    if ids.ndim < 2 or ids[:1].numel() != num_tokens:
        raise ValueError(f"expected {name} [B, {num_tokens}], got {list(ids.shape)}")
    _check_range(name, ids, config.visual_vocab_size)
    return ids.flatten(1)


def check_camera_ids(
    camera_ids: Tensor | None, camera_is_missing: Tensor | None, image_ids: Tensor, config: CamViGConfig
) -> tuple[Tensor, Tensor]:
    """Filled in and checked: ids `[B, L*n]` (the first of its level where there are none) and bool `[B]`."""
    batch_size, device = len(image_ids), image_ids.device
    num_tokens, codebook_size = config.num_camera_tokens, config.camera_codebook_size
    if camera_is_missing is None:
        camera_is_missing = torch.full([batch_size], camera_ids is None, device=device)
    if camera_is_missing.shape != (batch_size,) or camera_is_missing.dtype != torch.bool:
        got = f"{camera_is_missing.dtype} {list(camera_is_missing.shape)}"
        raise ValueError(f"expected camera_is_missing of type bool [{batch_size}], got {got}")
    first_of_level = torch.arange(num_tokens, device=device) // config.camera_frames * codebook_size
    if camera_ids is None and not bool(camera_is_missing.all()):
        raise ValueError("expected camera_ids for the samples whose camera is not missing, got None")
    given = first_of_level.expand(batch_size, -1) if camera_ids is None else camera_ids
    if given.shape != (batch_size, num_tokens):
        raise ValueError(f"expected camera_ids {[batch_size, num_tokens]}, got {list(given.shape)}")
    filled = torch.where(camera_is_missing[:, None], first_of_level, given)
    _check_range(f"camera_ids, less {codebook_size} a level,", filled - first_of_level, codebook_size)
    return filled, camera_is_missing


def _check_range(name: str, ids: Tensor, stop: int) -> None:
    if ids.is_floating_point():
        raise ValueError(f"expected {name} of an integer type, got {ids.dtype}")
    if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < stop):
        raise ValueError(f"expected {name} in 0..{stop - 1}, got {int(ids.min())}..{int(ids.max())}")
