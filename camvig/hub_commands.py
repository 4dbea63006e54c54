"""`camvig push`: a checkpoint to the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .modules import module


def push(
    folder: Annotated[Path, typer.Argument(help="A pipeline folder, or the folder of a peft adapter.")],
    repo_id: Annotated[str, typer.Option(help="USER/NAME on the Hub; a missing repository is made.")],
    eval_file: Annotated[
        Path | None, typer.Option("--eval", help="What camvig eval --json wrote [default: eval.json of the folder].")
    ] = None,
    run: Annotated[
        list[Path] | None, typer.Option(help="Output folder of a training run, for the record; again for more.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="In the Hub's words, such as apache-2.0.")] = None,
    base_model: Annotated[
        str | None, typer.Option(help="Of an adapter: USER/NAME [default: what its configuration says].")
    ] = None,
    code: Annotated[
        bool, typer.Option("--code/--no-code", help="Also the files that load it where camvig is not installed.")
    ] = True,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository a private one.")] = False,
    revision: Annotated[str | None, typer.Option(help="A branch; made if it is missing [default: main].")] = None,
) -> None:
    """Push a checkpoint to the Hub, with a card written from its records."""
    module("pipelines.video_job").quiet_libraries()
    pushed = module("pipelines.push_checkpoint").push_checkpoint(
        folder,
        repo_id,
        eval_file=eval_file,
        runs=run or (),
        licence=licence,
        base_model=base_model,
        code=code,
        private=private or None,
        revision=revision,
    )
    typer.echo(pushed.commit_url)
