"""Pose errors as CameraCtrl and CamI2V publish them: RealEstate10K camera files, and the videos that a system made of them.

    FOLDER/NAME.txt                 a camera file (RealEstate10K's 19 columns), a pose a frame or more
    VIDEOS/NAME.mp4 (or NAME/*.png) the video; its frame i has pose i * stride
    FOLDER/NAME.mp4                 optional: the true video, for the noise floor; its frame i * stride has pose i * stride

What is known of the protocols: RotErr is one formula in both; CameraCtrl's TransErr (arXiv 2404.02101) squares the distances and
divides a path by its first gap, CamI2V's (arXiv 2410.15957) does neither and divides by the farthest distance, CamMC is
CamI2V's. All are sums over frames, so numbers of 14, 16 and 17 frames cannot be compared: `frames` says which these are, and the
mean `rotation_error_deg` is beside them. What is our choice: poses come from pycolmap's global mapper with the lens of the file
(they ran COLMAP, CamI2V five trials), failures are counted, `stride` is given, and camera files are taken in the order of their
names. So a number here can be set beside a published one only with that in mind, best beside `ground_truth`'s.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...camera_paths.camera_path import CameraPath
from ...camera_paths.formats import PathOptions, read_path_file
from .eval_clips import FEWEST_FRAMES
from .pose_scores import NO_PYCOLMAP, can_recover_poses, pose_scores
from .requests import Videos
from .video_source import find_videos, read_frames


def holds_camera_files(folder: Path) -> bool:
    """Whether a folder is one of camera files, not of clips."""
    return folder.is_dir() and any(folder.glob("*.txt")) and not any(folder.rglob("*.parquet"))


def measure_camera_files(videos: Path, folder: Path, count: int, stride: int, trials: int, seed: int) -> dict[str, Any]:
    """The figures of at most `count` camera files of a folder and their videos.

    Raises:
        ValueError: no camera file, a video that is missing, of another length than others or longer than its path; names the file.
    """
    if not can_recover_poses():
        raise ValueError(NO_PYCOLMAP)
    if not videos.is_dir():
        raise ValueError(f"expected a folder of videos, got {videos}: no such folder")
    files, made, true = sorted(folder.glob("*.txt"))[:count], find_videos(videos), find_videos(folder)
    if len(files) < 2:
        raise ValueError(f"expected at least 2 camera files (*.txt) in {folder}, got {len(files)}")
    frames = [_frames(made, file, videos) for file in files]
    lengths = {len(video): made[file.stem] for video, file in zip(frames, files, strict=True)}
    if len(lengths) > 1:
        (first, one), (second, other), *_ = lengths.items()
        raise ValueError(
            f"expected videos of one length, as errors are sums over frames, got {first} in {one} and {second} in {other}"
        )
    (length,) = lengths
    paths = [read_poses(file, length, stride) for file in files]
    kinds: dict[str, Videos] = {"model": frames}
    unavailable = {}
    if all(file.stem in true for file in files):
        kinds["ground_truth"] = [_true_frames(true[file.stem], length, stride) for file in files]
    else:
        unavailable["pose.ground_truth"] = f"{folder} has no true video beside each camera file"
    return {
        "pose": pose_scores(kinds, paths, paths[1:] + paths[:1], trials, seed),
        "unavailable": unavailable,
        "clips": len(files),
        "frames": length,
        "stride": stride,
        "seed": seed,
    }


def read_poses(file: Path, length: int, stride: int) -> CameraPath:
    """Poses 0, stride, ... of a camera file, `length` of them, relative to the first; their unit is the file's own."""
    path = read_path_file(file, "re10k", PathOptions(unit="scene", median_depth=1.0, fps=8.0)).path
    if path.num_frames < (length - 1) * stride + 1:
        raise ValueError(
            f"expected at least {(length - 1) * stride + 1} poses in {file} for {length} frames of stride {stride}, "
            f"got {path.num_frames}"
        )
    chosen = slice(0, (length - 1) * stride + 1, stride)
    return replace(path, camera_to_world=path.camera_to_world[chosen], intrinsics=path.intrinsics[chosen]).relative()


def _frames(made: dict[str, Path], file: Path, videos: Path) -> np.ndarray:
    if file.stem not in made:
        raise ValueError(f"expected a video of {file.name} in {videos}, got none called {file.stem}")
    frames = read_frames(made[file.stem])
    if len(frames) < FEWEST_FRAMES:
        raise ValueError(f"expected a video of at least {FEWEST_FRAMES} frames, got {len(frames)} in {made[file.stem]}")
    return frames


def _true_frames(file: Path, length: int, stride: int) -> np.ndarray:
    frames = read_frames(file)[::stride][:length]
    if len(frames) < length:
        raise ValueError(
            f"expected {(length - 1) * stride + 1} frames in the true video {file}, got fewer: {len(frames)} of stride {stride}"
        )
    return frames
