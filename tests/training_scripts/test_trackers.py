"""Trackers: what is asked for is started, and what is not installed is one clear error."""

import importlib.util

import numpy as np
import pytest
from accelerate import PartialState
from PIL import Image

from camvig.training_scripts import trackers
from camvig.training_scripts.trackers import Trackers
from camvig.training_scripts.training_arguments import TrainingArguments

ROW = {"step": 10, "split": "train", "loss": 0.5, "clips": ["a"]}


def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match="expected an installed tracker in report_to, got 'trackio': pip install trackio"
    ):
        Trackers(["trackio"], tmp_path, {}, 0)


def test_an_unknown_tracker_is_refused():
    with pytest.raises(ValueError, match="report_to 'trackio', 'tensorboard', 'wandb', got mlflow"):
        TrainingArguments(output_dir="run", steps=1, batch_size=1, report_to=["mlflow"])


def test_a_tracker_gets_numbers_by_split_pictures_and_the_configuration(tmp_path, monkeypatch):
    """Over an adapter of Accelerate's kind that writes down what it is told."""
    from accelerate.tracking import GeneralTracker

    PartialState()
    told: list[tuple] = []

    class Notes(GeneralTracker):
        name, requires_logging_directory, tracker = "trackio", False, told

        def __init__(self, project: str, **settings: object):
            super().__init__()
            told.append((project, settings))

        def store_init_configuration(self, values: dict):
            told.append(("configuration", values))

        def log(self, values: dict, step: int | None = None, **_):
            told.append((step, values))

        def finish(self):
            told.append(("finished",))

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setitem(trackers.LOGGER_TYPE_TO_CLASS, "trackio", Notes)
    monkeypatch.setitem(trackers._LOG_PICTURE, "trackio", lambda run, name, picture, step: run.append((step, name)))
    run = Trackers(["trackio"], tmp_path / "my_run", {"a": {"b": 1}}, step=250)
    run.log(ROW, 10)
    run.log_pictures({"sheet": Image.new("RGB", (4, 2))}, 10)
    run.close()
    assert told == [
        ("camvig", {"name": "my_run-from-250"}),
        ("configuration", {"a.b": 1}),
        (10, {"train/loss": 0.5}),
        (10, "sheet"),
        ("finished",),
    ]


def test_tensorboard_writes_into_the_run(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    PartialState()
    run = Trackers(["tensorboard"], tmp_path / "my_run", {"a": {"b": 1}}, step=0)
    run.log(ROW, 10)
    run.log_pictures({"sheet": Image.fromarray(np.zeros((4, 2, 3), np.uint8))}, 10)
    run.close()
    events = EventAccumulator(str(tmp_path / "my_run/tensorboard/my_run")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(10, 0.5)]
    assert [event.step for event in events.Images("sheet")] == [10]


def test_trackio_needs_no_account(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    PartialState()
    run = Trackers(["trackio"], tmp_path / "my_run", {}, step=0)
    run.log(ROW, 10)
    run.close()
    assert [one.name for one in trackio.Api().runs("camvig")] == ["my_run"]
