"""What a run's numbers say in words: the results, and what a reader must know before believing them."""

from __future__ import annotations

import math
from collections.abc import Callable

from .progress import duration
from .run_folder import RunFolder
from .run_record import flattened

HELD_OUT = "validation"
ROSE = 1.01
"""A held-out loss that is 1% above its best is said to have risen."""
USED = 1.01
"""A path counts as used from 1% more loss with a wrong one on."""


def results(run: RunFolder) -> list[str]:
    """Sentences with the last held-out numbers, controls beside them."""
    said = []
    flow = {name: run.last(HELD_OUT, f"flow_mse{name}") for name in ("", "_static", "_wrong_path", "_no_camera")}
    made, static = flow[""], flow["_static"]
    if made is not None and static:
        controls = [
            f"{value / static:.2f} with {words}"
            for name, words in (("_wrong_path", "a wrong path"), ("_no_camera", "no camera"))
            if (value := flow[name]) is not None
        ]
        said.append(
            f"Flow MSE of generated held-out clips is {made / static:.2f} of a static video's"
            + (f" ({', '.join(controls)})." if controls else ".")
        )
    loss = run.last(HELD_OUT, "loss")
    if loss is not None:
        losses = {
            "wrong path": run.last(HELD_OUT, "loss_wrong_path"),
            "no camera": run.last(HELD_OUT, "loss_no_camera"),
        }
        beside = ", ".join(f"{name} {value:.3f}" for name, value in losses.items() if value is not None)
        said.append(f"Held-out loss is {loss:.3f}" + (f" ({beside})." if beside else "."))
    return said


def warnings_of(run: RunFolder) -> list[str]:
    """Sentences, the gravest first."""
    checks: tuple[Callable[[RunFolder], list[str]], ...] = (
        _unfinished,
        _not_finite,
        _skipped,
        _motion,
        _path_use,
        _overfitting,
        _restarts,
        _differing_starts,
    )
    return [*(line for check in checks for line in check(run)), *(f"Damage: {problem}." for problem in run.problems)]


def _unfinished(run: RunFolder) -> list[str]:
    if run.is_finished:
        return []
    return [f"The run is not finished: step {run.step:,}" + (f" of {run.steps:,}." if run.steps else ".")]


def _not_finite(run: RunFolder) -> list[str]:
    names = {
        name: row["step"]
        for row in run.rows
        for name, value in row.items()
        if isinstance(value, float) and not math.isfinite(value)
    }
    return [f"Not a finite number: {name}, last at step {step:,}." for name, step in names.items()]


def _skipped(run: RunFolder) -> list[str]:
    rows = [row for row in run.rows if row.get("split") == "skipped"]
    if not rows:
        return []
    clips = sorted({clip for row in rows for clip in row.get("clips", [])})
    some = ", ".join(clips[:5]) + (f" and {len(clips) - 5} more" if len(clips) > 5 else "")
    steps = ", ".join(f"{row['step']:,}" for row in rows[:5]) + (" and later" if len(rows) > 5 else "")
    return [
        f"Skipped steps, whose loss or gradient was not finite: {len(rows)} (step {steps})."
        + (f" Clips: {some}." if clips else "")
    ]


def _motion(run: RunFolder) -> list[str]:
    ratio = run.last(HELD_OUT, "flow_mse_ratio")
    if ratio is None or ratio < 1:
        return []
    return [f"The generated clips move no better than a picture that stands still (flow MSE {ratio:.2f} of it)."]


def _path_use(run: RunFolder) -> list[str]:
    loss, wrong = run.last(HELD_OUT, "loss"), run.last(HELD_OUT, "loss_wrong_path")
    if not loss or wrong is None or wrong >= USED * loss:
        return []
    return [
        f"The model hardly uses the camera path: its loss with a wrong path is {wrong:.3f}, with the true one {loss:.3f}."
    ]


def _overfitting(run: RunFolder) -> list[str]:
    points = [point for point in run.points(HELD_OUT, "loss") if math.isfinite(point[1])]
    if not points:
        return []
    best_step, best = min(points, key=lambda point: point[1])
    if best <= 0 or points[-1][1] <= ROSE * best:
        return []
    return [f"The held-out loss has risen from {best:.3f} at step {best_step:,.0f} to {points[-1][1]:.3f}."]


def _restarts(run: RunFolder) -> list[str]:
    later = run.starts[1:]
    if not later:
        return []
    steps = ", ".join(f"{start['step']:,}" for start in later)
    return [f"Started {len(run.starts)} times; went on from step {steps}."]


def _differing_starts(run: RunFolder) -> list[str]:
    said = []
    for name in ("commit", "versions", "machine", "processes", "config"):
        before = [flattened({name: start.get(name)}) for start in run.starts]
        changed = sorted({key for one in before for key in one if any(other.get(key) != one[key] for other in before)})
        if changed:
            said.append(f"Not all starts had the same {name}: {', '.join(changed)} differ.")
    if any(str(start.get("commit")).endswith("-dirty") for start in run.starts):
        said.append("The source had changes that are in no commit.")
    return said


def facts(run: RunFolder) -> list[tuple[str, str]]:
    """The figures at the head of the page: (name, value)."""
    last = run.times[-1] if run.times else {}
    left = None if run.is_finished else last.get("seconds_left")
    rate, tokens = last.get("samples_per_second"), last.get("tokens_per_second")
    ratio, loss = run.last(HELD_OUT, "flow_mse_ratio"), run.last(HELD_OUT, "loss")
    found = [
        ("steps", f"{run.step:,}" + (f" of {run.steps:,}" if run.steps and run.steps != run.step else "")),
        ("flow MSE / static", f"{ratio:.2f}" if ratio is not None else None),
        ("held-out loss", f"{loss:.3f}" if loss is not None else None),
        ("time", duration(run.wall_seconds)),
        ("processor", duration(run.cpu_seconds)),
        ("samples / s", f"{rate:.3g}" if rate else None),
        ("tokens / s", f"{tokens:,.0f}" if tokens else None),
        ("time left", duration(left) if left is not None else None),
    ]
    return [(name, value) for name, value in found if value is not None]


def next_command(run: RunFolder) -> tuple[str, str] | None:
    """(what it does, the command to go on with); None if the folder does not tell."""
    if not run.starts:
        return None
    last = run.starts[-1]
    if not run.is_finished:
        return f"The same command goes on from the last whole state (started in {last['folder']}).", last["command"]
    if (run.folder / "pipeline").is_dir():
        return "Measure the pipeline on the test split.", _eval_command(f"{run.folder}/pipeline")
    data = last["config"].get("data", {})
    if "visual_tokenizer" not in data or "camera_tokenizer" not in data:
        return f"The same command with more steps trains on (started in {last['folder']}).", last["command"]
    parts = (
        f"python -m camvig.training_scripts.assemble_checkpoint --visual-tokenizer {data['visual_tokenizer']} "
        f"--camera-tokenizer {data['camera_tokenizer']} --transformer {run.folder}/model --output-dir my-checkpoint"
    )
    return (
        "Put the parts together as a pipeline, and measure it on the test split.",
        f"{parts}\n{_eval_command('my-checkpoint')}",
    )


def _eval_command(checkpoint: str) -> str:
    return f"camvig eval --checkpoint {checkpoint} --json {checkpoint}/eval.json"
