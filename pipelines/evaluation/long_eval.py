"""`camvig eval-long` from names to files: how a checkpoint's chained videos decay over several stretches of 17 frames.

What always holds: names are checked before any work, each file appears whole or not at all, and the same command gives the same
figures, but for the seconds. Clips are procedural rooms along curves and figures of eight (`long_room_paths`), a room each.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...dataset_builders.clip_length import NUM_FRAMES
from ..json_values import without_nan
from ..output_files import check_output_files, write_json, write_output_files
from ..pipeline_camvig import CamViGPipeline
from ..sampling_settings import SamplingSettings
from ..video_job import load_pipeline
from .eval_job import versions
from .evaluate import Clock
from .long_clips import LongEvalClip, long_room_eval_clips
from .long_pictures import write_decay_plot, write_long_sheet
from .long_scores import by_move, comparisons, long_scores, loop_closure, summarise
from .long_videos import ChainedVideos, cut_frames, long_videos


@dataclass(frozen=True)
class LongEvalSettings:
    """What the command line says."""

    stretches: int = 4
    clips: int = 16
    split: str = "test"
    seed: int = 0


@dataclass(frozen=True)
class LongEvaluation:
    """All that was measured."""

    figures: dict[str, Any]  # what the JSON says; NaN is not yet None
    clips: list[LongEvalClip]
    videos: dict[str, ChainedVideos]  # by kind


def evaluate_long(pipeline: CamViGPipeline, clips: list[LongEvalClip], seed: int = 0) -> LongEvaluation:
    """Measure chained videos on at least 2 clips of the same number of stretches, with every control (`long_videos`)."""
    if len(clips) < 2:
        raise ValueError(f"expected at least 2 clips, so that one can take another's path, got {len(clips)}")
    if pipeline.num_frames != NUM_FRAMES:
        raise ValueError(f"expected a checkpoint of {NUM_FRAMES} frames, got one of {pipeline.num_frames}")
    pipeline.set_progress_bar_config(disable=True)
    clock = Clock()
    videos = long_videos(pipeline, clips, seed)
    clock.lap("videos")
    scores = {kind: long_scores(found, clips) for kind, found in videos.items()}
    truth = long_scores([cut_frames(clip.frames) for clip in clips], clips)
    clock.lap("scores")
    depths = np.array([clip.median_depths for clip in clips])
    figures = {
        **summarise(scores, truth, seed),
        "comparisons": comparisons(scores, seed),
        "loop_closure": loop_closure(videos, clips),
        "flow_mse_by_move": by_move(scores, clips, seed),
        "depth_change": np.exp(np.abs(np.log(depths / depths[:, :1])).mean(axis=0)).tolist(),
        "clips": len(clips),
        "stretches": len(clips[0].stretches),
        "frames": len(clips[0].frames),
        "frame_size": clips[0].frames.shape[1],
        "seed": seed,
        "per_clip": [
            {
                "name": clip.name,
                "move": clip.move,
                "median_depths": clip.median_depths,
                "flow_mse": {kind: found.mse[index].tolist() for kind, found in scores.items()},
            }
            for index, clip in enumerate(clips)
        ],
        "settings": asdict(SamplingSettings.of(pipeline)),
        "seconds": clock.seconds,
    }
    return LongEvaluation(figures, clips, videos)


def measure_long(
    checkpoint: str, settings: LongEvalSettings, json_file: Path, plot: Path | None, sheet: Path | None
) -> list[Path]:
    """Measure a checkpoint; gives the files written."""
    check_output_files((json_file, ".json"), (plot, ".png"), (sheet, ".png"))
    pipeline = load_pipeline(checkpoint)
    size = pipeline.visual_tokenizer.config.image_size
    clips = long_room_eval_clips(settings.split, settings.clips, settings.stretches, size)
    found = evaluate_long(pipeline, clips, settings.seed)
    figures = {"checkpoint": checkpoint, "split": settings.split, **found.figures}
    figures |= {"evaluation": asdict(settings), "versions": versions()}
    return write_output_files(
        (json_file, partial(write_json, without_nan(figures))),
        (plot, partial(write_decay_plot, figures)),
        (sheet, partial(write_long_sheet, found.videos, clips)),
    )
