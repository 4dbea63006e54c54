"""Writes the measured numbers of README.md from an evaluation's JSON, so that no number is typed by hand.

    python benchmarks/write_measured.py [--json checkpoints/camvig-tiny/eval.json]

It replaces what stands between the lines "<!-- measured -->" and "<!-- /measured -->"; words about what the numbers mean stay
outside of them. The card of a checkpoint is written by `camvig push`.
"""

import argparse
from pathlib import Path

from camvig.pipelines.measured_results import measured_results, read_results

ROOT = Path(__file__).parents[1]
START, END = "<!-- measured -->\n", "<!-- /measured -->"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=ROOT / "checkpoints/camvig-tiny/eval.json")
    options = parser.parse_args()
    text = measured_results(read_results(options.json), "checkpoints/camvig-tiny/eval.json", 64, " on two cores")
    file = ROOT / "README.md"
    before, _, rest = file.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not end:
        parser.error(f"expected {START.strip()} and {END} in {file.name}")
    file.write_text(before + START + text + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
