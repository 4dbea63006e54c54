"""Folders of rooms: each clip is the one of its number, runs go on, other plans are refused, plain clips say no path."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from camvig.dataset_builders import clip_cache, render_rooms
from camvig.dataset_builders.clip_folders import even_clips, parts_of
from camvig.dataset_builders.clip_rows import SHARED_COLUMNS
from camvig.dataset_builders.clip_sheet import SIDE, TEXT_HEIGHT, clip_sheet
from camvig.dataset_builders.clip_videos import decode_video
from camvig.dataset_builders.exact_flow import backward_flow_parts, flow_to_first_frame
from camvig.dataset_builders.procedural_rooms import rendered_again
from camvig.dataset_builders.render_clips import clip_files
from camvig.dataset_builders.render_rooms import RoomsPlan
from camvig.dataset_builders.rooms.room_clips import RoomClip, room_clips


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clip_cache, "SHARD_CLIPS", 2)
    monkeypatch.setattr(render_rooms, "CLIPS_PER_FILE", 2)


@pytest.fixture(scope="module")
def rooms() -> list[RoomClip]:
    return list(room_clips("validation", 3, 5, 32, moving_objects=2))


PLAN = RoomsPlan(clips=3, split="validation", start=5, size=32, moving_objects=2)


def clips_in(folder) -> list[dict]:
    return [clip for part in parts_of(folder) for clip in part.clips()]


def test_lossless_clips_are_the_rooms_of_their_numbers_with_exact_total_flow(rooms, tmp_path):
    render_rooms.render_rooms(PLAN, tmp_path / "moving")
    clips = clips_in(tmp_path / "moving")
    assert [clip["clip_id"] for clip in clips] == [f"moving-00000{number}" for number in range(3)]
    for clip, room in zip(clips, rooms, strict=True):
        assert np.array_equal(clip["frames"], room.frames) and clip["move"] == room.move and clip["has_path"]
        assert np.array_equal(clip["object_ids"], room.object_ids)
        arrays = room.depth, room.camera_to_world, room.intrinsics, room.object_ids, room.object_to_world
        parts, flow = backward_flow_parts(*arrays), flow_to_first_frame(clip)[0]
        assert np.abs(parts.objects).max() > 0.01
        assert np.abs(flow - parts.total).max() < 2e-3  # depth is stored in half precision


def test_rooms_at_rest_hold_no_objects(tmp_path):
    render_rooms.render_rooms(RoomsPlan(clips=1, size=32), tmp_path)
    assert "object_ids" not in clips_in(tmp_path)[0]


def test_plain_clips_are_video_without_a_path(rooms, tmp_path):
    render_rooms.render_rooms(RoomsPlan(**{**vars(PLAN), "kind": "plain"}), tmp_path)
    rows = [row for file in clip_files(tmp_path) for row in pq.read_table(file).to_pylist()]
    for row, room in zip(rows, rooms, strict=True):
        assert list(row)[: len(SHARED_COLUMNS)] == list(SHARED_COLUMNS)
        assert not row["has_path"] and row["depth_scale"] == 0 and row["move"] == "unknown"
        assert np.array_equal(np.array(row["camera_to_world"]), np.tile(np.eye(4), (17, 1, 1)))
        lens = np.array(row["intrinsics"])
        assert lens[:, 1] / lens[:, 0] == pytest.approx(room.path.aspect) and (lens == lens[0]).all()
        frames = decode_video(row["video"]["bytes"])
        assert np.abs(frames.astype(int) - room.frames).mean() < 6
        assert np.array_equal(rendered_again(row, 32).frames, room.frames)
    clips = clips_in(tmp_path)
    assert [clip["depth"] for clip in clips] == [None] * 3 and "object_ids" not in clips[0]


@pytest.mark.parametrize("kind", ["lossless", "plain"])
def test_clips_are_shown_from_the_first_to_the_last(rooms, kind, tmp_path):
    render_rooms.render_rooms(RoomsPlan(**{**vars(PLAN), "kind": kind}), tmp_path)
    assert [clip["clip_id"] for clip in even_clips(tmp_path, 9)] == [clip["clip_id"] for clip in clips_in(tmp_path)]
    first, last = even_clips(tmp_path, 2)
    mean_error = [np.abs(clip["frames"] - rooms[k].frames.astype(float)).mean() for clip, k in ((first, 0), (last, 2))]
    assert max(mean_error) < (6 if kind == "plain" else 1e-9)
    columns = 5 if kind == "plain" else 7  # two of depth
    assert clip_sheet(tmp_path, 2).shape == (2 * (SIDE + TEXT_HEIGHT), columns * SIDE, 3)


@pytest.mark.parametrize("kind", ["lossless", "plain"])
def test_a_killed_run_goes_on_and_gives_the_same_clips(kind, tmp_path, monkeypatch):
    plan = RoomsPlan(**{**vars(PLAN), "kind": kind, "moving_objects": 1})
    render_rooms.render_rooms(plan, tmp_path / "whole")
    room, made = RoomsPlan.room, []

    def killed(self, index):
        if index == 2 and not made.count(2):
            made.append(2)
            raise KeyboardInterrupt
        made.append(index)
        return room(self, index)

    monkeypatch.setattr(RoomsPlan, "room", killed)
    with pytest.raises(KeyboardInterrupt):
        render_rooms.render_rooms(plan, tmp_path / "again")
    render_rooms.render_rooms(plan, tmp_path / "again")
    assert made == [0, 1, 2, 2]
    for first, second in zip(clips_in(tmp_path / "whole"), clips_in(tmp_path / "again"), strict=True):
        assert np.array_equal(first["frames"], second["frames"])
        assert np.array_equal(first["camera_to_world"], second["camera_to_world"])


def test_processes_give_the_same_files(tmp_path):
    plan = RoomsPlan(clips=3, size=16)
    for processes in (1, 2):
        render_rooms.render_rooms(plan, tmp_path / str(processes), processes)
    files = [sorted(file.relative_to(tmp_path / str(n)) for file in (tmp_path / str(n)).rglob("*.*")) for n in (1, 2)]
    assert files[0] == files[1]
    for file in files[0]:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_other_settings_and_foreign_clips_are_refused(tmp_path):
    plan = RoomsPlan(clips=1, size=16)
    render_rooms.render_rooms(plan, tmp_path)
    assert json.loads((tmp_path / "plan.json").read_text())["size"] == 16
    for change in ({"size": 32}, {"kind": "plain"}, {"moving_objects": 1}, {"start": 2}, {"clips": 2}):
        with pytest.raises(
            ValueError, match=f"got another .*{next(iter(change))} .* there, .* now.*take another folder"
        ):
            render_rooms.render_rooms(RoomsPlan(**{**vars(plan), **change}), tmp_path)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(ValueError, match="expected a folder without clips to render rooms into"):
        render_rooms.render_rooms(plan, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clips": 0}, "at least 1 clip"),
        ({"clips": 1, "start": -1}, "a start of at least 0"),
        ({"clips": 1, "size": 8}, "16 to 1024 pixels, got 8"),
        ({"clips": 1, "moving_objects": 4}, "0 to 3 moving objects, got 4"),
        ({"clips": 1, "split": "exam"}, "got 'exam'"),
        ({"clips": 1, "kind": "loud"}, "got 'loud'"),
    ],
)
def test_bad_plans_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RoomsPlan(**settings)
