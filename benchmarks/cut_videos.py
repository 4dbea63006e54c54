"""How well videos are cut, on your own: cuts that are certain, because the videos were joined there, and false ones.

    python benchmarks/cut_videos.py FOLDER [--joins 400] [--seed 0]

Joins the frames before a random place of one video to those after a random place of another ("other_video"), or of the same
video at least a third of it later ("same_video", jump cuts, of videos that move), and counts the joins that are found; then what is
found in each video as it is, which you should look at: the cuts there may be real. One JSON line.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from camvig.dataset_builders.video_clips import survey_videos
from camvig.dataset_builders.videos.scene_cuts import THUMBNAIL_SIZE, mark_shots
from camvig.dataset_builders.videos.video_folder import find_videos
from camvig.dataset_builders.videos.video_reader import TimedFrame, VideoReader

AROUND = 8  # frames on each side of a join
MOVING = 0.15  # mean difference of a video's first and last thumbnail, of the full range


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--joins", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = find_videos(options.folder, "not stated", 0.0, 0.0)
    videos = {video.name: thumbnails(video.file) for video in found.videos}
    cuts = {name: cuts_in(frames) for name, frames in videos.items()}
    uncut = {name: frames for name, frames in videos.items() if not cuts[name] and len(frames) >= 4 * AROUND}
    rng = np.random.default_rng(options.seed)
    start = time.process_time()
    report = survey_videos(options.folder, licence="not stated")
    print(
        json.dumps(
            {
                "benchmark": "cut_videos",
                "other_video": share_found(rng, uncut, options.joins, other=True),
                "same_video": share_found(rng, uncut, options.joins, other=False),
                "cuts_in_videos": {name: places for name, places in cuts.items() if places},
                "frames": sum(map(len, videos.values())),
                "survey": report.totals,
                "survey_cpu_seconds": round(time.process_time() - start, 2),
            }
        )
    )


def thumbnails(file: Path) -> list[np.ndarray]:
    resized = (
        cv2.resize(np.ascontiguousarray(frame.rgb), THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA)
        for frame in VideoReader(file)
    )
    return list(resized)


def cuts_in(frames: list[np.ndarray]) -> list[int]:
    timed = (TimedFrame(index / 25, rgb, 16 / 9) for index, rgb in enumerate(frames))
    return [index for index, shot in enumerate(mark_shots(timed, 1.0)) if shot.starts == "cut"]


def share_found(rng: np.random.Generator, videos: dict[str, list[np.ndarray]], joins: int, other: bool) -> float | None:
    """The share of joins where exactly the join is found."""
    ends = {name: np.abs(frames[0].astype(float) - frames[-1]).mean() / 255 for name, frames in videos.items()}
    names = list(videos) if other else [name for name in videos if ends[name] > MOVING]
    if len(names) < 1 + other:
        return None
    hits = 0
    for _ in range(joins):
        first, second = rng.choice(names, 2, replace=False) if other else [rng.choice(names)] * 2
        before, after = videos[first], videos[second]
        place = int(rng.integers(AROUND, len(before) * (1 if other else 0.5)))
        earliest = 0 if other else place + len(before) // 3
        start = int(rng.integers(earliest, max(earliest + 1, len(after) - AROUND)))
        hits += AROUND in cuts_in(before[place - AROUND : place] + after[start : start + AROUND])
    return round(hits / joins, 4)


if __name__ == "__main__":
    main()
