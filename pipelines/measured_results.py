"""The figures of `camvig eval --json` as Markdown, for cards and the README; no number is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FLOW_ROWS = {
    "model": "model, the true path",
    "reconstruction": "reconstruction: the true frames through the tokenizer",
    "static": "static: the first frame repeated",
    "wrong_path": "wrong_path: another clip's path",
    "mirrored_path": "mirrored_path: the path mirrored left to right",
    "no_camera": "no_camera: the missing-camera token",
    "planar_warp": "planar_warp: the picture as a flat plane at its best depth (an oracle)",
    "depth_warp": "depth_warp: the picture moved by the true depth of every frame (an oracle)",
    "noise_floor": "noise_floor: the true frames through H.264",
}
"""Records before these controls existed have some of them."""

WORLDS = {"rooms": "procedural rooms", "panoramas": "panoramas of real places"}
UNSEEN = {"rooms": "whose scenes and textures training never saw", "panoramas": "which training never saw"}
"""Said of the split test."""


def read_results(file: Path) -> dict[str, Any]:
    """The JSON of an evaluation.

    Raises:
        ValueError: no such file, no JSON, or not one that `camvig eval` writes.
    """
    try:
        scores = json.loads(file.read_text(encoding="utf-8"))
        measured_results(scores, file.name, 64)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"expected results of camvig eval --json in {file}, got {reason}") from None
    return scores


def measured_results(scores: dict[str, Any], record: str, image_size: int, machine: str = "") -> str:
    """Flow MSE with its controls, PSNR, speed, and flow MSE by move.

    Args:
        scores: what `camvig eval --json` writes.
        record: name of the file that holds them in full.
        image_size: pixels a side of the frames that were compared.
        machine: where it was timed (" on two cores"), which the figures do not say.
    """
    flow, psnr, hidden, mirror = scores["flow_mse"], scores["psnr"], scores["psnr_hidden"], scores["mirror"]
    data = scores.get("data", "rooms")
    world = WORLDS.get(data, f"`{data}`")
    rows = [
        f"| {words} | {flow[name]:.3f} | {flow[name] / flow['static']:.2f} |"
        for name, words in FLOW_ROWS.items()
        if flow.get(name) is not None
    ]
    moves = [
        f"{name} {score['model'] / score['static']:.2f} ({score['clips']})"
        for name, score in scores["flow_mse_by_move"].items()
        if score["static"] > 0
    ]
    never_seen = scores["split"] == "test" and data in WORLDS
    split = UNSEEN[data] if never_seen else f"({scores['split']} split)"
    not_shown = (
        f"; on pixels that the first frame does not show {hidden['reconstruction']:.1f} and {hidden['model']:.1f} dB"
        if hidden["model"] is not None
        else ""
    )
    sides = (
        f"Left and right moves, each clip and its mirror image: {mirror['left']:.3f} and {mirror['right']:.3f} px². "
        if "left" in mirror
        else ""
    )
    rest = scores.get("without_worst_scene")
    hangs = (
        f" The scene with the most error, {rest['clips']} of the clips, has {rest['share_of_error']:.0%} of the model's;"
        f" without it {rest['ratios']['model_over_static']['value']:.2f} over static."
        if rest
        else ""
    )
    settings = scores["settings"]
    draws = settings.get("mean_of", 1)  # older records know of none
    mean = f", the mean of {draws} draws" if draws > 1 else ""
    decoded = ", decoded as a scene at rest" if settings.get("rigid_scene") else ""
    return "\n".join(
        [
            f"{scores['clips']} clips of {world} {split}, 17 frames each; optical flow by OpenCV DIS",
            f"(`metrics/flow_mse.py` says why); temperature {settings['temperature']:g}, guidance "
            f"{settings['guidance_scale']:g}{mean}{decoded}. The full record is `{record}`.",
            "",
            f"| flow MSE, px² of {image_size}x{image_size} frames | value | over static |",
            "| --- | --- | --- |",
            *rows,
            "",
            f"PSNR: reconstruction {psnr['reconstruction']:.1f} dB, generated {psnr['model']:.1f} dB{not_shown}.",
            f"{sides}One video alone{machine}: {scores['seconds_per_video']:.1f} s,",
            f"{scores['tokens_per_second']:.0f} ids a second. Flow MSE over static by move (clips): {', '.join(moves)}.{hangs}",
            "",
        ]
    )
