"""`PosedVideoClips`: a `datasets` builder for real videos whose camera paths were estimated, as RealEstate10K's were.

What always holds: as of `VideoClips`, and each clip has its path. "tour.mp4" is cut if "tour.txt" lies beside it: a line of
text, then 19 columns a pose (timestamp in microseconds, normalised fx fy cx cy, two zeros, a 3x4 world-to-camera matrix).
The timestamps choose the frames; they count from the start of the video, or with `trimmed` from the first of them. Pictures are
cut so that the principal point is their middle (`principal_crop`).

The scale of such a path is unknown: each clip's median depth is triangulated from its own pictures
(`posed_video_cutting`), the path is in that depth, and `depth_unit` is "scene".

    tours = PosedVideoClips(cache_dir="data", folder="my tours", licence="CC-BY-4.0")
    tours.download_and_prepare(num_proc=2)
    print(tours.report.to_json())
    path = camera_path_of(tours.as_dataset(split="train")[0])

Columns: those of every clip dataset (`clip_rows`; source "posed_video", move "recorded"), then those of `VideoClips` and

    depth_points        how many points the median depth was triangulated from; 0 where it was given

A video has the same scene_id and split as in `VideoClips`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import datasets

from .clip_length import FPS, NUM_FRAMES
from .clip_rows import ABOUT_COLUMNS, path_columns, video_column
from .video_clips import FEATURES as VIDEO_FEATURES
from .video_clips import video_columns
from .videos.posed_video_cutting import PosedClip, PosedCutSettings, cut_posed_video
from .videos.video_folder import VideoFile
from .videos.video_folder_builder import VideoFolderBuilder, VideoFolderConfig
from .videos.video_report import VideoFileReport

GENERATOR_VERSION = "1.1.0"  # raise it whenever the same videos no longer give the same rows

FEATURES = datasets.Features({**VIDEO_FEATURES, "depth_points": datasets.Value("int32")})

DESCRIPTION = """\
Clips cut from real videos with estimated camera paths: {num_frames} frames of {size}x{size} pixels at {fps:g} fps. The scale of
a path is that of its reconstruction; it is divided by the median depth of the clip's first frame, {depth}. Pictures are cut
around the principal point, which is their middle. Splits are by video file. Generator version {version}.

{about_columns}
- video_file, start_seconds: where a clip is from.
- motion: its mean optical flow, in picture sides a frame.
- depth_points: how many points the median depth was triangulated from."""


@dataclass(eq=False)  # BuilderConfig compares all attributes by itself
class PosedVideoConfig(VideoFolderConfig):
    """As of `VideoClips`, and what is known of the texts."""

    median_depth: float | None = None  # of each clip's first frame, in the unit of the poses; None: triangulated
    trimmed: bool = False  # whether each video begins at its text's first pose, instead of at timestamp 0

    def __post_init__(self):
        super().__post_init__()
        if self.median_depth is not None and not self.median_depth > 0:
            raise ValueError(f"expected median_depth to be a positive number, got {self.median_depth}")

    @property
    def cut_settings(self) -> PosedCutSettings:
        return PosedCutSettings(self.size, self.min_motion, self.median_depth, self.trimmed)


class PosedVideoClips(VideoFolderBuilder):
    """Real videos with camera paths as a dataset; keyword arguments are the fields of `PosedVideoConfig`."""

    VERSION = datasets.Version(GENERATOR_VERSION)
    BUILDER_CONFIG_CLASS = PosedVideoConfig
    config: PosedVideoConfig

    def _info(self) -> datasets.DatasetInfo:
        given = self.config.median_depth
        description = DESCRIPTION.format(
            num_frames=NUM_FRAMES,
            size=self.config.size,
            fps=FPS,
            depth="triangulated from points followed through it" if given is None else f"given as {given:g}",
            about_columns=ABOUT_COLUMNS,
            version=GENERATOR_VERSION,
        )
        return datasets.DatasetInfo(description=description, features=FEATURES)

    def _rows(self, video: VideoFile, report: VideoFileReport) -> Iterator[dict[str, Any]]:
        camera_file = video.file.with_suffix(".txt")
        if not camera_file.is_file():
            report.skipped_because = "no camera path of the same name (.txt) beside it"
            return
        for clip in cut_posed_video(video.file, camera_file, self.config.cut_settings, report):
            yield clip_row(video, clip)


def clip_row(video: VideoFile, clip: PosedClip) -> dict[str, Any]:
    """A clip of a video -> a row of `FEATURES`."""
    return {
        "video": video_column(clip.frames, FPS),
        **path_columns(clip.path, clip.median_depth, "scene", "recorded"),
        **video_columns(video, clip.start_seconds, clip.motion),
        "source": "posed_video",
        "generator_version": GENERATOR_VERSION,
        "depth_points": clip.num_points,
    }
