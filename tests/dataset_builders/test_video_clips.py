"""A folder of videos, good and bad, as a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pytest

from camvig.dataset_builders.clip_rows import SHARED_COLUMNS, camera_path_of
from camvig.dataset_builders.clip_videos import decode_video
from camvig.dataset_builders.video_clips import FEATURES, VideoClips, survey_videos
from camvig.dataset_builders.videos.video_report import VideoReport

SETTINGS = {"size": 32, "licence": "CC0-1.0", "validation_share": 0.2, "test_share": 0.2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_frames, write_test_video) -> Path:
    """Five good videos of 2 clips each, and one of every bad kind."""
    folder = tmp_path_factory.mktemp("my videos")
    (folder / "ünder").mkdir()
    for index, name in enumerate(["one.mp4", "two words.mp4", "ünder/drei 東京.mp4", "four.mp4", "five.mp4"]):
        write_test_video(folder / name, make_frames(105, seed=index))
    write_test_video(folder / "short.mp4", make_frames(3))
    write_test_video(folder / "still.mp4", make_frames(1, seed=9).repeat(60, axis=0))
    whole = write_test_video(folder / "cut off.mp4", make_frames(150, seed=7)).read_bytes()
    (folder / "cut off.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_bytes(b"I am a text " * 99)
    (folder / "copy.mp4").write_bytes((folder / "one.mp4").read_bytes())
    (folder / "README.md").write_text("videos")
    index = [{"file": "two words.mp4", "licence": "CC-BY-4.0", "origin": "Ada"}]
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", autouse=True)
def no_progress_bars():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture(scope="module")
def builder(folder: Path, tmp_path_factory) -> VideoClips:
    builder = VideoClips(cache_dir=str(tmp_path_factory.mktemp("cache")), folder=str(folder), **SETTINGS)
    builder.download_and_prepare()
    return builder


@pytest.fixture(scope="module")
def splits(builder: VideoClips) -> datasets.DatasetDict:
    prepared = builder.as_dataset()
    assert isinstance(prepared, datasets.DatasetDict)
    return prepared


def assert_same_rows(rows, others) -> None:
    for row, other in zip(rows, others, strict=True):
        assert row.keys() == other.keys() == FEATURES.keys()
        for name in row:
            assert np.array_equal(np.asarray(row[name]), np.asarray(other[name])), name


def test_every_video_is_in_one_split_and_every_clip_is_whole(splits):
    files = [(name, file) for name, rows in splits.items() for file in rows["video_file"]]
    assert len({file for _, file in files}) == len(set(files)) >= 5
    ids = [clip_id for rows in splits.values() for clip_id in rows["clip_id"]]
    assert len(set(ids)) == len(ids) >= 10
    for rows in splits.values():
        assert rows.features == FEATURES and list(FEATURES)[: len(SHARED_COLUMNS)] == list(SHARED_COLUMNS)
        for row in rows:
            assert decode_video(row["video"]["bytes"]).shape == (17, 32, 32, 3)
            assert row["intrinsics"][0][1] / row["intrinsics"][0][0] == pytest.approx(64 / 48, rel=1e-5)
            assert row["motion"] > 0.001 and row["source"] == "video"
            assert (row["licence"], row["credit"]) == (
                ("CC-BY-4.0", "Ada") if row["video_file"] == "two words.mp4" else ("CC0-1.0", "")
            )
    with pytest.raises(ValueError, match="has none"):
        camera_path_of(splits["train"][0])


def test_what_is_broken_is_counted(builder, splits):
    report = builder.report
    videos = {video.file: video for video in report.videos}
    assert {file: video.skipped_because for file, video in videos.items() if video.skipped_because} == {
        "short.mp4": "shorter than 17 frames at 8 a second",
        "empty.mp4": "empty, or not to be opened",
        "text.mp4": "not readable as a video",
        "one.mp4": "a copy of copy.mp4",
    }
    assert videos["still.mp4"].skipped_clips == {"static": 1}
    assert videos["cut off.mp4"].clips >= 1 and videos["cut off.mp4"].frames_missing > 50
    assert {file for file, video in videos.items() if video.problem} == {"cut off.mp4", "text.mp4"}
    assert report.other_files == 2
    assert {name: count for name, count in report.clips_of_split.items() if count} == {
        name: len(rows) for name, rows in splits.items()
    }
    assert videos["ünder/drei 東京.mp4"].clips == 2
    assert VideoReport.from_json(report.to_json()) == report
    assert json.loads(report.to_json())["totals"]["clips"] == sum(map(len, splits.values()))


def test_a_survey_says_the_same_beforehand(builder, folder):
    assert survey_videos(folder, **SETTINGS) == builder.report


def test_streaming_gives_the_same_rows(builder, splits):
    assert_same_rows(builder.as_streaming_dataset(split="train"), splits["train"])


def test_two_processes_and_parquet_give_the_same_rows_and_report(builder, splits, folder, tmp_path):
    again = VideoClips(cache_dir=str(tmp_path / "cache"), folder=str(folder), **SETTINGS)
    again.download_and_prepare(str(tmp_path / "out"), file_format="parquet", num_proc=2)
    files = sorted(str(file) for file in (tmp_path / "out").glob("*train*.parquet"))
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "read"))
    assert_same_rows(rows, splits["train"])
    assert again.report == builder.report


def test_a_changed_folder_is_prepared_again_and_an_unchanged_one_is_not(make_frames, write_test_video, tmp_path):
    settings = {**SETTINGS, "validation_share": 0.0, "test_share": 0.0, "folder": str(tmp_path)}
    places = []
    for count in (1, 2):
        write_test_video(tmp_path / f"{count}.mp4", make_frames(60, seed=count))
        for _ in range(2):
            builder = VideoClips(cache_dir=str(tmp_path / "cache"), **settings)  # the cache may lie in the folder
            builder.download_and_prepare()
            assert len(builder.as_dataset(split="train")) == builder.report.totals["clips"] == count
            places.append(builder.cache_dir)
    assert places[0] == places[1] != places[2] == places[3]


def test_a_folder_without_any_clip_says_why_and_leaves_nothing(make_frames, write_test_video, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    with pytest.raises(ValueError, match="no file has a video's name"):
        VideoClips(cache_dir=str(tmp_path / "cache"), folder=str(videos), **SETTINGS).download_and_prepare()
    write_test_video(videos / "still.mp4", make_frames(1).repeat(60, axis=0))
    builder = VideoClips(cache_dir=str(tmp_path / "cache"), folder=str(videos), **SETTINGS)
    with pytest.raises(ValueError, match=r"none of 1 videos \(clips that are static: 1\)"):
        builder.download_and_prepare()
    with pytest.raises(ValueError, match="call download_and_prepare first"):
        _ = builder.report
    builder = VideoClips(cache_dir=str(tmp_path / "cache"), folder=str(videos), size=32)
    with pytest.raises(ValueError, match="no licence"):
        builder.download_and_prepare()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 8}, "size .* at least 16, got 8"),
        ({"validation_share": 0.7, "test_share": 0.4}, "sum to at most 1"),
        ({"min_motion": -1}, "min_motion"),
        ({"folder": "/no/such/folder"}, "no such folder"),
        ({"folder": ""}, "no such folder"),
    ],
)
def test_bad_settings_are_refused(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        VideoClips(cache_dir=str(tmp_path), **(SETTINGS | {"folder": str(tmp_path)} | changes))
