"""bfloat16 where there are units for it, float32 elsewhere; a run records which it was."""

import json
import warnings

import pytest
import torch

from camvig.training_scripts.precision import chosen_precision, has_bfloat16_units

CPU = torch.device("cpu")


@pytest.fixture(params=[True, False], ids=["units", "no units"])
def has_units(request, monkeypatch) -> bool:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": request.param}, raising=False
    )
    return request.param


def test_auto_is_what_the_processor_has_units_for(has_units):
    assert has_bfloat16_units(CPU) is has_units
    assert chosen_precision("auto", CPU) == ("bf16" if has_units else "no")
    assert chosen_precision("no", CPU) == "no"


def test_what_is_asked_for_is_done_with_a_warning_where_it_is_slow(has_units):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert chosen_precision("bf16", CPU) == "bf16"
    assert [("no units" in str(each.message)) for each in caught] == ([] if has_units else [True])


def test_a_torch_that_cannot_tell_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert chosen_precision("auto", CPU) == "no"


def test_a_run_records_what_it_computed_in(tiny_stage, has_units, tmp_path):
    trainer = tiny_stage.make_trainer(tiny_stage.arguments_for(tmp_path, mixed_precision="auto", steps=2))
    trainer.train()
    expected = "bf16" if has_units else "no"
    assert trainer.accelerator.mixed_precision == expected
    assert json.loads((tmp_path / "training.json").read_text())["mixed_precision"] == expected
    assert json.loads((tmp_path / "starts.jsonl").read_text())["config"]["training"]["mixed_precision"] == expected
