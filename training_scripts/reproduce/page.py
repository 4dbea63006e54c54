"""The page of an experiment: question, findings, and all that is needed to run it again. Wholly generated."""

from __future__ import annotations

from pathlib import Path

from ...camera_paths.atomic_file import write_then_rename
from .experiments import Experiment, Scale
from .stages import Stage
from .tables import table

TEMPLATE = """\
# `{command}`

{warning}{question}

{method}

![{name}]({picture})

{findings}

One run of each training, seed 0; clip i of an evaluation is sampled with seed i. Intervals are bootstraps over clips: they say
nothing of what another training would give. What each control proves: [evaluation](../evaluation.md).

## Commands

`{command}` runs these, and goes on where it was stopped; `{work}` is its work folder. Minutes are those of the
clock, on a machine that may have had other work too.

{commands}

{hours}

Versions: {versions}. Generated: what is found in words stands in [README.md](README.md).
"""


def write_page(experiment: Experiment, scale: Scale, stages: list[Stage], work: Path, folder: Path) -> list[Path]:
    """`NAME.md` and `NAME.png` in a folder."""
    page, picture = folder / f"{experiment.name}.md", folder / f"{experiment.name}.png"
    folder.mkdir(parents=True, exist_ok=True)
    findings = experiment.findings_of(scale, work, picture)
    command = f"camvig reproduce {experiment.name}" + ("" if scale.name == "full" else f" --scale {scale.name}")
    text = TEMPLATE.format(
        command=command,
        warning=scale.warning and f"{scale.warning}\n\n",
        question=experiment.question,
        method=experiment.method,
        name=experiment.name,
        picture=picture.name,
        findings=findings,
        work=scale.work_dir,
        commands="\n".join(f"    {stage.shown(scale.work_dir)}" for stage in stages),
        hours=_hours(stages, work),
        versions=_versions(stages, work),
    )
    with write_then_rename(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [page, picture]


def _hours(stages: list[Stage], work: Path) -> str:
    records = [stage.record(work) for stage in stages]
    rows = [
        [stage.name, f"{record['seconds'] / 60:.1f}", record["finished"][:10], record["commit"] or "–"]
        for stage, record in zip(stages, records, strict=True)
    ]
    total = sum(record["seconds"] for record in records) / 3600
    return table(["stage", "minutes", "day", "commit"], [*rows, [f"**all: {total:.1f} hours**", "", "", ""]])


def _versions(stages: list[Stage], work: Path) -> str:
    """Of the last stage, with every other that differs."""
    found: dict[str, list[str]] = {}
    for stage in stages:
        for name, version in stage.record(work)["versions"].items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    return ", ".join(f"{name} {' and '.join(versions)}" for name, versions in found.items())
