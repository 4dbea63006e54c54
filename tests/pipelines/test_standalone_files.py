"""The layout that loads without camvig, in a folder; `test_push_checkpoint` loads it from a Hub without camvig."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from camvig import CamViGPipeline
from camvig.pipelines.standalone_files import COMPONENT_FILES, write_standalone_files


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "standalone"
    shutil.copytree(tiny_checkpoint, copy)
    write_standalone_files(copy, "1.2.3")
    return copy


def test_libraries_are_those_that_the_files_import(tiny_checkpoint, tmp_path):
    shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    libraries = write_standalone_files(tmp_path / "copy", "1.2.3")
    assert {"diffusers", "transformers", "torch", "scipy"} <= set(libraries)
    assert not {"camvig", "os", "matplotlib", "av"} & set(libraries)


def test_diffusers_finds_its_files_and_the_precision_to_compute_in(folder):
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == ["pipeline_camvig", "CamViGPipeline"]
    for component, (file, _, class_name) in COMPONENT_FILES.items():
        assert index[component] == [file, class_name]
        assert f"class {class_name}" in (folder / component / f"{file}.py").read_text()
        assert json.loads((folder / component / "config.json").read_text())["dtype"] == "float32"


@pytest.mark.parametrize("how", [{}, {"device_map": "cpu"}], ids=["strictly", "by diffusers"])
def test_the_installed_package_never_runs_the_code_of_a_checkpoint(folder, tiny_pipeline, how):
    for file in folder.rglob("*.py"):
        file.write_text("raise AssertionError('the code of a checkpoint was run')\n")
    loaded = CamViGPipeline.from_pretrained(folder, **how)
    assert type(loaded) is CamViGPipeline and loaded.config["_name_or_path"] == str(folder)
    for name, component in tiny_pipeline.components.items():
        assert type(loaded.components[name]) is type(component)
        state = loaded.components[name].state_dict()
        assert all(torch.equal(state[key], value) for key, value in component.state_dict().items())


def test_saved_again_it_is_the_package_s_own_layout(folder, tmp_path):
    CamViGPipeline.from_pretrained(folder).save_pretrained(tmp_path / "again")
    index = json.loads((tmp_path / "again" / "model_index.json").read_text())
    assert index["_class_name"] == "CamViGPipeline"
    assert index["transformer"] == ["camvig.modeling_camvig.modeling_camvig", "CamViGForConditionalGeneration"]
    assert not list((tmp_path / "again").rglob("*.py"))
