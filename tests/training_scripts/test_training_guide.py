"""docs/training.md: every command of the guide runs, in its order, at debug size; so does its Python."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from accelerate.state import AcceleratorState
from PIL import Image

from camvig.cli import main
from camvig.dataset_builders.clip_videos import encode_video
from camvig.dataset_builders.rooms.room_clips import room_clip
from camvig.training_scripts import finetune

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ((?:\w+=\w+ )?(?:camvig|accelerate) .+)$", GUIDE, flags=re.MULTILINE)

SMALLER = {
    "--minutes 15": "--minutes 0.05 --size 32",
    "render-clips scenes/kitchen --clips 10000": "render-clips room:train/5 --clips 6",  # a fit of 3 s may show too little
    "--num-proc 2": "--num-proc 1",
    "camvig eval": "camvig eval --clips 2",
    "training_scripts/": f"{ROOT}/training_scripts/",
}
FEW_STEPS = [
    "training.steps=2",
    "training.batch_size=2",
    "training.mixed_precision=no",
    "data.attention=sdpa",
    "data.validation_clips=0",
]


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with what the guide takes for given: my_capture, my_videos, photo.jpg; the test runs in it."""
    write_capture(tmp_path / "my_capture")
    write_videos(tmp_path / "my_videos")
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_capture(folder: Path):
    folder.mkdir()
    clip, flip = room_clip("train", 1, 0, 64, move="orbit_left"), np.diag([1.0, -1.0, -1.0, 1.0])
    frames = []
    for view, pose in enumerate(clip.camera_to_world):
        Image.fromarray(clip.frames[view]).save(folder / f"{view}.png")
        frames.append({"file_path": f"{view}.png", "transform_matrix": (flip @ pose @ flip).tolist()})
    fx, fy, cx, cy = (clip.intrinsics[0] * 64).tolist()
    content = {"w": 64, "h": 64, "fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content), encoding="utf-8")


def write_videos(folder: Path):
    """Three, so that one is of the split for training."""
    folder.mkdir()
    for seed in range(3):
        shapes = np.random.default_rng(seed).uniform(0, 255, (6, 12, 3)).astype(np.float32)
        wide = cv2.resize(shapes, (180, 72), interpolation=cv2.INTER_LINEAR).clip(0, 255).astype(np.uint8)
        frames = np.stack([wide[:, step : step + 96] for step in range(60)])
        (folder / f"{seed}.mp4").write_bytes(encode_video(frames, 24.0))


def smaller(command: str) -> list[str]:
    for long, short in SMALLER.items():
        command = command.replace(long, short)
    return shlex.split(command)


def run_camvig(words: list[str], run_on_local_hub):
    if words[1] == "push":
        run_on_local_hub("import sys; from camvig.cli import main; sys.exit(main(sys.argv[1:]))", *words[1:])
    else:
        assert main(words[1:]) == 0, words


def run_finetune(words: list[str], monkeypatch):
    """In this process; with several, as the guide says, for one step."""
    changes = [word for change in FEW_STEPS for word in ("--set", change)]
    if words[0].startswith("ACCELERATE"):
        name, value = words.pop(0).split("=")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            words[2:2] = ["--main_process_port", str(free.getsockname()[1])]
        command = [
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            *words[2:],
            *changes,
            "--set",
            "training.steps=1",
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", name: value}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setattr(sys, "argv", [*words[2:], *changes])
    finetune.main()


def test_the_guide_has_its_commands():
    starts = [" ".join(shlex.split(command)[:3]) for command in COMMANDS]
    steps = ["camvig data check", "camvig data fit-scene", "camvig data render-clips", "camvig data tokenize"]
    assert [start for start in starts if start in steps] == [*steps, "camvig data tokenize"]
    assert len(COMMANDS) == 13 and starts[-1].startswith("camvig push")


def test_every_command_runs(workplace, monkeypatch, run_on_local_hub):
    for command in COMMANDS:
        words = smaller(command)
        if words[0] == "camvig":
            run_camvig(words, run_on_local_hub)
        else:
            run_finetune(words, monkeypatch)
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    names: dict = {}
    exec(code, names)
    names["pipe"].set_progress_bar_config(disable=True)
    assert len(names["pipe"](Image.open("photo.jpg"), "pan left 5deg", temperature=0).frames[0]) == 17
    assert {path.name for path in (workplace / "runs").iterdir()} == {"finetune", "lora", "two"}
