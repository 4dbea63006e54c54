"""The summary page of a run: one HTML file that needs nothing else, made from the run's folder alone.

    camvig report runs/transformer

No script, and nothing from another place: curves are SVG and sheets are in the file. It can be made at any time, of a run
that goes on, was killed or is finished; the Trainer makes it at the end.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from PIL import Image

from ..camera_paths.atomic_file import write_then_rename
from .run_charts import run_charts
from .run_findings import facts, next_command, results, warnings_of
from .run_folder import RunFolder, read_run

PAGE = "report.html"
EARLIER_SHEETS = 3
"""Sheets shown besides the last one, from the first on, evenly over the run."""
_TEMPLATE = Path(__file__).with_name("run_page.html.jinja")


def write_run_page(folder: str | Path, page: str | Path | None = None) -> Path:
    """Makes the page of a run, by default `<folder>/report.html`; gives its name.

    Raises:
        ValueError: not the folder of a run.
    """
    run = read_run(folder)
    page = Path(page) if page else run.folder / PAGE
    text = page_text(run)
    with write_then_rename(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return page


def page_text(run: RunFolder) -> str:
    """The HTML of a run."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    *earlier, last = run.sheets or [None]
    return template.render(
        run=run,
        facts=facts(run),
        results=results(run),
        warnings=warnings_of(run),
        charts=[(chart.title, chart.note, Markup(chart.svg)) for chart in run_charts(run)],
        sheet=last and (last[0], embedded(last[1])),
        earlier_sheets=[(step, embedded(file)) for step, file in _evenly([one for one in earlier if one])],
        start=run.starts[-1] if run.starts else None,
        config=yaml.safe_dump(run.starts[-1]["config"], sort_keys=False) if run.starts else None,
        next_command=next_command(run),
    )


def _evenly(sheets: list[tuple[int, Path]]) -> list[tuple[int, Path]]:
    if len(sheets) <= EARLIER_SHEETS:
        return sheets
    return [sheets[place * (len(sheets) - 1) // (EARLIER_SHEETS - 1)] for place in range(EARLIER_SHEETS)]


def embedded(picture: Path) -> str:
    """A picture as a data URL, as JPEG of good quality: about a sixth of the PNG."""
    with Image.open(picture) as image, io.BytesIO() as buffer:
        image.convert("RGB").save(buffer, "JPEG", quality=88, subsampling=0)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
