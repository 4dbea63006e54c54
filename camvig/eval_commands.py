"""`camvig eval`: a checkpoint, or another system's videos, measured on clips with every control; `eval-long`: long videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .modules import module

DEFAULT_CHECKPOINT = "camvig-tiny"
DEFAULT_SIZE = 64


def evaluate(
    checkpoint_argument: Annotated[
        str | None, typer.Argument(metavar="[CHECKPOINT]", help="As --checkpoint.", show_default=False)
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write one self-contained .html page.")] = None,
    data: Annotated[
        str,
        typer.Option(
            help="What to measure on: rooms, moving-rooms, panoramas (real places, turns and zooms), a folder of clips "
            "(camvig data render-clips, render-rooms, cut-videos), or with --videos a folder of RealEstate10K camera files."
        ),
    ] = "rooms",
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(
            help="No scene is in two splits [default: test; the only one of a folder; all of a folder without]."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="How many clips.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of sampling, pose recovery and intervals.")] = 0,
    videos: Annotated[
        Path | None, typer.Option(help="A folder of another system's videos, named by clip, instead of a checkpoint.")
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option("--export-inputs", help="Only write the pictures and paths that another system is to be given."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(help="With --videos and --export-inputs: the first frames of each clip [default: 17].")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=16, help="With --videos and --export-inputs: pixels a side [default: 64].")
    ] = None,
    pose_clips: Annotated[
        int, typer.Option(min=0, help="How many clips to recover poses of; 0 = none. Seconds a clip.")
    ] = 8,
    pose_trials: Annotated[int, typer.Option(min=1, help="Trials of each recovery.")] = 2,
    stride: Annotated[
        int, typer.Option(min=1, help="With RealEstate10K files: frame i of a video has their pose i * stride.")
    ] = 1,
    best_of: Annotated[
        int, typer.Option(min=1, help="Also sample N videos a clip, of 16 clips, and say what the best of them gains.")
    ] = 1,
    moving_objects: Annotated[
        int | None,
        typer.Option(min=1, max=3, help="With moving-rooms: things that move by themselves in a clip [default: 2]."),
    ] = None,
    guidance_scale: Annotated[
        float | None,
        typer.Option(
            min=0, help="Of a checkpoint: how strictly it follows the path; 1 is plain sampling [default: its own]."
        ),
    ] = None,
    rigid_scene: Annotated[
        bool | None,
        typer.Option(help="Of a checkpoint: decode as a scene at rest [default: its own]."),
    ] = None,
    bias: Annotated[
        bool, typer.Option(help="Compare left with right and up with down: about half of the time.")
    ] = True,
    contact_sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", "--sheet", help="Also write a .png with some clips to look at.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="A checkpoint folder, a Hub repository, or the embedded camvig-tiny.", show_default=DEFAULT_CHECKPOINT
        ),
    ] = None,
) -> None:
    """Measure a checkpoint, or a folder of videos, with all controls: flow MSE, poses, bias, PSNR, SSIM, seconds."""
    given = [name for name in (checkpoint_argument, checkpoint) if name is not None]
    if len(given) == 2 or (given and (videos or inputs)):
        raise ValueError("expected one thing to measure: a checkpoint, --videos, or --export-inputs")
    if json_file is None and inputs is None:
        raise typer.BadParameter("expected --json, where the figures go")
    _check_options(not (videos or inputs), best_of, frames, size, guidance_scale, rigid_scene, data, moving_objects)
    job = module("pipelines.evaluation.eval_job")
    settings = job.EvalSettings(
        data=data,
        split=split,
        clips=clips,
        seed=seed,
        frames=frames,
        size=size or DEFAULT_SIZE,
        pose_clips=pose_clips,
        pose_trials=pose_trials,
        stride=stride,
        best_of=best_of,
        bias=bias,
        guidance_scale=guidance_scale,
        rigid_scene=rigid_scene,
        **({} if moving_objects is None else {"moving_objects": moving_objects}),
    )
    if inputs is not None:
        written = [job.write_inputs(settings, inputs)]
    elif videos is not None:
        written = job.measure_videos(videos, settings, json_file, report, contact_sheet)
    else:
        checkpoint = given[0] if given else DEFAULT_CHECKPOINT
        written = job.measure_checkpoint(checkpoint, settings, json_file, report, contact_sheet)
    for file in written:
        typer.echo(file)


def _check_options(
    is_checkpoint: bool,
    best_of: int,
    frames: int | None,
    size: int | None,
    guidance_scale: float | None,
    rigid_scene: bool | None,
    data: str,
    moving_objects: int | None,
) -> None:
    """Raise `ValueError` for options of `camvig eval` that do not go with what is measured, or with its clips."""
    if not is_checkpoint and best_of > 1:
        raise ValueError("expected --best-of with a checkpoint only: other systems' videos cannot be sampled again")
    if is_checkpoint and (frames or size):
        raise ValueError("expected --frames and --size with --videos or --export-inputs only: a checkpoint has its own")
    if not is_checkpoint and not (guidance_scale is None and rigid_scene is None):
        raise ValueError(
            "expected --guidance-scale and --rigid-scene with a checkpoint only: other systems' videos are there already"
        )
    if data != "moving-rooms" and moving_objects is not None:
        raise ValueError(f"expected --moving-objects with --data moving-rooms only, got {data}")


def evaluate_long(
    json_file: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    checkpoint: Annotated[
        str, typer.Argument(help="A checkpoint folder, a Hub repository, or the embedded camvig-tiny.")
    ] = DEFAULT_CHECKPOINT,
    stretches: Annotated[
        int, typer.Option(min=1, help="How many stretches of 17 frames, each from the last frame of the one before.")
    ] = 4,
    clips: Annotated[int, typer.Option(min=2, help="How many rooms, one clip each.")] = 16,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="No room is in two splits.")] = "test",
    seed: Annotated[int, typer.Option(help="Seed of sampling and intervals.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Also draw the decay over the frames, a .png.")] = None,
    contact_sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", "--sheet", help="Also write a .png with some clips to look at.")
    ] = None,
) -> None:
    """Measure how long videos decay, made by chaining along curves and figures of eight in rooms, with all controls."""
    job = module("pipelines.evaluation.long_eval")
    settings = job.LongEvalSettings(stretches=stretches, clips=clips, split=split, seed=seed)
    for file in job.measure_long(checkpoint, settings, json_file, plot, contact_sheet):
        typer.echo(file)
