"""Batches for the visual tokenizer: for kind "motion" clips from the cache, augmented, with exact flow and visibility; for
kind "plain" frames of any source.

Augmentation keeps geometry true: mirrored and reversed clips (`clip_variants`) are clips like any other, whose flow is
computed afterwards, and a colour change is the same for all frames of a clip. Frames alone are cropped and mirrored.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import torch

from ..dataset_builders.clip_cache import ClipCache
from ..dataset_builders.clip_variants import random_variant
from ..dataset_builders.exact_flow import flow_to_first_frame
from .bad_batches import CLIP_NAMES
from .visual_sources import Sources

SMALLEST_CROP = 0.7
"""Share of the picture's shorter side that a random crop of the plain kind has at least."""

DEPTH_POOL = 4
"""Pixels a side of one value of the picture autoencoder's depth head."""


def clip_arrays(clip: dict) -> dict[str, Any]:
    """A clip -> frames `[T, H, W, 3]`, flow `[T-1, 2, H, W]`, visibility, in_front and moving `[T-1, 1, H, W]`,
    log_inverse_depth `[T, H/4, W/4]` relative to each frame's median, depth_is_known `[]`."""
    depth = np.asarray(clip["depth"], np.float32)
    flow, visibility, in_front = flow_to_first_frame(clip)
    moving = clip["object_ids"][1:] > 0 if "object_ids" in clip else np.zeros_like(in_front)
    return {
        "frames": np.asarray(clip["frames"]),
        "flow": flow,
        "visibility": visibility[:, None].astype(np.float32),
        "in_front": in_front[:, None].astype(np.float32),
        "moving": moving[:, None].astype(np.float32),
        "log_inverse_depth": log_inverse_depth(depth),
        "depth_is_known": np.float32(clip["depth_is_known"]),
    }


def log_inverse_depth(depth: np.ndarray, pool: int = DEPTH_POOL) -> np.ndarray:
    """depth `[T, H, W]` -> log(median / depth), averaged over squares of pixels: `[T, H/pool, W/pool]`."""
    relative = np.median(depth, axis=(1, 2), keepdims=True) / depth
    log = np.log(relative.clip(1 / 12, 12))
    frames, height, width = log.shape
    return log.reshape(frames, height // pool, pool, width // pool, pool).mean((2, 4))


def change_colours(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permutes the colour channels and changes brightness and contrast a little, alike for all frames of a clip."""
    permuted = frames[..., rng.permutation(3)].astype(np.float32)
    gain, offset = rng.uniform(0.8, 1.2), rng.uniform(-20, 20)
    return (permuted * gain + offset).clip(0, 255)


def collate(clips: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Clips of one length -> a batch; frames become `video [B, 3, T, H, W]` in [-1, 1]."""
    batch = {name: torch.from_numpy(np.stack([clip[name] for clip in clips])) for name in clips[0]}
    batch["video"] = batch.pop("frames").permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    return batch


def training_batch(cache: ClipCache, size: int, seed: tuple[int, ...], extra_pictures: int) -> dict[str, torch.Tensor]:
    """`size` random clips, and as `pictures` their first frames and `extra_pictures` random others of each."""
    rng = np.random.default_rng(seed)
    clips = []
    for index in rng.integers(len(cache), size=size):
        clip = random_variant(cache[int(index)], rng)
        arrays = clip_arrays(clip)
        clips.append({**arrays, "frames": change_colours(arrays["frames"], rng)})
    batch = collate(clips)
    return add_pictures(batch, [0, *rng.integers(1, batch["video"].shape[2], extra_pictures).tolist()])


def add_pictures(batch: dict[str, torch.Tensor], frames: list[int]) -> dict[str, torch.Tensor]:
    """Adds `pictures [P, 3, H, W]` and their `picture_depth [P, 1, h, w]`: the given frames of every clip."""
    batch["pictures"] = torch.cat([batch["video"][:, :, frame] for frame in frames])
    batch["picture_depth"] = torch.cat([batch["log_inverse_depth"][:, frame] for frame in frames])[:, None]
    batch["picture_depth_is_known"] = batch["depth_is_known"].repeat(len(frames))
    return batch


def plain_batch(sources: Sources, size: int, batch_size: int, seed: tuple[int, ...]) -> dict[str, Any]:
    """`batch_size` random pieces of clips: `video [B, 3, T, size, size]` in [-1, 1] and `clip_names`.

    Each is `num_frames` frames from a random one on, a random square of them, mirrored half the time.
    """
    rng = np.random.default_rng(seed)
    names, videos = [], []
    for index in rng.integers(len(sources), size=batch_size):
        name, frames = sources.clip(int(index))
        start = rng.integers(len(frames) - sources.num_frames + 1)
        frames = square(frames[start : start + sources.num_frames], size, rng)
        videos.append(frames[:, :, ::-1] if rng.random() < 0.5 else frames)
        names.append(name)
    return {"video": video_tensor(np.stack(videos)), CLIP_NAMES: names}


def square(frames: np.ndarray, size: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """A square of frames `[T, H, W, 3]`, the same of all: random, or without `rng` the whole middle -> `[T, size, size, 3]`."""
    height, width = frames.shape[1:3]
    side = min(height, width)
    if rng is not None:
        side = max(min(side, size), round(side * rng.uniform(SMALLEST_CROP, 1)))
    top, left = (
        (height - side) // 2 if rng is None else rng.integers(height - side + 1),
        (width - side) // 2 if rng is None else rng.integers(width - side + 1),
    )
    cropped = frames[:, top : top + side, left : left + side]
    if side == size:
        return cropped
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.stack([cv2.resize(np.ascontiguousarray(frame), (size, size), interpolation=how) for frame in cropped])


def video_tensor(frames: np.ndarray) -> torch.Tensor:
    """`[B, T, H, W, 3]` uint8 -> `[B, 3, T, H, W]` in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


class Prefetched:
    """A pure function of a batch's number, whose next batches are made by threads while one is used."""

    def __init__(self, batch_at: Callable[[int], dict[str, Any]], threads: int, stride: int):
        """`stride`: from one number that is asked for to the next, the number of processes."""
        self.batch_at, self.ahead, self.stride = batch_at, threads, stride
        self.pool = ThreadPoolExecutor(threads)
        self.waiting: dict[int, Future] = {}

    def __call__(self, number: int) -> dict[str, Any]:
        wanted = range(number, number + (self.ahead + 1) * self.stride, self.stride)
        for other in [other for other in self.waiting if other not in wanted]:
            self.waiting.pop(other).cancel()
        for coming in wanted:
            if coming not in self.waiting:
                self.waiting[coming] = self.pool.submit(self.batch_at, coming)
        return self.waiting.pop(number).result()
