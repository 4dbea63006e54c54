"""`camvig eval`: its files, and what it refuses."""

from __future__ import annotations

import json

import pytest

from camvig.cli import main


def test_a_checkpoint_gives_json_page_and_sheet(tiny_checkpoint, tmp_path, capsys):
    files = [tmp_path / "new" / name for name in ("eval.json", "eval.html", "sheet.png")]
    options = ["--split", "validation", "--clips", "2", "--seed", "5", "--pose-clips", "0", "--best-of", "3"]
    outputs = [
        part for pair in zip(("--json", "--report", "--contact-sheet"), map(str, files), strict=True) for part in pair
    ]
    assert main(["eval", str(tiny_checkpoint), *options, *outputs]) == 0
    assert capsys.readouterr().out.splitlines() == list(map(str, files)) and all(file.is_file() for file in files)
    figures = json.loads(files[0].read_text())
    assert figures["checkpoint"] == str(tiny_checkpoint) and figures["data"] == "rooms"
    assert (figures["split"], figures["clips"], figures["seed"]) == ("validation", 2, 5)
    assert figures["flow_mse"]["planar_warp"] > 0 and figures["settings"]["temperature"] == 0.5
    assert figures["evaluation"]["pose_clips"] == 0 and figures["versions"]["torch"]
    gain = figures["best_of"]
    assert gain["clips"] == 2 and gain["counts"] == [1, 2, 3] and gain["oracle"]["3"] <= gain["score"]["3"]
    assert gain["score"]["1"] == pytest.approx(gain["random"]["3"]) and "best of 3" in files[1].read_text()
    assert "NaN" not in files[0].read_text() and "Infinity" not in files[0].read_text()


def test_moving_rooms_and_guidance(tiny_checkpoint, tmp_path, capsys):
    figures = []
    for scale in ("1", "8"):
        file = tmp_path / f"{scale}.json"
        options = ["--data", "moving-rooms", "--moving-objects", "1", "--split", "validation", "--clips", "2"]
        options += ["--pose-clips", "0", "--guidance-scale", scale, "--json", str(file)]
        assert main(["eval", str(tiny_checkpoint), *options]) == 0
        figures.append(json.loads(file.read_text()))
    for found, scale in zip(figures, (1, 8), strict=True):
        assert found["data"] == "moving-rooms" and found["settings"]["guidance_scale"] == scale
        assert found["evaluation"]["moving_objects"] == 1 and found["evaluation"]["guidance_scale"] == scale
        assert found["motion"]["clips"] == 2 and found["motion"]["amount"]["model"] > 0
    first, second = (found["flow_mse"] for found in figures)
    assert first["model"] != second["model"] and first["wrong_path"] != second["wrong_path"]
    assert first["no_camera"] == second["no_camera"] and first["static"] == second["static"]


def test_a_scene_at_rest_is_another_way_to_decode(tiny_checkpoint, tmp_path):
    figures = []
    for answer in ("--rigid-scene", "--no-rigid-scene"):
        file = tmp_path / "eval.json"
        options = [
            "--split",
            "validation",
            "--clips",
            "2",
            "--pose-clips",
            "0",
            "--no-bias",
            answer,
            "--json",
            str(file),
        ]
        assert main(["eval", str(tiny_checkpoint), *options]) == 0
        figures.append(json.loads(file.read_text()))
    assert [found["settings"]["rigid_scene"] for found in figures] == [True, False]
    rigid, free = (found["flow_mse"] for found in figures)
    for kind, same in (("model", False), ("wrong_path", False), ("reconstruction", False), ("no_camera", True)):
        assert (rigid[kind] == free[kind]) is same, kind


def test_panoramas_have_every_control_and_nothing_that_moves(tiny_checkpoint, tmp_path):
    file = tmp_path / "eval.json"
    options = ["--data", "panoramas", "--clips", "3", "--pose-clips", "0", "--json", str(file)]
    assert main(["eval", str(tiny_checkpoint), *options]) == 0
    found = json.loads(file.read_text())
    assert (found["data"], found["split"], found["clips"]) == ("panoramas", "test", 3)
    assert {clip["scene"] for clip in found["per_clip"]} <= {"apartment", "city", "lobby", "sunrise"}
    assert all(value > 0 for value in found["flow_mse"].values())
    assert found["flow_mse"]["depth_warp"] == pytest.approx(found["flow_mse"]["planar_warp"], rel=0.05)
    assert found["flow_mse"]["planar_warp"] < found["flow_mse"]["static"] / 2
    assert found["planar_warp_depths"] == [None] * 3  # infinity: nothing travels
    assert found["motion"]["clips"] == 0 and found["motion"]["kept"] is None


def test_inputs_are_exported(tmp_path, capsys):
    command = ["eval", "--export-inputs", str(tmp_path / "inputs"), "--clips", "2", "--size", "32", "--frames", "9"]
    assert main(command) == 0
    said = json.loads((tmp_path / "inputs" / "inputs.json").read_text())
    assert (said["clips"], said["frames"], said["size"], said["split"]) == (2, 9, 32, "test")
    assert capsys.readouterr().out.strip() == str(tmp_path / "inputs")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--json", "eval.txt"], 1, "ends in .json"),
        (["--json", "e.json", "--report", "page.txt"], 1, "ends in .html"),
        (
            ["--json", "e.json", "--data", "cities"],
            1,
            "expected rooms, moving-rooms, panoramas or a folder of clips as data, got cities",
        ),
        (["--json", "e.json", "--checkpoint", "x", "--videos", "y"], 1, "expected one thing to measure"),
        (["--json", "e.json", "--videos", "y", "--best-of", "2"], 1, "expected --best-of with a checkpoint only"),
        (
            ["--json", "e.json", "--videos", "y", "--guidance-scale", "2"],
            1,
            "expected --guidance-scale and --rigid-scene with a checkpoint",
        ),
        (["--json", "e.json", "--videos", "y", "--no-rigid-scene"], 1, "and --rigid-scene with a checkpoint only"),
        (["--json", "e.json", "--moving-objects", "2"], 1, "--moving-objects with --data moving-rooms only, got rooms"),
        (["--json", "e.json", "--data", "moving-rooms", "--moving-objects", "4"], 2, "less than or equal to 3"),
        (["--json", "e.json", "--data", "panoramas", "--split", "validation"], 1, "expected train or test as split"),
        (["--json", "e.json", "--frames", "9"], 1, "a checkpoint has its own"),
        (["--json", "e.json", "--videos", "nowhere"], 1, "expected a folder of videos, got nowhere"),
        (["--json", "e.json", "--split", "holiday"], 2, "holiday"),
        ([], 2, "expected --json"),
    ],
)
def test_what_does_not_fit_is_one_line(options, status, message, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    checkpoint = [] if {"--checkpoint", "--videos"} & set(options) else ["--checkpoint", str(tiny_checkpoint)]
    assert main(["eval", *checkpoint, *options]) == status
    line = capsys.readouterr().err
    assert line.startswith("camvig: error: ") and line.count("\n") == 1 and message in line
    assert not list(tmp_path.iterdir())


def test_long_videos_give_json_plot_and_sheet(tiny_checkpoint, tmp_path, capsys):
    files = [tmp_path / "new" / name for name in ("long.json", "decay.png", "sheet.png")]
    outputs = [part for pair in zip(("--json", "--plot", "--sheet"), map(str, files), strict=True) for part in pair]
    options = ["--split", "validation", "--clips", "2", "--stretches", "1", "--seed", "5"]
    assert main(["eval-long", str(tiny_checkpoint), *options, *outputs]) == 0
    assert capsys.readouterr().out.splitlines() == list(map(str, files)) and all(file.is_file() for file in files)
    figures = json.loads(files[0].read_text())
    assert figures["checkpoint"] == str(tiny_checkpoint) and figures["split"] == "validation"
    assert (figures["clips"], figures["stretches"], figures["frames"], figures["seed"]) == (2, 1, 17, 5)
    assert figures["loop_closure"] == [] and "NaN" not in files[0].read_text()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--json", "long.txt"], 1, "ends in .json"),
        (["--json", "long.json", "--plot", "plot.svg"], 1, "ends in .png"),
        (["--json", "long.json", "--clips", "1"], 2, "clips"),
        (["--json", "long.json", "nowhere"], 1, "nowhere"),
        ([], 2, "--json"),
    ],
)
def test_what_does_not_fit_a_long_evaluation_is_one_line(options, status, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["eval-long", *options]) == status
    line = capsys.readouterr().err
    assert line.startswith("camvig: error: ") and line.count("\n") == 1 and message in line
    assert not list(tmp_path.iterdir())
