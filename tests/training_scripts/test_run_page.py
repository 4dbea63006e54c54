"""The run page: made of a folder alone, be the run finished, killed or damaged; the page needs nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camvig.cli import main
from camvig.training_scripts.run_charts import run_charts
from camvig.training_scripts.run_findings import facts, next_command, results, warnings_of
from camvig.training_scripts.run_folder import read_run
from camvig.training_scripts.run_page import write_run_page
from camvig.training_scripts.run_record import start_record

CONFIG = {
    "model": {"hidden_size": 32},
    "data": {"visual_tokenizer": "runs/v/model", "camera_tokenizer": "runs/c/model"},
    "training": {"steps": 40},
}
FLOW = {
    "flow_mse": 0.5,
    "flow_mse_static": 2.0,
    "flow_mse_wrong_path": 3.0,
    "flow_mse_no_camera": 2.2,
    "flow_mse_ratio": 0.25,
}


def write_lines(file: Path, rows: list[dict]):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_run(folder: Path, steps: int = 40, **last: object) -> Path:
    """A run of 40 planned steps that has done `steps`; `last` changes its last validation."""
    folder.mkdir()
    rows = []
    for step in range(10, steps + 1, 10):
        parts = {f"loss_frame_{frame}": 4.0 + frame for frame in (1, 2, 3, 4)} | {
            "loss_factor_0": 3.0,
            "loss_factor_1": 3.5,
        }
        rows.append({"step": step, "split": "train", "loss": 7 - step / 10, **parts, "learning_rate": 1e-3})
        held_out = {"loss": 6.5 - step / 10, "loss_wrong_path": 7.0, "loss_no_camera": 6.9, **parts, **FLOW}
        rows.append({"step": step, "split": "validation", **held_out})
    rows[-1].update(last)
    write_lines(folder / "metrics.jsonl", rows)
    times = [{"step": step, "wall": 90.0 * step, "cpu": 60.0 * step} for step in range(10, steps + 1, 10)]
    write_lines(folder / "times.jsonl", [{**row, "samples_per_second": 12.5, "seconds_left": 600.0} for row in times])
    write_lines(folder / "starts.jsonl", [start_record(0, CONFIG, 1)])
    (folder / "sheets").mkdir()
    for step in range(10, steps + 1, 10):
        Image.fromarray(np.full((20, 30, 3), step, np.uint8)).save(folder / "sheets" / f"{step:08d}.png")
    if steps == 40:
        (folder / "model").mkdir()
        (folder / "training.json").write_text(json.dumps({"step": 40, "steps": 40, "wall_seconds": 3600.0}))
    return folder


class Page(HTMLParser):
    """What a page shows and what it asks for; tags have to be closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.text, self.asks_for, self.pictures = [], "", [], 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        self.asks_for += [
            value for name, value in names.items() if name in ("src", "href") and not value.startswith("data:")
        ]
        self.pictures += tag == "img"
        assert tag != "script" and tag != "link"
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in ("circle", "line", "path", "polyline")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if self.open[-1:] != ["style"] else ""


def page_of(folder: Path) -> Page:
    return Page(write_run_page(folder).read_text(encoding="utf-8"))


def test_a_finished_run_in_one_file(tmp_path):
    run = make_run(tmp_path / "run")
    page = page_of(run)
    assert page.asks_for == [] and page.pictures == 4
    assert "url(" not in (run / "report.html").read_text() and "@import" not in (run / "report.html").read_text()
    for text in (
        "Finished",
        "flow MSE / static",
        "0.25",
        "Held-out loss of each latent frame",
        "frame 4 8",
        "1 h 00 min",
    ):
        assert text in page.text, text
    assert "assemble_checkpoint --visual-tokenizer runs/v/model" in page.text and "hidden_size: 32" in page.text


def test_every_logged_number_is_in_a_chart(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    titles = [chart.title for chart in run_charts(run)]
    assert titles == [
        "Loss, nats a token",
        "Held-out loss, nats a token",
        "Flow MSE of generated clips, px²",
        "Training loss of each latent frame",
        "Held-out loss of each latent frame",
        "Training loss of each factor of an id",
        "Held-out loss of each factor of an id",
        "Learning rate",
        "Flow MSE over that of a static video",
        "Samples a second",
    ]


def test_results_stand_beside_their_controls(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    assert results(run) == [
        "Flow MSE of generated held-out clips is 0.25 of a static video's (1.50 with a wrong path, 1.10 with no camera).",
        "Held-out loss is 2.500 (wrong path 7.000, no camera 6.900).",
    ]
    assert [line for line in warnings_of(run) if "in no commit" not in line] == []
    assert ("steps", "40") in facts(run) and "time left" not in dict(facts(run))


def test_a_killed_run_says_how_to_go_on(tmp_path):
    folder = make_run(tmp_path / "run", steps=20)
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 30, "split": "tra')  # cut by the kill
    with open(folder / "starts.jsonl", "a") as file:
        file.write(json.dumps({**start_record(10, CONFIG, 2), "command": "typed again"}) + "\n")
    run = read_run(folder)
    assert run.step == 20 and run.problems == [] and dict(facts(run))["time left"] == "10 min"
    warnings = warnings_of(run)
    assert warnings[0] == "The run is not finished: step 20 of 40."
    assert "Started 2 times; went on from step 10." in warnings
    assert "Not all starts had the same processes: processes differ." in warnings
    assert next_command(run)[1] == "typed again" and "typed again" in page_of(folder).text


def test_a_damaged_line_is_named_and_the_others_count(tmp_path):
    folder = make_run(tmp_path / "run")
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    lines[2] = lines[2][:25]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    run = read_run(folder)
    assert len(run.rows) == 7
    assert run.problems == [f"line 3 of metrics.jsonl is damaged and left out: {lines[2]!r}"]
    assert "Damage: line 3 of metrics.jsonl" in page_of(folder).text


@pytest.mark.parametrize(
    "last, warning",
    [
        ({"flow_mse_ratio": 1.2}, "move no better than a picture that stands still"),
        ({"loss_wrong_path": 2.51}, "hardly uses the camera path: its loss with a wrong path is 2.510"),
        ({"loss": 3.9}, "held-out loss has risen from 3.500 at step 30 to 3.900"),
        ({"flow_mse": float("nan")}, "Not a finite number: flow_mse, last at step 40"),
    ],
)
def test_what_a_reader_must_know_first(tmp_path, last, warning):
    folder = make_run(tmp_path / "run", **last)
    assert any(warning in line for line in warnings_of(read_run(folder)))
    assert warning in page_of(folder).text


def test_a_run_with_a_pipeline_is_measured_next(tmp_path):
    folder = make_run(tmp_path / "run")
    (folder / "pipeline").mkdir()
    assert (
        next_command(read_run(folder))[1]
        == f"camvig eval --checkpoint {folder}/pipeline --json {folder}/pipeline/eval.json"
    )


def test_skipped_steps_are_counted_with_their_clips(tmp_path):
    folder = make_run(tmp_path / "run")
    with open(folder / "metrics.jsonl", "a") as file:
        for step, clips in ((12, ["b", "a"]), (15, [])):
            file.write(json.dumps({"step": step, "split": "skipped", "clips": clips, "skipped_batches": 1}) + "\n")
    expected = "Skipped steps, whose loss or gradient was not finite: 2 (step 12, 15). Clips: a, b."
    assert expected in warnings_of(read_run(folder))


def test_a_run_that_has_only_begun(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write_lines(folder / "starts.jsonl", [start_record(0, CONFIG, 1)])
    page = page_of(folder)
    assert "Nothing has been logged yet" in page.text and "step 0 of 40" in page.text and page.pictures == 0


def test_metrics_alone_make_a_page(tmp_path):
    write_lines(tmp_path / "metrics.jsonl", [{"step": 50, "split": "train", "wall_seconds": 3.0, "psnr": 20.5}])
    page = page_of(tmp_path)
    assert "Psnr" in page.text and "the configuration, the commit and the machine are not known" in page.text


def test_names_cannot_write_html(tmp_path):
    folder = make_run(tmp_path / "<b>run", **{"<img src=x>": 1.0})
    page = page_of(folder)
    assert "<b>run" in page.text and "<img src=x>" in page.text and page.pictures == 4


def test_the_command(tmp_path, capsys):
    folder = make_run(tmp_path / "run")
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html") and (folder / "report.html").is_file()
    assert main(["report", str(folder), "--output", str(tmp_path / "pages" / "one.html")]) == 0
    assert (tmp_path / "pages" / "one.html").read_text() == (folder / "report.html").read_text()


@pytest.mark.parametrize(
    "name, problem", [("empty", "no metrics.jsonl there"), ("missing", "no such folder"), ("file", "a file")]
)
def test_what_is_no_run_is_one_line(tmp_path, capsys, name, problem):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert main(["report", str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(rf"camvig: error: expected the folder of a run .* got {tmp_path}/{name}: {problem}\n", error)
