"""Clips of a builder as plain Parquet files, a folder a split: what `camvig data cut-videos` leaves behind.

What always holds: each file appears whole or not at all; the builder's own working files do not stay.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import datasets

from ..camera_paths.atomic_file import write_then_rename
from .render_clips import clip_files
from .videos.video_folder_builder import VideoFolderBuilder
from .videos.video_report import REPORT_NAME, VideoReport

ROWS_IN_FILE = 256


def export_videos(
    builder_class: type[VideoFolderBuilder], folder: Path, out: Path, num_proc: int, **config
) -> VideoReport:
    """Cut a folder of videos into `out`/<split>/*.parquet, with the report beside them. `ValueError` where `out` has clips."""
    if any(clip_files(out / split) for split in ("train", "validation", "test") if (out / split).is_dir()):
        raise ValueError(f"expected a folder without clips to cut videos into, got {out}, which has some")
    with tempfile.TemporaryDirectory() as cache:
        builder = builder_class(cache_dir=cache, folder=str(folder), **config)
        builder.download_and_prepare(num_proc=num_proc if num_proc > 1 else None)
        splits, report = builder.as_dataset(), builder.report
        assert isinstance(splits, datasets.DatasetDict)
        for split, rows in splits.items():
            write_files(rows, out / str(split))
    report.write(out / REPORT_NAME)
    return report


def write_files(rows: datasets.Dataset, folder: Path) -> None:
    """Rows as Parquet files of `ROWS_IN_FILE` rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(rows), ROWS_IN_FILE)):
        with write_then_rename(folder / f"clips-{number:05d}.parquet") as temporary:
            rows.select(range(start, min(start + ROWS_IN_FILE, len(rows)))).to_parquet(temporary)


def load_clips(folder: Path, validation_scenes: tuple[str, ...], test_scenes: tuple[str, ...]) -> datasets.DatasetDict:
    """Clips that render-clips or cut-videos left in a folder, as splits. `ValueError` where there are none."""
    of_split = {
        split: clip_files(folder / split) for split in ("train", "validation", "test") if (folder / split).is_dir()
    }
    with tempfile.TemporaryDirectory() as cache:
        if not any(of_split.values()):
            from .nerf_clips import NerfClips

            builder = NerfClips(
                cache_dir=cache, folder=str(folder), validation_scenes=validation_scenes, test_scenes=test_scenes
            )
            builder.download_and_prepare()
            return builder.as_dataset(in_memory=True)  # pyright: ignore[reportReturnType]
        if validation_scenes or test_scenes:
            raise ValueError(f"expected no scenes for splits: {folder} has its splits already")
        files = {split: [str(file) for file in files] for split, files in of_split.items() if files}
        return datasets.load_dataset("parquet", data_files=files, cache_dir=cache, keep_in_memory=True)
