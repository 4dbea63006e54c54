"""The one training loop, shared by all stages: Accelerate, averages of weights, validation, curves, and exact resume.

What holds: a batch is a pure function of its number, the learning rate a pure function of the step, and the states on
disk (model, optimizers, moving average, adversary, random states, step) appear whole or not at all; so a run that is
killed at any moment and started again gives the weights and the `metrics.jsonl` that it would have given without the
kill, to the bit.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import gather_object, parse_flag_from_env
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from tqdm import tqdm

from ..camera_paths.atomic_file import write_then_rename
from ..pipelines.video_files import write_png
from .adversary import Adversary
from .bad_batches import bad_clips, save_bad_batch
from .launched_processes import check_processes
from .metrics_file import METRICS, TIMES, append, drop_after
from .precision import chosen_precision
from .progress import BAR_FORMAT, Progress
from .run_folder import SHEETS, read_lines
from .run_page import write_run_page
from .run_record import STARTS, commits, start_record
from .states import StateFolder, replace_folder
from .trackers import Trackers
from .trained_weights import save_trained_weights_alone
from .training_arguments import TrainingArguments, learning_rate_factor
from .training_step import Batch, Losses, TrainingStep
from .weight_average import WeightAverage

PROGRESS = ("step", "skipped", "wall_seconds", "cpu_seconds")
"""What a state tells of how far the run is; older ones do not tell `samples_per_step`."""

__all__ = [
    "Adversary",
    "Batch",
    "Losses",
    "Trainer",
    "TrainingArguments",
    "is_main_process",
    "load_weights",
    "main_process_first",
]


def main_process_first():
    """Context in which the main process works before the others, as to make files that all read."""
    return _processes().main_process_first()


def is_main_process() -> bool:
    return _processes().is_main_process


def _processes() -> PartialState:
    """A `PartialState()` alone would overlook ACCELERATE_USE_CPU and take each of several CPU processes for the only one."""
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))


def load_weights(model: nn.Module, folder: Path):
    """Copies the weights of `folder/model.safetensors` into a model of the same shape, in the model's own precision.

    Raises ValueError, with what does not fit, unless names and shapes are those of the model.
    """
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines())
        raise ValueError(f"expected weights of {type(model).__name__} in {folder} (init_from): {reason}") from None


class Trainer:
    """Runs one stage.

    Args:
        model: a `PreTrainedModel` (or peft's wrapper of one); it is saved with `save_pretrained` into
            `<output_dir>/model`. What does not require gradients stays as it is.
        muon_pattern: regular expression over parameter names: the matrices inside the network, for Muon.
        batch_at: number of a batch -> batch; deterministic.
        compute_losses: (model, batch without names, progress in [0, 1]) -> named scalar losses, "loss" being the one to
            minimise; beside them what an adversary has to see.
        validate: (model) -> named numbers, and pictures, which become `sheets/<step>.png`; None for no validation.
        after_step: (model, steps done) -> None, called after each step; deterministic; None for nothing.
        adversary: a second network that trains against the model; see `adversary`.
        data: the data arguments of the stage, for the record of the run.
        sources: what it trains on, with licences, for the same; JSON.
        tokens_per_sample: length of the sequence of a sample, for the rate; None for models without tokens.
        initialize: (model, folder) -> None, what `arguments.init_from` does.
    """

    def __init__(
        self,
        model: nn.Module,
        muon_pattern: str,
        batch_at: Callable[[int], Batch],
        compute_losses: Callable[[Any, Batch, float], Losses],
        validate: Callable[[Any], dict[str, Any]] | None,
        arguments: TrainingArguments,
        after_step: Callable[[Any, int], None] | None = None,
        adversary: Adversary | None = None,
        data: Any = None,
        sources: list[dict[str, Any]] | None = None,
        tokens_per_sample: int | None = None,
        initialize: Callable[[Any, Path], None] = load_weights,
    ):
        device = _processes().device
        assert device is not None
        precision = chosen_precision(arguments.mixed_precision, device)
        arguments = replace(arguments, mixed_precision=precision)  # what is recorded is what was computed in
        self.arguments, self.validate, self.after_step, self.sources = arguments, validate, after_step, sources
        self.folder = Path(arguments.output_dir)
        self.accelerator = accelerator = Accelerator(mixed_precision=arguments.mixed_precision)
        check_processes(arguments.num_processes, accelerator.num_processes)
        if arguments.init_from:
            initialize(model, Path(arguments.init_from))
        self.optimize = TrainingStep(accelerator, model, muon_pattern, batch_at, compute_losses, arguments, adversary)
        save_trained_weights_alone(accelerator)
        self.model = accelerator.unwrap_model(self.optimize.model)
        self.average = WeightAverage(self.model, arguments.ema_decay) if arguments.ema_decay else None
        self.states = StateFolder(
            self.folder / "states", arguments.keep_states, accelerator.is_main_process, accelerator.wait_for_everyone
        )
        self.samples_per_step = arguments.batch_size * arguments.gradient_accumulation * accelerator.num_processes
        self.progress = Progress(self.samples_per_step, tokens_per_sample, arguments.steps, arguments.validate_every)
        self.record = {
            "model": self._model_config(),
            "data": asdict(data) if data else {},
            "training": asdict(arguments),
        }
        self.trackers = Trackers([], self.folder, {}, 0)
        self.step, self.skipped, self.wall_seconds, self.cpu_seconds = 0, 0, 0.0, 0.0

    def train(self):
        """Trains to the last step, from the newest whole state where there is one, and saves the model.

        Raises:
            FloatingPointError: more steps than `skip_bad_batches` have losses or gradients that are not finite.
            OSError: a state could not be written, as on a full disk; the states before stay.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        self._record_start()
        arguments, seconds = self.arguments, _Clock()
        self.model.train()
        bar = tqdm(
            total=arguments.steps,
            initial=self.step,
            disable=not self.accelerator.is_main_process,
            mininterval=5,
            bar_format=BAR_FORMAT,
        )
        while self.step < arguments.steps:
            with self.progress.of_step():
                losses = self._take_step()
            bar.update()
            wall, cpu = seconds.lap()
            self.wall_seconds += wall
            self.cpu_seconds += cpu
            if losses and self.step % arguments.log_every == 0:
                bar.set_postfix_str(f"loss {losses['loss']:.4f}, {self.progress.words(self.step)}", refresh=False)
                rate = arguments.learning_rate * learning_rate_factor(self.step - 1, arguments)
                self._log({"split": "train", **losses, "learning_rate": rate})
            if self.validate and (self.step % arguments.validate_every == 0 or self.step == arguments.steps):
                self._validate(self.validate)
            if self.step in (arguments.keep_steps or ()):
                self._save_model(f"model-{self.step}")
            if self.step % arguments.save_every == 0 or self.step == arguments.steps:
                self.states.save(self.step, self._write_state, self._progress())
        bar.close()
        self._save_model("model")
        self.trackers.close()
        if self.accelerator.is_main_process:
            self.accelerator.print(f"the run in one page: {write_run_page(self.folder)}")
        self.accelerator.end_training()

    def _take_step(self) -> dict[str, float]:
        """One step and what follows each; its losses, {} if it was skipped."""
        is_applied, losses, batches = self.optimize.take(self.step)
        if not is_applied:
            self._skip(losses, batches)
        self.step += 1
        if self.after_step:
            self.after_step(self.model, self.step)
        if self.average:
            self.average.step()
        return losses if is_applied else {}

    def _skip(self, losses: dict[str, float], batches: list[Batch]):
        """Counts a step whose losses or gradients are not finite; one too many ends the run, with its batches saved."""
        clips = gather_object([name for batch in batches for name in bad_clips(batch)])
        self.skipped += 1
        bad = ", ".join(f"{name} {value}" for name, value in losses.items() if not abs(value) < float("inf"))
        what = f"{bad} in step {self.step + 1}" + (f", clips {', '.join(clips)}" if clips else "")
        if self.skipped <= self.arguments.skip_bad_batches:
            self.accelerator.print(f"skipped a step: {what}")
            self._log({"split": "skipped", "clips": clips, "skipped_batches": self.skipped}, step=self.step + 1)
            return
        process = f"-{self.accelerator.process_index}" if self.accelerator.num_processes > 1 else ""
        file = self.folder / f"bad_batch{process}.safetensors"
        save_bad_batch(file, batches, self.step + 1, losses)
        raise FloatingPointError(
            f"expected finite losses and gradients, got {what} (skip_bad_batches: {self.arguments.skip_bad_batches}). "
            f"The batch is in {file}; states before it are in {self.states.folder}"
        )

    def _validate(self, validate: Callable[[Any], dict[str, Any]]):
        self.model.eval()
        with torch.no_grad(), self.accelerator.autocast(), self._averaged(), self.progress.of_validation():
            results = validate(self.model)
        self.model.train()
        pictures = {name: value for name, value in results.items() if isinstance(value, Image.Image)}
        results = {name: value for name, value in results.items() if name not in pictures}
        self._save_pictures(pictures)
        self._log({"split": "validation", **results})
        if self.accelerator.is_main_process:
            tqdm.write(f"step {self.step}: " + ", ".join(f"{name} {value:.4g}" for name, value in results.items()))
            write_run_page(self.folder)

    def _save_pictures(self, pictures: dict[str, Image.Image]):
        if self.accelerator.is_main_process:
            for picture in pictures.values():
                file = self.folder / SHEETS / f"{self.step:08d}.png"
                file.parent.mkdir(exist_ok=True)
                write_png(picture, file)
            self.trackers.log_pictures(pictures, self.step)

    def _averaged(self):
        return self.average.applied() if self.average else nullcontext()

    def _log(self, row: dict[str, Any], step: int | None = None):
        if self.accelerator.is_main_process:
            at: int = self.step if step is None else step
            append(self.folder / METRICS, {"step": at, **row})
            times: dict[str, float] = {"wall": self.wall_seconds, "cpu": self.cpu_seconds, **self.progress.numbers(at)}
            append(self.folder / TIMES, {"step": at, **times})
            self.trackers.log({**row, **times}, at)

    def _model_config(self) -> dict[str, Any]:
        config = getattr(self.model, "config", None)
        return json.loads(config.to_json_string()) if config is not None else {}

    def _record_start(self):
        """One line of `starts.jsonl`, and the same to the trackers; each start is a run of its own there."""
        if self.accelerator.is_main_process:
            start = start_record(self.step, self.record, self.accelerator.num_processes)
            drop_after(self.folder / STARTS, sys.maxsize)  # a line that is cut
            append(self.folder / STARTS, start)
            self.trackers = Trackers(self.arguments.report_to or [], self.folder, start, self.step)

    def _save_model(self, name: str):
        if self.accelerator.is_main_process:
            temporary = self.folder / f".{name}.new"
            with self._averaged():
                self.model.save_pretrained(temporary)
            replace_folder(temporary, self.folder / name)
            with write_then_rename(self.folder / "training.json") as file:
                file.write_text(json.dumps(self._summary(), indent=2) + "\n")

    def _summary(self) -> dict[str, Any]:
        """The record of the run that a model card shows; hours are those of all its starts together."""
        starts = read_lines(self.folder / STARTS, [])
        about = {"processes": self.accelerator.num_processes, "commit": commits(starts, self.step)}
        data = {"data": self.sources} if self.sources else {}
        return {**asdict(self.arguments), **self._progress(), **about, **data, "config": self.record}

    def _progress(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "skipped": self.skipped,
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.cpu_seconds,
            "samples_per_step": self.samples_per_step,
        }

    def _write_state(self, folder: Path):
        self.accelerator.save_state(str(folder))
        if self.average and self.accelerator.is_main_process:
            self.average.save(folder)

    def _check_samples_per_step(self, state: Path, before: int):
        """A run with other samples a step would skip some, or take some twice, under a schedule that was made for others."""
        if before != self.samples_per_step:
            arguments = self.arguments
            raise ValueError(
                f"expected {before} samples a step, as {state} was trained with, got {self.samples_per_step} (batch_size "
                f"{arguments.batch_size} x gradient_accumulation {arguments.gradient_accumulation} x "
                f"{self.accelerator.num_processes} processes): keep the product, or start another run from "
                f"{self.folder / 'model'} or its pipeline"
            )

    def _resume(self):
        found = self.states.load()
        if found:
            folder, progress = found
            self._check_samples_per_step(folder, progress.pop("samples_per_step", self.samples_per_step))
            try:
                self.accelerator.load_state(str(folder))
            except (RuntimeError, ValueError, KeyError) as error:
                reason = " ".join(str(error).split())
                raise ValueError(f"expected a state of this model in {folder}, got another's: {reason}") from None
            self.step, self.skipped, self.wall_seconds, self.cpu_seconds = (progress[key] for key in PROGRESS)
            if self.average:
                self.average.load(folder, self.step)
            self.accelerator.print(f"resumed {self.folder} at step {self.step}")
        if self.accelerator.is_main_process:
            drop_after(self.folder / METRICS, self.step)
            drop_after(self.folder / TIMES, self.step)


class _Clock:
    """Wall and processor seconds since the last lap."""

    def __init__(self):
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def lap(self) -> tuple[float, float]:
        before = self.wall, self.cpu
        self.wall, self.cpu = time.monotonic(), time.process_time()
        return self.wall - before[0], self.cpu - before[1]
