"""Writes the measured numbers of README.md and model_card.md from an evaluation's JSON, so that no number is typed by hand.

    python benchmarks/write_measured.py [--json checkpoints/camvig-tiny/eval.json]

It replaces what stands between the lines "<!-- measured -->" and "<!-- /measured -->"; words about what the numbers mean stay
outside of them.
"""

import argparse
import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
START, END = "<!-- measured -->\n", "<!-- /measured -->"
ROWS = {
    "model": "model, the true path",
    "reconstruction": "reconstruction: the true frames through the tokenizer",
    "static": "static: the first frame repeated",
    "wrong_path": "wrong_path: another clip's path",
    "no_camera": "no_camera: the missing-camera token",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=ROOT / "checkpoints/camvig-tiny/eval.json")
    options = parser.parse_args()
    text = measured(json.loads(options.json.read_text(encoding="utf-8")))
    for file in (ROOT / "README.md", ROOT / "model_card.md"):
        before, _, rest = file.read_text(encoding="utf-8").partition(START)
        _, end, after = rest.partition(END)
        if not end:
            parser.error(f"expected {START.strip()} and {END} in {file.name}")
        file.write_text(before + START + text + END + after, encoding="utf-8")


def measured(scores: dict) -> str:
    """The section as Markdown."""
    flow, psnr, hidden, mirror = scores["flow_mse"], scores["psnr"], scores["psnr_hidden"], scores["mirror"]
    rows = [f"| {words} | {flow[name]:.3f} | {flow[name] / flow['static']:.2f} |" for name, words in ROWS.items()]
    moves = [
        f"{name} {score['model'] / score['static']:.2f} ({score['clips']})"
        for name, score in scores["flow_mse_by_move"].items()
        if score["static"] > 0
    ]
    return "\n".join(
        [
            f"{scores['clips']} clips of procedural rooms whose scenes and textures training never saw, 17 frames each; "
            "optical flow by OpenCV DIS",
            f"(`metrics/flow_mse.py` says why); temperature {scores['settings']['temperature']:g}, guidance "
            f"{scores['settings']['guidance_scale']:g}. The full record is `checkpoints/camvig-tiny/eval.json`.",
            "",
            "| flow MSE, px² of 64x64 frames | value | over static |",
            "| --- | --- | --- |",
            *rows,
            "",
            f"PSNR: reconstruction {psnr['reconstruction']:.1f} dB, generated {psnr['model']:.1f} dB; on pixels that the first "
            f"frame does not show {hidden['reconstruction']:.1f} and {hidden['model']:.1f} dB.",
            f"Left and right moves, each clip and its mirror image: {mirror['left']:.3f} and {mirror['right']:.3f} px². One video "
            f"alone on two cores: {scores['seconds_per_video']:.1f} s,",
            f"{scores['tokens_per_second']:.0f} ids a second. Flow MSE over static by move (clips): {', '.join(moves)}.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
