"""The rooms as a dataset: every way to prepare it gives the same rows, and rows are the clips that their seeds name."""

from pathlib import Path

import datasets
import numpy as np
import pytest

from camvig.dataset_builders.procedural_rooms import (
    CLIPS_IN_RANGE,
    FEATURES,
    ProceduralRooms,
    camera_path_of,
    clip_ranges,
    decode_video,
    rendered_again,
)
from camvig.dataset_builders.rooms.room_clips import RoomClip, room_clip

SIZES = {"train_clips": 4, "validation_clips": 1, "test_clips": 1, "size": 32}


@pytest.fixture(autouse=True, scope="module")
def no_progress_bars():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> ProceduralRooms:
    builder = ProceduralRooms(cache_dir=str(tmp_path_factory.mktemp("rooms")), **SIZES)
    builder.download_and_prepare()
    return builder


@pytest.fixture(scope="module")
def splits(builder: ProceduralRooms) -> datasets.DatasetDict:
    prepared = builder.as_dataset()
    assert isinstance(prepared, datasets.DatasetDict)
    return prepared


def clip_of(row: dict) -> RoomClip:
    """Renders the clip of a row again, from its seeds alone."""
    split = row["scene_id"].split("-")[0]
    return room_clip(split, row["scene_seed"], row["clip_seed"], SIZES["size"], threads=1)


def assert_same_rows(rows, others) -> None:
    for row, other in zip(rows, others, strict=True):
        assert row.keys() == other.keys() == FEATURES.keys()
        for name in row:
            if name in ("camera_to_world", "intrinsics"):
                first, second = (np.asarray(values[name], np.float32) for values in (row, other))
                assert first.tobytes() == second.tobytes(), name
            else:
                assert row[name] == other[name], name


def test_splits_have_the_asked_sizes_and_describe_themselves(builder, splits):
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 4, "validation": 1, "test": 1}
    assert splits["train"].features == FEATURES
    assert "32x32" in builder.info.description and builder.info.license == "CC0-1.0"
    assert {row["licence"] for row in splits["train"]} == {"CC0-1.0"}


def test_streaming_gives_the_same_rows(builder, splits):
    assert_same_rows(builder.as_streaming_dataset(split="train"), splits["train"])


def test_two_processes_and_parquet_give_the_same_rows(splits, tmp_path: Path):
    builder = ProceduralRooms(cache_dir=str(tmp_path / "cache"), **(SIZES | {"validation_clips": 0, "test_clips": 0}))
    builder.download_and_prepare(str(tmp_path / "out"), file_format="parquet", num_proc=2)
    files = sorted(str(file) for file in (tmp_path / "out").glob("*.parquet"))
    assert len(files) == 2
    again = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "read"))
    assert_same_rows(again, splits["train"])


def test_no_scene_is_in_two_splits(splits):
    scenes = {name: set(rows["scene_id"]) for name, rows in splits.items()}
    assert len(set.union(*scenes.values())) == sum(map(len, scenes.values())) == 4
    starts = [rows[0] for rows in splits.values()]
    assert {(row["scene_seed"], row["clip_seed"]) for row in starts} == {(0, 0)}  # the same seeds, yet other clips
    assert len({row["video"]["bytes"] for row in starts}) == len({row["depth_scale"] for row in starts}) == 3


def test_a_row_is_the_clip_of_its_seeds(splits):
    for row in (splits["train"][3], splits["validation"][0], splits["test"][0]):
        clip = clip_of(row)
        assert camera_path_of(row).allclose(clip.path, tolerance=1e-6)
        poses = clip.path.camera_to_world.astype(np.float32)
        assert np.asarray(row["camera_to_world"], np.float32).tobytes() == poses.tobytes()
        assert row["depth_scale"] == pytest.approx(clip.median_depth) and row["move"] == clip.move
        assert row["has_path"] and row["depth_unit"] == "metre"
        decoded = decode_video(row["video"]["bytes"])
        assert decoded.shape == clip.frames.shape and decoded.dtype == np.uint8
        error = np.mean((decoded.astype(float) - clip.frames) ** 2)
        assert 10 * np.log10(255**2 / error) > 36


def test_the_first_scene_can_be_chosen(splits):
    later = {"train_clips": 1, "validation_clips": 0, "test_clips": 0, "first_scene": 1}
    rows = ProceduralRooms(**(SIZES | later)).as_streaming_dataset(split="train")
    assert_same_rows(rows, splits["train"].select([2]))


def test_ranges_cover_every_clip_once_and_cut_between_scenes():
    for start, stop, clips_per_scene in ((0, 4, 2), (6, 7, 3), (0, 101, 2), (40, 300, 20), (5, 5, 1)):
        ranges = clip_ranges(start, stop, clips_per_scene)
        assert [clip for first, last in ranges for clip in range(first, last)] == list(range(start, stop))
        assert all((first - start) % clips_per_scene == 0 for first, _ in ranges)
        assert all(last - first <= max(CLIPS_IN_RANGE, clips_per_scene) for first, last in ranges)
    assert clip_ranges(0, 4, 2) == [(0, 2), (2, 4)]


def test_rows_with_moving_objects_are_rendered_again_from_their_seeds():
    config = SIZES | {"train_clips": 2, "validation_clips": 0, "test_clips": 0, "moving_objects": 2}
    builder = ProceduralRooms(**config)
    row = list(builder.as_streaming_dataset(split="train"))[1]
    assert row["moving_objects"] == 2 and "move by themselves in a clip: up to 2" in builder.info.description
    clip = rendered_again(row, SIZES["size"])
    assert clip.object_ids.any() and len(clip.object_kinds) >= 1
    assert camera_path_of(row).allclose(clip.path, tolerance=1e-6)
    error = np.mean((decode_video(row["video"]["bytes"]).astype(float) - clip.frames) ** 2)
    assert 10 * np.log10(255**2 / error) > 36
    with pytest.raises(ValueError, match=r"got train-000000-1 of procedural_rooms 1\.0\.0"):
        rendered_again(row | {"generator_version": "1.0.0"}, 32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_clips": -1}, "train_clips .* at least 0, got -1"),
        ({"size": 8}, "size .* at least 16, got 8"),
        ({"size": 32.0}, "size .* got 32.0"),
        ({"clips_per_scene": 0}, "clips_per_scene .* got 0"),
        ({"moving_objects": 4}, "at most 3 moving_objects, got 4"),
        ({"train_clips": 0, "validation_clips": 0, "test_clips": 0}, "at least 1 clip"),
    ],
)
def test_bad_sizes_are_refused(changes, message, tmp_path: Path):
    with pytest.raises(ValueError, match=message):
        ProceduralRooms(cache_dir=str(tmp_path), **(SIZES | changes))
