"""`camvig data`, continued: clips out of scenes and videos, their ids, and their way to the Hub.

Long work shows its progress, may be killed and started again, and may be shared by processes and machines.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from .data_commands import app
from .modules import module

ShardOption = Annotated[
    str | None,
    typer.Option(
        metavar="I/N", help="Do only every N-th part, from I = 0 [default: as accelerate launch numbers processes]."
    ),
]
SceneNames = Annotated[list[str] | None, typer.Option(help="A scene that goes into this split; again for more.")]


@app.command("import-splats")
def import_splats(
    file: Annotated[Path, typer.Argument(help="Gaussian splats: .ply, compressed .ply, or .sog.")],
    out: Annotated[Path, typer.Option(help="The scene's folder, which must not be there yet.")],
    axes: Annotated[Literal["opencv", "opengl"], typer.Option(help="The world's axes in the file: y down, or y up.")],
    up: Annotated[
        Literal["x", "-x", "y", "-y", "z", "-z"] | None,
        typer.Option(help="The file's axis that points up, for the ring of views [default: as the axes say]."),
    ] = None,
    cameras: Annotated[
        Path | None, typer.Option(help="The captured poses, in any format of camera paths [default: a ring around it].")
    ] = None,
    unit: Annotated[Literal["metre", "scene"], typer.Option(help="The unit of the file.")] = "scene",
    licence: Annotated[str, typer.Option(help="Licence of the splats; it goes with every clip.")] = "not stated",
    credit: Annotated[str, typer.Option(help="Whom the licence asks to name.")] = "",
) -> None:
    """Make a scene of a file of Gaussian splats."""
    scene = module("dataset_builders.scenes.splat_field").load_splat_scene(
        file, axes=axes, up=up, cameras=cameras, unit=unit, licence=licence, credit=credit
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    module("dataset_builders.scenes.scene_files").save_splat_scene(scene, file, out)
    typer.echo(out)


@app.command("render-clips")
def render_clips(
    scenes: Annotated[
        list[str], typer.Argument(metavar="SCENE...", help="Folders of scenes, room:train/5, or nerfstudio:CONFIG.")
    ],
    clips: Annotated[int, typer.Option(min=1, help="How many, shared evenly by the scenes.")],
    out: Annotated[Path, typer.Option(help="Folder of the clips; it keeps its plan and is filled up when run again.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the camera paths.")] = 0,
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 64,
    num_proc: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    shard: ShardOption = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Allow nerfstudio's configurations, which can run any code.")
    ] = False,
) -> None:
    """Render clips with exact camera paths and depth; started again after a kill, it goes on."""
    report = module("dataset_builders.render_clips").render_clips(
        scenes, clips, out, size, seed, num_proc, shard_of(shard), trust_remote_code
    )
    for name, scene in report["scenes"].items():
        rejected = ", ".join(f"{count} {reason}" for reason, count in scene["rejected"].items()) or "none"
        typer.echo(f"{name}: {scene['clips']} clips; rejected paths: {rejected}")
    typer.echo(out / "report.json")


@app.command("render-rooms")
def render_rooms(
    out: Annotated[
        Path, typer.Argument(help="Folder of the clips; it keeps its plan and is filled up when run again.")
    ],
    clips: Annotated[int, typer.Option(min=1, help="How many.")],
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="No room and no texture is in two splits.")
    ] = "train",
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 64,
    start: Annotated[int, typer.Option(min=0, help="Number of the first clip in the split; a room has two.")] = 0,
    moving_objects: Annotated[
        int, typer.Option(min=0, help="Balls, doors and fans in each clip that move by themselves, at most 3.")
    ] = 0,
    plain: Annotated[
        bool, typer.Option("--plain", help="As ordinary video: without the paths and the depth that are known.")
    ] = False,
    num_proc: Annotated[int, typer.Option("--num-proc", "--num-processes", min=1, help="Processes.")] = 1,
) -> None:
    """Render clips of procedural rooms, with moving objects if wanted; started again after a kill, it goes on."""
    rooms = module("dataset_builders.render_rooms")
    plan = rooms.RoomsPlan(clips, "plain" if plain else "lossless", split, start, size, moving_objects)
    rooms.render_rooms(plan, out, num_proc)
    typer.echo(out)


@app.command("cut-videos")
def cut_videos(
    folder: Annotated[Path, typer.Argument(help="A folder of videos.")],
    out: Annotated[Path, typer.Option(help="Folder of the clips: one in it for each split.")],
    licence: Annotated[
        str | None,
        typer.Option(help="Of videos of which the folder's index.json states none; without one they are skipped."),
    ] = None,
    posed: Annotated[
        bool, typer.Option("--posed", help="Take the videos beside which a RealEstate10K .txt lies, with their paths.")
    ] = False,
    median_depth: Annotated[
        float | None, typer.Option(help="With --posed: of each clip's first frame [default: triangulated].")
    ] = None,
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 64,
    num_proc: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Cut ordinary videos into clips of 17 frames, without camera paths or with those of .txt files beside them."""
    if median_depth is not None and not posed:
        raise ValueError("expected --median-depth only with --posed: plain video has no path")
    config: dict = {"size": size, "licence": licence} | ({"median_depth": median_depth} if posed else {})
    name = ("posed_video_clips", "PosedVideoClips") if posed else ("video_clips", "VideoClips")
    builder = getattr(module(f"dataset_builders.{name[0]}"), name[1])
    report = module("dataset_builders.export_clips").export_videos(builder, folder, out, num_proc, **config)
    typer.echo(json.dumps(report.totals, indent=1, ensure_ascii=False))
    typer.echo(out)


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="A folder of clips.")],
    out: Annotated[Path, typer.Argument(help="The .png to write.")],
    clips: Annotated[int, typer.Option(min=1, help="How many clips, spread evenly.")] = 12,
) -> None:
    """Draw some clips, with their depth and what their paths do."""
    plots = module("camera_paths.plots")
    plots.check_suffix(out, ".png")
    sheet = module("dataset_builders.clip_sheet").clip_sheet(folder, clips)
    out.parent.mkdir(parents=True, exist_ok=True)
    plots.write_png(sheet, out)
    typer.echo(out)


@app.command()
def tokenize(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIPS...", help="Folders of clips; their names must differ.")],
    out: Annotated[Path, typer.Option(help="Folder of the ids; it is filled up when run again.")],
    checkpoint: Annotated[
        str, typer.Option(help="A checkpoint folder whose tokenizers to take, or camvig-tiny.")
    ] = "camvig-tiny",
    visual_tokenizer: Annotated[Path | None, typer.Option(help="Another visual tokenizer: its folder.")] = None,
    camera_tokenizer: Annotated[
        str | None,
        typer.Option(help="Another camera tokenizer: its folder, camera-codec-compact or camera-codec-4x106."),
    ] = None,
    augment: Annotated[bool, typer.Option("--augment", help="Also mirrored and reversed, in changed colours.")] = False,
    shard: ShardOption = None,
) -> None:
    """Turn clips into the ids that training reads."""
    module("pipelines.video_job").quiet_libraries()
    stage = module("training_scripts.tokenize_clips")
    tokenizers = stage.Tokenizers.load(
        visual_tokenizer or _folder(checkpoint) / "visual_tokenizer",
        _folder(camera_tokenizer) if camera_tokenizer else _folder(checkpoint) / "camera_tokenizer",
    )
    rows = stage.tokenize_clips(clips, tokenizers, out, augment, shard_of(shard))
    typer.echo(f"{rows} rows written, tokenizers {tokenizers.fingerprint}")
    typer.echo(out)


def _folder(checkpoint: str) -> Path:
    folder = module("pipelines.checkpoint_folder").find_checkpoint_folder(checkpoint)
    if folder is None:
        raise ValueError(f"expected a checkpoint folder, got {checkpoint}: no such folder")
    return folder


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(help="Clips of render-clips or cut-videos.")],
    repository: Annotated[str, typer.Argument(help="USER/NAME on the Hub.")],
    validation_scene: SceneNames = None,
    test_scene: SceneNames = None,
    private: Annotated[bool, typer.Option("--private", help="Make the repository a private one.")] = False,
) -> None:
    """Push clips to the Hub, with a card written from them."""
    splits = module("dataset_builders.export_clips").load_clips(
        folder, tuple(validation_scene or ()), tuple(test_scene or ())
    )
    typer.echo(module("dataset_builders.dataset_card").push_clips(splits, repository, private=private))


def shard_of(text: str | None) -> tuple[int, int]:
    """ "1/4" -> (1, 4), the second of four; without a text what `accelerate launch` says in the environment, else all."""
    if text is None:
        return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise ValueError(f"expected --shard as I/N with 0 <= I < N, got {text!r}")
    return int(index), int(count)
