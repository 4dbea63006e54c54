"""The command on a tiny untrained model: its files, and one line for everything a user can get wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camvig import CameraPath
from camvig.cli import main
from camvig.pipelines import demo, video_job
from camvig.pipelines.video_files import read_video

PATH = "dolly in 30%, pan right 10deg"


def as_option(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (f"--{name}" if value else f"--no-{name}",)
    return f"--{name}", str(value)


@pytest.fixture
def command(picture_file: Path, tiny_checkpoint: Path, tmp_path: Path):
    """Runs `camvig generate` with good arguments, but for those that are given; returns the exit status."""

    def run(**changes: object) -> int:
        options = {
            "image": picture_file,
            "camera-path": PATH,
            "output": tmp_path / "videos" / "out.mp4",
            "checkpoint": tiny_checkpoint,
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return main(["generate", *(part for name, value in options.items() for part in as_option(name, value))])

    return run


@pytest.fixture
def fails(command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs the command with something wrong: a status, one line on stderr with these parts, and no file written."""

    def check(*parts: str, status: int = 1, **changes: object):
        before = sorted(tmp_path.rglob("*"))
        assert command(**changes) == status
        line = capsys.readouterr().err
        assert line.startswith("camvig: error: ") and line.count("\n") == 1, line
        assert all(part in line for part in parts), line
        assert sorted(tmp_path.rglob("*")) == before

    return check


def test_generate_writes_a_video_and_how_it_was_made(command, tmp_path, tiny_checkpoint, picture_file, capsys):
    assert command(seed=7, guidance_scale=1.5) == 0
    output = capsys.readouterr()
    frames, fps = read_video(tmp_path / "videos" / "out.mp4")
    assert frames.shape == (17, 32, 48, 3) and fps == 8
    assert output.out.splitlines() == [str(tmp_path / "videos" / name) for name in ("out.mp4", "out.json")]
    warned = [line for line in output.err.splitlines() if "warning" in line]
    assert all("does not hear" in line for line in warned) and "Error" not in output.err  # the codec is untrained
    record = json.loads((tmp_path / "videos" / "out.json").read_text())
    assert record["checkpoint"] == str(tiny_checkpoint) and record["image"] == str(picture_file)
    assert record["camera_path"] == PATH and record["seed"] == 7 and record["settings"]["guidance_scale"] == 1.5
    assert record["seconds"] > 0 and record["tokens_per_second"] > 0
    assert (record["frames"], record["width"], record["height"], record["fps"]) == (17, 48, 32, 8)


def test_a_scene_at_rest_is_asked_for_by_name(command, tmp_path):
    videos = []
    for asked in (True, False):
        assert command(output=tmp_path / "out.mp4", rigid_scene=asked) == 0
        assert json.loads((tmp_path / "out.json").read_text())["settings"]["rigid_scene"] is asked
        videos.append(read_video(tmp_path / "out.mp4")[0])
    assert (videos[0] != videos[1]).any()


def test_every_video_says_how_well_it_follows_its_path(command, tmp_path):
    assert command(output=tmp_path / "out.gif") == 0
    record = json.loads((tmp_path / "out.json").read_text())
    score = record["score"]
    assert score["method"] == "implied depth" and score["score"] <= 1 and "poses" not in score
    assert "candidates" not in record and record["settings"]["best_of"] == 1
    assert command(output=tmp_path / "best.gif", best_of=3) == 0
    best = json.loads((tmp_path / "best.json").read_text())
    scores = [candidate["score"] for candidate in best["candidates"]]
    assert len(scores) == 3 and best["score"]["score"] == max(scores) == scores[best["chosen"]]
    assert scores[0] == score["score"]  # the video without best-of


def test_best_of_and_what_does_not_go_with_it(fails):
    fails("temperature above 0", best_of=2, temperature=0)
    fails("best_of", best_of=0)


def test_recovered_poses_are_written_or_the_reason_why_not(tiny_checkpoint, picture_file, tmp_path, capsys):
    pytest.importorskip("pycolmap")
    output = tmp_path / "out.gif"
    command = ["generate", "--image", str(picture_file), "--camera-path", PATH, "--output", str(output)]
    assert main([*command, "--checkpoint", str(tiny_checkpoint), "--recover-poses"]) == 0
    poses = json.loads(output.with_suffix(".json").read_text())["score"]["poses"]
    assert (
        not poses["success"] and poses["problem"] and poses["rotation_error_degrees"] is None
    )  # untrained: nothing to see
    assert "the camera could not be recovered" in capsys.readouterr().err


def test_the_suffix_says_what_is_written(command, tmp_path):
    assert command(output=tmp_path / "out.gif") == 0
    with Image.open(tmp_path / "out.gif") as gif:
        assert gif.n_frames == 17
    assert command(output=tmp_path / "out.PNG", output_size=64) == 0
    with Image.open(tmp_path / "out.PNG") as sheet:
        assert sheet.format == "PNG"
    assert json.loads((tmp_path / "out.json").read_text())["width"] == 96


def test_a_seed_gives_one_video(command, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert command(output=tmp_path / f"{name}.gif", seed=seed) == 0
    first, second, other = ((tmp_path / f"{name}.gif").read_bytes() for name in "abc")
    assert first == second != other


def test_a_camera_path_file(command, tmp_path):
    CameraPath.orbit(20).to_file(tmp_path / "orbit.json")
    assert command(camera_path=tmp_path / "orbit.json", output=tmp_path / "out.gif") == 0
    assert "right" in json.loads((tmp_path / "out.json").read_text())["camera_path_in_words"]


def test_a_longer_camera_path_is_resampled_as_the_user_says(command, fails, tmp_path):
    CameraPath.orbit(20, num_frames=49).to_file(tmp_path / "orbit.json")
    fails("17 frames, got 49", "--resample-by", "--chain", camera_path=tmp_path / "orbit.json")
    assert command(camera_path=tmp_path / "orbit.json", output=tmp_path / "out.gif", resample_by="arc-length") == 0
    assert "17 frames" in json.loads((tmp_path / "out.json").read_text())["camera_path_in_words"]


def test_a_longer_camera_path_is_a_longer_video(tiny_checkpoint, picture_file, tmp_path):
    CameraPath.orbit(20, num_frames=40).to_file(tmp_path / "orbit.json")
    command = ["generate", "--image", str(picture_file), "--checkpoint", str(tiny_checkpoint), "--chain"]
    output = tmp_path / "out.mp4"
    assert main([*command, "--camera-path", str(tmp_path / "orbit.json"), "--output", str(output)]) == 0
    assert read_video(output)[0].shape == (40, 32, 48, 3)
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["frames"] == 40 and record["stretches"] == 3 and "40 frames" in record["camera_path_in_words"]
    scores = [stretch["score"] for stretch in record["score"]["stretches"]]
    assert record["score"]["score"] == pytest.approx(np.mean(scores), abs=1e-3) and "candidates" not in record
    text = ["--camera-path", PATH, "--frames", "18", "--best-of", "2", "--output", str(tmp_path / "text.gif")]
    assert main([*command, *text]) == 0
    record = json.loads((tmp_path / "text.json").read_text())
    assert record["frames"] == 18 and [len(stretch) for stretch in record["candidates"]] == [2, 2]
    assert len(record["chosen"]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--chain", "--camera-path", PATH], "--frames 65"),
        (["--chain", "--camera-path", "orbit.json", "--frames", "40"], "only with --chain and film grammar"),
        (["--camera-path", PATH, "--frames", "40"], "only with --chain and film grammar"),
        (["--chain", "--camera-path", "orbit.json", "--resample-by", "time"], "not both"),
    ],
)
def test_what_does_not_go_with_chaining(options, message, picture_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    CameraPath.orbit(20, num_frames=40).to_file("orbit.json")
    assert main(["generate", "--image", str(picture_file), "--output", "out.gif", *options]) == 1
    line = capsys.readouterr().err
    assert line.startswith("camvig: error: ") and line.count("\n") == 1 and message in line
    assert not (tmp_path / "out.gif").exists()


def test_a_motion_outside_training_is_one_line(command, capsys):
    assert command(camera_path="dolly in 120%") == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "outside" in line]
    assert line.startswith("camvig: warning: ") and "2.0 times" in line


def test_wrong_pictures(fails, tmp_path, make_picture):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    make_picture(1, 1).save(tmp_path / "pixel.png")
    for name, reason in {
        "nowhere.jpg": "no such file",
        "empty.jpg": "empty",
        "text.jpg": "not a picture",
        "pixel.png": "16 pixels",
    }.items():
        fails(name, reason, image=tmp_path / name)


def test_wrong_camera_paths(fails, tmp_path):
    fails("expected a camera move", "fly", camera_path="fly up 3%")
    fails("expected a camera move", camera_path="")
    good = tmp_path / "good.json"
    CameraPath.dolly(0.3).to_file(good)
    fields = json.loads(good.read_text())
    for name, value, reason in (("nan", float("nan"), "NaN"), ("skewed", 2.0, "orthonormal")):
        poses = np.array(fields["camera_to_world"])
        poses[3, 0, 0] = value
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({**fields, "camera_to_world": poses.tolist()}))
        fails("frame 3", reason, camera_path=file)
    CameraPath.dolly(0.3, num_frames=33).to_file(tmp_path / "long.json")
    fails("17 frames, got 33", "path.resample(17, by=", camera_path=tmp_path / "long.json")
    (tmp_path / "text.json").write_text("not a path")
    fails("text.json", camera_path=tmp_path / "text.json")
    fails("nowhere.json", camera_path=tmp_path / "nowhere.json")


def test_wrong_outputs(fails, tmp_path, picture_file):
    fails(".mp4, .gif, .png", "out.avi", output=tmp_path / "out.avi")
    fails(".mp4, .gif, .png", output=tmp_path / "out")
    fails("overwrites no input", output=picture_file)
    (tmp_path / "folder.mp4").mkdir()
    fails("a folder", output=tmp_path / "folder.mp4")
    fails("is a file", output=picture_file / "out.mp4")
    CameraPath.dolly(0.3).to_file(tmp_path / "path.json")
    fails("overwrites no input", output=tmp_path / "path.mp4", camera_path=tmp_path / "path.json")


def test_an_unknown_suffix_is_told_before_any_work(command, tmp_path, monkeypatch):
    monkeypatch.setattr(video_job, "load_pipeline", lambda checkpoint: pytest.fail("worked"))
    assert command(output=tmp_path / "out.avi") == 1


def test_wrong_checkpoints(fails, tiny_checkpoint, tmp_path):
    fails("no such folder", checkpoint=tmp_path / "nowhere")
    damaged = Path(shutil.copytree(tiny_checkpoint, tmp_path / "damaged"))
    weights = damaged / "transformer" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    fails("model.safetensors", "damaged or cut", checkpoint=damaged)
    weights.unlink()
    fails("model.safetensors", "no such file", checkpoint=damaged)
    shutil.copy(tiny_checkpoint / "transformer" / "model.safetensors", weights)
    config = json.loads((damaged / "transformer" / "config.json").read_text())
    (damaged / "transformer" / "config.json").write_text(json.dumps({**config, "latent_frames": 9}))
    fails("transformer/config.json", "of another shape", checkpoint=damaged)


def test_wrong_settings(fails):
    fails("temperature", temperature=-1)
    fails("top_p", top_p=2)
    fails("output_size", output_size=3)
    fails("guidance-scale", status=2, guidance_scale="strong")
    fails("No such option", status=2, speed=3)


def test_a_failure_while_writing_leaves_nothing(command, tmp_path, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise OSError("the disk is full")

    monkeypatch.setattr("av.VideoFrame.from_ndarray", fail)
    assert command(output=tmp_path / "out.mp4") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "camvig: error: the disk is full"
    assert [file.name for file in tmp_path.iterdir()] == ["photo.png"]


def test_what_cannot_be_read_has_status_2(capsys):
    for arguments in (["generate"], ["nothing"], ["--nothing"]):
        assert main(arguments) == 2
        line = capsys.readouterr().err
        assert line.startswith("camvig: error: ") and line.count("\n") == 1
    assert main([]) == 0 and "Usage" in capsys.readouterr().out
    assert main(["--version"]) == 0 and capsys.readouterr().out.startswith("camvig 0.")


def test_the_demo_writes_four_files_a_video(tiny_checkpoint, tmp_path, picture_file, monkeypatch, capsys):
    monkeypatch.setattr(demo, "demo_pictures", lambda: [picture_file])
    assert main(["demo", "--output-dir", str(tmp_path / "demo"), "--checkpoint", str(tiny_checkpoint)]) == 0
    expected = {f"photo_{name}{suffix}" for name in demo.DEMO_PATHS for suffix in (".mp4", ".gif", ".png", ".json")}
    assert {file.name for file in (tmp_path / "demo").iterdir()} == {*expected, "overview.png"}
    output = capsys.readouterr()
    assert "overview.png" in output.out and "3/3" in output.err


def test_the_demo_has_three_pictures_and_three_paths():
    pictures = demo.demo_pictures()
    assert len(pictures) >= 3 and len(demo.DEMO_PATHS) >= 3
    credits = (pictures[0].parent / "CREDITS.md").read_text()
    for picture in pictures:
        assert picture.stat().st_size < 100_000 and picture.name in credits
    for text in demo.DEMO_PATHS.values():
        CameraPath.from_text(text)


def test_the_real_command_gives_its_status_to_the_shell(tiny_checkpoint, picture_file, tmp_path):
    command = [sys.executable, "-m", "camvig.cli", "generate", "--image", str(picture_file), "--camera-path", "fly"]
    command += ["--output", str(tmp_path / "out.mp4"), "--checkpoint", str(tiny_checkpoint)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and not (tmp_path / "out.mp4").exists()
    assert result.stderr.startswith("camvig: error: ") and result.stderr.count("\n") == 1
