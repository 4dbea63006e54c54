"""Runs `finetune.py` in forked processes that are killed at random moments; prints what happened as one JSON line.

    python kill_driver.py CONFIG FOLDER KILLS SEED

Trains into FOLDER/whole without a kill, and into FOLDER/killed with KILLS kills (SIGKILL) before it may end. Most kills come at
a random one of the process's own openings, renamings and removals of files below its folder, which no clock moves and
which are mostly those of saving a state; every fourth comes after a random time, and at the latest at the last such moment, so that
no run ends before its kill. Forking spares each its imports.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from camvig.training_scripts import finetune

LAST_EVENT = 70
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")


def die_at_event(count: int, folder: str):
    """Kills this process at the `count`-th event below a folder."""
    left = [count]

    def hook(event: str, arguments: tuple):
        if event in EVENTS and arguments and str(arguments[0]).startswith(folder):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def train(config: str, output: Path, events: int | None = None, seconds: float = 0.0) -> int:
    """Exit status of a run, -9 if it was killed."""
    child = os.fork()
    if child == 0:
        with open(output.with_suffix(".log"), "a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        if events:
            die_at_event(events, str(output))
        sys.argv = ["finetune.py", "--config", config, "--output_dir", str(output)]
        try:
            finetune.main()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if seconds:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)  # if it is dead, it is not yet waited for
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    config, folder, kills, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rng, whole, killed = random.Random(seed), folder / "whole", folder / "killed"
    assert train(config, whole) == 0, whole.with_suffix(".log").read_text()
    statuses, in_a_save, steps = [], 0, []
    for number in range(kills):
        if number % 4 == 3:
            statuses.append(train(config, killed, LAST_EVENT, seconds=rng.uniform(0.2, 1.5)))
        else:
            statuses.append(train(config, killed, rng.randint(1, LAST_EVENT)))
        states = killed / "states"
        in_a_save += states.exists() and any(states.glob(".*.new"))
        steps.append(max([int(state.name) for state in states.glob("[0-9]*")], default=0) if states.exists() else 0)
    last = train(config, killed)
    print(json.dumps({"statuses": statuses, "in_a_save": in_a_save, "steps": steps, "last": last}))


if __name__ == "__main__":
    main()
