"""`camvig reproduce`: the paper's experiments and open questions, one command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .modules import module


def reproduce(
    name: Annotated[str | None, typer.Argument(help="The experiment; --list says which there are.")] = None,
    work_dir: Annotated[
        Path | None,
        typer.Option(help="Where clips, models and results stay [default: runs/reproduce, or runs/reproduce-SCALE]."),
    ] = None,
    docs: Annotated[Path | None, typer.Option(help="Where the page and its plot go [default: docs/reproduce].")] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="full; third, of the steps; or debug, minutes and no result. Pages of the last two go into the work folder."
        ),
    ] = "full",
    checkpoint: Annotated[str, typer.Option(help="The checkpoint of experiments that train none.")] = "camvig-tiny",
    captures: Annotated[
        Path | None, typer.Option(help="For generalisation: clips of camvig data render-clips.")
    ] = None,
    posed: Annotated[
        Path | None, typer.Option(help="For generalisation: clips of camvig data cut-videos --posed.")
    ] = None,
    only_print: Annotated[
        bool, typer.Option("--only-print", help="Print the commands, what is done, and the hours left; run nothing.")
    ] = False,
    list_names: Annotated[bool, typer.Option("--list", help="Print all experiments, and stop.")] = False,
) -> None:
    """Run an experiment from data to page; started again after a stop, it goes on."""
    registry = module("training_scripts.reproduce.registry")
    if list_names:
        typer.echo(registry.list_experiments())
        return
    if name is None:
        raise typer.BadParameter("expected the name of an experiment, or --list")
    experiment, amount = registry.find_experiment(name), registry.find_scale(scale)
    choices = module("training_scripts.reproduce.experiments").Choices(checkpoint, captures, posed)
    work = work_dir or Path(amount.work_dir)
    if only_print:
        typer.echo(registry.plan(experiment, amount, work, choices))
        return
    for file in registry.reproduce(experiment, amount, work, docs, choices, say=typer.echo):
        typer.echo(file)
