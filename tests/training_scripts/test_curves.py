"""Training curves: whatever a run has logged so far becomes a picture."""

import json
import warnings

import pytest
from PIL import Image

from camvig.training_scripts.curves import plot_curves

TRAIN = [
    {"step": step, "split": "train", "wall_seconds": step, "loss": 1 / step, "flow": 2 / step} for step in (50, 100)
]
VALIDATION = [{"step": 100, "split": "validation", "cpu_seconds": 9.0, "loss": 0.02, "psnr": 21.5}]
MANY = [{"step": 1, "split": "validation", **{f"number_{index}": index for index in range(6)}}]


@pytest.mark.parametrize(
    "rows, panels",
    [(TRAIN, (2, 1)), (VALIDATION, (2, 1)), (TRAIN + VALIDATION, (3, 1)), (TRAIN + MANY, (4, 2))],
    ids=["training only", "validation only", "both", "two rows of panels"],
)
def test_a_run_becomes_a_picture_with_a_panel_a_quantity(tmp_path, rows, panels):
    metrics, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_curves(metrics, picture)
    with Image.open(picture) as image:
        image.load()
        width, height = image.size
        darkness = image.convert("L").histogram()[:200]
    assert width == pytest.approx(panels[0] * 324, abs=2) and height == pytest.approx(panels[1] * 234, abs=2)
    assert sum(darkness) > 200  # something is drawn


def test_numbers_that_are_not_finite_do_not_stop_the_drawing(tmp_path):
    metrics, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    metrics.write_text(json.dumps({"step": 1, "split": "validation", "psnr_hidden": float("nan")}), encoding="utf-8")
    plot_curves(metrics, picture)
    assert picture.stat().st_size > 1000
