"""docs/hub.md: every command and every line of Python runs, with the tiny checkpoint and a Hub on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

from PIL import Image

GUIDE = (Path(__file__).parents[2] / "docs" / "hub.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ((?:\w+=\w+ )?camvig .+)$", GUIDE, flags=re.MULTILINE)
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)

RUN = """
import json, os, shlex, subprocess, sys
from huggingface_hub import HfApi
from PIL import Image
from camvig.cli import main

commands, python = json.loads(sys.argv[1])
pushes = [command for command in commands if command.startswith("camvig push")]
for command in pushes:
    assert main(shlex.split(command)[1:]) == 0, command
HfApi().create_branch("user/name", branch="v2")
for command in [command for command in commands if command not in pushes]:
    settings = dict(word.split("=") for word in command.partition("camvig ")[0].split())
    words = shlex.split(command.partition("camvig ")[2])
    if settings:  # read when the Hub's client is imported
        code = "import sys; from camvig.cli import main; sys.exit(main(sys.argv[1:]))"
        subprocess.run([sys.executable, "-c", code, *words], check=True, env={**os.environ, **settings})
    else:
        assert main(words) == 0, command
names = {"image": Image.open("photo.jpg")}
load, by_diffusers, push = python
for code in (load, push, by_diffusers):  # what the last one loads cannot push
    exec(code, names)
print(len(names["video"]), json.dumps(HfApi().list_repo_files("user/name-lora")))
"""


def test_every_line_of_the_guide_runs(tiny_checkpoint, run_on_local_hub, tmp_path, monkeypatch):
    from peft import LoraConfig, get_peft_model

    from camvig import CamViGPipeline

    assert len(COMMANDS) == 6 and len(PYTHON) == 3
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 48), "teal").save("photo.jpg")
    Path("checkpoints").mkdir()
    for name in ("checkpoints/camvig-tiny", "my-checkpoint"):
        Path(name).symlink_to(tiny_checkpoint)
    transformer = CamViGPipeline.from_pretrained(tiny_checkpoint).transformer
    get_peft_model(transformer, LoraConfig(r=2, target_modules=r".*q_proj")).save_pretrained("my-adapter")
    for run in ("runs/transformer", "runs/visual_tokenizer"):
        Path(run).mkdir(parents=True)
        Path(run, "training.json").write_text(json.dumps({"step": 10, "batch_size": 2}))
    shipped = Path(__file__).parents[2] / "checkpoints" / "camvig-tiny" / "eval.json"
    Path("eval.json").write_text(shipped.read_text())
    python = [code.replace("hf_...", "hf_made_up") for code in PYTHON]
    frames, files = run_on_local_hub(RUN, json.dumps([COMMANDS, python])).splitlines()[-1].split(" ", 1)
    assert frames == "17" and set(json.loads(files)) == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert Path("out.mp4").stat().st_size > 500 and Path("still.gif").stat().st_size > 500
