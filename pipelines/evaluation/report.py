"""The report of an evaluation: one HTML file that needs nothing else.

What always holds: no script, and nothing from another place; plots are SVG and clips are animated pictures inside the file. Every
table has its number of clips, every mean of flow MSE its interval, and what was not measured says why.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ...camera_paths.atomic_file import write_then_rename
from .evaluate import KINDS, PICTURE_KINDS, Evaluation
from .report_charts import errors_over_frames, interval_bars, scatter
from .report_pictures import COLUMNS, animated_clip

LABELS = {
    "model": "model",
    "reconstruction": "tokenizer alone",
    "static": "static",
    "wrong_path": "wrong path",
    "mirrored_path": "mirrored path",
    "no_camera": "no camera",
    "planar_warp": "flat picture",
    "depth_warp": "true depth",
    "noise_floor": "noise floor",
}
"""Kind -> a short label."""
MEANINGS = {
    "model": "the clip's first frame and its path: what is measured",
    "reconstruction": "the true frames through the tokenizer: no transformer can do better with it",
    "static": "the first frame repeated: a model that ignores the camera must not score lower",
    "wrong_path": "the model with the next clip's path: as good as the true path means that the path is not used",
    "mirrored_path": "the model with its path mirrored left to right: finds a model that takes sides for one another",
    "no_camera": "the model without a path",
    "planar_warp": "no model: the first frame as a flat picture, at the constant depth that fits the true video best (an oracle)",
    "depth_warp": "no model: the first frame moved by the exact depth of every later frame (a strong oracle)",
    "noise_floor": "the true frames through H.264, as clips are stored: what the metric gives for no visible change",
}
POSE_ROWS = {
    "rotation_error_deg": "rotation error, degrees, mean over frames",
    "translation_direction_error_deg": "direction of travel, degrees",
    "aligned_translation_error": "place after fitting the scale, parts of the path's reach",
    "rot_err": "RotErr (CameraCtrl, CamI2V), radians, sum over frames",
    "trans_err_cameractrl": "TransErr (CameraCtrl), sum",
    "trans_err_cami2v": "TransErr (CamI2V, relative), sum",
    "cam_mc": "CamMC (CamI2V, relative), sum",
}
POSE_COLUMNS = {
    "model": "model",
    "ground_truth": "true video (noise floor)",
    "camera_at_rest": "camera at rest",
    "wrong_path": "wrong path",
}
SHOWN_CLIPS = 3  # best, around the median, worst
_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def write_report(found: Evaluation, figures: dict[str, Any], page: Path) -> None:
    """Write the page; `figures` are those of the JSON, with None for what is not known."""
    text = report_text(found, figures)
    with write_then_rename(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def report_text(found: Evaluation, figures: dict[str, Any]) -> str:
    """The HTML."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "span": span}
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        figures=figures,
        findings=findings(figures),
        labels=LABELS,
        meanings=MEANINGS,
        kinds=[kind for kind in KINDS if figures["flow_mse"][kind] is not None],
        picture_kinds=[kind for kind in PICTURE_KINDS if figures["psnr"][kind] is not None],
        pose_rows=POSE_ROWS,
        pose_columns=POSE_COLUMNS,
        pose=_pose_tables(figures["pose"]),
        charts=[(title, note, Markup(svg)) for title, note, svg in _charts(figures) if svg],
        groups=[(title, [_shown(found, index) for index in chosen]) for title, chosen in chosen_clips(found).items()],
        columns=", ".join(COLUMNS.values()),
    )


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def span(interval: list[float | None] | None, digits: int = 3) -> str:
    """An interval, or a dash."""
    if interval is None or None in interval:
        return "–"
    return f"{number(interval[0], digits)} to {number(interval[1], digits)}"


def findings(figures: dict[str, Any]) -> list[str]:
    """What the comparisons say, a sentence each; "differs" is an interval without 0."""
    sentences = []
    for kind in KINDS:
        said = figures["differences"].get(f"model_minus_{kind}")
        if said is None or None in said["interval"]:
            continue
        low, high = said["interval"]
        verdict = "less error than" if high < 0 else "more error than" if low > 0 else "no clear difference from"
        sentences.append(f"{verdict} {LABELS[kind]}: {said['value']:+.3f} px² ({low:+.3f} to {high:+.3f})")
    return sentences + _hangs_on_one_scene(figures)


def _hangs_on_one_scene(figures: dict[str, Any]) -> list[str]:
    rest = figures.get("without_worst_scene")
    if rest is None:
        return []
    over, minus = rest["ratios"]["model_over_static"], rest["differences"].get("model_minus_planar_warp")
    words = f"{number(over['value'], 2)} of static without it ({span(over['interval'], 2)})"
    if minus:
        words += f", {number(minus['value'])} px² to the flat picture ({span(minus['interval'])})"
    return [
        f"{rest['share_of_error']:.0%} of the error is in one scene, {rest['scene']} ({rest['clips']} clips): {words}"
    ]


def chosen_clips(found: Evaluation) -> dict[str, list[int]]:
    """Best, median and worst clips by the model's flow MSE; no clip twice."""
    order = [int(index) for index in np.argsort(found.flow["model"].mse, kind="stable")]
    count = min(SHOWN_CLIPS, max(1, len(order) // 3))
    middle = max(count, (len(order) - count) // 2)
    parts = {
        "Best": order[:count],
        "Median": order[middle : middle + count],
        "Worst": order[max(middle + count, len(order) - count) :],
    }
    return {title: chosen for title, chosen in parts.items() if chosen}


def _shown(found: Evaluation, index: int) -> tuple[str, str]:
    """A caption, and the picture as a data URL."""
    clip, flow = found.clips[index], found.flow
    scores = ", ".join(f"{LABELS[kind]} {flow[kind].mse[index]:.3f}" for kind in COLUMNS if kind in flow)
    picture = base64.b64encode(animated_clip(found, index)).decode()
    return f"{clip.name}: {clip.path.describe()}. Flow MSE, px²: {scores}.", f"data:image/webp;base64,{picture}"


def _pose_tables(pose: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    if pose is None:
        return {}
    return {kind: pose if kind == "model" else pose[kind] for kind in POSE_COLUMNS if kind == "model" or kind in pose}


def _charts(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    nan = float("nan")
    rows = []
    for kind in KINDS:
        value = figures["flow_mse"][kind]
        if value is not None:
            low, high = (nan if end is None else end for end in figures["intervals"][kind])
            rows.append((kind, LABELS[kind], value, (low, high)))
    points = {
        other: [
            (f"{clip['name']} ({clip['move']})", clip["flow_mse"][other], clip["flow_mse"]["model"])
            for clip in figures["per_clip"]
        ]
        for other in ("static", "planar_warp")
    }
    by_frame = errors_over_frames(figures["flow_mse_by_frame"], LABELS)
    over_static = scatter("model against static", points["static"], "static, px²", "model, px²")
    over_plane = scatter("model against flat picture", points["planar_warp"], "flat picture, px²", "model, px²")
    return [
        (
            "Flow MSE with its controls, px²",
            "Bars are means over clips, whiskers 95% of bootstrap resamples.",
            interval_bars("flow MSE", rows),
        ),
        ("Flow MSE by frame, px²", "Of the flow that ends at each frame.", by_frame),
        ("Each clip: model against static", "Below the line: better than a still picture.", over_static),
        ("Each clip: model against the flat picture", "Below the line: better than a flat warp.", over_plane),
    ]
