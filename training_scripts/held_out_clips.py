"""Clips that training never sees, as frames and as ids: rooms of the validation split, or a folder of the user's own clips.

What always holds: every clip has a camera path, all are of the visual tokenizer's size, and their ids are made by the
code that makes the training ids (`tokenize_clips.encode_clips`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..camera_paths.camera_path import CameraPath
from ..dataset_builders.clip_folders import spread_clips
from ..dataset_builders.clip_length import FPS
from ..dataset_builders.clip_variants import relative_path
from ..dataset_builders.rooms.room_clips import room_clips
from ..pipelines.evaluation.eval_clips import resized
from .tokenize_clips import BATCH_CLIPS, Tokenizers, encode_clips

_IDS = ("image_ids", "video_ids", "camera_ids")


@dataclass(frozen=True)
class HeldOutClips:
    """Clips in one order."""

    frames: list[np.ndarray]  # [T, S, S, 3] uint8 each
    paths: list[CameraPath]
    moves: list[str]
    ids: dict[str, Tensor]  # image_ids [B, h*w], video_ids [B, (t-1)*h*w], camera_ids [B, L*n]

    def __len__(self) -> int:
        return len(self.frames)


def held_out_clips(tokenizers: Tokenizers, count: int, folder: str | Path | None = None) -> HeldOutClips:
    """At most `count` clips, the same each time: of `folder` (as `camvig data tokenize` reads it), or rooms without one.

    Raises:
        ValueError: fewer than two clips with a path, so that none could take another's.
    """
    size = tokenizers.visual.config.image_size
    clips = list(spread_clips(Path(folder), count)) if folder else _rooms(count, size)
    if len(clips) < 2:
        raise ValueError(
            f"expected at least 2 held-out clips with a camera path, so that one can take another's, got {len(clips)}"
            + (f" in {folder}" if folder else "")
        )
    return HeldOutClips(
        frames=[resized(np.asarray(clip["frames"]), (size, size)) for clip in clips],
        paths=[CameraPath(*relative_path(clip), fps=FPS, unit="scene_depth") for clip in clips],
        moves=[clip["move"] for clip in clips],
        ids=_encode(clips, tokenizers),
    )


def _rooms(count: int, size: int) -> list[dict]:
    return [{**vars(clip), "has_path": True} for clip in room_clips("validation", count, size=size)]


@torch.no_grad()
def _encode(clips: list[dict], tokenizers: Tokenizers) -> dict[str, Tensor]:
    rows = [
        row
        for start in range(0, len(clips), BATCH_CLIPS)
        for row in encode_clips(clips[start : start + BATCH_CLIPS], tokenizers)
    ]
    return {name: torch.tensor([row[name] for row in rows]) for name in _IDS}
