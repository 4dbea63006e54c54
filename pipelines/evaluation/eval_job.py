"""`camvig eval` from names to files: what it measures, and the JSON, the page and the sheet that it writes.

What always holds: names are checked before any work, each file appears whole or not at all, and the JSON says what was measured,
with which settings, versions and seed.
"""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...dataset_builders.clip_length import NUM_FRAMES
from ..json_values import without_nan
from ..output_files import check_output_files, write_json, write_output_files
from ..sampling_settings import SamplingSettings
from ..video_job import load_pipeline
from .best_of_gain import measured_gain
from .eval_clips import MOVING_OBJECTS, EvalClip, read_eval_clips
from .evaluate import Evaluation, evaluate, evaluate_pipeline
from .exported_inputs import export_inputs
from .published_protocol import holds_camera_files, measure_camera_files
from .report import write_report
from .report_pictures import write_sheet
from .video_source import VideoFolderSource

LIBRARIES = ("camvig", "torch", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class EvalSettings:
    """What the command line says."""

    data: str
    split: str | None = None
    clips: int = 64
    seed: int = 0
    frames: int | None = None  # None: all
    size: int = 64
    pose_clips: int = 8
    pose_trials: int = 2
    stride: int = 1
    best_of: int = 1
    bias: bool = True
    moving_objects: int = MOVING_OBJECTS  # of moving rooms
    guidance_scale: float | None = None  # of a checkpoint; None: what it says itself
    rigid_scene: bool | None = None  # likewise

    def read_clips(self, size: int, num_frames: int) -> tuple[list[EvalClip], str]:
        return read_eval_clips(self.data, self.split, self.clips, size, num_frames, self.moving_objects)


def measure_checkpoint(
    checkpoint: str, settings: EvalSettings, json_file: Path, page: Path | None, sheet: Path | None
) -> list[Path]:
    """Measure a checkpoint; gives the files written."""
    _check(json_file, page, sheet)
    pipeline = load_pipeline(checkpoint)
    size = pipeline.visual_tokenizer.config.image_size
    clips, split = settings.read_clips(size, pipeline.num_frames)
    sampling = SamplingSettings.of(pipeline, guidance_scale=settings.guidance_scale, rigid_scene=settings.rigid_scene)
    found = evaluate_pipeline(
        pipeline, clips, settings.seed, settings.pose_clips, settings.pose_trials, settings.bias, sampling=sampling
    )
    if settings.best_of > 1:
        found.figures["best_of"] = measured_gain(pipeline, clips, settings.best_of, settings.seed, sampling)
    return _write(found, {"checkpoint": checkpoint}, split, settings, json_file, page, sheet)


def measure_videos(
    videos: Path, settings: EvalSettings, json_file: Path, page: Path | None, sheet: Path | None
) -> list[Path]:
    """Measure another system's videos; gives the files written."""
    _check(json_file, page, sheet)
    if holds_camera_files(Path(settings.data)):
        if page or sheet:
            raise ValueError("expected no --report or --sheet with RealEstate10K files: there are poses alone to show")
        figures = measure_camera_files(
            videos, Path(settings.data), settings.clips, settings.stride, settings.pose_trials, settings.seed
        )
        origin = {"videos": str(videos), "data": settings.data, "versions": versions()}
        return write_output_files((json_file, partial(write_json, without_nan({**origin, **figures}))))
    source = VideoFolderSource(videos)
    clips, split = settings.read_clips(settings.size, settings.frames or NUM_FRAMES)
    found = evaluate(clips, source, settings.seed, settings.pose_clips, settings.pose_trials, settings.bias)
    return _write(found, {"videos": str(videos)}, split, settings, json_file, page, sheet)


def write_inputs(settings: EvalSettings, folder: Path) -> Path:
    """Write what another system is to be given; gives the folder's name."""
    frames = settings.frames or NUM_FRAMES
    clips, split = settings.read_clips(settings.size, frames)
    origin = {"data": settings.data, "split": split, "clips": len(clips), "frames": frames}
    return export_inputs(clips, folder, {**origin, "size": settings.size, "seed": settings.seed})


def _check(json_file: Path, page: Path | None, sheet: Path | None) -> None:
    check_output_files((json_file, ".json"), (page, ".html"), (sheet, ".png"))


def _write(
    found: Evaluation,
    origin: dict[str, str],
    split: str,
    settings: EvalSettings,
    json_file: Path,
    page: Path | None,
    sheet: Path | None,
) -> list[Path]:
    figures = {**origin, "data": settings.data, "split": split, **found.figures}
    figures = without_nan({**figures, "evaluation": asdict(settings), "versions": versions()})
    return write_output_files(
        (json_file, partial(write_json, figures)),
        (page, partial(write_report, found, figures)),
        (sheet, partial(write_sheet, found)),
    )


def versions() -> dict[str, Any]:
    """Of Python and of what the figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
