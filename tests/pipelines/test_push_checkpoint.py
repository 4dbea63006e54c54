"""Checkpoints to the Hub and back, with the real client and a Hub on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PATH = "dolly in 20%, pan right 5deg"

PUSHED = """
import contextlib, io, json, os, sys, urllib.request
import numpy as np
import torch
from pathlib import Path
from huggingface_hub import HfApi
from PIL import Image
from camvig import CamViGPipeline
from camvig.cli import main

checkpoint, run, picture, out, other, adapter, empty = map(Path, sys.argv[1:])
said = lambda *arguments: main(["push", *map(str, arguments)])
statuses = {"new": said(checkpoint, "--repo-id", "user/tiny", "--licence", "mit", "--run", run)}
statuses["private branch"] = said(
    checkpoint, "--repo-id", "user/hidden", "--private", "--revision", "no-code", "--no-code"
)
api = HfApi()
found = {
    "statuses": statuses,
    "files": api.list_repo_files("user/tiny"),
    "hidden main": api.list_repo_files("user/hidden"),
    "hidden branch": api.list_repo_files("user/hidden", revision="no-code"),
    "is private": api.model_info("user/hidden").private,
}
(out / "README.md").write_text(Path(api.hf_hub_download("user/tiny", "README.md")).read_text())
pipeline = CamViGPipeline.from_pretrained("user/tiny")
found["same module"] = type(pipeline.transformer).__module__
found["pushed again"] = str(pipeline.push_to_hub("user/again", licence="mit"))
found["again"] = api.list_repo_files("user/again")

def frames(*arguments, **how):
    pipeline = CamViGPipeline.from_pretrained(*arguments, **how)
    pipeline.set_progress_bar_config(disable=True)
    seed = torch.Generator().manual_seed(0)
    return pipeline(Image.open(picture), "dolly in 20%, pan right 5deg", generator=seed, output_type="np").frames[0]
def error(*arguments, **how):
    try:
        frames(*arguments, **how)
    except ValueError as error:
        return str(error)
np.save(out / "hub.npy", frames("user/tiny"))
np.save(out / "hidden.npy", frames("user/hidden", revision="no-code", token="hf_made_up"))
np.save(out / "cached.npy", frames("user/tiny", local_files_only=True))
np.save(out / "by_diffusers.npy", frames("user/tiny", device_map="cpu"))
found["generate"] = main(["generate", "--image", str(picture), "--camera-path", "dolly in 20%", "--checkpoint", "user/tiny",
                "--output", str(out / "video.gif")])
found["errors"] = [error("user/hidden", token=False), error("user/tiny", revision="nowhere"), error("user/nothing")]
"""

WITHOUT_CAMVIG = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "camvig":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image

try:
    import camvig
    sys.exit("camvig can be imported")
except ModuleNotFoundError:
    pass
pipeline = DiffusionPipeline.from_pretrained("user/tiny", trust_remote_code=True)
pipeline.set_progress_bar_config(disable=True)
seed = torch.Generator().manual_seed(0)
np.save(sys.argv[2], pipeline(Image.open(sys.argv[1]), "dolly in 20%, pan right 5deg", generator=seed, output_type="np").frames[0])
print(type(pipeline).__module__, type(pipeline.visual_tokenizer).__module__)
for asked in (
    lambda: pipeline.push_to_hub("user/other"),
    lambda: pipeline(Image.open(sys.argv[1]), "dolly in 20%", return_score=True),
):
    try:
        asked()
    except ImportError as error:
        print(error)
"""

OFFLINE = """
import contextlib, os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
from camvig.cli import main

picture, checkpoint, out = sys.argv[1:]
arguments = ["--image", picture, "--camera-path", "static", "--output", out]
with contextlib.redirect_stderr(sys.stdout):
    print("generate", main(["generate", "--checkpoint", "user/tiny", *arguments]))
    print("generate", main(["generate", "--checkpoint", "user/never-seen", *arguments]))
    print("push", main(["push", checkpoint, "--repo-id", "user/offline"]))
"""


def local_frames(checkpoint: Path, picture: Path) -> np.ndarray:
    import torch
    from PIL import Image

    from camvig import CamViGPipeline

    pipeline = CamViGPipeline.from_pretrained(checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    seed = torch.Generator().manual_seed(0)
    return pipeline(Image.open(picture), PATH, generator=seed, output_type="np").frames[0]


def test_a_push_is_the_pipeline_its_records_and_code_that_loads_it(pushed):
    assert pushed["statuses"] == {"new": 0, "private branch": 0}
    assert set(pushed["files"]) == {
        "README.md",
        "example.gif",
        "model_index.json",
        "pipeline_camvig.py",
        "transformer/generation_config.json",
        "training/transformer_tiny.json",
        "training/transformer_tiny.jsonl",
        *(f"{part}/{file}" for part in ("visual_tokenizer", "camera_tokenizer", "transformer")
          for file in ("config.json", "model.safetensors", f"camvig_{part}.py")),
    }  # fmt: skip
    assert pushed["is private"]
    assert pushed["hidden main"] == []
    assert "model_index.json" in pushed["hidden branch"]
    assert not [file for file in pushed["hidden branch"] if file.endswith(".py")]
    assert "user/again" in pushed["pushed again"] and "pipeline_camvig.py" in pushed["again"]


def test_the_card_says_what_is_known_and_what_is_not(pushed):
    card = pushed["card"]
    for line in ("license: mit", "library_name: diffusers", "pipeline_tag: image-to-video", "- camera-control"):
        assert line in card.split("---")[1]
    assert "Not measured" in card and "Not stated by its makers" in card
    assert (
        "| transformer_tiny | rooms, panoramas | 1,000 x 16 | 7 | 2.00 h | 1.5 min | not recorded | not recorded |"
        in card
    )
    assert "![`dolly in 20%, pan right 8deg`, seed 0, from a picture of procedural room 0" in card
    assert 'from_pretrained("user/tiny", trust_remote_code=True)' in card and "$" not in card


def test_what_comes_back_makes_the_same_video(pushed, checkpoint):
    local = local_frames(checkpoint, pushed["picture"])
    for name in ("hub", "hidden", "cached", "by_diffusers"):
        assert np.array_equal(np.load(pushed["out"] / f"{name}.npy"), local), name
    assert pushed["generate"] == 0
    assert json.loads((pushed["out"] / "video.json").read_text())["checkpoint"] == "user/tiny"
    assert pushed["same module"] == "camvig.modeling_camvig.modeling_camvig"
    hidden, nowhere, nothing = pushed["errors"]
    assert "user/hidden" in hidden and "user/tiny" in nowhere and "user/nothing" in nothing
    assert all("\n" not in error for error in pushed["errors"])


def test_without_camvig_the_code_in_the_repository_makes_the_same_video(
    pushed, checkpoint, run_on_local_hub, picture_file, tmp_path
):
    said = run_on_local_hub(WITHOUT_CAMVIG, picture_file, tmp_path / "standalone.npy").splitlines()
    modules, no_push, no_score = said[-3:]
    assert np.array_equal(np.load(tmp_path / "standalone.npy"), local_frames(checkpoint, picture_file))
    assert modules == "diffusers_modules.local.pipeline_camvig diffusers_modules.local.camvig_visual_tokenizer"
    assert "pip install camvig" in no_push
    assert "pipelines.clip_score" in no_score and "pip install camvig" in no_score


FAILURES = """
pushed = found
hub = os.environ["HF_ENDPOINT"]
def push(what, name):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        status = main(["push", str(what), "--repo-id", name])
    return [status, [line for line in said.getvalue().splitlines() if line.startswith("camvig: error")]]
def files(name):
    return api.list_repo_files(name) if api.repo_exists(name) else None
def requests():
    return json.load(urllib.request.urlopen(f"{hub}/requests"))

found = {}
os.environ["HF_TOKEN"] = "hf_only_read"
found["read only"] = [*push(checkpoint, "user/read-only"), files("user/read-only")]
os.environ["HF_TOKEN"] = "hf_made_up"
api.create_repo("user/there")
os.environ["HF_TOKEN"] = "hf_only_read"
found["read only, there"] = [*push(checkpoint, "user/there"), files("user/there")]
os.environ["HF_TOKEN"] = "hf_made_up"

before = len(requests())
for part in ("PUT /lfs/", "commit/main"):
    urllib.request.urlopen(urllib.request.Request(f"{hub}/drop/{part.replace(' ', '%20')}", method="POST"))
found["dropped"] = [*push(other, "user/dropped"), files("user/dropped")]
found["requests"] = requests()[before:]

api.create_repo("user/clips", repo_type="dataset")
found["dataset"] = [*push(checkpoint, "user/clips"), files("user/clips")]
api.create_repo("user/bert")
api.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id="user/bert")
found["another model"] = [*push(checkpoint, "user/bert"), files("user/bert")]
found["no pipeline"] = [*push(empty, "user/nothing"), files("user/nothing")]
found["bad name"] = [*push(checkpoint, "user/no/name"), None]
found["adapter"] = [*push(adapter, "user/lora"), files("user/lora")]
found["adapter card"] = Path(api.hf_hub_download("user/lora", "README.md")).read_text()
found["pipeline over adapter"] = [*push(checkpoint, "user/lora"), files("user/lora")]
print(json.dumps({"pushed": pushed, "failures": found}))
"""


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A peft adapter's folder, as peft writes it."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("adapter")
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "user/tiny"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file({"base_model.model.layer.lora_A.weight": torch.zeros(4, 32)}, folder / "adapter_model.safetensors")
    (folder / "secrets.txt").write_text("not for the Hub")
    return folder


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny one, with sampling settings of its own: videos by others' defaults are others."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path_factory.mktemp("own") / "tiny"))
    settings = {"do_sample": True, "guidance_scale": 2.5, "temperature": 1.2, "top_k": 5, "top_p": 0.95}
    (folder / "transformer" / "generation_config.json").write_text(json.dumps(settings))
    return folder


OTHER_FINDINGS = ("requests", "adapter card")


@pytest.fixture(scope="module")
def found(
    checkpoint: Path,
    build_tiny_pipeline,
    adapter: Path,
    run_on_local_hub: Callable[..., str],
    make_picture,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict:
    """What one process says that does all of it, because starting one takes longer than what it does."""
    out, run = tmp_path_factory.mktemp("pushed"), tmp_path_factory.mktemp("runs") / "transformer_tiny"
    run.mkdir()
    picture = out / "photo.png"
    make_picture().save(picture)
    record = {"steps": 1200, "step": 1000, "batch_size": 16, "seed": 7, "wall_seconds": 7200.0, "cpu_seconds": 90.0}
    (run / "training.json").write_text(json.dumps({**record, "data": ["rooms", "panoramas"]}))
    (run / "metrics.jsonl").write_text('{"step": 1000, "loss": 2.5}\n')
    empty, other = tmp_path_factory.mktemp("empty"), tmp_path_factory.mktemp("other") / "tiny"
    build_tiny_pipeline(seed=1).save_pretrained(other)  # weights that the Hub does not have yet
    said = run_on_local_hub(PUSHED + FAILURES, checkpoint, run, picture, out, other, adapter, empty)
    return {
        **json.loads(said.splitlines()[-1]),
        "card": (out / "README.md").read_text(),
        "out": out,
        "picture": picture,
    }


@pytest.fixture(scope="module")
def pushed(found: dict) -> dict:
    """What was pushed and loaded, the card of user/tiny, and the folder of its videos."""
    return {**found["pushed"], "card": found["card"], "out": found["out"], "picture": found["picture"]}


@pytest.fixture(scope="module")
def failures(found: dict) -> dict:
    """Of pushes that fail or nearly fail: [exit status, errors, files of the repository]."""
    return found["failures"]


def test_what_goes_wrong_is_one_error_and_leaves_nothing_half_pushed(failures):
    found = failures
    refused = {name: result for name, result in found.items() if name not in ("adapter", "dropped", *OTHER_FINDINGS)}
    for name, (status, errors, _) in refused.items():
        assert status == 1 and len(errors) == 1, name
    reasons = {name: result[1][0] for name, result in refused.items()}
    assert "write permission" in reasons["read only"] and "write permission" in reasons["read only, there"]
    assert "is a dataset" in reasons["dataset"] and "another model" in reasons["another model"]
    assert "no model_index.json" in reasons["no pipeline"] and "user/no/name" in reasons["bad name"]
    assert "holds adapter" in reasons["pipeline over adapter"]
    assert [refused[name][2] for name in ("read only", "read only, there", "dataset", "no pipeline")] == [
        None,
        [],
        None,
        None,
    ]
    assert refused["another model"][2] == ["config.json"]


def test_an_adapter_goes_alone_with_a_card(failures):
    assert failures["adapter"][0] == 0 and failures["pipeline over adapter"][2] == failures["adapter"][2]
    assert set(failures["adapter"][2]) == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    assert "base_model: user/tiny" in failures["adapter card"] and "LORA, rank 4" in failures["adapter card"]


def test_a_connection_that_drops_is_tried_again_and_sends_no_weights_twice(failures):
    found = failures
    assert found["dropped"][0] == 0 and "model_index.json" in found["dropped"][2]
    broken = [request for request in found["requests"] if request.startswith("!")]
    assert len(broken) == 2 and "PUT /lfs/" in broken[0] and "commit/main" in broken[1]
    whole = [request for request in found["requests"] if request.startswith("PUT ")]
    assert len(whole) == len(set(whole)), "what had arrived was sent again"
    commits = [request for request in found["requests"] if request.startswith("POST /api") and "/commit/" in request]
    assert len(commits) == 1


def test_offline_a_cached_checkpoint_works_and_a_push_does_not(
    pushed, tiny_checkpoint, run_on_local_hub, picture_file, tmp_path
):
    said = run_on_local_hub(OFFLINE, picture_file, tiny_checkpoint, tmp_path / "still.gif").splitlines()
    assert (tmp_path / "still.gif").is_file()
    assert [line for line in said if line.startswith(("generate ", "push "))] == ["generate 0", "generate 1", "push 1"]
    never_seen, push = [line for line in said if line.startswith("camvig: error")]
    assert "user/never-seen" in never_seen
    assert "unset HF_HUB_OFFLINE" in push
