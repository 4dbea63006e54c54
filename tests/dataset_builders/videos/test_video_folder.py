"""Which videos a folder has, their splits and their licences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from camvig.dataset_builders.videos.video_folder import find_videos, split_of


def find(folder: Path, licence: str | None = "CC0-1.0"):
    return find_videos(folder, licence, 0.2, 0.2)


def fill(folder: Path, names: list[str]) -> None:
    for index, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"content %d" % index)


def test_licences_come_from_the_index_then_from_the_caller_and_are_never_made_up(tmp_path):
    fill(tmp_path, ["a b.mp4", "sub/größe 東京.MOV", "c.mkv", "notes.txt"])
    index = [
        {"file": "a b.mp4", "licence": "CC-BY-4.0", "origin": "Ada's films", "more": 1},
        {"file": "sub/größe 東京.MOV", "origin": "no licence stated"},
    ]
    (tmp_path / "index.json").write_text(json.dumps(index), encoding="utf-8")
    found = find(tmp_path)
    assert {video.name: (video.licence, video.credit) for video in found.videos} == {
        "a b.mp4": ("CC-BY-4.0", "Ada's films"),
        "c.mkv": ("CC0-1.0", ""),
        "sub/größe 東京.MOV": ("CC0-1.0", "no licence stated"),
    }
    assert found.skipped == [] and found.other_files == 2
    without = find(tmp_path, licence=None)
    assert [video.name for video in without.videos] == ["a b.mp4"]
    assert {report.file for report in without.skipped} == {"c.mkv", "sub/größe 東京.MOV"}
    assert all("no licence" in str(report.skipped_because) for report in without.skipped)


def test_copies_and_empty_files_are_counted(tmp_path):
    fill(tmp_path, ["a.mp4", "b.mp4"])
    (tmp_path / "copy of b.mp4").write_bytes((tmp_path / "b.mp4").read_bytes())
    (tmp_path / "empty.webm").write_bytes(b"")
    found = find(tmp_path)
    assert [video.name for video in found.videos] == ["a.mp4", "b.mp4"]
    assert {report.file: report.skipped_because for report in found.skipped} == {
        "copy of b.mp4": "a copy of b.mp4",
        "empty.webm": "empty, or not to be opened",
    }


def test_splits_follow_the_contents_not_the_names_or_the_company(tmp_path):
    fill(tmp_path / "one", [f"{index}.mp4" for index in range(40)])
    fill(tmp_path / "two", [f"other {index}.mp4" for index in range(20)])
    one = {video.content_hash: video.split for video in find(tmp_path / "one").videos}
    two = {video.content_hash: video.split for video in find(tmp_path / "two").videos}
    assert len(two) == 20 and two.items() <= one.items()
    assert set(one.values()) == {"train", "validation", "test"}


def test_shares_hold_over_many_videos():
    hashes = [f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}" for index in range(10_000)]
    splits = [split_of(one, 0.1, 0.2) for one in hashes]
    assert splits.count("validation") == pytest.approx(1000, abs=20) and splits.count("test") == pytest.approx(
        2000, abs=20
    )
    assert {split_of(one, 0, 0) for one in hashes} == {"train"}


@pytest.mark.parametrize("text", ["{", '["a.mp4"]', '[{"licence": "CC0"}]', '{"a.mp4": "CC0"}'])
def test_an_index_that_cannot_be_read_is_an_error_that_names_it(tmp_path, text):
    fill(tmp_path, ["a.mp4"])
    (tmp_path / "index.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"index\.json: expected a list of"):
        find(tmp_path)


def test_no_such_folder(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        find(tmp_path / "missing")
