"""Sources of the plain tokenizer's frames: clips, pictures, what cannot be read; and the batches made of them."""

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from camvig.dataset_builders.clip_rows import clip_features, no_path_columns, video_column
from camvig.training_scripts.bad_batches import CLIP_NAMES
from camvig.training_scripts.visual_batches import Prefetched, plain_batch, square
from camvig.training_scripts.visual_sources import ClipDataset, PictureFolder, Sources

SHARED = {"fps": 8.0, "scene_id": "s", "source": "video", "credit": "", "licence": "CC0-1.0", "generator_version": "1"}


def moving_clip(seed, size=32):
    """A gradient that moves: survives H.264 well."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, size, dtype=np.float32)
    frames = [np.add.outer(ramp, np.roll(ramp, 2 * k))[..., None] * rng.uniform(0.3, 0.6, 3) for k in range(17)]
    return np.stack(frames).astype(np.uint8)


def clip_rows(count):
    return [
        {"video": video_column(moving_clip(seed), 8.0), **no_path_columns(1.0), **SHARED, "clip_id": f"clip-{seed}"}
        for seed in range(count)
    ]


def write_clips(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_list(rows, features=clip_features()).to_parquet(folder / "clips-00000.parquet")
    return folder


def write_pictures(folder, count=3):
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (40 + number, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_clips_come_from_parquet_and_from_saved_datasets(tmp_path):
    rows = clip_rows(3)
    parquet = ClipDataset(write_clips(tmp_path / "train", rows), tmp_path / "cache")
    datasets.Dataset.from_list(rows, features=clip_features()).save_to_disk(tmp_path / "saved")
    saved = ClipDataset(tmp_path / "saved", tmp_path / "cache")
    for source in (parquet, saved):
        assert len(source) == 3 and source.name(2) == "clip-2"
        assert np.abs(source.frames(1).astype(int) - moving_clip(1)).mean() < 4


def test_sources_are_one_and_shorter_clips_are_left_out(tmp_path):
    clips = ClipDataset(write_clips(tmp_path / "train", clip_rows(2)), tmp_path / "cache")
    pictures = PictureFolder(write_pictures(tmp_path / "pictures"))
    sources = Sources([pictures, clips], num_frames=1)
    assert len(sources) == 5
    assert [sources.clip(index)[0] for index in range(5)] == ["0.png", "1.png", "2.png", "clip-0", "clip-1"]
    longer = Sources([pictures, clips], num_frames=17)
    with pytest.warns(UserWarning, match=r"left out the clip 1.png: it has 1 of 17 frames \(1 so far\)"):
        name, frames = longer.clip(1)
    assert name == "clip-0" and frames.shape == (17, 32, 32, 3) and set(longer.unreadable) == {"1.png", "2.png"}


def test_what_cannot_be_read_is_named_counted_and_limited(tmp_path):
    rows = clip_rows(3)
    rows[1]["video"] = {"bytes": rows[1]["video"]["bytes"][:100], "path": None}
    clips = ClipDataset(write_clips(tmp_path / "train", rows), tmp_path / "cache")
    sources = Sources([clips], num_frames=17)
    with pytest.warns(UserWarning, match="left out the clip clip-1: expected the bytes of a video"):
        assert sources.clip(1)[0] == "clip-2"
    assert sources.clip(1)[0] == "clip-2" and list(sources.unreadable) == ["clip-1"]  # told once
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="at most 0 clips that cannot be used"):
        Sources([clips], num_frames=17, max_unreadable=0).clip(1)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="expected clips of 18 frames, got none"):
        Sources([clips], num_frames=18).clip(0)


def test_folders_without_clips_or_pictures_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a folder of clips"):
        ClipDataset(tmp_path, tmp_path / "cache")
    with pytest.raises(ValueError, match="expected a folder of pictures"):
        PictureFolder(tmp_path)
    with pytest.raises(ValueError, match="expected clips to train on"):
        Sources([], num_frames=17)


def test_a_batch_is_a_pure_function_of_its_seed_and_names_its_clips(tmp_path):
    sources = Sources([ClipDataset(write_clips(tmp_path / "train", clip_rows(3)), tmp_path / "cache")], num_frames=5)
    batch, again = (plain_batch(sources, 16, 4, (0, 7)) for _ in range(2))
    assert batch["video"].shape == (4, 3, 5, 16, 16) and -1 <= batch["video"].min() < batch["video"].max() <= 1
    assert torch.equal(batch["video"], again["video"]) and batch[CLIP_NAMES] == again[CLIP_NAMES]
    assert len(batch[CLIP_NAMES]) == 4 and set(batch[CLIP_NAMES]) <= {"clip-0", "clip-1", "clip-2"}
    assert not torch.equal(batch["video"], plain_batch(sources, 16, 4, (0, 8))["video"])


@pytest.mark.parametrize(("height", "width"), [(40, 64), (16, 90), (9, 11)])
def test_squares_are_cut_alike_from_all_frames(height, width):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for rng in (None, np.random.default_rng(1)):
        cut = square(np.stack([frame, frame]), 16, rng)
        assert cut.shape == (2, 16, 16, 3) and cut.dtype == np.uint8 and np.array_equal(cut[0], cut[1])


def test_prefetching_gives_the_same_batches_in_any_order():
    asked = []

    def batch_at(number):
        asked.append(number)
        return {"number": number}

    batches = Prefetched(batch_at, threads=2, stride=3)
    assert [batches(number)["number"] for number in (1, 4, 7, 2, 5)] == [1, 4, 7, 2, 5]
    assert {1, 4, 7, 2, 5} <= set(asked) <= {1, 4, 7, 10, 13, 2, 5, 8, 11}


def test_an_error_of_a_thread_comes_where_its_batch_is_asked_for():
    def batch_at(number):
        if number == 2:
            raise ValueError("expected clips")
        return {"number": number}

    batches = Prefetched(batch_at, threads=2, stride=1)
    assert batches(0)["number"] == 0 and batches(1)["number"] == 1
    with pytest.raises(ValueError, match="expected clips"):
        batches(2)
