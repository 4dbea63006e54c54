"""One video from files to files: what `camvig generate` and `camvig demo` do.

What always holds: names are checked before any work, and each file appears whole or not at all. The JSON beside a video
says how it was made: checkpoint, picture, path, seed, settings, seconds, tokens a second; and how well it follows the path
(`clip_score`), with all candidates where the best of several was kept.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from ..camera_paths.camera_path import CameraPath
from ..camera_paths.formats import read_path_file
from ..camera_paths.path_argument import names_a_file
from .camera_path_input import prepare_camera_path
from .clip_score import score_poses
from .contact_sheet import contact_sheet
from .output_files import check_folder, write_json
from .picture_files import load_picture
from .pipeline_camvig import CamViGPipeline
from .pipeline_output import CamViGPipelineOutput
from .sampling_settings import SamplingSettings
from .video_files import write_gif, write_mp4, write_png

SUFFIXES = (".mp4", ".gif", ".png")


@dataclass(frozen=True)
class VideoSettings:
    """How a video is to be made; what is None the checkpoint says."""

    guidance_scale: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    mean_of: int | None = None
    rigid_scene: bool | None = None
    output_size: int | None = None  # the shorter side; None: the picture's, at most 512
    best_of: int | None = None

    def settled(self, pipeline: CamViGPipeline, best_of: int) -> dict[str, float | None]:
        """What a video was made with, which had `best_of` candidates."""
        given = {field.name: getattr(self, field.name) for field in fields(SamplingSettings)}
        sampling = SamplingSettings.of(pipeline, **given)
        return {**asdict(sampling), "output_size": self.output_size, "best_of": best_of}


@dataclass(frozen=True)
class MadeVideo:
    """A generated video, and how it was made."""

    frames: list[Image.Image]
    path: CameraPath
    record: dict  # what the JSON sidecar says

    @property
    def sheet(self) -> Image.Image:
        """The video as a contact sheet."""
        caption = f"{self.record['camera_path']}  |  {self.record['image']}, seed {self.record['seed']}"
        return contact_sheet(self.frames, self.path, caption)


def load_pipeline(checkpoint: str) -> CamViGPipeline:
    """Load a checkpoint without a word from the libraries."""
    quiet_libraries()
    return CamViGPipeline.from_pretrained(checkpoint)


def quiet_libraries() -> None:
    """No progress bars and no warnings from diffusers and transformers: what matters is an error of ours."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def generate_to_files(
    image: Path,
    camera_path: str,
    output: Path,
    seed: int,
    checkpoint: str,
    settings: VideoSettings,
    resample_by: Literal["time", "arc-length"] | None = None,
    recover_poses: bool = False,
    chain: bool = False,
    frames: int | None = None,
) -> list[Path]:
    """Make a video and write it as the suffix of `output` says, with its JSON beside it; returns both names.

    Args:
        image: a picture file.
        camera_path: film grammar, or the name of a camera path file of any known format.
        output: .mp4, .gif, or .png for a contact sheet. Missing folders are made.
        seed: of the generator.
        checkpoint: what `CamViGPipeline.from_pretrained` takes.
        settings: of sampling.
        resample_by: how a path of another number of frames than the model's becomes one of that many.
        recover_poses: also recover the camera from the frames, and write how far it is from the path.
        chain: a path of any length becomes a video of as many frames, stretch after stretch.
        frames: with `chain`: how many frames film grammar is to last.

    Raises:
        ValueError, OSError: one line.
    """
    sidecar = check_output(output, (image, Path(camera_path)))
    picture = load_picture(image)
    path = load_path_file(camera_path) if names_a_file(camera_path) else camera_path
    path = _checked_length(path, chain, frames, resample_by)
    pipeline = load_pipeline(checkpoint)
    if resample_by is not None and isinstance(path, CameraPath):
        path = path.resample(pipeline.num_frames, by=resample_by)
    origin = {"checkpoint": checkpoint, "image": str(image), "camera_path": camera_path}
    if chain and isinstance(path, CameraPath):
        video = make_long_video(pipeline, picture, path, seed, settings, origin)
    else:
        video = make_video(pipeline, picture, path, seed, settings, origin)
    if recover_poses:
        video.record["score"]["poses"] = pose_fields(video, seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_video(video, output)
    write_json(video.record, sidecar)
    return [output, sidecar]


def _checked_length(
    path: str | CameraPath, chain: bool, frames: int | None, resample_by: str | None
) -> str | CameraPath:
    """The path; film grammar of `frames` frames where that is asked for. `ValueError` for options that do not go together."""
    if chain and resample_by is not None:
        raise ValueError("expected --chain, which keeps every pose of a path, or --resample-by, not both")
    if frames is not None and not (chain and isinstance(path, str)):
        raise ValueError("expected --frames only with --chain and film grammar: a path file says how many it has")
    if chain and isinstance(path, str):
        if frames is None:
            raise ValueError("expected --frames with --chain and film grammar, which says no length: --frames 65")
        return CameraPath.from_text(path, num_frames=frames)
    return path


def make_video(
    pipeline: CamViGPipeline,
    picture: Image.Image,
    path: str | CameraPath,
    seed: int,
    settings: VideoSettings,
    origin: dict[str, str],
) -> MadeVideo:
    """Run the pipeline once, on the clock. `origin` names the checkpoint, image and camera_path for the record."""
    generator = torch.Generator().manual_seed(seed)
    path = CameraPath.from_text(path, num_frames=pipeline.num_frames) if isinstance(path, str) else path
    started = time.perf_counter()
    output = pipeline(picture, path, generator=generator, return_score=True, **asdict(settings))
    seconds = time.perf_counter() - started
    assert output.scores and output.scores[0] and output.candidate_scores and output.chosen  # there is a path
    scores = output.candidate_scores[0]
    frames, record = _recorded(pipeline, output, path, seed, settings, origin, seconds, len(scores))
    record["score"] = output.scores[0].fields()
    if len(scores) > 1:
        record["chosen"], record["candidates"] = output.chosen[0], [score.fields() for score in scores]
    return MadeVideo(frames, path, record)


def make_long_video(
    pipeline: CamViGPipeline,
    picture: Image.Image,
    path: CameraPath,
    seed: int,
    settings: VideoSettings,
    origin: dict[str, str],
) -> MadeVideo:
    """As `make_video`, of a path of any length (`CamViGPipeline.generate_long`); scores are a list, one a stretch."""
    generator = torch.Generator().manual_seed(seed)
    started = time.perf_counter()
    output = pipeline.generate_long(picture, path, generator=generator, return_score=True, **asdict(settings))
    seconds = time.perf_counter() - started
    assert output.scores and output.candidate_scores and output.chosen
    scores = [score for score in output.scores if score is not None]
    best_of = len(output.candidate_scores[0])
    frames, record = _recorded(pipeline, output, path, seed, settings, origin, seconds, best_of, len(scores))
    known = [score.score for score in scores if not math.isnan(score.score)]
    mean = round(sum(known) / len(known), 4) if known else None
    record["stretches"] = len(scores)
    record["score"] = {"score": mean, "stretches": [score.fields() for score in scores]}
    if best_of > 1:
        record["chosen"] = output.chosen
        record["candidates"] = [[score.fields() for score in stretch] for stretch in output.candidate_scores]
    return MadeVideo(frames, path, record)


def _recorded(
    pipeline: CamViGPipeline,
    output: CamViGPipelineOutput,
    path: CameraPath,
    seed: int,
    settings: VideoSettings,
    origin: dict[str, str],
    seconds: float,
    best_of: int,
    stretches: int = 1,
) -> tuple[list[Image.Image], dict]:
    """The frames, and how they were made, of so many candidates a stretch."""
    frames = output.frames[0]
    tokens = best_of * stretches * pipeline.transformer.config.num_video_tokens
    return frames, {
        **origin,
        "camera_path_in_words": path.describe(),
        "seed": seed,
        "settings": settings.settled(pipeline, best_of),
        "frames": len(frames),
        "width": frames[0].width,
        "height": frames[0].height,
        "fps": path.fps,
        "seconds": round(seconds, 3),
        "tokens_per_second": round(tokens / output.generation_seconds, 1),
    }


def pose_fields(video: MadeVideo, seed: int) -> dict:
    """The camera recovered from a video's frames against its path, for JSON; a failure is a warning as well."""
    frames = np.stack([np.asarray(frame) for frame in video.frames])
    height, width = frames.shape[1:3]
    poses = score_poses(frames, prepare_camera_path(video.path, len(frames), width, height), seed)
    if not poses.success:
        warnings.warn(f"the camera could not be recovered from the video: {poses.problem}", stacklevel=2)
    return poses.fields()


def write_video(video: MadeVideo, output: Path) -> None:
    """Write the video as the suffix says."""
    if output.suffix.lower() == ".mp4":
        write_mp4(video.frames, output, video.path.fps)
    elif output.suffix.lower() == ".gif":
        write_gif(video.frames, output, video.path.fps)
    else:
        write_png(video.sheet, output)


def check_output(output: Path, inputs: tuple[Path, ...] = ()) -> Path:
    """Raise `ValueError` unless `output` and its JSON can be written and are no inputs; returns the JSON's name."""
    if output.suffix.lower() not in SUFFIXES:
        raise ValueError(f"expected an output name that ends in {', '.join(SUFFIXES)}, got {output}")
    sidecar = output.with_suffix(".json")
    for file in (output, sidecar):
        if file.is_dir():
            raise ValueError(f"expected a file name as output, got {file}: a folder")
        if any(given.exists() and file.exists() and given.samefile(file) for given in inputs):
            raise ValueError(f"expected an output that overwrites no input, got {file}")
    check_folder(output.parent)
    return sidecar


def load_path_file(file: str) -> CameraPath:
    """A camera path from a file that says all of itself; what is assumed about it is a warning each.

    Raises:
        ValueError: one line; where the file leaves something open, it says that `camvig path convert` settles it.
    """
    try:
        path, notes = read_path_file(file)
    except ValueError as error:
        hint = f"; settle it with camvig path convert {file} path.json --..." if " --" in str(error) else ""
        raise ValueError(f"{error}{hint}") from error
    for note in notes:
        warnings.warn(f"{file}: {note}", stacklevel=2)
    return path
