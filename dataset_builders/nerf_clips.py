"""`NerfClips`: a `datasets` builder over folders of clips that `camvig data render-clips` has made; splits are by scene.

What always holds: all clips of a scene are in one split; only finished files are read.

    clips = NerfClips(cache_dir="data", folder="clips", test_scenes=("kitchen",))
    clips.download_and_prepare()  # or file_format="parquet"
    row = clips.as_dataset(split="train")[0]

Columns: see `scene_clips`. The paper renders about 10,000 clips a scene, of house-scale scenes; the splits are our choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.builder import Key

from .clip_rows import ABOUT_COLUMNS
from .render_clips import clip_files
from .scene_clips import FEATURES, GENERATOR_VERSION

DESCRIPTION = """\
Clips rendered from radiance fields, each with its exact camera path and depth. Splits are by scene.
{about_columns}
depth: see camvig.dataset_builders.clip_depth. Generator version {version}."""


@dataclass(eq=False)  # BuilderConfig compares all attributes by itself
class NerfClipsConfig(datasets.BuilderConfig):
    """Which folder, and which scenes are not for training."""

    folder: str = ""
    validation_scenes: tuple[str, ...] = ()
    test_scenes: tuple[str, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        if not self.folder or not Path(self.folder).is_dir():
            raise ValueError(f"expected a folder of clips, got {self.folder!r}: no such folder")
        self.folder = str(Path(self.folder).resolve())
        if twice := set(self.validation_scenes) & set(self.test_scenes):
            raise ValueError(f"expected each scene in one split, got {', '.join(sorted(twice))} in two")

    def create_config_id(self, config_kwargs: dict, custom_features: datasets.Features | None = None) -> str:
        """Also by the files' names and sizes, so that a folder with more clips is prepared again."""
        contents = [(file.name, file.stat().st_size) for file in clip_files(Path(self.folder))]
        return super().create_config_id(config_kwargs | {"contents": str(contents)}, custom_features)


class NerfClips(datasets.ArrowBasedBuilder):
    """Rendered clips as a dataset; keyword arguments are the fields of `NerfClipsConfig`."""

    VERSION = datasets.Version(GENERATOR_VERSION)
    BUILDER_CONFIG_CLASS = NerfClipsConfig
    config: NerfClipsConfig

    def _info(self) -> datasets.DatasetInfo:
        description = DESCRIPTION.format(about_columns=ABOUT_COLUMNS, version=GENERATOR_VERSION)
        return datasets.DatasetInfo(description=description, features=FEATURES)

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        of_split: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
        found = set()
        for file in clip_files(Path(self.config.folder)):
            scene = scene_of(file)
            found.add(scene)
            of_split[self._split_of(scene)].append(str(file))
        unknown = {*self.config.validation_scenes, *self.config.test_scenes} - found
        if unknown or not found:
            raise ValueError(
                f"expected clips of {', '.join(sorted(unknown)) or 'at least one scene'} in {self.config.folder}, "
                f"got {', '.join(sorted(found)) or 'none: has render-clips run?'}"
            )
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"files": files})
            for split, files in of_split.items()
            if files
        ]

    def _split_of(self, scene: str) -> str:
        if scene in self.config.test_scenes:
            return "test"
        return "validation" if scene in self.config.validation_scenes else "train"

    def _generate_tables(self, files: list[str]) -> Iterator[tuple[Key, pa.Table]]:
        for number, file in enumerate(files):
            table = pq.read_table(file)
            if table.schema.names != list(FEATURES):
                raise ValueError(
                    f"{file}: expected the columns {', '.join(FEATURES)}, got {', '.join(table.schema.names)}"
                )
            yield Key(number, 0), table.cast(FEATURES.arrow_schema)


def scene_of(file: Path) -> str:
    """The name of the scene that a file of clips is of."""
    return file.stem.rpartition("-")[0]
