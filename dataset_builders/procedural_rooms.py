"""`ProceduralRooms`: a `datasets` builder whose rows are clips of procedural rooms; nothing is downloaded.

What always holds: a row is one clip, a pure function of (split, scene_seed, clip_seed, moving_objects, size), whoever renders it
and in whatever order; no scene and no texture occurs in two splits, because the split is a part of every seed.

    rooms = ProceduralRooms(cache_dir="data", train_clips=2000)
    rooms.download_and_prepare(num_proc=2)  # or file_format="parquet"
    row = rooms.as_dataset(split="train")[0]
    frames, path = decode_video(row["video"]["bytes"]), camera_path_of(row)

Columns: those of every clip dataset (`clip_rows`; source "procedural_rooms", depths in metres, scene_id
"<split>-<scene_seed>", licence CC0-1.0: generated data, free for any use), then

    scene_seed          with the split, the seed of the room
    clip_seed           with the split and scene_seed, the seed of the camera path
    moving_objects      how many balls, doors and fans were asked for that move by themselves; 0: the room is at rest

Depth, masks of moving objects and exact flow are not stored: `rendered_again(row, size)` is the clip of a row with all of them.
The same seeds give the same clip only in the same `GENERATOR_VERSION`.
The paper's clips come from NeRFs; rooms, columns and the sizes of the splits are our choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import datasets

from .clip_length import FPS, NUM_FRAMES
from .clip_rows import ABOUT_COLUMNS, camera_path_of, clip_features, path_columns, video_column
from .clip_videos import decode_video
from .rooms.moving_placement import MAX_MOVING_OBJECTS
from .rooms.room_clips import RoomClip, room_clip, room_clips

__all__ = ["ProceduralRooms", "ProceduralRoomsConfig", "camera_path_of", "decode_video", "rendered_again"]

GENERATOR_VERSION = "1.2.0"  # raise it whenever the same seeds no longer give the same rows
LICENCE = "CC0-1.0"
SOURCE = "procedural_rooms"
SMALLEST_SIZE = 16
CLIPS_IN_RANGE = 16  # about; the unit of work that num_proc and the workers of a stream share out

FEATURES = clip_features(
    scene_seed=datasets.Value("int64"), clip_seed=datasets.Value("int64"), moving_objects=datasets.Value("int64")
)

DESCRIPTION = """\
Clips of procedural rooms: {num_frames} frames of {size}x{size} pixels at {fps:g} fps, each with its exact camera path.
Splits share neither scenes nor textures; scene seeds start at {first_scene}, with {clips_per_scene} clip(s) a scene.
(split, scene_seed) is the seed of the room and (split, scene_seed, clip_seed) of the path; generator version {version}.
Objects that move by themselves in a clip: {moving}.

{about_columns}
- scene_seed, clip_seed, moving_objects: with the split, what the clip can be rendered from again, with depth, masks of what
  moves, and exact flow; scene_id is "<split>-<scene_seed>"."""


@dataclass(eq=False)  # BuilderConfig compares all attributes by itself
class ProceduralRoomsConfig(datasets.BuilderConfig):
    """How much to render. A split of 0 clips is left out."""

    train_clips: int = 2048
    validation_clips: int = 128
    test_clips: int = 128
    size: int = 64  # pixels a side
    clips_per_scene: int = 2
    first_scene: int = 0  # scene seed of the first clip of every split: another start gives other scenes
    moving_objects: int = 0  # in each clip: balls, doors and fans, where they find a place

    def __post_init__(self):
        super().__post_init__()
        limits = {
            name: 0 for name in ("train_clips", "validation_clips", "test_clips", "first_scene", "moving_objects")
        }
        for name, smallest in (limits | {"clips_per_scene": 1, "size": SMALLEST_SIZE}).items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
                raise ValueError(f"expected {name} to be a whole number of at least {smallest}, got {value!r}")
        if self.moving_objects > MAX_MOVING_OBJECTS:
            raise ValueError(f"expected at most {MAX_MOVING_OBJECTS} moving_objects, got {self.moving_objects}")
        if not any(self.clips_of_split.values()):
            raise ValueError("expected at least 1 clip in some split, got 0 in all")

    @property
    def clips_of_split(self) -> dict[str, int]:
        return {"train": self.train_clips, "validation": self.validation_clips, "test": self.test_clips}


class ProceduralRooms(datasets.GeneratorBasedBuilder):
    """Rooms as a dataset; keyword arguments are the fields of `ProceduralRoomsConfig`.

    `download_and_prepare(num_proc=n)` renders in n processes, one core each; `as_streaming_dataset` renders rows when
    they are asked for and keeps nothing. Both give equal rows in equal order.
    """

    VERSION = datasets.Version(GENERATOR_VERSION)
    BUILDER_CONFIG_CLASS = ProceduralRoomsConfig
    config: ProceduralRoomsConfig

    def _info(self) -> datasets.DatasetInfo:
        config = self.config
        description = DESCRIPTION.format(
            num_frames=NUM_FRAMES,
            size=config.size,
            fps=FPS,
            first_scene=config.first_scene,
            clips_per_scene=config.clips_per_scene,
            moving=f"up to {config.moving_objects}" if config.moving_objects else "none",
            about_columns=ABOUT_COLUMNS,
            version=GENERATOR_VERSION,
        )
        return datasets.DatasetInfo(description=description, features=FEATURES, license=LICENCE)

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        start = self.config.first_scene * self.config.clips_per_scene
        return [
            datasets.SplitGenerator(
                name=split,
                gen_kwargs={
                    "split": split,
                    "clip_ranges": clip_ranges(start, start + count, self.config.clips_per_scene),
                },
            )
            for split, count in self.config.clips_of_split.items()
            if count
        ]

    def _generate_examples(
        self, split: str, clip_ranges: list[tuple[int, int]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for start, stop in clip_ranges:
            clips = room_clips(
                split, stop - start, start, self.config.size, self.config.clips_per_scene,
                moving_objects=self.config.moving_objects, threads=1,
            )  # fmt: skip
            for clip in clips:
                row = clip_row(clip, self.config.moving_objects)
                yield row["clip_id"], row


def clip_ranges(start: int, stop: int, clips_per_scene: int) -> list[tuple[int, int]]:
    """Cuts the clips start..stop - 1 between scenes into ranges (first, last + 1) of about `CLIPS_IN_RANGE` clips.

    Few clips give at least 2 ranges where there are 2 scenes, so that two processes both have work.
    """
    scenes = -(-(stop - start) // clips_per_scene)
    per_range = max(1, min(CLIPS_IN_RANGE // clips_per_scene, -(-scenes // 2))) * clips_per_scene
    return [(first, min(first + per_range, stop)) for first in range(start, stop, per_range)]


def clip_row(clip: RoomClip, moving_objects: int = 0) -> dict[str, Any]:
    """A rendered clip -> a row of `FEATURES`; moving_objects is how many it was asked for, which it may have fewer of."""
    scene_id = f"{clip.split}-{clip.scene_seed:06d}"
    return {
        "video": video_column(clip.frames, FPS),
        **path_columns(clip.path, clip.median_depth, "metre", clip.move),
        "fps": FPS,
        "clip_id": f"{scene_id}-{clip.clip_seed}",
        "scene_id": scene_id,
        "source": SOURCE,
        "credit": "",
        "licence": LICENCE,
        "generator_version": GENERATOR_VERSION,
        "scene_seed": clip.scene_seed,
        "clip_seed": clip.clip_seed,
        "moving_objects": moving_objects,
    }


def rendered_again(row: dict[str, Any], size: int) -> RoomClip:
    """The clip of a row in any size, from its seeds: with depth, object_ids and the poses of cameras and objects in metres.

    `exact_flow.forward_flow_parts` makes exact flow of them, split into the camera's part and the objects'. Raises ValueError
    for a row of another source or of another `GENERATOR_VERSION`, whose seeds mean other clips.
    """
    if (row["source"], row["generator_version"]) != (SOURCE, GENERATOR_VERSION):
        raise ValueError(
            f"expected a clip of {SOURCE} {GENERATOR_VERSION}, got {row['clip_id']} of {row['source']} {row['generator_version']}"
        )
    split = row["scene_id"].split("-")[0]
    return room_clip(split, row["scene_seed"], row["clip_seed"], size, moving_objects=row["moving_objects"])
