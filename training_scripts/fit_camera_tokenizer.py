"""Fits a camera tokenizer of the kind "dct" or "uniform" to paths, and says how good it is on others. Takes seconds.

`train_camera_tokenizer` calls it. The folder gets `model/`, which appears as a whole, and `fit.json` with the figures of the study
(`camera_tokenizer_study`): tokens, bits and errors on held-out sampled paths, and on held-out real ones if there are any.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from ..camera_paths.atomic_file import write_then_rename
from ..dataset_builders.real_paths import read_real_paths, split_by_source
from ..modeling_camvig.camera_tokenizer import CamViGCameraTokenizer
from ..modeling_camvig.configuration_camera_tokenizer import CamViGCameraTokenizerConfig
from ..pipelines.camera_tokenizer_study import Paths, judge, real_tensors
from ..pipelines.json_values import without_nan


def with_real_paths(
    fit: Paths, sampled: Paths, real_file: str | None, real_sources: Sequence[str] | None = None
) -> tuple[Paths, dict[str, Paths]]:
    """Sampled paths to fit and to judge, and a file of real ones or None -> paths to fit, and named ones to judge.

    `real_sources` are fitted as `split_by_source` says.
    """
    if real_file is None:
        return fit, {"sampled": sampled}
    real_fit, real = map(real_tensors, split_by_source(read_real_paths(real_file), real_sources))
    return (torch.cat([fit[0], real_fit[0]]), torch.cat([fit[1], real_fit[1]])), {"sampled": sampled, "real": real}


def fit_camera_tokenizer(
    config: CamViGCameraTokenizerConfig, fit: Paths, judged: dict[str, Paths], folder: Path
) -> dict[str, dict[str, float]]:
    """Writes `folder/model` and `folder/fit.json`; returns the figures on each set of `judged` paths."""
    tokenizer = CamViGCameraTokenizer(config).eval()
    tokenizer.fit(*fit)
    figures = {name: _figures(tokenizer, paths) for name, paths in judged.items()}
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "model.new"
    shutil.rmtree(temporary, ignore_errors=True)
    tokenizer.save_pretrained(temporary)
    shutil.rmtree(folder / "model", ignore_errors=True)
    os.replace(temporary, folder / "model")
    with write_then_rename(folder / "fit.json") as file:
        file.write_text(json.dumps({"paths": len(fit[0]), **without_nan(figures)}, indent=1) + "\n", encoding="utf-8")
    for name, values in figures.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()))
    return figures


def _figures(tokenizer: CamViGCameraTokenizer, paths: Paths) -> dict[str, float]:
    """Those of the study, and the share of the paths that need more tokens than there are, in percent."""
    shortened = 100 * float(tokenizer.is_shortened(*paths).float().mean())
    return {**judge(tokenizer, paths), "shortened_pct": shortened}
