"""`evaluate.load` on the folders, in a fresh process without a connection: the numbers are those of the plain functions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from camvig.metrics.flow_mse import flow_mse
from camvig.metrics.frame_quality import psnr, ssim
from camvig.metrics.motion_kept import motion_kept
from camvig.metrics.pose_errors import pose_errors

pytest.importorskip("evaluate")
MODULES = Path(__file__).parents[2] / "metrics" / "evaluate_modules"
PROGRAM = """
import json, sys
import evaluate, numpy as np
data = dict(np.load(sys.argv[2]))
results = {}
def run(name, **options):
    metric = evaluate.load(f"{sys.argv[1]}/{name}")
    assert metric.description and metric.citation and metric.inputs_description and metric.features
    return metric
clips = dict(predictions=list(data["generated"]), references=list(data["truth"]))
results["flow_mse"] = run("flow_mse").compute(**clips)
results["frame_quality"] = run("frame_quality").compute(**clips)
results["pose_error"] = run("pose_error").compute(predictions=[data["path"].tolist(), []], references=list(data["paths"]))
kept = run("motion_kept")
kept.add(prediction=data["flow"], reference=2 * data["flow"], camera_flows=0 * data["flow"], moving_masks=data["mask"])
results["motion_kept"] = kept.compute()
json.dump(results, open(sys.argv[3], "w"))
"""


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    paths = np.tile(np.eye(4), (2, 5, 1, 1))
    paths[:, :, 0, 3] = np.arange(5)
    path = paths[0].copy()
    path[3, 1, 3] = 1.0
    return {
        "generated": rng.integers(0, 256, (2, 4, 24, 32, 3), np.uint8),
        "truth": rng.integers(0, 256, (2, 4, 24, 32, 3), np.uint8),
        "path": path,
        "paths": paths,
        "flow": rng.normal(size=(3, 4, 6, 2)).astype(np.float32),
        "mask": rng.random((3, 4, 6)) < 0.5,
    }


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    np.savez(folder / "data.npz", **data)
    offline = {"HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder)}
    command = [sys.executable, "-c", PROGRAM, str(MODULES), str(folder / "data.npz"), str(folder / "results.json")]
    done = subprocess.run(command, env={**os.environ, **offline}, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "results.json").read_text())


def test_every_folder_is_tested(results):
    assert {folder.name for folder in MODULES.iterdir() if (folder / f"{folder.name}.py").is_file()} == set(results)


def test_flow_mse(results, data):
    errors = [flow_mse(*pair) for pair in zip(data["generated"], data["truth"], strict=True)]
    found = results["flow_mse"]
    assert found["flow_mse"] == pytest.approx(np.mean(errors)) and found["num_clips"] == 2
    assert found["flow_mse_low"] == pytest.approx(min(errors)) and found["flow_mse_high"] == pytest.approx(max(errors))


def test_frame_quality(results, data):
    for metric in (psnr, ssim):
        expected = np.mean([metric(*pair) for pair in zip(data["generated"], data["truth"], strict=True)])
        assert results["frame_quality"][metric.__name__] == pytest.approx(expected)
    assert results["frame_quality"]["num_identical"] == 0 < results["frame_quality"]["perceptual_distance"]


def test_pose_error(results, data):
    found, expected = results["pose_error"], pose_errors(data["path"], data["paths"][0])
    assert found["num_failed"] == 1 and found["success_rate"] == 0.5 and found["num_cam_mc_rel"] == 1
    assert {name: found[name] for name in expected._fields} == pytest.approx(expected._asdict())


def test_motion_kept(results, data):
    flow = data["flow"]
    expected = motion_kept(flow, 2 * flow, 0 * flow, data["mask"])
    assert expected.ratio == pytest.approx(0.5) and results["motion_kept"]["ratio"] == pytest.approx(expected.ratio)
    assert results["motion_kept"]["num_moving"] == 1
