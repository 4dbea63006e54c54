"""The golden run: the loss curve of `finetune_debug.yaml` is the one that is stored.

A change that moves it on purpose stores the new one:

    accelerate launch training_scripts/finetune.py --config training_scripts/configs/finetune_debug.yaml --output_dir RUN
    cp RUN/metrics.jsonl tests/training_scripts/golden/finetune_debug.jsonl

On one machine with one number of threads it comes again to the bit. Other processors round otherwise: 1 and 2 threads
differ by 1e-6 of a loss, but a video's id that lies between two codes may flip as well, and one of a clip's 256 ids moves its
loss by up to 1%. So 2% are allowed, of losses and validation losses; gradient norms and generated videos are left out. What
it has to notice moves more: other data, another seed, rate or mask change the first losses by over 10%.
"""

import json
import sys
from pathlib import Path

import pytest

from camvig import CamViGPipeline
from camvig.training_scripts import finetune

CONFIG = Path(finetune.__file__).parent / "configs" / "finetune_debug.yaml"
STORED = Path(__file__).parent / "golden" / "finetune_debug.jsonl"


def rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def losses(lines: list[dict]) -> list[float]:
    return [value for row in lines for name, value in row.items() if name.startswith("loss")]


def test_the_loss_curve_is_the_stored_one(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["finetune.py", "--config", str(CONFIG), "--output_dir", str(tmp_path)])
    finetune.main()
    run, stored = rows(tmp_path / "metrics.jsonl"), rows(STORED)
    assert [(row["step"], row["split"]) for row in run] == [(row["step"], row["split"]) for row in stored]
    assert losses(run) == pytest.approx(losses(stored), rel=0.02)
    assert run[-1]["loss"] < 0.95 * run[-1]["loss_no_camera"] < run[-1]["loss_wrong_path"]  # the path is used
    assert CamViGPipeline.from_pretrained(tmp_path / "pipeline").transformer.num_parameters() > 7e6
