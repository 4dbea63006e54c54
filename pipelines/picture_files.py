"""Pictures in: a file or an array becomes an upright RGB PIL image, or one clear `ValueError`.

Always true of what `load_picture` gives: mode RGB, EXIF orientation applied, at least `SMALLEST_SIDE` pixels a side, at
most `WIDEST_ASPECT` times as long as wide. The limits are our choice: under 16 pixels there is nothing to move, and a
longer strip has more pixels than its 17 frames should cost in memory.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

PictureLike = Image.Image | np.ndarray | str | os.PathLike
"""A PIL image, an array `[H, W, 3]` uint8, or the name of a picture file."""

SMALLEST_SIDE = 16
WIDEST_ASPECT = 4.0


def load_picture(picture: PictureLike) -> Image.Image:
    """A picture, an array or a file -> an upright RGB image.

    Raises:
        ValueError: no such file, not a picture, damaged, too small or too long a strip; says which file.
    """
    if isinstance(picture, (str, os.PathLike)):
        image, name = _read(Path(picture)), f"picture {os.fspath(picture)}"
    elif isinstance(picture, np.ndarray):
        image, name = _from_array(picture), "picture array"
    elif isinstance(picture, Image.Image):
        image, name = picture, "picture"
    else:
        raise ValueError(f"expected a PIL image, a uint8 array or a file name as picture, got {type(picture).__name__}")
    _check_size(image.width, image.height, name)
    return to_upright_rgb(image)


def to_upright_rgb(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation, lay transparency over white, bring 16-bit grey to 8 bits, give RGB."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16-bit grey, also as 32-bit integers
        upright = Image.fromarray((np.asarray(upright).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    return upright.convert("RGB")


def _read(file: Path) -> Image.Image:
    if not file.is_file():
        raise ValueError(f"expected a picture file, got {file}: {'a folder' if file.is_dir() else 'no such file'}")
    if file.stat().st_size == 0:
        raise ValueError(f"expected a picture file, got {file}: the file is empty")
    try:
        with Image.open(file) as image:
            _check_size(image.width, image.height, f"picture {file}")  # before the pixels are read
            image.load()
            return image
    except UnidentifiedImageError:
        raise ValueError(f"expected a picture file (JPEG, PNG, WebP, ...), got {file}: not a picture") from None
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected a readable picture, got {file}: {error}") from None


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"expected a picture array [H, W, 3] uint8, got {list(array.shape)} {array.dtype}")
    if not array.size:
        raise ValueError(f"expected a picture array with pixels, got {list(array.shape)}")
    return Image.fromarray(array)


def _check_size(width: int, height: int, name: str) -> None:
    if min(width, height) < SMALLEST_SIDE:
        raise ValueError(f"expected a picture of at least {SMALLEST_SIDE} pixels a side, got {name}: {width}x{height}")
    if max(width, height) > WIDEST_ASPECT * min(width, height):
        raise ValueError(
            f"expected a picture at most {WIDEST_ASPECT:g} times as long as wide, got {name}: {width}x{height}; crop it"
        )
