"""Runs the stages of an experiment one after the other, each a process of its own, and goes on where an earlier run stopped.

What always holds: a stage that is done is not run again; two runs that share a work folder never run one stage at the same time,
not even when one of them was killed and its command goes on alone; what a stage leaves stays, whatever happens to the next.
"""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ...camera_paths.atomic_file import write_then_rename
from ..run_record import commit, versions
from .stages import RECORDS, Stage

SCALE_FILE = "scale.json"
LAST_LINES = 6
Say = Callable[[str], None]


def check_scale(work: Path, scale: str) -> None:
    """ValueError if the folder was begun at another scale."""
    file = work / SCALE_FILE
    if file.is_file() and (found := json.loads(file.read_text(encoding="utf-8"))["scale"]) != scale:
        raise ValueError(
            f"expected a work folder of scale {scale}, got {work} of scale {found}: choose another --work-dir"
        )


def run_stages(stages: Sequence[Stage], work: Path, scale: str, say: Say) -> None:
    """Runs what is not done. ValueError for a stage that failed, with the end of its log, or whose command has changed."""
    check_scale(work, scale)
    for stage in stages:
        stage.record(work)  # all are looked at before the first hour is spent
    (work / RECORDS).mkdir(parents=True, exist_ok=True)
    with write_then_rename(work / SCALE_FILE) as temporary:
        temporary.write_text(json.dumps({"scale": scale}) + "\n", encoding="utf-8")
    for number, stage in enumerate(stages, start=1):
        where = f"[{number}/{len(stages)}] {stage.name}"
        with _alone(stage, work, lambda where=where: say(f"{where}: another process is at it; waiting")) as lock:
            if stage.is_done(work):
                say(f"{where}: done before")
                continue
            say(f"{where}: running, log in {stage.log_file(work)}")
            seconds = _run(stage, work, lock)
            say(f"{where}: done in {seconds / 60:.1f} minutes")


@contextmanager
def _alone(stage: Stage, work: Path, say_waiting: Callable[[], None]) -> Iterator[IO[str]]:
    """Holds the stage's lock, which its command inherits: it is free when both this process and the command are gone."""
    with open(work / RECORDS / f"{stage.name}.lock", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say_waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _run(stage: Stage, work: Path, lock: IO[str]) -> float:
    """Seconds that the stage has taken, those of earlier runs of the same command included."""
    before = stage.record(work).get("seconds", 0.0)
    about = {"stage": stage.name, "command": list(stage.words), "result": stage.result}
    stage.write_record(work, {**about, "seconds": before, "finished": None})
    started = time.monotonic()
    try:
        status = _wait_for(stage, work, lock)
        is_done = status == 0 and (work / stage.result).exists()
    except BaseException:  # stopped: how long it took is kept
        stage.write_record(work, {**about, "seconds": before + time.monotonic() - started, "finished": None})
        raise
    seconds = before + time.monotonic() - started
    finished = datetime.now(UTC).isoformat(timespec="seconds") if is_done else None
    stage.write_record(
        work, {**about, "seconds": seconds, "finished": finished, "commit": commit(), "versions": versions()}
    )
    if not is_done:
        what = f"exit status {status}" if status else f"no {work / stage.result}"
        raise ValueError(
            f"expected stage {stage.name} to end well, got {what}; its log is {stage.log_file(work)}, which ends: "
            f"{_end_of(stage, work)}"
        )
    return seconds


def _wait_for(stage: Stage, work: Path, lock: IO[str]) -> int:
    """The command's exit status; it is stopped when this process is (Ctrl-C, SIGTERM)."""
    with open(stage.log_file(work), "a", encoding="utf-8") as log, _terminated_as_interrupted():
        process = subprocess.Popen(
            stage.command(work),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            pass_fds=(lock.fileno(),),
        )
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_of(stage: Stage, work: Path) -> str:
    """The last lines of the log, of what a progress bar wrote over only the last state."""
    text = stage.log_file(work).read_bytes().decode("utf-8", errors="replace")
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1].strip() for line in text.strip().split("\n")]
    return " | ".join(line for line in lines[-LAST_LINES:] if line)
