"""`camvig path`: say what a camera path does, draw it, convert it, and check it against a checkpoint before generating.

A path is a file of any known format or film grammar. What a file does not say (unit, axes, pose direction) is an option;
without it the command stops with the candidates. Only `check` needs torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .modules import module

if TYPE_CHECKING:
    from camvig import CameraPath

app = typer.Typer(help="Camera paths: info, plot, convert, check.", no_args_is_help=True)

PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="A camera path file or folder, or film grammar.")]
ResampleBy = Annotated[
    Literal["time", "arc-length"] | None,
    typer.Option(help="Resample a path of another length than the model's: at equal steps of time or of distance."),
]

FILE_OPTIONS = {
    "from_format": Annotated[str | None, typer.Option("--from", help="The file's format, where it is not recognised.")],
    "axes": Annotated[
        Literal["opencv", "opengl", "unreal"] | None, typer.Option(help="The camera's axes, for files that do not say.")
    ],
    "pose": Annotated[
        Literal["camera-to-world", "world-to-camera"] | None,
        typer.Option(help="What the matrices do, for files that do not say."),
    ],
    "unit": Annotated[
        Literal["scene_depth", "metre", "scene"] | None,
        typer.Option(help="The unit of the file's translations, for files that do not say."),
    ],
    "median_depth": Annotated[
        float | None, typer.Option(help="Median depth of the first frame in that unit; needed for --unit scene.")
    ],
    "fps": Annotated[float | None, typer.Option(help="Frames a second, for files that do not say.")],
    "picture_size": Annotated[
        str | None, typer.Option(metavar="WxH", help="Size of the pictures, where a lens is in pixels.")
    ],
    "camera": Annotated[str | None, typer.Option(help="Which camera, where a file has several.")],
}


@dataclass(frozen=True)
class Said:
    """What the user's options say about a file; see `FILE_OPTIONS`."""

    from_format: str | None
    options: dict  # of `PathOptions`


def with_file_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `FILE_OPTIONS` to a command, which gets them together as its argument `said`."""
    own = [value for name, value in signature(command, eval_str=True).parameters.items() if name != "said"]
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in FILE_OPTIONS.items()
    ]

    @wraps(command)
    def run(**arguments: object) -> None:
        facts: dict = {name: arguments.pop(name) for name in FILE_OPTIONS}
        from_format = facts.pop("from_format")
        command(**arguments, said=Said(from_format, facts | {"picture_size": _picture_size(facts["picture_size"])}))

    run.__signature__ = Signature(own + added)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in own + added}
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def _load(path: str, said: Said) -> CameraPath:
    """A path from a file or from film grammar; what had to be assumed about a file is a line on stderr each."""
    options = module("camera_paths.formats").PathOptions(**said.options)
    read = module("camera_paths.path_argument").path_from_argument(path, said.from_format, options)
    for note in read.notes:
        typer.echo(f"camvig: note: {note}", err=True)
    return read.path


def _picture_size(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ValueError(f"expected --picture-size as WIDTHxHEIGHT, such as 1280x720, got {text!r}")
    return float(width), float(height)


@app.command()
@with_file_options
def info(
    path: PathArgument,
    said: Said,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Say what a path does: one sentence, totals per axis, the largest step, jitter, the lens."""
    description = module("camera_paths.description")
    report = description.path_report(_load(path, said))
    typer.echo(
        json.dumps(asdict(report), indent=2, ensure_ascii=False)
        if as_json
        else "\n".join(description.report_lines(report))
    )


@app.command()
@with_file_options
def plot(
    path: PathArgument,
    said: Said,
    output: Annotated[Path, typer.Argument(help=".png: from above and from the side; .gif: animated, in 3-D.")],
    image: Annotated[
        Path | None, typer.Option(help="Draw on this picture instead how its points move (.png only).")
    ] = None,
    depth: Annotated[
        float | None,
        typer.Option(help="How far away these points are, in the path's unit [default: the median depth]."),
    ] = None,
) -> None:
    """Draw a path."""
    suffix = output.suffix.lower()
    if suffix not in (".png", ".gif") or (image is not None and suffix != ".png"):
        expected = ".png for a drawing on a picture" if image is not None else ".png or .gif"
        raise ValueError(f"expected an output name that ends in {expected}, got {output}")
    if depth is not None and image is None:
        raise ValueError("expected --depth only with --image: it is how far away the picture's points are")
    _draw(_load(path, said), output, image, depth)
    typer.echo(output)


def _draw(path, output: Path, image: Path | None, depth: float | None) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    if image is not None:
        picture = module("pipelines.picture_files").load_picture(image)
        module("camera_paths.overlay_plot").plot_overlay(path, picture, output, depth)
    elif output.suffix.lower() == ".gif":
        module("camera_paths.animated_plot").plot_animation(path, output)
    else:
        path.plot(output)


@app.command()
@with_file_options
def convert(
    path: PathArgument,
    said: Said,
    output: Annotated[Path, typer.Argument(help="The file, or folder for colmap, to write.")],
    to: Annotated[
        str | None, typer.Option(help="The format to write [default: as the name ends; .json is camvig's own].")
    ] = None,
    to_unit: Annotated[
        Literal["scene_depth", "metre", "scene"] | None, typer.Option(help="Convert the translations to this unit.")
    ] = None,
    to_median_depth: Annotated[
        float | None,
        typer.Option(help="Median depth of the first frame in that unit, where the path does not know it."),
    ] = None,
    resample: Annotated[
        int | None, typer.Option(min=1, help="Frames to resample to; none are dropped otherwise.")
    ] = None,
    by: Annotated[
        Literal["time", "arc-length"], typer.Option(help="Resample at equal steps of time or of distance travelled.")
    ] = "time",
) -> None:
    """Write a path in another format; what that format cannot hold is said."""
    formats = module("camera_paths.formats")
    to = formats.format_named(to or formats.format_for(output)).name
    loaded = _load(path, said)
    if to_unit is not None:
        loaded = loaded.to_unit(to_unit, to_median_depth)
    if resample is not None:
        loaded = loaded.resample(resample, by=by)
    if os.path.exists(output) and os.path.exists(path) and os.path.samefile(path, output):
        raise ValueError(f"expected an output beside the input, got the same file for both: {output}")
    output.parent.mkdir(parents=True, exist_ok=True)
    lost = formats.write_path_file(loaded, output, to, formats.PathOptions(**said.options))
    for what in lost:
        typer.echo(f"camvig: note: {to} cannot hold {what}", err=True)
    typer.echo(output)


@app.command()
@with_file_options
def check(
    path: PathArgument,
    said: Said,
    checkpoint: Annotated[
        str, typer.Option(help="A checkpoint folder, a Hub repository, or camvig-tiny.")
    ] = "camvig-tiny",
    resample_by: ResampleBy = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Before generating: the path as the model will hear it, what leaves the training range, and what the run will cost."""
    loaded = _load(path, said)
    preflight = module("pipelines.preflight")
    pipeline = module("pipelines.video_job").load_pipeline(checkpoint)
    if resample_by is not None:
        loaded = loaded.resample(pipeline.num_frames, by=resample_by)
    report = preflight.preflight(loaded, pipeline)
    if as_json:
        typer.echo(json.dumps(preflight.report_fields(report), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(preflight.report_lines(report)))
