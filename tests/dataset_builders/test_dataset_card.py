"""Cards are written from the rows, and what is pushed is what is loaded: with the real client, on a Hub of this machine."""

from __future__ import annotations

import datasets
import numpy as np
import pytest

from camvig import CameraPath
from camvig.dataset_builders.clip_rows import clip_features, no_path_columns, path_columns, video_column
from camvig.dataset_builders.dataset_card import clip_dataset_card

PUSH_AND_LOAD = """
import sys
import datasets
from huggingface_hub import DatasetCard
from camvig.dataset_builders.clip_rows import camera_path_of
from camvig.dataset_builders.dataset_card import push_clips

datasets.disable_progress_bars()
local = datasets.DatasetDict.load_from_disk(sys.argv[1])
for _ in range(2):  # a second push takes the first one's place
    push_clips(local, "user/my-clips")
loaded = datasets.load_dataset("user/my-clips")
assert {name: len(rows) for name, rows in loaded.items()} == {name: len(rows) for name, rows in local.items()}
for name, rows in local.items():
    assert loaded[name].features == rows.features, loaded[name].features
    assert loaded[name].to_list() == rows.to_list()
    streamed = datasets.load_dataset("user/my-clips", split=name, streaming=True)
    assert list(streamed) == rows.to_list()
assert camera_path_of(loaded["train"][0]) == camera_path_of(local["train"][0])
print(DatasetCard.load("user/my-clips").content)
"""


def make_row(number: int, scene: str, **changes) -> dict:
    columns = path_columns(CameraPath.pan(5 + number), 2.5, "metre", "pan_right")
    return {
        "video": video_column(np.full((17, 16, 16, 3), 10 * number, np.uint8), 8.0),
        **columns,
        "fps": 8.0,
        "clip_id": f"{scene}-{number}",
        "scene_id": scene,
        "source": "procedural_rooms",
        "credit": "",
        "licence": "CC0-1.0",
        "generator_version": "1.1.0",
        **changes,
    }


def split_of(*rows: dict) -> datasets.Dataset:
    return datasets.Dataset.from_list(list(rows), features=clip_features())


@pytest.fixture(scope="module")
def splits() -> datasets.DatasetDict:
    plain = {**no_path_columns(1.5), "source": "video", "licence": "Ada | Bob's own", "credit": "Ada & Bob"}
    train = split_of(make_row(0, "a"), make_row(1, "a", move="pan_left"), make_row(2, "b"), make_row(3, "c", **plain))
    return datasets.DatasetDict({"train": train, "test": split_of(make_row(4, "d"))})


def test_a_card_counts_the_rows(splits):
    card = clip_dataset_card(splits, "user/my-clips")
    assert card.data.to_dict() == {
        "pretty_name": "my-clips",
        "license": "other",
        "task_categories": ["image-to-video"],
        "tags": ["camvig", "camera-path", "camera-control", "video"],
        "size_categories": ["n<1K"],
    }
    for line in (
        "# my-clips",
        "5 clips of 17 frames at 8 a second, 16x16 pixels, 4 of them with the path of the camera",
        "| train | 4 | 3 |",
        "| test | 1 | 1 |",
        "| procedural_rooms | 4 | 4 | 1.1.0 |",
        "| video | 1 | 0 | 1.1.0 |",
        "| pan_left | 1 | 0 |",
        "| pan_right | 2 | 1 |",
        "| unknown | 1 | 0 |",
        "depth_scale is in metres in 4 clips.",
        "| Ada \\| Bob's own | Ada & Bob | 1 |",
        "| CC0-1.0 |  | 4 |",
        'rows = load_dataset("user/my-clips", split="train")',
    ):
        assert line in card.text
    megabytes = sum(len(video["bytes"]) for rows in splits.values() for video in rows["video"]) / 1e6
    assert f"The videos are {megabytes:.1f} MB together." in card.text


@pytest.mark.parametrize(
    ("licences", "said"),
    [(["CC0-1.0"], "cc0-1.0"), (["CC0-1.0", "CC-BY-4.0"], ["cc-by-4.0", "cc0-1.0"]), (["free, I think"], "other")],
)
def test_the_licence_is_what_the_rows_state(licences, said):
    rows = [make_row(number, "a", licence=licence) for number, licence in enumerate(licences)]
    assert clip_dataset_card(datasets.DatasetDict({"train": split_of(*rows)}), "user/x").data.license == said


def test_what_is_pushed_is_what_is_loaded(splits, run_on_local_hub, tmp_path):
    splits.save_to_disk(tmp_path / "clips")
    card = run_on_local_hub(PUSH_AND_LOAD, tmp_path / "clips")
    written = clip_dataset_card(splits, "user/my-clips")
    assert written.text.strip() in card
    for line in ("license: other", "- image-to-video", "- split: train", "path: data/train-*", "num_examples: 4"):
        assert line in card


def test_what_is_no_clip_dataset_is_refused(splits):
    with pytest.raises(ValueError, match="got d in train and test"):
        twice = datasets.DatasetDict({"train": splits["test"], "test": splits["test"]})
        clip_dataset_card(twice, "user/x")
    with pytest.raises(ValueError, match="got none called depth_scale, move"):
        fewer = splits["test"].remove_columns(["move", "depth_scale"])
        clip_dataset_card(datasets.DatasetDict({"test": fewer}), "user/x")
    with pytest.raises(ValueError, match="at least 1 clip in split test"):
        clip_dataset_card(datasets.DatasetDict({"test": splits["test"].select([])}), "user/x")
    with pytest.raises(ValueError, match="at least one split"):
        clip_dataset_card(datasets.DatasetDict(), "user/x")
