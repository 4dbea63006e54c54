"""Several videos of one picture and path, of which the one that follows the path best is kept.

What always holds: the first candidate of a video is the video that the same generators give alone; candidates of a video do not
depend on the rest of the batch; N candidates are the first N of any larger number, where each video has its own generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ..camera_paths.camera_path import CameraPath
    from .clip_score import ClipScore

LARGEST_BATCH = 8
"""Draws are written so many at a time, or as many as the videos that were asked for, if these are more."""

Generators = torch.Generator | Sequence[torch.Generator] | None
Score = Callable[..., "ClipScore"]
IdsCallback = Callable[[int, int], None] | None


def check_best_of(best_of: int, temperature: float, camera_paths: Sequence[Any]) -> None:
    """Raise `ValueError` where there is nothing to choose among, or to choose by."""
    if best_of < 1 or best_of != int(best_of):
        raise ValueError(f"expected best_of to be a whole number of at least 1, got {best_of}")
    if best_of > 1 and temperature == 0:
        raise ValueError(f"expected a temperature above 0 with best_of {best_of}, got 0: all videos would be the same")
    if best_of > 1 and any(path is None for path in camera_paths):
        raise ValueError(f"expected a camera path for every video with best_of {best_of}, got None: nothing to follow")


def write_candidates(
    write: Callable[[Sequence[int], Generators, IdsCallback], Tensor],
    videos: int,
    draws: int,
    generator: Generators,
    callback: IdsCallback = None,
    largest_batch: int = LARGEST_BATCH,
) -> Tensor:
    """Ids `[draws, videos, t, h, w]`; `write(rows, generators, callback)` gives some: row r is draw r // videos of r % videos."""
    if draws == 1:
        return write(range(videos), generator, callback)[None]
    generators = derive_generators(generator, videos * (draws - 1))
    first = [generator] if videos == 1 and isinstance(generator, torch.Generator) else generator
    batches: list[tuple[range, Generators]] = []
    if isinstance(first, Sequence):
        generators = [*first, *generators]
    else:
        batches.append((range(videos), first))
    rows, size = range(draws * videos)[-len(generators) :], max(videos, largest_batch)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        batches.append((rows[part], generators[part]))
    written = [
        write(rows, generators, callback and partial(_on_id, callback, part, len(batches)))
        for part, (rows, generators) in enumerate(batches)
    ]
    return torch.cat(written).unflatten(0, (draws, videos))


def _on_id(callback: Callable[[int, int], None], part: int, parts: int, done: int, total: int) -> None:
    callback(part * total + done, parts * total)


def derive_generators(generator: Generators, count: int) -> list[torch.Generator]:
    """New generators on the CPU, seeded by given ones, which stay as they are (torch's global one, for None, moves on).

    In the order of candidates: from a list, one of each, then another of each.
    """
    if generator is None:
        sources = [torch.default_generator]
    else:
        given = [generator] if isinstance(generator, torch.Generator) else generator
        sources = [_copy(one) for one in given]
    seeds = [
        torch.randint(2**62, (), generator=source, device=source.device)
        for source in sources * -(-count // len(sources))
    ]
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds[:count]]


def _copy(generator: torch.Generator) -> torch.Generator:
    copy = torch.Generator(device=generator.device)
    copy.set_state(generator.get_state())
    return copy


def load_score(is_needed: bool) -> Score | None:
    """`clip_score.score_clip` if it is needed; ImportError where there is only the model, without camvig."""
    if not is_needed:
        return None
    from .clip_score import score_clip

    return score_clip


def keep_best(
    videos: Iterable[Tensor], path: CameraPath | None, score: Score | None
) -> tuple[Tensor, list[ClipScore], int]:
    """Candidates `[T, 3, H, W]` in [0, 1], one in memory at a time -> the best, all scores, the number of the best.

    Of equals the first. Without a path or a score, there are no scores and the first is taken.
    """
    best, best_number, scores = None, 0, []
    for number, video in enumerate(videos):
        if path is not None and score is not None:
            frames = (video * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
            scores.append(score(frames, path))
            if best is not None and scores[number].rank > scores[best_number].rank:
                best, best_number = video, number
        best = video if best is None else best
    if best is None:
        raise ValueError("expected at least one video, got none")
    return best, scores, best_number
