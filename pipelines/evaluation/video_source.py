"""A folder of videos that another system made of exported inputs (`exported_inputs`), as a `VideoSource`.

What always holds: a video has the name of its clip (NAME.mp4, .gif, .webm, or a folder NAME of numbered pictures), as many frames
as the clip and its aspect; it is then squashed and scaled to the clip's square. Whatever does not fit is one `ValueError` that
names the file; nothing is cut, padded or left out in silence.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..picture_files import load_picture
from ..video_files import read_video
from .eval_clips import FEWEST_FRAMES, EvalClip, resized
from .requests import Missing, Request, Videos

VIDEO_SUFFIXES = (".mp4", ".gif", ".webm", ".mkv", ".mov", ".avi")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
ASPECT_TOLERANCE = 0.05
"""Share: video sizes are multiples of 8 or 16, so an aspect is seldom exact."""


class VideoFolderSource:
    """Videos as they lie in a folder. `ValueError` where there is none."""

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise ValueError(f"expected a folder of videos, got {folder}: no such folder")
        self.folder = folder

    def videos(self, kind: str, requests: list[Request]) -> Videos | Missing:
        """Those of FOLDER/kind; of the model itself also at the folder's top."""
        folder = self.folder / kind
        if kind == "model" and not folder.is_dir():
            folder = self.folder
        if not folder.is_dir():
            return Missing(f"{self.folder} has no folder {kind}")
        files = find_videos(folder)
        names = {request.name for request in requests}
        for name, file in files.items():
            if name not in names:
                raise ValueError(f"expected videos named like the clips, got {file}: there is no clip {name}")
        return [self._video(folder, files, request) for request in requests]

    def reconstruct(self, clips: list[EvalClip]) -> Missing:
        """Unknown: how a system codes frames is its own affair."""
        return Missing(f"the videos of {self.folder} say nothing of a tokenizer")

    def _video(self, folder: Path, files: dict[str, Path], request: Request) -> np.ndarray:
        if request.name not in files:
            raise ValueError(f"expected a video of the clip {request.name} in {folder}, got none")
        file = files[request.name]
        frames, size = read_frames(file), request.picture.shape[0]
        _check(file, frames, request)
        return resized(frames, (size, size))


def find_videos(folder: Path) -> dict[str, Path]:
    """Name -> the video, or the folder of pictures, of this name. `ValueError` where one name has two."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        is_video = file.is_file() and file.suffix.lower() in VIDEO_SUFFIXES
        if not (is_video or (file.is_dir() and _pictures(file))):
            continue
        name = file.stem if is_video else file.name
        if name in found:
            raise ValueError(f"expected one video of the clip {name}, got {found[name]} and {file}")
        found[name] = file
    return found


def read_frames(file: Path) -> np.ndarray:
    """A video file, or a folder of pictures in the order of their names -> `[T, H, W, 3]` uint8."""
    if file.is_file():
        return read_video(file)[0]
    pictures = [np.asarray(load_picture(picture)) for picture in _pictures(file)]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) > 1:
        raise ValueError(f"expected pictures of one size in {file}, got {len(sizes)} sizes")
    return np.stack(pictures)


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)


def _check(file: Path, frames: np.ndarray, request: Request) -> None:
    expected = request.num_frames
    if len(frames) < FEWEST_FRAMES:
        raise ValueError(f"expected a video of at least {FEWEST_FRAMES} frames, got {len(frames)} in {file}")
    if len(frames) != expected:
        raise ValueError(
            f"expected {expected} frames in {file}, as many as its clip has, got {len(frames)}; --frames N compares N frames"
        )
    height, width = frames.shape[1:3]
    if all(abs(width / height / aspect - 1) > ASPECT_TOLERANCE for aspect in (request.aspect, 1.0)):
        raise ValueError(
            f"expected a picture of aspect {request.aspect:.3f}, as the exported one, or a square in {file}, "
            f"got {width}x{height}: cut or squashed pictures have another lens than the path says"
        )
