"""What tests of training share: `tiny_stage`, a stage of a few numbers."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from accelerate.state import AcceleratorState


@pytest.fixture(scope="session")
def tiny_stage() -> ModuleType:
    """The module `tiny_stage.py` beside this file (pytest imports no helpers in its importlib mode)."""
    spec = importlib.util.spec_from_file_location("tiny_stage", Path(__file__).with_name("tiny_stage.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def fresh_accelerator():
    """As if in a process of its own: Accelerate keeps one state a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
