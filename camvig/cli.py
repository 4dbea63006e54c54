"""The `camvig` command: `generate`, `demo`, `convert-tokenizer`, `report`, `eval` and `eval-long` (`eval_commands`),
`push` (`hub_commands`), `path` (`path_commands`), `data` (`data_commands`, `clip_commands`), `study` (`study_commands`) and
`reproduce` (`reproduce_commands`).

What always holds: whatever a user gets wrong is one line on stderr, "camvig: error: ...", with exit status 1, or 2 for
a command line that cannot be read; a warning is one line too. Torch and its friends are imported inside the commands
that need them, so `camvig --help` stays quick.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from . import __version__, clip_commands, eval_commands, hub_commands, path_commands, reproduce_commands, study_commands
from .modules import module

app = typer.Typer(
    name="camvig",
    help="One image and a 3-D camera path become a video that follows the path.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(path_commands.app, name="path")
app.add_typer(clip_commands.app, name="data")
app.add_typer(study_commands.app, name="study")
app.command()(hub_commands.push)
app.command("eval")(eval_commands.evaluate)
app.command()(reproduce_commands.reproduce)
app.command("eval-long")(eval_commands.evaluate_long)

Checkpoint = Annotated[str, typer.Option(help="A checkpoint folder, a Hub repository, or the embedded camvig-tiny.")]
Seed = Annotated[int, typer.Option(help="Seed of the sampling.")]
GuidanceScale = Annotated[
    float | None,
    typer.Option(
        help="Guidance on the camera path: 1 is none, more follows it more strictly [default: the checkpoint's]."
    ),
]
Temperature = Annotated[float | None, typer.Option(help="Temperature of the sampling; 0 takes the likeliest token.")]
TopK = Annotated[int | None, typer.Option(help="Sample among so many likeliest tokens; 0 means all.")]
TopP = Annotated[
    float | None, typer.Option(help="Sample among the likeliest tokens that have this probability together.")
]
MeanOf = Annotated[
    int | None,
    typer.Option(
        help="Draw so many videos and show the mean of their codes [default: the checkpoint's; 6 of camvig-tiny]."
    ),
]
RigidScene = Annotated[
    bool | None,
    typer.Option(
        help="Decode as a scene at rest: nearer to the path, nothing moves by itself [default: the checkpoint's]."
    ),
]
OutputSize = Annotated[
    int | None, typer.Option(help="Shorter side of the video in pixels [default: the picture's, at most 512].")
]
BestOf = Annotated[
    int | None,
    typer.Option(
        help="Sample so many videos and keep the one that follows the path best [default: the checkpoint's, mostly 1]."
    ),
]


@app.callback(invoke_without_command=True)
def front_door(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"camvig {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
    if version:
        raise typer.Exit()


@app.command()
def generate(
    image: Annotated[Path, typer.Option(help="The picture that the video starts with.")],
    camera_path: Annotated[
        str,
        typer.Option(help='What the camera does, such as "dolly in 30%, pan right 10deg"; or a camera path file.'),
    ],
    output: Annotated[Path, typer.Option(help="A name that ends in .mp4, .gif, or .png for a contact sheet.")],
    resample_by: path_commands.ResampleBy = None,
    chain: Annotated[
        bool, typer.Option("--chain", help="A path of any length: stretch after stretch, from the last frame on.")
    ] = False,
    frames: Annotated[
        int | None, typer.Option(min=2, help="With --chain and film grammar: how many frames it lasts.")
    ] = None,
    seed: Seed = 0,
    guidance_scale: GuidanceScale = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    mean_of: MeanOf = None,
    rigid_scene: RigidScene = None,
    output_size: OutputSize = None,
    best_of: BestOf = None,
    recover_poses: Annotated[
        bool,
        typer.Option(
            "--recover-poses", help="Also recover the camera from the frames (takes a while; needs camvig[formats])."
        ),
    ] = False,
    checkpoint: Checkpoint = "camvig-tiny",
) -> None:
    """Make one video, with a .json that says how, and how well it follows the path."""
    job = module("pipelines.video_job")
    settings = job.VideoSettings(
        guidance_scale=guidance_scale,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        mean_of=mean_of,
        rigid_scene=rigid_scene,
        output_size=output_size,
        best_of=best_of,
    )
    files = job.generate_to_files(
        image,
        camera_path,
        output,
        seed,
        checkpoint,
        settings,
        resample_by,
        recover_poses=recover_poses,
        chain=chain,
        frames=frames,
    )
    for file in files:
        typer.echo(file)


@app.command()
def demo(
    output_dir: Annotated[Path, typer.Option(help="Folder for the videos; made if it is missing.")] = Path(
        "demo_output"
    ),
    seed: Seed = 0,
    guidance_scale: GuidanceScale = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    mean_of: MeanOf = None,
    rigid_scene: RigidScene = None,
    output_size: OutputSize = None,
    checkpoint: Checkpoint = "camvig-tiny",
) -> None:
    """Make videos of the pictures that ship with camvig."""
    settings = module("pipelines.video_job").VideoSettings(
        guidance_scale=guidance_scale,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        mean_of=mean_of,
        rigid_scene=rigid_scene,
        output_size=output_size,
    )
    module("pipelines.demo").run_demo(output_dir, checkpoint, seed, settings, say=typer.echo)


@app.command("convert-tokenizer")
def convert_tokenizer(
    checkpoint: Annotated[
        Path, typer.Argument(help="The downloaded checkpoint: .ckpt, .pt, .pth, .bin, .safetensors.")
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the tokenizer, new or empty.")],
    source: Annotated[Literal["open-magvit2", "vidtok"], typer.Option("--from", help="Whose checkpoint it is.")],
    config: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON: fields of the tokenizer's configuration that are not as published."),
    ] = None,
    weights: Annotated[
        Literal["ema", "raw"] | None,
        typer.Option(help="Which copy of the weights [default: ema of open-magvit2, raw of vidtok]."),
    ] = None,
) -> None:
    """Open weights of other projects become a visual tokenizer."""
    typer.echo(
        module("pipelines.convert_tokenizer").convert_tokenizer_file(checkpoint, output, source, config, weights)
    )
    typer.echo(output)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training run (training.output_dir).")],
    output: Annotated[Path | None, typer.Option(help="Name of the page [default: report.html in the folder].")] = None,
) -> None:
    """Make the summary page of a training run, finished or not: one HTML file."""
    if output is not None:
        module("pipelines.output_files").check_output_file(output, ".html")
        output.parent.mkdir(parents=True, exist_ok=True)
    typer.echo(module("training_scripts.run_page").write_run_page(run, output))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", module=r"camvig(\.|$)")
        warnings.showwarning = _show_warning
        try:
            return (
                app(args=None if arguments is None else list(arguments), prog_name="camvig", standalone_mode=False) or 0
            )
        except typer.TyperException as error:  # the command line itself
            return _complain(error.format_message(), 2)
        except typer.Abort:
            return _complain("stopped", 130)
        except (ValueError, OSError) as error:
            return _complain(str(error) or type(error).__name__, 1)


def _complain(message: str, status: int) -> int:
    typer.echo(f"camvig: error: {_one_line(message)}", err=True)
    return status


def _show_warning(message: Warning | str, *where: object, **more: object) -> None:
    typer.echo(f"camvig: warning: {_one_line(str(message))}", err=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
