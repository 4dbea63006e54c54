"""Videos out: mp4 and gif, and mp4 in. A file appears whole or not at all: it is written under a temporary name first.

Frames are `[T, H, W, 3]` uint8 RGB throughout.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from PIL import Image

from ..camera_paths.atomic_file import write_then_rename

MP4_QUALITY = "18"
"""x264's constant rate factor: visually close to lossless."""


def frames_to_array(frames: Sequence[Image.Image] | np.ndarray) -> np.ndarray:
    """PIL images of one size, or an array `[T, H, W, 3]` uint8 -> `[T, H, W, 3]` uint8, at least one frame."""
    if not isinstance(frames, np.ndarray):
        sizes = {frame.size for frame in frames}
        if len(sizes) > 1:
            raise ValueError(f"expected frames of one size, got {sorted(sizes)}")
        frames = np.stack([np.asarray(frame.convert("RGB")) for frame in frames]) if frames else np.empty(0, np.uint8)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise ValueError(f"expected frames [T, H, W, 3] uint8, got {list(frames.shape)} {frames.dtype}")
    return frames


def write_mp4(frames: Sequence[Image.Image] | np.ndarray, file: str | os.PathLike[str], fps: float = 8.0) -> None:
    """Write H.264 in yuv420p, which every player reads.

    Raises:
        ValueError: an odd width or height, which yuv420p cannot hold.
    """
    array = frames_to_array(frames)
    height, width = array.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"expected frames of even width and height for mp4, got {width}x{height}")
    with write_then_rename(file) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": MP4_QUALITY, "preset": "medium"}
        for frame in array:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_gif(frames: Sequence[Image.Image] | np.ndarray, file: str | os.PathLike[str], fps: float = 8.0) -> None:
    """Write an endless gif, one palette for all frames so that nothing flickers."""
    array = frames_to_array(frames)
    sample = Image.fromarray(np.concatenate(array[:: max(1, len(array) // 4)]))
    palette = sample.quantize(256, method=Image.Quantize.MEDIANCUT)
    first, *others = (Image.fromarray(frame).quantize(palette=palette) for frame in array)
    with write_then_rename(file) as temporary:
        first.save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=round(1000 / fps),
            loop=0,
            optimize=False,
        )


def write_png(picture: Image.Image, file: str | os.PathLike[str]) -> None:
    """Write a picture as PNG."""
    with write_then_rename(file) as temporary:
        picture.save(temporary, format="PNG")


def read_video(file: str | os.PathLike[str]) -> tuple[np.ndarray, float]:
    """Read every frame: `[T, H, W, 3]` uint8, and the frames a second.

    Raises:
        ValueError: no such file, or not a video; says which file.
    """
    if not Path(file).is_file():
        raise ValueError(f"expected a video file, got {os.fspath(file)}: no such file")
    try:
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            return np.stack(frames), float(stream.average_rate or 0)
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise ValueError(f"expected a video file, got {os.fspath(file)}: {error}") from None
