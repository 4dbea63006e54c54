"""Stages run once, in order, alone and to the end, whatever stops them; a changed command is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from camvig.training_scripts.reproduce.runner import run_stages
from camvig.training_scripts.reproduce.stages import Stage

WRITE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
SLOW = """
import sys, time, pathlib
log = open(sys.argv[1], 'a')
print('start', file=log, flush=True)
while not pathlib.Path(sys.argv[1] + '.go').exists():
    time.sleep(0.02)
print('end', file=log, flush=True)
"""
DRIVER = """
import sys, pathlib
from camvig.training_scripts.reproduce.runner import run_stages
from camvig.training_scripts.reproduce.stages import Stage
words = ("python", "-c", sys.argv[2], "{work}/result")
run_stages([Stage("slow", words, "result", 1)], pathlib.Path(sys.argv[1]), "full", print)
"""


def writing(name: str, text: str = "once") -> Stage:
    return Stage(name, ("python", "-c", WRITE, f"{{work}}/{name}.txt", text), f"{name}.txt", 1)


def run(stages: list[Stage], work: Path) -> list[str]:
    said: list[str] = []
    run_stages(stages, work, "full", said.append)
    return said


def test_stages_run_once_and_leave_a_record(tmp_path):
    stages = [writing("one"), writing("two")]
    first, second = run(stages, tmp_path), run(stages, tmp_path)
    assert [line.split()[1] for line in first] == ["one:", "one:", "two:", "two:"]
    assert second == ["[1/2] one: done before", "[2/2] two: done before"]
    assert (tmp_path / "one.txt").read_text() == (tmp_path / "two.txt").read_text() == "once\n"
    record = json.loads((tmp_path / "stages" / "one.json").read_text())
    assert record["command"][-2:] == ["{work}/one.txt", "once"] and record["seconds"] > 0 and record["finished"]
    assert "torch" in record["versions"] and "commit" in record


def test_a_work_folder_may_be_moved(tmp_path):
    run([writing("one")], tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert run([writing("one")], tmp_path / "there") == ["[1/1] one: done before"]


def test_a_result_that_is_gone_is_made_again(tmp_path):
    run([writing("one")], tmp_path)
    (tmp_path / "one.txt").unlink()
    assert len(run([writing("one")], tmp_path)) == 2
    assert (tmp_path / "one.txt").exists()


def test_a_changed_command_is_refused_before_anything_runs(tmp_path):
    run([writing("two")], tmp_path)
    with pytest.raises(
        ValueError, match=r"two\.txt to be made by: python -c .* twice -- .* delete .*two\.txt and .*two\.json"
    ):
        run([writing("one"), writing("two", "twice")], tmp_path)
    assert not (tmp_path / "one.txt").exists()


def test_a_failed_stage_names_its_log_and_its_end_and_leaves_the_rest(tmp_path):
    bad = Stage("bad", ("python", "-c", "print('1%\\r2%'); raise SystemExit('no room on disk')"), "bad.txt", 1)
    with pytest.raises(
        ValueError, match=r"stage bad .* exit status 1; its log is .*bad\.log, which ends: 2% \| no room on disk"
    ):
        run([writing("one"), bad, writing("two")], tmp_path)
    assert (tmp_path / "one.txt").exists() and not (tmp_path / "two.txt").exists()
    idle = Stage("idle", ("python", "-c", "pass"), "idle.txt", 1)
    for _ in range(2):  # it is not done the second time either
        with pytest.raises(ValueError, match=r"stage idle to end well, got no .*idle\.txt"):
            run([writing("one"), idle], tmp_path)


def test_another_scale_needs_another_folder(tmp_path):
    run([writing("one")], tmp_path)
    with pytest.raises(ValueError, match=r"scale debug, got .* of scale full: choose another --work-dir"):
        run_stages([writing("one")], tmp_path, "debug", print)


def test_a_damaged_record_is_named(tmp_path):
    run([writing("one")], tmp_path)
    (tmp_path / "stages" / "one.json").write_text("{")
    with pytest.raises(ValueError, match=r"record of a stage in .*one\.json"):
        run([writing("one")], tmp_path)


def start(work: Path) -> subprocess.Popen:
    words = [sys.executable, "-c", DRIVER, str(work), SLOW]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def wait_for(file: Path, text: str) -> None:
    while not file.exists() or text not in file.read_text():
        time.sleep(0.02)


def test_stopped_it_stops_the_command_and_goes_on_later(tmp_path):
    process = start(tmp_path)
    wait_for(tmp_path / "result", "start")
    process.send_signal(signal.SIGTERM)
    assert process.wait() != 0
    record = json.loads((tmp_path / "stages" / "slow.json").read_text())
    assert record["finished"] is None and record["seconds"] > 0
    (tmp_path / "stages" / "slow.json").write_text(json.dumps({**record, "seconds": 1000.0}))
    (tmp_path / "result.go").touch()
    assert start(tmp_path).wait() == 0
    assert (tmp_path / "result").read_text().split() == ["start", "start", "end"]  # the first one's end never came
    assert json.loads((tmp_path / "stages" / "slow.json").read_text())["seconds"] > 1000  # those of both runs


def test_killed_outright_its_command_is_waited_for(tmp_path):
    process = start(tmp_path)
    wait_for(tmp_path / "result", "start")
    process.kill()
    process.wait()
    second = start(tmp_path)
    assert second.stdout is not None and "another process is at it; waiting" in second.stdout.readline()
    (tmp_path / "result.go").touch()
    assert second.wait() == 0
    assert (tmp_path / "result").read_text().split() == ["start", "end", "start", "end"]  # never two at a time


def test_two_runs_in_one_folder_share_the_work(tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    wait_for(tmp_path / "result", "start")
    (tmp_path / "result.go").touch()
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "result").read_text().split() == ["start", "end"]
