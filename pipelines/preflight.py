"""Before generating: what the model will hear of a camera path, what leaves its training range, and what the run will cost.

The path goes through the checkpoint's camera tokenizer and back, exactly as in a run; the seconds are measured on the first
ids of a real run and extrapolated.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass

import torch

from ..camera_paths.camera_path import CameraPath
from .camera_path_input import outside_training, prepare_camera_path
from .camera_round_trip import RoundTrip, round_trip
from .pipeline_camvig import CamViGPipeline
from .sampling_settings import SamplingSettings

TIMED_IDS = 16


@dataclass(frozen=True)
class Cost:
    """What one video costs."""

    video_ids: int
    passes_per_id: int  # 2 with guidance, times the draws of a mean
    parameters: int  # of the whole pipeline
    seconds: float  # for the ids, on this machine


@dataclass(frozen=True)
class Preflight:
    sentence: str
    round_trip: RoundTrip
    outside: list[str]  # what leaves the training range, a phrase each
    cost: Cost


def preflight(path: CameraPath, pipeline: CamViGPipeline) -> Preflight:
    """Check a path of the pipeline's number of frames. `ValueError` as the pipeline itself raises it."""
    prepared = prepare_camera_path(path, pipeline.num_frames, path.aspect, 1.0)
    return Preflight(
        sentence=path.describe(),
        round_trip=round_trip(prepared, pipeline.encode_path(prepared), pipeline.camera_tokenizer),
        outside=outside_training(prepared, pipeline.transformer.config),  # type: ignore[arg-type]
        cost=run_cost(prepared, pipeline),
    )


class _Enough(Exception):
    """Stops a generation that was only to be timed."""


def run_cost(prepared: CameraPath, pipeline: CamViGPipeline) -> Cost:
    """Ids, passes, parameters, and the seconds of one video's ids, extrapolated from the first of them."""
    total = pipeline.transformer.config.num_video_tokens
    timed = min(TIMED_IDS, total)
    times: list[float] = []

    def stop_early(done: int, of: int) -> None:
        times.append(time.perf_counter())
        if done >= timed:
            raise _Enough

    sampling = SamplingSettings.of(pipeline)
    size = pipeline.visual_tokenizer.config.image_size
    prompts = pipeline.encode_prompts([torch.zeros(1, 3, size, size)], [prepared], sampling)
    pipeline.set_progress_bar_config(disable=True)
    started = time.perf_counter()
    with contextlib.suppress(_Enough):
        generator = torch.Generator().manual_seed(0)  # one for all draws, so that they are one batch
        pipeline.generate_candidates(prompts, 1, generator, sampling, stop_early)
    first, last = times[0], times[-1]
    per_id = (last - first) / (len(times) - 1) if len(times) > 1 else first - started
    return Cost(
        video_ids=total,
        passes_per_id=sampling.mean_of * (1 if sampling.guidance_scale == 1 else 2),
        parameters=sum(p.numel() for part in pipeline.components.values() for p in part.parameters()),
        seconds=(first - started) + per_id * (total - 1),
    )


def report_fields(report: Preflight) -> dict:
    """A preflight as plain numbers, texts and lists, for JSON."""
    trip = {name: value for name, value in vars(report.round_trip).items() if name != "path"}
    return {
        "path": report.sentence,
        "heard": {"path": report.round_trip.path.describe(), **trip},
        "outside_training": report.outside,
        "cost": asdict(report.cost),
    }


def report_lines(report: Preflight) -> list[str]:
    """A preflight as lines of plain text."""
    trip, cost = report.round_trip, report.cost
    share = "" if trip.translation_error_percent is None else f" ({trip.translation_error_percent:.1f}% of the largest)"
    inside = "all of it is inside what the model was trained on"
    return [
        f"the path      {report.sentence}",
        f"as heard      {trip.path.describe()}",
        f"heard with    {trip.rotation_error_degrees:.2f}° mean error, {trip.largest_rotation_error_degrees:.2f}° at most; "
        f"{trip.translation_error:.4f} scene depths{share}; focal length {trip.focal_error_percent:.1f}%",
        f"training      {'; '.join(report.outside) or inside}",
        f"cost          {cost.video_ids} ids, {cost.passes_per_id} passes each, {cost.parameters / 1e6:.1f} M parameters, "
        f"about {cost.seconds:.1f} s on this machine",
    ]
