"""Folders of rendered clips: whole after any kill, the same for any number of processes, split by scene."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from camvig.dataset_builders import render_clips as module
from camvig.dataset_builders.clip_depth import decode_depth, exact_backward_flow
from camvig.dataset_builders.clip_rows import camera_path_of
from camvig.dataset_builders.clip_videos import decode_video
from camvig.dataset_builders.nerf_clips import NerfClips
from camvig.dataset_builders.render_clips import clip_files, files_of, make_plan, render_clips
from camvig.dataset_builders.scenes.room_field import RoomField

ROOMS = ["room:train/5", "room:train/6"]


@pytest.fixture
def small_files(monkeypatch):
    monkeypatch.setattr(module, "CLIPS_PER_FILE", 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An unbroken run: 7 clips of two rooms in files of 2."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CLIPS_PER_FILE", 2)
        report = render_clips(ROOMS, 7, folder, size=16)
    return folder, report


def rows_in(folder) -> dict[str, dict]:
    rows = [row for file in clip_files(folder) for row in pq.read_table(file).to_pylist()]
    assert len({row["clip_id"] for row in rows}) == len(rows)
    return {row["clip_id"]: row for row in rows}


def test_a_row_shows_the_room_along_its_path(whole):
    folder, _ = whole
    row = rows_in(folder)["train-000006-1"]
    assert (row["scene_id"], row["licence"], row["has_path"]) == ("train-000006", "CC0-1.0", True)
    frames, depth = decode_video(row["video"]["bytes"]), decode_depth(row["depth"], (16, 16))
    assert frames.shape == (17, 16, 16, 3) and depth.shape == (17, 16, 16)
    assert np.median(depth[0]) == pytest.approx(1, rel=1e-3)
    path = camera_path_of(row).to_unit("metre", row["depth_scale"])
    rng = np.random.default_rng(np.random.SeedSequence([row["clip_seed"], *b"train-000006"]))
    from camvig.dataset_builders.scenes.scene_paths import PathReport, ScenePaths

    placed = ScenePaths(RoomField("train", 6, threads=1)).place(rng, PathReport())
    relative = np.linalg.inv(placed.camera_to_world[0]) @ placed.camera_to_world
    np.testing.assert_allclose(path.camera_to_world, relative, atol=1e-5)


def test_exact_flow_leads_from_every_frame_to_the_first(whole):
    errors, still = [], []
    for row in rows_in(whole[0]).values():
        frames = decode_video(row["video"]["bytes"]).astype(np.float32)
        flow, visibility, _ = exact_backward_flow(row, (16, 16))
        x, y = np.meshgrid(np.arange(16, dtype=np.float32), np.arange(16, dtype=np.float32))
        warped = cv2.remap(frames[0], x + 16 * flow[-1, 0], y + 16 * flow[-1, 1], cv2.INTER_LINEAR)
        seen = visibility[-1] > 0
        errors.append(np.square(warped - frames[-1])[seen].mean())
        still.append(np.square(frames[0] - frames[-1])[seen].mean())
    assert np.mean(errors) < 0.25 * np.mean(still)


def test_the_report_counts_clips_and_rejected_paths(whole):
    folder, report = whole
    assert report == json.loads((folder / "report.json").read_text())
    assert (report["clips"], report["clips_planned"]) == (7, 7)
    assert {name: scene["clips"] for name, scene in report["scenes"].items()} == {"train-000005": 4, "train-000006": 3}
    for scene in report["scenes"].values():
        assert sum(scene["placed"].values()) == scene["clips"] and sum(scene["rejected"].values()) > 0


def test_shards_make_up_the_whole(whole, small_files, tmp_path):
    for number in range(3):
        render_clips(ROOMS, 7, tmp_path / "parts", size=16, shard=(number, 3))
    assert rows_in(tmp_path / "parts") == rows_in(whole[0])


def test_processes_give_the_same_rows(whole, tmp_path):
    render_clips(ROOMS, 7, tmp_path / "two", size=16, num_processes=2)
    assert rows_in(tmp_path / "two") == rows_in(whole[0])


SCRIPT = """
import sys
from pathlib import Path
from camvig.dataset_builders import render_clips as module
module.CLIPS_PER_FILE = 2
module.render_clips({rooms!r}, 7, Path(sys.argv[1]), size=16)
"""


def test_a_killed_run_goes_on_and_loses_and_doubles_nothing(whole, small_files, tmp_path):
    folder = tmp_path / "killed"
    for files in (1, 2):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(rooms=ROOMS), str(folder)], stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(clip_files(folder) if folder.exists() else []) < files:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    (folder / f".train-000005-0000002.{os.getpid()}.tmp.parquet").write_bytes(b"half")
    before = {file: file.stat().st_mtime_ns for file in clip_files(folder)}
    assert before
    render_clips(ROOMS, 7, folder, size=16)
    assert rows_in(folder) == rows_in(whole[0])
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_a_full_disk_leaves_nothing_half_written(whole, small_files, tmp_path, monkeypatch):
    def fills_the_disk(table, file, **how):
        file.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.pq, "write_table", fills_the_disk)
        with pytest.raises(OSError, match="No space left"):
            render_clips(ROOMS, 7, tmp_path / "full", size=16)
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["plan.json"]
    render_clips(ROOMS, 7, tmp_path / "full", size=16)
    assert rows_in(tmp_path / "full") == rows_in(whole[0])


def test_another_plan_in_the_same_folder_is_refused(whole):
    folder, _ = whole
    with pytest.raises(
        ValueError, match=r"plan\.json: expected the plan of this folder, got another .*size 16 there, 24 now"
    ):
        render_clips(ROOMS, 7, folder, size=24)
    with pytest.raises(ValueError, match="clips 7 there, 8 now"):
        render_clips(ROOMS, 8, folder, size=16)


@pytest.mark.parametrize(
    ("sources", "clips", "size", "message"),
    [
        ([], 5, 64, "at least one clip and one scene, got 5 and 0"),
        (ROOMS, 0, 64, "at least one clip and one scene, got 0 and 2"),
        (ROOMS, 5, 8, "pictures of 16 to 1024 pixels, got 8"),
        ([ROOMS[0], ROOMS[0]], 5, 64, "scenes of different names, got 'train-000005'"),
        (["kitchen"], 5, 64, "expected a scene: .* got 'kitchen'"),
    ],
)
def test_what_is_no_plan(sources, clips, size, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        render_clips(sources, clips, tmp_path / "clips", size)
    assert not (tmp_path / "clips").exists()


def test_a_plan_has_each_clip_once_and_scenes_take_turns():
    plan, _ = make_plan(ROOMS, 1001, 64, 0)
    files = files_of(plan)
    assert sum(file.count for file in files) == 1001
    numbers = [(file.scene, file.first + k) for file in files for k in range(file.count)]
    assert len(set(numbers)) == 1001
    assert [file.scene for file in files[:4]] == ["train-000005", "train-000006"] * 2


def test_nerf_clips_split_by_scene_and_stream(whole, tmp_path):
    folder, _ = whole
    builder = NerfClips(cache_dir=str(tmp_path), folder=str(folder), test_scenes=("train-000006",))
    builder.download_and_prepare()
    prepared = builder.as_dataset()
    assert set(prepared["train"]["scene_id"]) == {"train-000005"} and set(prepared["test"]["scene_id"]) == {
        "train-000006"
    }
    assert prepared["train"].num_rows + prepared["test"].num_rows == 7
    streamed = {row["clip_id"]: row for row in builder.as_streaming_dataset(split="test")}
    assert list(streamed) == prepared["test"]["clip_id"][:]
    row = prepared["test"][0]
    np.testing.assert_array_equal(row["camera_to_world"], streamed[row["clip_id"]]["camera_to_world"])
    assert camera_path_of(row).num_frames == 17


def test_nerf_clips_of_nothing_or_of_scenes_that_are_not_there(whole, tmp_path):
    with pytest.raises(ValueError, match="expected a folder of clips, got 'nowhere'"):
        NerfClips(cache_dir=str(tmp_path), folder="nowhere")
    with pytest.raises(ValueError, match="expected each scene in one split, got a in two"):
        NerfClips(cache_dir=str(tmp_path), folder=str(whole[0]), test_scenes=("a",), validation_scenes=("a",))
    with pytest.raises(ValueError, match=r"expected clips of kitchen in .*, got train-000005, train-000006"):
        NerfClips(cache_dir=str(tmp_path), folder=str(whole[0]), test_scenes=("kitchen",)).download_and_prepare()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected clips of at least one scene .* has render-clips run"):
        NerfClips(cache_dir=str(tmp_path), folder=str(tmp_path / "empty")).download_and_prepare()
