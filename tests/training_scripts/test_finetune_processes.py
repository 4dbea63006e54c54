"""Fine-tuning in processes of its own: killed at 20 random moments, and on two processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from camvig.training_scripts import finetune

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


@pytest.fixture(scope="module")
def write_config(tiny_checkpoint, tmp_path_factory):
    """Writes a YAML of a run on debug clips that are made once, with changes of `training`, and gives the file."""
    folder = tmp_path_factory.mktemp("processes")
    data = {"checkpoint": str(tiny_checkpoint), "debug_clips": 9, "validation_clips": 0}

    def write(name: str, **training) -> Path:
        settings = {"output_dir": str(folder / name), "warmup_steps": 1, "log_every": 1, "mixed_precision": "no"}
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"data": data, "training": {**settings, **training}}), encoding="utf-8")
        return file

    return write


def test_killed_20_times_it_gives_the_same_bytes(write_config, tmp_path):
    config = write_config("kill", steps=100, batch_size=2, gradient_accumulation=2, ema_decay=0.9, save_every=2)
    driver = [sys.executable, str(Path(__file__).with_name("kill_driver.py")), str(config), str(tmp_path), "20", "0"]
    done = subprocess.run(driver, env=ONE_THREAD, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["statuses"] == [-9] * 20 and report["last"] == 0, (
        report,
        (tmp_path / "killed.log").read_text()[-3000:],
    )
    assert report["in_a_save"] >= 3 and len(set(report["steps"])) >= 5, report
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert len((whole / "metrics.jsonl").read_text().splitlines()) == 100
    assert (whole / "metrics.jsonl").read_bytes() == (killed / "metrics.jsonl").read_bytes()
    assert (whole / "model/model.safetensors").read_bytes() == (killed / "model/model.safetensors").read_bytes()
    files = [json.loads((run / "states/00000100/complete.json").read_text())["files"] for run in (whole, killed)]
    assert files[0] == files[1] and {"average.safetensors", "optimizer_1.bin", "random_states_0.pkl"} <= set(files[0])
    assert sorted(path.name for path in (killed / "states").iterdir()) == ["00000098", "00000100"]


def losses(folder: str) -> list[float]:
    return [json.loads(line)["loss"] for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]


LAUNCH = """
import os, subprocess, sys, urllib.request
subprocess.run(sys.argv[1:], check=True, env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"})
print(urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/requests").read().decode())
"""


def test_two_processes_are_one_with_twice_the_batch(write_config, monkeypatch, tmp_path, run_on_local_hub):
    config = write_config("equal", steps=8, batch_size=4)
    monkeypatch.setattr(sys, "argv", ["finetune.py", "--config", str(config), "--output_dir", str(tmp_path / "one")])
    finetune.main()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", str(port), finetune.__file__, "--config", str(config)]
    changes = ["--set", "training.batch_size=2", "--set", "training.num_processes=2", "--set", "training.save_every=4"]
    said = run_on_local_hub(LAUNCH, *launch, *changes, "--output_dir", tmp_path / "two", "--push-to-hub", "user/two")
    commits = [request for request in json.loads(said.splitlines()[-1]) if "user/two/commit/main" in request]
    assert len(commits) == 1, "only the main process pushes"
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == 8 and two == pytest.approx(one, rel=1e-5)
    assert len(set(one)) == 8
    states = {path.name for path in (tmp_path / "two/states/00000008").iterdir()}
    assert {"random_states_0.pkl", "random_states_1.pkl", "complete.json"} <= states
    assert (tmp_path / "two/pipeline/model_index.json").exists()
