"""What the builders over a folder of videos share: the configuration, the splits by file, and the report.

What always holds: each file is in one split; what cannot be cut is counted in `report`, never raised; the report is
stored with the prepared data, and appears with it, whole or not at all.
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from .video_cutting import MIN_MOTION, CutSettings
from .video_folder import INDEX_NAME, SPLITS, VideoFile, VideoFolder, files_in, find_videos, name_in
from .video_reader import VIDEO_SUFFIXES
from .video_report import REPORT_NAME, VideoFileReport, VideoReport, gather_parts, write_part

SMALLEST_SIZE = 16


@dataclass(eq=False)  # BuilderConfig compares all attributes by itself
class VideoFolderConfig(datasets.BuilderConfig):
    """Which videos to cut, and how. Shares are of many videos: a small folder may leave a split empty, and out."""

    folder: str = ""  # and the folders in it
    size: int = 64  # pixels a side
    licence: str | None = None  # of videos of which the folder's index.json states none; without one they are skipped
    min_motion: float = MIN_MOTION  # picture sides a frame; see `video_cutting`
    validation_share: float = 0.1
    test_share: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < SMALLEST_SIZE:
            raise ValueError(f"expected size to be a whole number of at least {SMALLEST_SIZE}, got {self.size!r}")
        shares = self.validation_share, self.test_share
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(f"expected shares of at least 0 that sum to at most 1, got {shares[0]} and {shares[1]}")
        if not self.min_motion >= 0:
            raise ValueError(f"expected min_motion of at least 0, got {self.min_motion}")
        if not Path(self.folder).is_dir() or not self.folder:
            raise ValueError(f"expected a folder of videos, got {self.folder!r}: no such folder")
        self.folder = str(Path(self.folder).resolve())

    def create_config_id(self, config_kwargs: dict, custom_features: datasets.Features | None = None) -> str:
        """Also by the names, sizes and times of what matters in it, so that a changed folder is prepared again."""
        contents = [
            (name_in(Path(self.folder), file), file.stat().st_size, file.stat().st_mtime_ns)
            for file in files_in(Path(self.folder))
            if file.suffix.lower() in VIDEO_SUFFIXES | {".txt"} or file.name == INDEX_NAME
        ]
        return super().create_config_id(config_kwargs | {"contents": str(contents)}, custom_features)

    @property
    def cut_settings(self) -> CutSettings:
        return CutSettings(self.size, self.min_motion)

    def find_videos(self) -> VideoFolder:
        return find_videos(Path(self.folder), self.licence, self.validation_share, self.test_share)


class VideoFolderBuilder(datasets.GeneratorBasedBuilder):
    """The base of `VideoClips` and `PosedVideoClips`."""

    BUILDER_CONFIG_CLASS = VideoFolderConfig
    config: VideoFolderConfig
    _parts: Path | None = None  # where processes leave their reports while the data is prepared

    @property
    def _report_file(self) -> Path:
        """Beside the data: in the folder that is renamed to the real one at the end, while that is being prepared."""
        assert self._output_dir is not None
        return Path(self._output_dir, REPORT_NAME)

    @property
    def report(self) -> VideoReport:
        """What became of every file. `ValueError` before `download_and_prepare`."""
        file = self._report_file
        if not file.is_file():
            raise ValueError(f"expected prepared data with a report, got no {file}: call download_and_prepare first")
        return VideoReport.from_json(file.read_text(encoding="utf-8"))

    @abstractmethod
    def _rows(self, video: VideoFile, report: VideoFileReport) -> Iterator[dict[str, Any]]:
        """The rows of a video's clips; `report` is complete when they are exhausted."""

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        videos = self.config.find_videos().videos
        of_split = {split: [video for video in videos if video.split == split] for split in SPLITS}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"videos": chosen})
            for split, chosen in of_split.items()
            if chosen
        ]

    def _generate_examples(self, videos: list[VideoFile]) -> Iterator[tuple[str, dict[str, Any]]]:
        for video in videos:
            report = video.new_report()
            for row in self._rows(video, report):
                yield row["clip_id"], row
            if self._parts is not None:
                write_part(self._parts, video.content_hash, report)

    def _download_and_prepare(self, dl_manager, *args, **kwargs) -> None:
        found = self.config.find_videos()
        if not found.videos:
            raise ValueError(_nothing_to_cut(self.config.folder, VideoReport(found.skipped, found.other_files)))
        with tempfile.TemporaryDirectory() as folder:
            self._parts = Path(folder)
            try:
                super()._download_and_prepare(dl_manager, *args, **kwargs)
                cut = gather_parts(self._parts)
            finally:
                self._parts = None
        report = VideoReport(sorted([*cut, *found.skipped], key=lambda video: video.file), found.other_files)
        if not report.totals["clips"]:
            raise ValueError(_nothing_to_cut(self.config.folder, report))
        report.write(self._report_file)
        assert self.info.splits is not None
        for split in [split for split, info in self.info.splits.items() if not info.num_examples]:
            del self.info.splits[split]  # its videos gave no clip, and datasets cannot read a split without rows


def _nothing_to_cut(folder: str, report: VideoReport) -> str:
    totals = report.totals
    reasons = {**totals["skipped_videos"], **{f"clips that are {why}": n for why, n in totals["skipped_clips"].items()}}
    counted = "; ".join(f"{reason}: {count}" for reason, count in reasons.items()) or "no file has a video's name"
    return f"expected at least one clip in {folder}, got none of {totals['videos']} videos ({counted})"
