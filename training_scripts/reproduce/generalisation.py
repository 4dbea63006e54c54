"""Experiment (e), "generalisation": one checkpoint on rooms, panoramas, rendered captures and real posed video."""

from __future__ import annotations

from pathlib import Path

from .experiments import Choices, Experiment, Scale
from .plots import COLOURS, figure_of, finish, save
from .recipes import eval_stage
from .stages import Stage
from .tables import Scores, flow_table, model_table, read_scores

WORLDS = {
    "rooms": "rooms",
    "panoramas": "turns in panoramas",
    "captures": "rendered captures",
    "posed": "real posed video",
}
MADE_BY = {
    "captures": "camvig data fit-scene CAPTURE ...; camvig data render-clips SCENE --clips 64 --out DIR",
    "posed": "camvig data cut-videos VIDEOS --posed --out DIR",
}
CONTROLS = (
    "static",
    "wrong_path",
    "mirrored_path",
    "no_camera",
    "planar_warp",
    "depth_warp",
    "reconstruction",
    "noise_floor",
)


def stages_of(scale: Scale, choices: Choices) -> list[Stage]:
    given = {"captures": choices.captures, "posed": choices.posed}
    folders = {name: folder for name, folder in given.items() if folder is not None}
    if missing := [name for name in given if name not in folders]:
        said = "; ".join(f"--{name} DIR, which `{MADE_BY[name]}` makes" for name in missing)
        raise ValueError(f"expected clips to test on: {said} (docs/data.md, docs/video_clips.md)")
    stages = [
        eval_stage("checkpoint-rooms", choices.checkpoint, scale, split=None),
        eval_stage("checkpoint-panoramas", choices.checkpoint, scale, ("--data", "panoramas"), split=None),
    ]
    for name, folder in folders.items():
        if not folder.is_dir():
            raise ValueError(
                f"expected a folder of clips as --{name}, got {folder}: no such folder; `{MADE_BY[name]}` makes one"
            )
        more = ("--data", str(folder))
        stages.append(eval_stage(f"checkpoint-{name}", choices.checkpoint, scale, more, split=None))
    return stages


def findings_of(scale: Scale, work: Path, picture: Path) -> str:
    scores = {words: read_scores(work, f"checkpoint-{name}") for name, words in WORLDS.items()}
    _draw(scores, picture, scale)
    return "\n\n".join([flow_table(scores), model_table(scores)])


def _draw(scores: dict[str, Scores], picture: Path, scale: Scale) -> None:
    """Each world's flow MSE over that of a still picture: amounts of motion differ from world to world."""
    figure, (axes,) = figure_of(1, width=9)
    width = 0.8 / (1 + len(CONTROLS))
    for place, one in enumerate(scores.values()):
        static = one["flow_mse"]["static"]
        for number, kind in enumerate(("model", *CONTROLS)):
            value = one["flow_mse"].get(kind)
            if value is not None:
                axes.bar(
                    place + width * number, value / static, width, color=COLOURS[kind], label="" if place else kind
                )
    axes.axhline(1, color="#333333", linewidth=0.8)
    axes.set_xticks([place + 0.4 for place in range(len(scores))], list(scores))
    finish(axes, "", "flow MSE over that of a still picture", "one checkpoint in four worlds")
    save(figure, picture, scale)


EXPERIMENT = Experiment(
    name="generalisation",
    question="Trained on rooms, does it follow a camera through panoramas, rendered captures and real video?",
    method=(
        "One checkpoint, nothing trained. Flow MSE of different worlds does not compare, because their motion differs: compare "
        "what each is over a still picture, and beside the planar warp. Panoramas are of real places that camvig-tiny "
        "was not trained on; in them a camera only turns and zooms. Real video has no depth, so no depth warp."
    ),
    stages_of=stages_of,
    findings_of=findings_of,
)
