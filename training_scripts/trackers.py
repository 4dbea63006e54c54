"""Trackers that a run reports to besides its own files: trackio, TensorBoard and Weights & Biases, by Accelerate's adapters.

What always holds: the package of a tracker is imported only where it is asked for, and a run's own files hold everything
that a tracker gets. A run that goes on after a kill is a new run in the tracker, because what a tracker was told before
cannot be taken back. trackio keeps its data in a folder of this machine unless a Space was named (TRACKIO_SPACE_ID), and
needs no network or account.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS
from PIL import Image

from .run_record import flattened

TRACKERS = ("trackio", "tensorboard", "wandb")
PROJECT = "camvig"
_UNTRACKED = {"step", "split"}


class Trackers:
    """The trackers of one start of a run.

    Args:
        names: of `TRACKERS`.
        folder: the run's; its name is the name of the run, and TensorBoard's files go to `tensorboard/` in it.
        config: what the run is started with.
        step: from which it goes on.

    Raises:
        ValueError: a tracker that is not installed.
    """

    def __init__(self, names: list[str], folder: Path, config: dict[str, Any], step: int):
        for name in names:
            if importlib.util.find_spec(name) is None:
                raise ValueError(f"expected an installed tracker in report_to, got {name!r}: pip install {name}")
        run = folder.resolve().name + (f"-from-{step}" if step else "")
        self.trackers = [_open(name, folder, run) for name in names]
        for tracker in self.trackers:
            tracker.start()
            tracker.store_init_configuration(flattened(config))

    def log(self, row: dict[str, Any], step: int):
        """The numbers of a line, under `train/`, `validation/` or whatever its split is."""
        numbers = {
            f"{row['split']}/{name}": value
            for name, value in row.items()
            if name not in _UNTRACKED and isinstance(value, (int, float))
        }
        for tracker in self.trackers:
            tracker.log(numbers, step=step)

    def log_pictures(self, pictures: dict[str, Image.Image], step: int):
        for tracker in self.trackers:
            for name, picture in pictures.items():
                _LOG_PICTURE[tracker.name](tracker.tracker, name, picture, step)

    def close(self):
        for tracker in self.trackers:
            tracker.finish()


def _open(name: str, folder: Path, run: str) -> Any:
    """Accelerate's adapter; for TensorBoard its "project" is the folder of the run."""
    adapter: Any = LOGGER_TYPE_TO_CLASS[name]
    if adapter.requires_logging_directory:
        return adapter(run, logging_dir=folder / name)
    return adapter(PROJECT, name=run)


def _to_trackio(run: Any, name: str, picture: Image.Image, step: int):
    import trackio  # type: ignore[import-not-found]

    run.log({name: trackio.Image(picture)}, step=step)


def _to_tensorboard(writer: Any, name: str, picture: Image.Image, step: int):
    import numpy as np

    writer.add_image(name, np.asarray(picture), global_step=step, dataformats="HWC")


def _to_wandb(run: Any, name: str, picture: Image.Image, step: int):
    import wandb  # type: ignore[import-not-found]

    run.log({name: wandb.Image(picture)}, step=step)


_LOG_PICTURE = {"trackio": _to_trackio, "tensorboard": _to_tensorboard, "wandb": _to_wandb}
