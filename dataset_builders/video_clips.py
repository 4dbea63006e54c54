"""`VideoClips`: a `datasets` builder that cuts a folder of ordinary videos into clips of 17 frames without a camera path.

What always holds: a clip lies within one shot of one video, and no video is in two splits; see `video_cutting` for how
clips are cut and `video_folder` for splits and licences. Nothing in the folder makes it fail: what is no video, broken, too
short, too small, static or of no stated licence is a counted skip in the report.

    videos = VideoClips(cache_dir="data", folder="my videos", licence="CC0-1.0")
    videos.download_and_prepare(num_proc=2)  # or file_format="parquet"
    print(videos.report.to_json())
    frames = decode_video(videos.as_dataset(split="train")[0]["video"]["bytes"])

Columns: those of every clip dataset (`clip_rows`: has_path is False, so the pose columns are stand-ins), then

    video_file          name of the file in the folder
    start_seconds       when the clip's first frame is shown in it
    motion              mean length of the optical flow, picture sides a frame

In the paper 30% of the training is plain video; which, and how it was cut, is not said: all here is our choice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import datasets

from .clip_length import FPS, NUM_FRAMES
from .clip_rows import ABOUT_COLUMNS, clip_features, no_path_columns, video_column
from .videos.video_cutting import VideoClip, cut_video
from .videos.video_folder import VideoFile
from .videos.video_folder_builder import VideoFolderBuilder, VideoFolderConfig
from .videos.video_report import VideoFileReport, VideoReport

GENERATOR_VERSION = "1.0.0"  # raise it whenever the same videos no longer give the same rows

FEATURES = clip_features(
    video_file=datasets.Value("string"), start_seconds=datasets.Value("float32"), motion=datasets.Value("float32")
)

DESCRIPTION = """\
Clips cut from ordinary videos: {num_frames} frames of {size}x{size} pixels at {fps:g} fps, each within one shot, without a
camera path, with a mean optical flow of at least {min_motion:g} picture sides a frame. Splits are by video file. Generator
version {version}.

{about_columns}
- video_file, start_seconds: where a clip is from.
- motion: its mean optical flow, in picture sides a frame."""


class VideoClips(VideoFolderBuilder):
    """Ordinary videos as a dataset; keyword arguments are the fields of `VideoFolderConfig`.

    `download_and_prepare(num_proc=n)` cuts n files at a time and stores `report` with the data; `as_streaming_dataset`
    cuts when rows are asked for and keeps nothing. Both give equal rows in equal order. `ValueError` if there is no
    clip in the folder at all, with the reasons.
    """

    VERSION = datasets.Version(GENERATOR_VERSION)

    def _info(self) -> datasets.DatasetInfo:
        description = DESCRIPTION.format(
            num_frames=NUM_FRAMES,
            size=self.config.size,
            fps=FPS,
            min_motion=self.config.min_motion,
            about_columns=ABOUT_COLUMNS,
            version=GENERATOR_VERSION,
        )
        return datasets.DatasetInfo(description=description, features=FEATURES)

    def _rows(self, video: VideoFile, report: VideoFileReport) -> Iterator[dict[str, Any]]:
        for clip in cut_video(video.file, self.config.cut_settings, report):
            yield clip_row(video, clip)


def clip_row(video: VideoFile, clip: VideoClip) -> dict[str, Any]:
    """A clip of a video -> a row of `FEATURES`."""
    return {
        "video": video_column(clip.frames, FPS),
        **no_path_columns(clip.aspect),
        **video_columns(video, clip.start_seconds, clip.motion),
        "source": "video",
        "generator_version": GENERATOR_VERSION,
    }


def video_columns(video: VideoFile, start_seconds: float, motion: float) -> dict[str, Any]:
    """Which clip of which video a row is."""
    scene_id = f"video-{video.content_hash}"
    return {
        "fps": FPS,
        "clip_id": f"{scene_id}-{round(1000 * start_seconds):08d}",
        "scene_id": scene_id,
        "credit": video.credit,
        "licence": video.licence,
        "video_file": video.name,
        "start_seconds": start_seconds,
        "motion": motion,
    }


def survey_videos(folder: str | os.PathLike[str], **settings: Any) -> VideoReport:
    """What `VideoClips(folder=folder, **settings)` would make of a folder, without making it; in this process alone."""
    config = VideoFolderConfig(folder=os.fspath(folder), **settings)
    found = config.find_videos()
    reports = [*found.skipped]
    for video in found.videos:
        report = video.new_report()
        for _ in cut_video(video.file, config.cut_settings, report):
            pass
        reports.append(report)
    return VideoReport(sorted(reports, key=lambda report: report.file), found.other_files)
