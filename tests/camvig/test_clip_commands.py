"""`camvig data` from scenes and videos to ids and the Hub: what it prints and writes, and one line for what is wrong."""

import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from camvig.cli import main
from camvig.clip_commands import shard_of
from camvig.dataset_builders.clip_videos import decode_video, encode_video
from camvig.dataset_builders.render_clips import clip_files
from camvig.dataset_builders.scenes.gaussian_splats import GaussianSplats
from camvig.dataset_builders.scenes.scene_sources import open_scene, scene_fingerprint
from camvig.dataset_builders.scenes.splat_files import write_splats


def data(*arguments: object) -> int:
    return main(["data", *map(str, arguments)])


@pytest.fixture
def fails(capsys):
    def check(*arguments, expected: str, status: int = 1):
        assert data(*arguments) == status
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("camvig:")]
        assert len(lines) == 1 and lines[0].startswith("camvig: error: ") and expected in lines[0], lines

    return check


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips") / "rooms"
    assert data("render-clips", "room:train/5", "room:train/6", "--clips", 3, "--out", folder, "--size", 32) == 0
    return folder


@pytest.fixture(scope="module")
def splats(tmp_path_factory):
    """A grey ball of Gaussians."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(400, 3))
    positions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    ball = GaussianSplats(
        positions.astype(np.float32),
        np.full((400, 3), np.log(0.15), np.float32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (400, 1)),
        np.full(400, 3, np.float32),
        np.zeros((400, 1, 3), np.float32),
    )
    file = tmp_path_factory.mktemp("splats") / "my ball.ply"
    write_splats(ball, file)
    return file


def test_render_clips_says_what_became_of_the_paths(clips, capsys):
    assert data("render-clips", "room:train/5", "room:train/6", "--clips", 3, "--out", clips, "--size", 32) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("train-000005: 2 clips; rejected paths: ") and lines[-1] == str(clips / "report.json")
    assert sum(len(pq.read_table(file)) for file in clip_files(clips)) == 3


def test_rooms_with_moving_objects_become_clips_and_ids(tiny_checkpoint, tmp_path, capsys, fails):
    lossless, plain, ids = tmp_path / "moving", tmp_path / "plain", tmp_path / "ids"
    options = ["--clips", 2, "--size", 32, "--start", 4, "--moving-objects", 1]
    assert data("render-rooms", lossless, *options) == 0 and data("render-rooms", plain, *options, "--plain") == 0
    assert capsys.readouterr().out.splitlines() == [str(lossless), str(plain)]
    assert data("tokenize", lossless, plain, "--out", ids, "--checkpoint", tiny_checkpoint) == 0
    rows = [row for file in sorted(ids.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    assert sorted(row["has_path"] for row in rows) == [False, False, True, True]
    fails("render-rooms", lossless, *options[:-1], 2, expected="moving_objects 1 there, 2 now")
    fails("render-rooms", tmp_path / "x", *options[:-1], 4, expected="expected 0 to 3 moving objects, got 4")


def test_splats_become_a_scene_that_clips_are_rendered_from(splats, tmp_path, fails, capsys):
    scene = tmp_path / "scenes" / "ball"
    options = ["--axes", "opencv", "--licence", "MIT", "--credit", "Somebody"]
    assert data("import-splats", splats, "--out", scene, *options) == 0
    again = open_scene(str(scene))
    assert (again.name, again.licence, again.credit) == ("my ball", "MIT", "Somebody")
    depth = again.render(again.views.camera_to_world[:1], again.views.intrinsics[:1], (9, 9)).depth[0]
    assert np.isfinite(depth[4, 4]) and np.isinf(depth[0, 0])
    fails("import-splats", splats, "--out", scene, *options, expected="a folder that is not empty")
    fails(
        "render-clips",
        splats,
        "--clips",
        1,
        "--out",
        tmp_path / "x",
        expected="becomes a scene by camvig data import-splats",
    )
    assert scene_fingerprint(str(scene)) != scene_fingerprint("room:train/5")
    capsys.readouterr()
    assert data("import-splats", splats, "--out", tmp_path / "no axes") == 2


def test_videos_are_cut_into_splits(tmp_path, capsys, fails):
    (tmp_path / "my videos").mkdir()
    shapes = np.random.default_rng(0).uniform(0, 255, (4, 12, 3)).astype(np.float32)
    wide = cv2.resize(shapes, (160, 48), interpolation=cv2.INTER_LINEAR).clip(0, 255).astype(np.uint8)
    frames = np.stack([wide[:, step : step + 64] for step in range(60)])
    (tmp_path / "my videos" / "a ü.mp4").write_bytes(encode_video(frames, 24.0))
    (tmp_path / "my videos" / "broken.mp4").write_bytes(b"no video")
    arguments = ["cut-videos", tmp_path / "my videos", "--out", tmp_path / "cut", "--licence", "CC0-1.0", "--size", 32]
    assert data(*arguments) == 0
    totals = json.loads(capsys.readouterr().out.rpartition("}")[0] + "}")
    files = [file for split in (tmp_path / "cut").iterdir() if split.is_dir() for file in clip_files(split)]
    assert sum(len(pq.read_table(file)) for file in files) == totals["clips"] > 0
    assert sum(totals["skipped_videos"].values()) == 1
    assert json.loads((tmp_path / "cut" / "video_report.json").read_text())
    fails(*arguments, expected="expected a folder without clips to cut videos into")
    fails(*arguments[:-1], 32, "--median-depth", 2, expected="--median-depth only with --posed")


def test_tokenize_with_a_checkpoint_and_with_single_tokenizers(clips, tiny_checkpoint, tmp_path, capsys, fails):
    assert data("tokenize", clips, "--out", tmp_path / "ids", "--checkpoint", tiny_checkpoint) == 0
    assert capsys.readouterr().out.startswith("3 rows written, tokenizers ")
    parts = {name: tiny_checkpoint / name for name in ("visual_tokenizer", "camera_tokenizer")}
    options = [text for name, folder in parts.items() for text in (f"--{name.replace('_', '-')}", folder)]
    assert data("tokenize", clips, "--out", tmp_path / "ids", *options) == 0
    assert capsys.readouterr().out.startswith("0 rows written")
    fails("tokenize", clips, "--out", tmp_path / "ids", expected="expected ids of the tokenizers")  # camvig-tiny's
    fails(
        "tokenize",
        clips,
        "--out",
        tmp_path / "i",
        "--checkpoint",
        "nobody/nothing",
        expected="a checkpoint folder, got nobody",
    )
    fails("tokenize", tmp_path, "--out", tmp_path / "i", "--checkpoint", tiny_checkpoint, expected="a folder of clips")


PUSH = """
import sys
from datasets import load_dataset
from camvig.cli import main
assert main(["data", "push", sys.argv[1], "somebody/rooms", "--test-scene", "train-000006"]) == 0
rows = load_dataset("somebody/rooms")
print({split: sorted(rows[split]["clip_id"]) for split in rows})
"""


def test_clips_go_to_the_hub(clips, run_on_local_hub):
    printed = run_on_local_hub(PUSH, clips).splitlines()
    assert printed[-1] == str({"train": ["train-000005-0", "train-000005-1"], "test": ["train-000006-0"]})


def test_show_draws_clips_with_their_depth(clips, tmp_path, fails):
    assert data("show", clips, tmp_path / "new" / "sheet.png", "--clips", 2) == 0
    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        assert sheet.size == (7 * 128, 2 * (128 + 16))
        frames = np.asarray(sheet.convert("RGB"))[16 : 16 + 128, : 5 * 128].reshape(128, 5, 128, 3)
    row = pq.read_table(clip_files(clips)[0]).to_pylist()[0]
    first = cv2.resize(decode_video(row["video"]["bytes"])[0], (128, 128), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(frames[:, 0], first)
    fails("show", clips, tmp_path / "sheet.jpg", expected="ends in .png")
    fails("show", tmp_path, tmp_path / "sheet.png", expected="expected a folder of clips")


def test_shards_come_from_the_option_or_from_accelerate(monkeypatch):
    assert shard_of("1/4") == (1, 4) and shard_of(None) == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert shard_of(None) == (2, 3) and shard_of("0/1") == (0, 1)
    for text in ("4/4", "1", "a/b", "-1/2"):
        with pytest.raises(ValueError, match="expected --shard as I/N"):
            shard_of(text)


def test_what_is_no_scene_or_no_plan(fails, tmp_path):
    fails("render-clips", tmp_path, "--clips", 1, "--out", tmp_path / "x", expected="expected a scene: a folder that")
    fails(
        "render-clips",
        "room:train/5",
        "--clips",
        1,
        "--out",
        tmp_path / "x",
        "--shard",
        "2/2",
        expected="--shard as I/N",
    )
    fails(
        "render-clips",
        "nerfstudio:config.yml",
        "--clips",
        1,
        "--out",
        tmp_path / "x",
        expected="trust_remote_code=True",
    )
    fails("push", tmp_path, "a/b", expected="has render-clips run?")
