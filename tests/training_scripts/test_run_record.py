"""How a run was started: the command as it was typed, without secrets, and what it ran on."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import torch

from camvig.training_scripts.run_record import command_line, commits, flattened, start_record, without_secrets

SHOW = "from camvig.training_scripts.run_record import command_line; print(command_line())"


def test_the_record_is_json_and_tells_versions_and_machine():
    config = {"training": {"steps": 5}, "data": {}, "model": {"layers": [1, 2]}}
    record = json.loads(json.dumps(start_record(3, config, processes=2)))
    assert record["step"] == 3 and record["processes"] == 2 and record["config"] == config
    assert (
        record["versions"]["torch"] == torch.__version__.split("+")[0]
        or record["versions"]["torch"] == torch.__version__
    )
    assert record["machine"]["cores"] >= 1 and record["machine"]["memory_gb"] > 0 and record["machine"]["processor"]


def test_the_command_can_be_typed_again():
    words = [sys.executable, "-c", SHOW, "--set", "a b=c"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert shlex.split(shown) == ["python", *words[1:]]
    assert command_line()  # under pytest too


def test_a_launcher_is_part_of_the_command(tmp_path):
    launcher = tmp_path / "accelerate"  # as accelerate does: it starts Python as a child
    launcher.write_text("import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[-1]])")
    command = [sys.executable, str(launcher), "launch", "--num_processes", "2", SHOW]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env={"OMP_NUM_THREADS": "1"}).stdout
    assert shlex.split(shown) == ["OMP_NUM_THREADS=1", "accelerate", "launch", "--num_processes", "2", SHOW]


def test_tokens_are_not_written():
    words = ["python", "x.py", "--hub-token", "abc", "--hub_token=def", "--note=hf_abcdefghijkl", "--tokens", "5"]
    assert without_secrets(words) == "python x.py --hub-token ... --hub_token=... --note=... --tokens 5"


def test_nested_values_become_flat_names():
    assert flattened({"a": {"b": 1, "c": {"d": [1]}}, "e": None}) == {"a.b": 1, "a.c.d": "[1]", "e": "None"}


def test_the_commits_are_those_of_the_starts_whose_steps_the_run_has():
    def of(*starts: tuple[int, str | None], step: int) -> str | None:
        return commits([{"step": at, "commit": name} for at, name in starts], step)

    assert of((0, "abc"), step=5) == of((0, "abc"), (3, "abc"), step=5) == "abc"
    assert of((0, "abc"), (3, "def"), step=5) == "abc, def"
    assert of((0, "abc"), (3, "killed"), (3, "def"), (5, "already done"), step=5) == "abc, def"
    assert of((0, "another run"), (4, "too"), (0, "abc"), step=5) == "abc"
    assert of((0, None), step=5) is None


def test_the_commit_is_that_of_this_checkout():
    folder = Path(__file__).parent
    head = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True)
    commit = start_record(0, {}, 1)["commit"]
    if head.returncode:  # the tests are used outside a checkout
        assert commit is None
    else:
        assert head.stdout.startswith(commit.removesuffix("-dirty"))
