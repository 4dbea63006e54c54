"""`camvig study`: questions that the paper leaves open, measured."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .modules import module

app = typer.Typer(help="Studies: camera-tokenizers.", no_args_is_help=True)


@app.callback()
def front_door() -> None:
    """Keeps `camera-tokenizers` a command of its own while it is the only one."""


@app.command("camera-tokenizers")
def camera_tokenizers(
    paths: Annotated[
        Path | None,
        typer.Option(help="A .npz of real paths: c2w [N, 17 or more, 4, 4] (OpenGL, metres), source [N], fps [N]."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go.")] = None,
    plot: Annotated[Path | None, typer.Option(help="A .png of error against bits.")] = None,
    paper_codec: Annotated[
        str, typer.Option("--codec-4x106", help="Folder of a trained camera tokenizer of the paper's geometry.")
    ] = "camera-codec-4x106",
    compact_codec: Annotated[
        str, typer.Option("--codec-compact", help="Folder of a trained codec of any geometry.")
    ] = "camera-codec-compact",
) -> None:
    """Audio codecs, uniform bins, GenDoP's tokens and cosines with byte-pair encoding on the same held-out paths."""
    files, table = module("pipelines.output_files"), module("pipelines.camera_tokenizer_table")
    files.check_output_files((json_file, ".json"), (plot, ".png"))
    module("pipelines.video_job").quiet_libraries()
    measure = module("pipelines.camera_tokenizer_study")
    study = measure.study_camera_tokenizers(paths, paper_codec, compact_codec)
    typer.echo(table.study_table(study))
    figures = module("pipelines.json_values").without_nan(study)
    written = files.write_output_files(
        (json_file, partial(files.write_json, figures)), (plot, partial(table.plot_study, study))
    )
    for file in written:
        typer.echo(file)
