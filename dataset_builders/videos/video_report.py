"""What became of a folder of videos: every file and every stretch of it, cut into clips or skipped, with the reason.

What always holds: the numbers add up. Each video file either has a `skipped_because` and no clips, or its windows are
its clips plus its skipped clips. A report goes to JSON and back unchanged.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...camera_paths.atomic_file import write_then_rename

REPORT_NAME = "video_report.json"


@dataclass
class VideoFileReport:
    """What became of one file. Times are seconds, sizes pixels of the upright picture."""

    file: str  # relative to the folder, with /
    split: str = ""
    licence: str = ""
    skipped_because: str | None = None  # why no clip was looked for, where none was
    problem: str | None = None  # why not all frames could be read, where some could not
    frames_read: int = 0
    frames_missing: int = 0  # counted by the file's header, not readable
    seconds: float = 0.0  # of what was read
    width: int = 0
    height: int = 0
    shots: int = 0
    cuts: int = 0
    gaps: int = 0  # steps of time too long for 8 frames a second
    clips: int = 0
    skipped_clips: dict[str, int] = field(default_factory=dict)  # reason -> windows of 17 frames
    columns_cut: int = 0  # most of a clip, so that the principal point of its path is the middle of its pictures
    rows_cut: int = 0
    seconds_left_over: float = 0.0  # of shots shorter than a clip, and of the ends of longer ones

    def skip_clip(self, reason: str) -> None:
        self.skipped_clips[reason] = self.skipped_clips.get(reason, 0) + 1


@dataclass
class VideoReport:
    """What became of a folder."""

    videos: list[VideoFileReport]  # in order of their names
    other_files: int = 0  # not looked at, because their names do not end as a video's

    @property
    def clips_of_split(self) -> dict[str, int]:
        clips: Counter[str] = Counter()
        for video in self.videos:
            if video.skipped_because is None:
                clips[video.split] += video.clips
        return dict(clips)

    @property
    def totals(self) -> dict[str, Any]:
        """Sums over the videos."""
        skipped_clips: Counter[str] = Counter()
        for video in self.videos:
            skipped_clips.update(video.skipped_clips)
        return {
            "videos": len(self.videos),
            "videos_cut": sum(video.skipped_because is None for video in self.videos),
            "videos_with_a_problem": sum(video.problem is not None for video in self.videos),
            "skipped_videos": dict(Counter(video.skipped_because for video in self.videos if video.skipped_because)),
            "other_files": self.other_files,
            "clips": sum(video.clips for video in self.videos),
            "clips_of_split": self.clips_of_split,
            "skipped_clips": dict(skipped_clips),
            "most_columns_cut": max((video.columns_cut for video in self.videos), default=0),
            "most_rows_cut": max((video.rows_cut for video in self.videos), default=0),
            "frames_missing": sum(video.frames_missing for video in self.videos),
            "seconds": sum(video.seconds for video in self.videos),
            "seconds_left_over": sum(video.seconds_left_over for video in self.videos),
        }

    def to_json(self) -> str:
        whole = {"totals": self.totals, "other_files": self.other_files, "videos": [asdict(v) for v in self.videos]}
        return json.dumps(whole, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> VideoReport:
        whole = json.loads(text)
        return cls([VideoFileReport(**video) for video in whole["videos"]], whole["other_files"])

    def write(self, file: str | os.PathLike[str]) -> None:
        with write_then_rename(file) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")


def write_part(folder: Path, name: str, report: VideoFileReport) -> None:
    """What a process has to report of one file, so that `gather_parts` finds it."""
    with write_then_rename(folder / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(asdict(report)), encoding="utf-8")


def gather_parts(folder: Path) -> list[VideoFileReport]:
    """The reports of all processes."""
    return [VideoFileReport(**json.loads(file.read_text(encoding="utf-8"))) for file in folder.glob("*.json")]
