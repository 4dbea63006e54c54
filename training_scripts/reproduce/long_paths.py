"""Experiment (c), "long-paths": longer and harder paths, by chaining on the last frame; curves and figures of eight.

The paper has 17, 34, 51 and 68 frames, each stretch from the last frame of the one before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .experiments import Choices, Experiment, Scale
from .stages import WORK, Stage
from .tables import number, table, with_interval

RESULT = "eval/checkpoint-long.json"
COMPARED = {
    "drift": "model - restart: what a stretch loses because its first picture is the model's",
    "scale": "restart - restart_known_depth: what knowing the depth of its first picture is worth",
    "model_minus_planar_warp": "model - planar_warp",
    "model_minus_reconstruction": "model - reconstruction",
    "model_minus_static": "model - static",
}


def stages_of(scale: Scale, choices: Choices) -> list[Stage]:
    stretches, clips = (4, 24) if scale.is_result else (2, 2)
    words = ("camvig", "eval-long", choices.checkpoint, "--stretches", str(stretches), "--clips", str(clips))
    return [Stage("eval-checkpoint-long", (*words, "--json", f"{WORK}/{RESULT}"), RESULT, 25)]


def findings_of(scale: Scale, work: Path, picture: Path) -> str:
    from ...pipelines.evaluation.long_pictures import write_decay_plot  # torch with it

    found = json.loads((work / RESULT).read_text(encoding="utf-8"))
    write_decay_plot(found, picture)
    lengths = [str(one["generated_frames"]) for one in found["lengths"]]
    return "\n\n".join(
        [
            f"`{found['checkpoint']}`, {found['clips']} rooms of the {found['split']} split, {found['frames']} frames each. Flow "
            "MSE of each stretch, px² (95% interval over clips):",
            _by_stretch(
                found, lambda kind, at: with_interval(found["flow_mse"][kind][at], found["intervals"][kind][at])
            ),
            "Over that of a still picture, in the same stretch:",
            _by_stretch(found, lambda kind, at: _ratio(found["over_static"][kind][at])),
            "PSNR, dB, and sharpness (gradient energy over that of the true frames):",
            _by_stretch(found, lambda kind, at: number(found["psnr"][kind][at], ".1f")),
            _by_stretch(found, lambda kind, at: _ratio(found["sharpness"][kind][at])),
            "Differences of flow MSE, px², paired by clip:",
            table(
                ["", *_stretches(found)],
                [
                    [words, *(_ratio(one, ".3f") for one in found["comparisons"][name])]
                    for name, words in COMPARED.items()
                ],
            ),
            f"Flow MSE over static of the whole video, for {', '.join(lengths)} generated frames:",
            table(
                ["", *lengths],
                [[kind, *(_ratio(one["over_static"][kind]) for one in found["lengths"])] for kind in found["flow_mse"]],
            ),
            "Where a figure of eight comes back to its first view (a video that never moves closes every loop):",
            _loops(found),
        ]
    )


def _stretches(found: dict[str, Any]) -> list[str]:
    return [f"stretch {number + 1}" for number in range(found["stretches"])]


def _by_stretch(found: dict[str, Any], cell: Any) -> str:
    rows = [[kind, *(cell(kind, at) for at in range(found["stretches"]))] for kind in found["flow_mse"]]
    return table(["", *_stretches(found)], rows)


def _ratio(found: dict[str, Any], form: str = ".2f") -> str:
    return with_interval(found["value"], found["interval"], form)


def _loops(found: dict[str, Any]) -> str:
    rows = [
        [
            kind,
            *(
                f"{number(one['shift_px'][kind], '.2f')} px, {number(one['psnr'][kind], '.1f')} dB"
                for one in found["loop_closure"]
            ),
        ]
        for kind in found["flow_mse"]
    ]
    return table(
        ["shift, PSNR", *(f"frame {one['frame']} ({one['clips']} clips)" for one in found["loop_closure"])], rows
    )


EXPERIMENT = Experiment(
    name="long-paths",
    question="How does a video decay when stretches of 17 frames are chained along curves and figures of eight?",
    method=(
        "One checkpoint, nothing trained. A stretch of 17 frames begins with the last frame of the one before. `restart` begins "
        "each stretch with the true frame instead, `*_known_depth` knows the scene depth of each first frame, as no user does."
    ),
    stages_of=stages_of,
    findings_of=findings_of,
)
