"""The study of camera tokenizers (`camera_tokenizer_study`) as text and as a picture."""

from __future__ import annotations

import os

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..camera_paths.plots import draw_figure, write_png
from ..metrics.camera_path_errors import LEAST_LENGTH

DEFINITIONS = (
    "Rotation: angle to the true one, all poses but the first. Translation: distance to the true camera centre, in % of "
    f"the path's length; paths under {LEAST_LENGTH:g} scene depths long are left out. Bits: mean tokens x log2 of the ids "
    "that a token is one of. Times: processor time of one path."
)
ERRORS = {
    "rotation_deg_mean": "rotation deg",
    "rotation_deg_p95": "p95",
    "translation_pct_mean": "translation %",
    "translation_pct_p95": "p95",
    "focal_pct_mean": "lens %",
}
COLUMNS = ("tokenizer", "tokens (p95)", "bits", *ERRORS.values(), "encode ms", "decode ms")
SETS = {
    "sampled": "held-out sampled paths",
    "real": "held-out real paths",
    "real_in_range": "of these, the ones in the model's range",
}
COLOURS = {"codec": "#c8361d", "uniform": "#2b5fb3", "gendop": "#8e44ad", "dct": "#1b7f3b"}


def study_table(study: dict) -> str:
    """The figures as Markdown, one table for each set of paths."""
    lines = []
    for name, title in SETS.items():
        if name in study["paths"]:
            lines += [f"{title}{_count(study['paths'][name])}:", "", *_rows(study["tokenizers"], name), ""]
    return "\n".join([*lines, DEFINITIONS])


def plot_study(study: dict, file: str | os.PathLike[str]) -> None:
    """Error against bits, a panel for rotation and one for translation on each set of paths; dot = mean, bar = p95."""
    sets = [name for name in SETS if name in study["paths"]]
    figure = Figure(figsize=(9, 3.7 * len(sets)), dpi=130, layout="constrained")
    panels = figure.subplots(len(sets), 2, squeeze=False, sharex=True, sharey="col")
    for row, name in zip(panels, sets, strict=True):
        _draw(row[0], study["tokenizers"], name, "rotation_deg", "rotation error (degrees)")
        _draw(row[1], study["tokenizers"], name, "translation_pct", "translation error (% of path length)")
    write_png(draw_figure(figure), file)


def _count(counts: dict[str, int]) -> str:
    return f" ({counts['held_out']}; {counts['hardly_move']} of them hardly move)"


def _rows(tokenizers: dict[str, dict], paths: str) -> list[str]:
    rows = [f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS)]
    for name, figures in tokenizers.items():
        of = figures[paths]
        cells = [
            name,
            f"{of['tokens']:.1f} ({of['tokens_p95']:.0f})",
            f"{of['bits']:.0f}",
            *(f"{of[key]:.3f}" if "deg" in key else f"{of[key]:.2f}" for key in ERRORS),
            *(f"{figures[key]:.2f}" for key in ("encode_ms", "decode_ms")),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _draw(axes: Axes, tokenizers: dict[str, dict], paths: str, key: str, label: str) -> None:
    for name, figures in tokenizers.items():
        bits, mean, p95 = figures[paths]["bits"], figures[paths][f"{key}_mean"], figures[paths][f"{key}_p95"]
        family = name.split("-")[0]
        axes.plot([bits, bits], [mean, p95], color=COLOURS[family], linewidth=1, marker="_", markevery=[1])
        axes.plot([bits], [mean], "o", color=COLOURS[family], markersize=5)
        beside = {"xytext": (-5, -3), "ha": "right"} if family == "codec" else {"xytext": (5, -3), "ha": "left"}
        axes.annotate(name, (bits, mean), textcoords="offset points", fontsize=7.5, color=COLOURS[family], **beside)
    axes.set(xscale="log", yscale="log", xlabel="bits a path (17 poses)", ylabel=label)
    axes.set_title(SETS[paths], fontsize=9)
    axes.tick_params(labelbottom=True)
    axes.margins(x=0.25)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
