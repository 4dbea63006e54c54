"""Clip datasets on the Hub: `push_clips` sends the data and a card that is written from it.

What always holds: every number and licence in a card was counted in the rows themselves; a licence is named to the Hub only
if the rows state it in the Hub's own words, else it is "other" and the card lists what they state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import datasets
from huggingface_hub import DatasetCard, DatasetCardData

from ..camera_paths.units import UNIT_IN_WORDS
from .clip_rows import ABOUT_COLUMNS, SHARED_COLUMNS
from .clip_videos import decode_video

HUB_LICENCES = frozenset(
    [
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-nd-4.0",
        "mit",
        "pddl",
        "odc-by",
        "odbl",
    ]
)  # of the Hub's list, those that data has
SIZE_CATEGORIES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
COUNTED = ["has_path", "depth_unit", "move", "fps", "scene_id", "source", "credit", "licence", "generator_version"]

CARD = """\
# {title}

{clips} clips of {num_frames} frames at {fps}, {size}, {with_path} of them with the path of the camera: to train models that
make a video from one picture and a camera path.

{about}

## Splits

{splits}

No scene is in two splits. The videos are {megabytes:.1f} MB together.

## Sources

{sources}

## Camera moves

{moves}

{depth_units}

## Licences

{licences}

## Load it

```python
from datasets import load_dataset
from camvig.dataset_builders.clip_rows import camera_path_of
from camvig.dataset_builders.clip_videos import decode_video

rows = load_dataset("{repo_id}", split="{first_split}")  # streaming=True reads what is asked for
frames = decode_video(rows[0]["video"]["bytes"])  # (T, H, W, 3) uint8
path = camera_path_of(rows[0]) if rows[0]["has_path"] else None
```
"""


def push_clips(splits: datasets.DatasetDict, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
    """Sends a clip dataset to "user/name" on the Hub, Parquet and then the card; the address of the card's commit.

    Raises ValueError, before anything is sent, if the rows are no clips, a split is empty or a scene is in two splits.
    """
    card = clip_dataset_card(splits, repo_id)
    splits.push_to_hub(repo_id, private=private, token=token)
    pushed = DatasetCard.load(repo_id, repo_type="dataset", token=token)
    whole = DatasetCardData(**{**pushed.data.to_dict(), **card.data.to_dict()})  # with where the Parquet files are
    return DatasetCard(f"---\n{whole.to_yaml()}\n---\n\n{card.text}").push_to_hub(
        repo_id, repo_type="dataset", token=token, commit_message="Card, written from the data"
    )


def clip_dataset_card(splits: datasets.DatasetDict, repo_id: str) -> DatasetCard:
    """The card of a clip dataset that is to be called `repo_id`."""
    _check(splits)
    counted = {name: _columns(rows) for name, rows in splits.items()}
    together = {column: [value for split in counted.values() for value in split[column]] for column in COUNTED}
    licences = sorted(set(together["licence"]))
    text = CARD.format(
        title=repo_id.split("/")[-1],
        clips=_number(len(together["licence"])),
        with_path=_number(sum(together["has_path"])),
        num_frames=splits[next(iter(splits))].features["camera_to_world"].shape[0],
        fps=" and ".join(f"{fps:g} a second" for fps in sorted(set(together["fps"]))),
        size=" and ".join(sorted({_picture_size(rows) for rows in splits.values()})),
        about=_about(splits),
        splits=_table(("split", "clips", "scenes"), _split_rows(counted)),
        megabytes=sum(map(_video_bytes, splits.values())) / 1e6,
        sources=_table(("source", "clips", "with a camera path", "generator versions"), _source_rows(together)),
        moves=_table(("move", *counted), _move_rows(counted)),
        depth_units=_depth_units(together["depth_unit"]),
        licences=_table(("licence", "credit", "clips"), _licence_rows(together)),
        repo_id=repo_id,
        first_split=next(iter(splits)),
    )
    return DatasetCard(f"---\n{_metadata(repo_id, licences, len(together['licence'])).to_yaml()}\n---\n\n{text}")


def _check(splits: datasets.DatasetDict) -> None:
    if not splits:
        raise ValueError("expected at least one split, got none")
    split_of_scene: dict[str, str] = {}
    for name, rows in splits.items():
        missing = sorted(SHARED_COLUMNS.keys() - rows.features.keys())
        if missing:
            raise ValueError(f"expected the columns of clip rows in split {name}, got none called {', '.join(missing)}")
        if not len(rows):
            raise ValueError(f"expected at least 1 clip in split {name}, got none: leave it out")
        for scene in set(rows["scene_id"]):
            if split_of_scene.setdefault(scene, str(name)) != name:
                raise ValueError(f"expected each scene in one split, got {scene} in {split_of_scene[scene]} and {name}")


def _columns(rows: datasets.Dataset) -> dict[str, list]:
    return {column: list(rows[column]) for column in COUNTED}


def _metadata(repo_id: str, licences: Sequence[str], clips: int) -> DatasetCardData:
    known = [licence.lower() for licence in licences if licence.lower() in HUB_LICENCES]
    said: Any = "other" if len(known) < len(licences) else known[0] if len(known) == 1 else known
    size = next((name for limit, name in SIZE_CATEGORIES if clips < limit), "n>1M")
    return DatasetCardData(
        pretty_name=repo_id.split("/")[-1],
        license=said,
        task_categories=["image-to-video"],
        tags=["camvig", "camera-path", "camera-control", "video"],
        size_categories=[size],
    )


def _about(splits: datasets.DatasetDict) -> str:
    """What the builder says of itself, if all splits are of one builder."""
    said = {rows.info.description for rows in splits.values()}
    return said.pop() if len(said) == 1 and all(said) else ABOUT_COLUMNS


def _picture_size(rows: datasets.Dataset) -> str:
    """Of the first clip."""
    height, width = decode_video(rows[0]["video"]["bytes"]).shape[1:3]
    return f"{width}x{height} pixels"


def _video_bytes(rows: datasets.Dataset) -> int:
    return sum(len(video["bytes"]) for video in rows["video"])


def _depth_units(units: list[str]) -> str:
    """In words, where there are paths."""
    counts = Counter(unit for unit in units if unit)
    return "\n".join(
        f"depth_scale is in {UNIT_IN_WORDS[unit]} in {_number(count)} clips." for unit, count in sorted(counts.items())
    )


def _split_rows(counted: dict[Any, dict[str, list]]) -> Iterable[tuple]:
    for name, columns in counted.items():
        yield name, _number(len(columns["scene_id"])), _number(len(set(columns["scene_id"])))


def _source_rows(together: dict[str, list]) -> Iterable[tuple]:
    clips, with_path, versions = Counter(together["source"]), Counter(), defaultdict(set)
    for source, has_path, version in zip(
        together["source"], together["has_path"], together["generator_version"], strict=True
    ):
        with_path[source] += has_path
        versions[source].add(version)
    for source, count in sorted(clips.items()):
        yield source, _number(count), _number(with_path[source]), ", ".join(sorted(versions[source]))


def _move_rows(counted: dict[Any, dict[str, list]]) -> Iterable[tuple]:
    of_split = {name: Counter(columns["move"]) for name, columns in counted.items()}
    for move in sorted(set().union(*of_split.values())):
        yield move, *(_number(moves[move]) for moves in of_split.values())


def _licence_rows(together: dict[str, list]) -> Iterable[tuple]:
    clips = Counter(zip(together["licence"], together["credit"], strict=True))
    for (licence, credit), count in sorted(clips.items()):
        yield licence, credit, _number(count)


def _number(count: int) -> str:
    return f"{count:,}"


def _table(head: Sequence[Any], rows: Iterable[tuple]) -> str:
    """A Markdown table; what would end a cell is escaped."""
    cells = [[" ".join(str(cell).replace("|", "\\|").split()) for cell in row] for row in (head, *rows)]
    cells.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
