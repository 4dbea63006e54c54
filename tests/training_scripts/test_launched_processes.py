"""A launcher that starts fewer processes than it was asked for is found out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from camvig.training_scripts import launched_processes
from camvig.training_scripts.launched_processes import asked_of_launcher

CONFIGS = Path(launched_processes.__file__).parent / "configs" / "accelerate"
CHECK = "from camvig.training_scripts.launched_processes import check_processes; check_processes(None, 1)"


@pytest.mark.parametrize(
    "command, asked",
    [
        ("python /bin/accelerate launch --cpu --num_processes 2 x.py --set a=b", 2),
        ("accelerate launch --multi_gpu --num_processes=3 -m camvig.x --num_processes 9", 3),
        ("python -m accelerate.commands.launch --num_processes 4 x.py", 4),
        ("python /bin/accelerate-launch --num_processes 4 x.py", 4),
        (f"accelerate launch --config_file {CONFIGS / 'machines_fsdp2.yaml'} x.py", 16),
        (f"accelerate launch --config_file {CONFIGS / 'gpus_ddp.yaml'} --num_processes 2 x.py", 2),
        ("accelerate launch --cpu x.py", None),
        ("torchrun --nproc_per_node 2 x.py", None),
        ("python x.py launch --num_processes 2", None),
        ("bash -c accelerate", None),
    ],
)
def test_the_number_is_read_as_accelerate_reads_it(command, asked):
    assert asked_of_launcher(command.split()) == asked


def test_one_process_where_two_were_asked_for_is_an_error(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(CHECK)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]
    for number, status in (("2", 1), ("1", 0)):
        command = [*launch, "--num_processes", number, str(script)]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert ("expected 2 processes (accelerate launch), got 1: on CPUs start them by" in done.stderr) == bool(status)
