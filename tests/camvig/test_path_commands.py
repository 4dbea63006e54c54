"""`camvig path`: what it prints and writes, and one line for everything a user can get wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from camvig import CameraPath
from camvig.camera_paths.formats import FORMATS, PathOptions, read_path_file
from camvig.cli import main

TEXT = "dolly in 30%, pan right 10deg"


@pytest.fixture
def fails(capsys):
    def check(*arguments, expected: str, status: int = 1):
        assert main(["path", *map(str, arguments)]) == status
        line = capsys.readouterr().err
        assert line.startswith("camvig: error: ") and line.count("\n") == 1 and expected in line, line

    return check


def test_info_says_what_a_path_does(capsys, tmp_path):
    CameraPath.from_text(TEXT).to_file(tmp_path / "path.json")
    for path in (TEXT, str(tmp_path / "path.json")):
        assert main(["path", "info", path]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "moves 0.30 scene depths forward, pans 10.0° right; 17 frames, 2.1 s"
        assert lines[1].startswith("translation") and "forward +0.300" in lines[1]
    assert main(["path", "info", TEXT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path_length"] == pytest.approx(0.3)


def test_convert_keeps_every_pose_and_says_what_is_lost(capsys, tmp_path):
    assert main(["path", "convert", TEXT, str(tmp_path / "path.txt"), "--to", "tum"]) == 0
    output = capsys.readouterr()
    assert output.out.strip() == str(tmp_path / "path.txt")
    assert output.err.splitlines() == [
        "camvig: note: tum cannot hold that its unit is scene depths",
        "camvig: note: tum cannot hold the lens",
    ]
    again = read_path_file(tmp_path / "path.txt", options=PathOptions(unit="scene_depth")).path
    np.testing.assert_allclose(again.camera_to_world, CameraPath.from_text(TEXT).camera_to_world, atol=1e-12)


def test_convert_resamples_and_rescales_when_asked(tmp_path):
    arguments = ["--resample", "9", "--by", "arc-length", "--to-unit", "metre", "--to-median-depth", "4"]
    assert main(["path", "convert", TEXT, str(tmp_path / "path.json"), *arguments]) == 0
    path = CameraPath.from_file(tmp_path / "path.json")
    assert (path.num_frames, path.unit) == (9, "metre")
    assert path.camera_to_world[-1, 2, 3] == pytest.approx(1.2)


def test_plot_draws_views_an_animation_and_arrows_on_a_picture(tmp_path):
    Image.new("RGB", (96, 64), "grey").save(tmp_path / "photo.png")
    assert main(["path", "plot", TEXT, str(tmp_path / "new" / "views.png")]) == 0
    assert main(["path", "plot", TEXT, str(tmp_path / "turn.gif")]) == 0
    assert main(["path", "plot", TEXT, str(tmp_path / "arrows.png"), "--image", str(tmp_path / "photo.png")]) == 0
    assert Image.open(tmp_path / "new" / "views.png").width == 2 * Image.open(tmp_path / "new" / "views.png").height
    assert Image.open(tmp_path / "turn.gif").n_frames >= 17
    assert Image.open(tmp_path / "arrows.png").width > 96


def test_check_says_what_the_model_hears(capsys, tiny_checkpoint):
    assert main(["path", "check", "dolly in 120%", "--checkpoint", str(tiny_checkpoint)]) == 0
    lines = {line[:14].strip(): line[14:] for line in capsys.readouterr().out.splitlines()}
    assert lines["the path"].startswith("moves 1.20 scene depths forward")
    assert "mean error" in lines["heard with"]
    assert "moves 1.20 scene depths, 2.0 times the limit of 0.6 (frames 9 to 16)" in lines["training"]
    assert "ids, 2 passes each" in lines["cost"]


def test_check_resamples_when_asked_and_prints_json(capsys, tiny_checkpoint, fails, tmp_path):
    long = CameraPath.from_text("truck right 40% then hold for 2s", num_frames=33)
    long.to_file(tmp_path / "long.json")
    arguments = [str(tmp_path / "long.json"), "--checkpoint", str(tiny_checkpoint)]
    fails("check", *arguments, expected="expected a camera path of 17 frames, got 33; resample it")
    for by, seconds in (("time", "4.2"), ("arc-length", "4.2")):
        assert main(["path", "check", *arguments, "--resample-by", by, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (
            report["path"].startswith("moves 0.40 scene depths right") and f"17 frames, {seconds} s" in report["path"]
        )
        assert report["heard"]["rotation_error_degrees"] > 0 and report["outside_training"] == []
        assert report["cost"]["video_ids"] > 0 and report["cost"]["seconds"] > 0


def test_the_name_of_the_output_says_its_format(tmp_path, fails, capsys):
    for name in ("path.glb", "path.chan", "path.npy"):
        assert main(["path", "convert", TEXT, str(tmp_path / name)]) == 0
    assert (tmp_path / "path.glb").read_bytes()[:4] == b"glTF"
    capsys.readouterr()
    fails("convert", TEXT, tmp_path / "path.txt", expected="--to with one of re10k, tum, kitti")
    fails("convert", TEXT, tmp_path / "other.glb", "--to", "tum", expected="ends in .txt for the format tum")
    assert not (tmp_path / "other.glb").exists()


def test_a_wrong_path_is_one_line(fails, tmp_path):
    (tmp_path / "cut.json").write_text('{"format": "camvig camera')
    (tmp_path / "words.txt").write_text("not a path\n")
    CameraPath.from_text(TEXT).to_file(tmp_path / "path.json")
    fails("info", tmp_path / "none.json", expected="none.json, got no such file")
    fails("info", tmp_path / "cut.json", expected="cut.json, line 1: expected JSON")
    fails("info", tmp_path / "words.txt", expected="--from re10k")
    fails("info", tmp_path / "path.json", "--unit", "metre", expected="expected no --unit metre")
    fails("info", "fly to the moon", expected="expected a camera move")
    fails("info", "no/such/file", expected="no/such/file, got no such file")
    fails("info", tmp_path, expected="expected to be told the format of this file")
    fails("info", TEXT, "--picture-size", "big", expected="--picture-size as WIDTHxHEIGHT")
    fails("convert", TEXT, tmp_path / "x.abc", "--to", "abc", expected=", ".join(list(FORMATS)[:2]))
    fails("convert", tmp_path / "path.json", tmp_path / "path.json", expected="same file")
    fails("plot", TEXT, tmp_path / "x.jpg", expected=".png or .gif")
    fails("plot", TEXT, tmp_path / "x.png", "--depth", "2", expected="--depth only with --image")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cut.json", "path.json", "words.txt"]
