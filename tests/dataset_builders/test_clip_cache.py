"""The cache of rendered clips: shards appear whole, a killed run goes on, clips keep their numbers."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from camvig.dataset_builders import clip_cache
from camvig.dataset_builders.clip_cache import ClipCache, shards_in, write_clip_cache


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clip_cache, "SHARD_CLIPS", 3)


class Maker:
    """Makes clips that carry their number in every array, and notes which it made."""

    def __init__(self):
        self.made: list[int] = []

    def __call__(self, index: int) -> SimpleNamespace:
        self.made.append(index)
        return SimpleNamespace(
            frames=np.full((2, 4, 4, 3), index, np.uint8),
            depth=np.full((2, 4, 4), index + 0.5, np.float32),
            camera_to_world=np.tile(np.eye(4) * (index + 1), (2, 1, 1)),
            intrinsics=np.full((2, 4), index / 8),
            median_depth=index + 0.5,
            depth_is_known=index % 2 == 0,
            move=f"move {index}",
        )


def assert_holds_clips(cache: ClipCache, indices: range) -> None:
    assert len(cache) == len(indices)
    for place, index in enumerate(indices):
        clip, expected = cache[place], vars(Maker()(index))
        assert clip.keys() == expected.keys()
        assert clip["frames"].dtype == np.uint8 and clip["move"] == f"move {index}"
        for name in expected.keys() - {"move"}:
            assert np.array_equal(clip[name], expected[name]), name


def test_the_reader_finds_every_clip_across_shards(tmp_path: Path):
    shards = write_clip_cache(tmp_path / "clips", Maker(), 9)
    assert shards == shards_in(tmp_path / "clips") and len(shards) == 3
    assert_holds_clips(ClipCache(shards), range(9))
    assert_holds_clips(ClipCache(shards[1:]), range(3, 9))
    with pytest.raises(IndexError):
        ClipCache(shards)[9]


def test_only_what_is_missing_is_rendered(tmp_path: Path):
    write_clip_cache(tmp_path, Maker(), 6)
    stamps = [file.stat().st_mtime_ns for file in sorted(tmp_path.glob("*/*"))]
    maker = Maker()
    shards = write_clip_cache(tmp_path, maker, 9)
    assert maker.made == [6, 7, 8]
    assert [file.stat().st_mtime_ns for shard in shards[:2] for file in sorted(shard.glob("*"))] == stamps
    assert_holds_clips(ClipCache(shards), range(9))


def test_a_run_killed_while_writing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save, saved = np.save, []

    def killed(file, array):
        saved.append(file)
        if len(saved) == 9:  # in the middle of the second shard
            raise KeyboardInterrupt
        save(file, array)

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            write_clip_cache(tmp_path, Maker(), 6)
    assert len(list(tmp_path.iterdir())) == 2  # one shard, and one half-written temporary folder
    assert_holds_clips(ClipCache(shards_in(tmp_path)), range(3))
    maker = Maker()
    shards = write_clip_cache(tmp_path, maker, 6)
    assert maker.made == [3, 4, 5]
    assert_holds_clips(ClipCache(shards), range(6))


def test_what_another_killed_process_left_is_no_shard(tmp_path: Path):
    half_written = tmp_path / "shard-00000.1.new"
    half_written.mkdir()
    (half_written / "moves.json").write_text(json.dumps(["static"]), encoding="utf-8")
    assert shards_in(tmp_path) == []
    maker = Maker()
    assert_holds_clips(ClipCache(write_clip_cache(tmp_path, maker, 3)), range(3))
    assert maker.made == [0, 1, 2] and len(shards_in(tmp_path)) == 1


def test_the_last_shard_may_be_short_but_must_fit_the_count(tmp_path: Path):
    shards = write_clip_cache(tmp_path, Maker(), 7)
    assert len(shards) == 3
    assert_holds_clips(ClipCache(shards), range(7))
    with pytest.raises(ValueError, match="shard-00002: expected 3 clips, got 1: take another folder for 9 clips"):
        write_clip_cache(tmp_path, Maker(), 9)
    assert write_clip_cache(tmp_path / "none", Maker(), 0) == []
    with pytest.raises(ValueError, match="at least one shard"):
        ClipCache(shards_in(tmp_path / "none"))


def moving(index: int) -> SimpleNamespace:
    """A clip of `Maker` in which `index` % 3 objects move."""
    clip = Maker()(index)
    poses = np.tile(np.eye(4) * (1 + index), (2, index % 3, 1, 1))
    return SimpleNamespace(**vars(clip), object_ids=np.full((2, 4, 4), index % 3, np.uint8), object_to_world=poses)


def test_moving_objects_are_kept_and_filled_up_with_objects_at_rest(tmp_path: Path):
    cache = ClipCache(write_clip_cache(tmp_path, moving, 6))
    for index in range(6):
        clip, expected = cache[index], moving(index)
        assert np.array_equal(clip["object_ids"], expected.object_ids)
        assert clip["object_to_world"].shape == (2, 2, 4, 4) and clip["object_to_world"].dtype == np.float32
        assert np.array_equal(clip["object_to_world"][:, : index % 3], expected.object_to_world)
        assert (clip["object_to_world"][:, index % 3 :] == np.eye(4)).all()


def test_shards_at_rest_are_those_of_makers_that_know_no_objects(tmp_path: Path):
    """To the bit, so that old shards and new ones are the same."""

    def at_rest(index: int) -> SimpleNamespace:
        nothing = {"object_ids": np.zeros((2, 4, 4), np.uint8), "object_to_world": np.zeros((2, 0, 4, 4))}
        return SimpleNamespace(**vars(Maker()(index)), **nothing)

    old, new = write_clip_cache(tmp_path / "old", Maker(), 3), write_clip_cache(tmp_path / "new", at_rest, 3)
    files = [{file.name: file.read_bytes() for file in shard.iterdir()} for shard in (old[0], new[0])]
    assert files[0] == files[1] and "object_ids.npy" not in files[0]
    mixed = ClipCache([old[0], *write_clip_cache(tmp_path / "moving", moving, 3)])
    assert "object_ids" not in mixed[2] and "object_ids" in mixed[3]


def test_a_gap_between_shards_is_refused(tmp_path):
    for shard in (0, 2):
        (tmp_path / f"shard-{shard:05d}").mkdir()
    with pytest.raises(ValueError, match="render the missing ones"):
        shards_in(tmp_path)
