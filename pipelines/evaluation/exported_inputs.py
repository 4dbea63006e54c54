"""What another system is to be given, so that its videos can be measured as a checkpoint's are: pictures and paths as files.

    model/NAME.png          the first frame, at its true aspect
    model/NAME.json, .txt   its path: camvig's own JSON (scene depths), and RealEstate10K's text
    wrong_path/, mirrored_path/, no_camera/, left_right/, up_down/     the same for the controls that the system has to make
    inputs.json             what was exported: data, split, clips, frames, seed

The system's videos go into a folder of the same layout: model/NAME.mp4 (or NAME.mp4 at its top), wrong_path/NAME.mp4, ...
Folders of controls may be left out; their figures are then missing, with the reason. The unit of a path is the median depth
of the first frame: a system of metric depth needs the factor from its own depth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from ...camera_paths.atomic_file import write_then_rename
from ...camera_paths.formats import write_path_file
from ...metrics.flow_mse import dis_flow
from ..output_files import write_json
from ..video_files import write_png
from .eval_clips import EvalClip
from .requests import Request, requests_of

INPUTS = "inputs.json"


def export_inputs(clips: list[EvalClip], folder: Path, origin: dict[str, Any]) -> Path:
    """Write the requests of some clips into a folder that is new or empty; whole or not at all. Gives its name.

    `origin` says what `inputs.json` repeats; its `seed` is that of the requests.
    """
    requests = requests_of(clips, [dis_flow(clip.frames) for clip in clips], origin["seed"])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with write_then_rename(folder) as temporary:
        temporary.mkdir()
        for kind, asked in requests.items():
            (temporary / kind).mkdir()
            for request in asked:
                _export(request, temporary / kind)
        names = {kind: [request.name for request in asked] for kind, asked in requests.items()}
        write_json({**origin, "names": names}, temporary / INPUTS)
    return folder


def _export(request: Request, folder: Path) -> None:
    square = Image.fromarray(request.picture)
    size = true_size(square.width, request.aspect)
    write_png(square.resize(size, Image.Resampling.LANCZOS), folder / f"{request.name}.png")
    if request.path is not None:
        write_path_file(request.path, folder / f"{request.name}.json", "camvig")
        write_path_file(request.path, folder / f"{request.name}.txt", "re10k")  # its unit is said above


def true_size(side: int, aspect: float) -> tuple[int, int]:
    """(width, height), both even, of a picture of this aspect whose shorter side is `side`: no pixel of the square is lost."""
    width, height = (side * aspect, side) if aspect >= 1 else (side, side / aspect)
    return 2 * round(width / 2), 2 * round(height / 2)
