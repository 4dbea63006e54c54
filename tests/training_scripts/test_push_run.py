"""`finetune.py --push-to-hub`, with the real client and a Hub on this machine: refused at the start, pushed, or told how to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

RUNS = """
import json, os, shlex, sys
from pathlib import Path
import torch
from accelerate.state import AcceleratorState
from huggingface_hub import HfApi
from camvig.cli import main
from camvig.training_scripts import finetune

config, out = sys.argv[1], Path(sys.argv[2])
api = HfApi()

def run(name, *options):
    AcceleratorState._reset_state(reset_partial_state=True)
    sys.argv = ["finetune.py", "--config", config, "--output_dir", str(out / name), *options]
    try:
        finetune.main()
    except ValueError as error:
        return str(error)

def files(name):
    return api.list_repo_files(name) if api.repo_exists(name) else None

api.create_repo("user/run-there")
os.environ["HF_TOKEN"] = "hf_only_read"
found = {
    "refused": [run("refused", "--push-to-hub", name) for name in ("user/run-there", "user/run-new")],
    "trained nevertheless": (out / "refused").exists(),
}
os.environ["HF_TOKEN"] = "hf_made_up"
found["refused files"] = [files("user/run-there"), files("user/run-new")]
found["pipeline"] = [run("full", "--push-to-hub", "user/run-full"), files("user/run-full")]
found["adapter"] = [run("lora", "--lora", "--push-to-hub", "user/run-lora", "--private"), files("user/run-lora")]
assert found["pipeline"][0] is found["adapter"][0] is None, found
found["private"] = [api.model_info(name).private for name in ("user/run-full", "user/run-lora")]
found["card"] = Path(api.hf_hub_download("user/run-full", "README.md")).read_text()
found["adapter card"] = Path(api.hf_hub_download("user/run-lora", "README.md")).read_text()
found["base"] = json.loads(Path(api.hf_hub_download("user/run-lora", "adapter_config.json")).read_text())[
    "base_model_name_or_path"
]
found["pushed to another kind"] = run("kind", "--push-to-hub", "user/run-lora")

def loses_permission(*_):
    os.environ["HF_TOKEN"] = "hf_only_read"
hook = torch.nn.modules.module.register_module_forward_hook(loses_permission)  # so it comes after the check
found["late"] = run("late", "--push-to-hub", "user/run-late")
hook.remove()
found["late files"] = [files("user/run-late"), sorted(path.name for path in (out / "late").iterdir())]
os.environ["HF_TOKEN"] = "hf_made_up"
words = shlex.split(found["late"].rpartition("push it with: ")[2])
found["went on"] = [words[0], main(words[1:]), files("user/run-late")]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(
    tiny_checkpoint: Path, run_on_local_hub: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> dict:
    folder = tmp_path_factory.mktemp("push_run")
    data = {"checkpoint": str(tiny_checkpoint), "debug_clips": 3, "validation_clips": 0}
    training = {
        "output_dir": "unused",
        "steps": 2,
        "batch_size": 2,
        "log_every": 1,
        "warmup_steps": 1,
        "mixed_precision": "no",
    }
    (folder / "finetune.yaml").write_text(yaml.safe_dump({"data": data, "training": training}), encoding="utf-8")
    return json.loads(run_on_local_hub(RUNS, folder / "finetune.yaml", folder).splitlines()[-1])


def test_a_token_that_may_not_write_is_refused_before_anything_is_trained(found):
    for error in found["refused"]:
        assert "expected a token that may write to user/run-" in error and "\n" not in error
    assert not found["trained nevertheless"] and found["refused files"] == [[], None]
    assert "holds adapter" in found["pushed to another kind"]


def test_after_the_run_the_pipeline_is_pushed(found):
    error, files = found["pipeline"]
    assert error is None
    assert {"model_index.json", "transformer/model.safetensors", "example.gif", "training/full.json"} <= set(files)
    assert "| full |" in found["card"]


def test_with_lora_the_adapter_alone_is_pushed(found, tiny_checkpoint):
    error, files = found["adapter"]
    assert error is None
    assert set(files) == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "training/lora.json",
        "training/lora.jsonl",
    }
    assert found["private"] == [False, True] and found["base"] is None
    assert str(tiny_checkpoint) not in found["adapter card"]


def test_a_push_that_fails_leaves_the_run_and_says_how_to_go_on(found):
    assert "expected a token that may write to user/run-late" in found["late"]
    files, folder = found["late files"]
    assert files == [] and {"model", "pipeline", "states", "report.html"} <= set(folder)
    assert found["went on"][:2] == ["camvig", 0] and "training/late.json" in found["went on"][2]
