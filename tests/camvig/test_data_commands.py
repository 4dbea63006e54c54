"""`camvig data`: what its commands print and write, and one line for what a user can get wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from camvig.cli import main


@pytest.fixture
def capture_folder(tmp_path):
    """Three views of a flat board with dots, straight on, from places side by side."""
    rng = np.random.default_rng(0)
    board = np.full((64, 200, 3), 120, np.uint8)
    for x, y, shade in zip(
        rng.integers(4, 196, 150), rng.integers(4, 60, 150), rng.integers(0, 256, (150, 3)), strict=True
    ):
        board[y - 2 : y + 2, x - 2 : x + 2] = shade
    folder = tmp_path / "a capture"
    folder.mkdir()
    frames = []
    for view in range(4):
        Image.fromarray(board[:, 10 * view : 10 * view + 96]).save(folder / f"{view}.png")
        pose = np.eye(4)
        pose[0, 3] = 0.2 * view  # 10 pixels at depth 2 with a focal length of 100 pixels
        frames.append({"file_path": f"{view}.png", "transform_matrix": pose.tolist()})
    content = {"w": 96, "h": 64, "fl_x": 100, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_check_says_and_draws(capture_folder, tmp_path, capsys):
    files = tmp_path / "out" / "check.png", tmp_path / "out" / "check.json"
    (tmp_path / "out").mkdir()
    assert main(["data", "check", str(capture_folder), "--out", str(files[0]), "--json", str(files[1])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a capture: 4 views (4 of 96x64), in scene units"
    report = json.loads(files[1].read_text(encoding="utf-8"))
    assert report["median_epipolar_error_px"] < 0.5 and report["median_depth"] == pytest.approx(2, rel=0.05)
    assert files[0].is_file()


def test_fit_scene_writes_a_scene_and_a_report(capture_folder, tmp_path, capsys):
    out, report = tmp_path / "scene", tmp_path / "report.json"
    arguments = [str(capture_folder), "--out", str(out), "--minutes", "0.05", "--json", str(report), "--size", "32"]
    assert main(["data", "fit-scene", *arguments]) == 0
    figures = json.loads(report.read_text(encoding="utf-8"))
    assert np.isfinite(figures["psnr"]["held_out"]) and figures["shorter_side"] == 32
    assert (out / "scene.json").is_file() and report.with_suffix(".png").is_file()
    assert "held-out views" in capsys.readouterr().out


def test_mistakes_are_one_line(capture_folder, tmp_path, capsys):
    for arguments, expected in (
        (["check", str(tmp_path)], "got none of these"),
        (["check", str(capture_folder), "--json", "report.txt"], "ends in .json"),
        (
            ["fit-scene", str(capture_folder), "--out", str(capture_folder), "--minutes", "1", "--json", "r.json"],
            "free name",
        ),
    ):
        assert main(["data", *arguments]) == 1
        line = capsys.readouterr().err
        assert line.startswith("camvig: error: ") and line.count("\n") == 1 and expected in line, line
