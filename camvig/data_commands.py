"""`camvig data`: look at a capture before it is used, and fit a scene to it.

A capture is a folder with transforms.json, a COLMAP model or a TUM RGB-D sequence. Only `fit-scene` needs torch.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from .modules import module

app = typer.Typer(help="Training sets out of your own captures and videos.", no_args_is_help=True)

CaptureFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder with transforms.json, a COLMAP model, or a TUM RGB-D sequence.")
]
CaptureUnit = Annotated[
    Literal["metre", "scene"] | None, typer.Option("--unit", help="The unit of its poses, where its files do not say.")
]
MedianDepth = Annotated[
    float | None, typer.Option("--median-depth", help="Median depth of the first view in that unit, where it is known.")
]


@app.command()
def check(
    folder: CaptureFolder,
    out: Annotated[Path | None, typer.Option(help="Also draw a contact sheet and the cameras to this .png.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the numbers to this .json.")] = None,
    unit: CaptureUnit = None,
    median_depth: MedianDepth = None,
) -> None:
    """Say whether a capture's poses fit its pictures, and which do not."""
    files = module("pipelines.output_files")
    files.check_output_files((out, ".png"), (json_file, ".json"))
    capture = module("dataset_builders.captures.capture").read_capture(folder, unit, median_depth)
    pairs = module("dataset_builders.captures.capture_matches").match_neighbours(capture)
    reports = module("dataset_builders.captures.capture_report")
    report = reports.capture_report(capture, pairs)
    typer.echo("\n".join(reports.report_lines(report)))
    files.write_output_files(
        (json_file, lambda file: files.write_json(asdict(report), file)),
        (out, lambda file: reports.draw_capture(capture, file, pairs)),
    )


@app.command("fit-scene")
def fit_scene(
    folder: CaptureFolder,
    out: Annotated[Path, typer.Option(help="The scene's folder, which must not be there yet.")],
    minutes: Annotated[float, typer.Option(min=0.05, help="Fit for at most so many minutes.")],
    json_file: Annotated[Path, typer.Option("--json", help="Where the report goes; its .png shows held-out views.")],
    size: Annotated[int, typer.Option(min=16, help="Shorter side in pixels to which pictures are shrunk.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed of the fit.")] = 0,
    licence: Annotated[str, typer.Option(help="Licence of the pictures; it goes with every clip.")] = "not stated",
    credit: Annotated[str, typer.Option(help="Whom the licence asks to name.")] = "",
    unit: CaptureUnit = None,
    median_depth: MedianDepth = None,
) -> None:
    """Fit a radiance field to a capture; every eighth view is held out and measured."""
    module("pipelines.output_files").check_output_file(json_file, ".json")
    capture = module("dataset_builders.captures.capture").read_capture(folder, unit, median_depth)
    for skipped in capture.skipped:
        typer.echo(f"camvig: note: skipped {skipped.name}: {skipped.reason}", err=True)
    figures = module("dataset_builders.scenes.fit_scene").fit_scene(
        capture, out, json_file, minutes, shorter_side=size, seed=seed, licence=licence, credit=credit
    )
    typer.echo(f"held-out views {figures['psnr']['held_out']:.2f} dB, fitted views {figures['psnr']['train']:.2f} dB")
    typer.echo(out)
