"""What a caller of `CamViGPipeline` gives, as lists, in range, and as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..modeling_camvig.configuration_visual_tokenizer import CamViGVisualTokenizerConfig
from .best_of import check_best_of
from .picture_files import PictureLike, load_picture
from .sampling_settings import SamplingSettings

LARGEST_SHORTER_SIDE = 512
"""Pictures are scaled down to this shorter side, pixels, unless `output_size` says otherwise."""


def pair_inputs(image: Any, camera_path: Any) -> tuple[list, list]:
    """Inputs as lists: as many paths as videos, and as many pictures, or one for all."""
    images = list(image) if isinstance(image, (list, tuple)) else [image]
    paths = list(camera_path) if isinstance(camera_path, (list, tuple)) else [camera_path]
    if not images or not paths:
        raise ValueError(f"expected at least one picture and one path, got {len(images)} and {len(paths)}")
    if len(paths) == 1:
        paths = paths * len(images)
    if len(images) not in (1, len(paths)):
        raise ValueError(
            f"expected as many pictures as paths, or one of either, got {len(images)} pictures and {len(paths)} paths"
        )
    return images, paths


def check_settings(
    config: CamViGVisualTokenizerConfig,
    paths: Sequence[Any],
    sampling: SamplingSettings,
    generator: Any,
    output_type: str,
    output_size: int | None,
    best_of: int,
) -> None:
    """What a call is asked for, one video a path: `ValueError` if it is out of range or does not fit the visual tokenizer."""
    _check_sampling(sampling, config)
    if isinstance(generator, (list, tuple)) and len(generator) != len(paths):
        raise ValueError(f"expected one generator, or one a video ({len(paths)}), got {len(generator)}")
    if output_type not in ("pil", "np", "pt"):
        raise ValueError(f"expected output_type 'pil', 'np' or 'pt', got {output_type!r}")
    if output_size is not None:
        _check_output_size(output_size, config)
    check_best_of(best_of, sampling.temperature, paths)


def _check_sampling(sampling: SamplingSettings, config: CamViGVisualTokenizerConfig) -> None:
    temperature, guidance_scale = sampling.temperature, sampling.guidance_scale
    top_k, top_p, mean_of = sampling.top_k, sampling.top_p, sampling.mean_of
    for name, value, fits, expected in (
        ("temperature", temperature, 0 <= temperature < float("inf"), "a finite number >= 0"),
        ("top_k", top_k, top_k >= 0 and top_k == int(top_k), "a whole number >= 0 (0 = all)"),
        ("top_p", top_p, 0 < top_p <= 1, "a number above 0, at most 1"),
        ("guidance_scale", guidance_scale, 0 <= guidance_scale < float("inf"), "a finite number >= 0"),
        ("mean_of", mean_of, mean_of >= 1 and mean_of == int(mean_of), "a whole number of at least 1"),
    ):
        if not fits:
            raise ValueError(f"expected {name} to be {expected}, got {value}")
    if mean_of > 1 and temperature == 0:
        raise ValueError(f"expected a temperature above 0 with mean_of {mean_of}, got 0: all draws would be the same")
    if mean_of > 1 and config.kind == "plain":
        raise ValueError(f"expected mean_of 1 with a plain visual tokenizer, whose codes are pixels, got {mean_of}")
    if not isinstance(sampling.rigid_scene, bool):
        raise ValueError(f"expected rigid_scene to be True or False, got {sampling.rigid_scene!r}")
    if sampling.rigid_scene and config.kind == "plain":
        raise ValueError("expected rigid_scene False with a plain visual tokenizer, which moves no picture, got True")


def _check_output_size(output_size: int, config: CamViGVisualTokenizerConfig) -> None:
    if config.kind == "plain":
        raise ValueError(
            f"expected no output_size with a plain visual tokenizer, whose frames are "
            f"{config.image_size} pixels, got {output_size}"
        )
    if not 16 <= output_size <= 4096:
        raise ValueError(f"expected output_size from 16 to 4096 pixels, got {output_size}")


def to_reference(picture: PictureLike, output_size: int | None = None) -> Tensor:
    """A picture -> the reference that the video moves, `[1, 3, H, W]` in [-1, 1], H and W even.

    It is scaled only where its shorter side is over 512 pixels, or not `output_size` if that is given; otherwise an
    odd side loses its last row or column, so that no pixel is interpolated.
    """
    image = load_picture(picture)
    width, height = image.size
    shorter = output_size or min(width, height, LARGEST_SHORTER_SIDE)
    if shorter != min(width, height):
        scale = shorter / min(width, height)
        size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
        image = image.resize(size, Image.Resampling.LANCZOS)
    array = np.asarray(image)[: image.height // 2 * 2, : image.width // 2 * 2]
    pixels = torch.from_numpy(array.copy()).permute(2, 0, 1)[None].contiguous()  # another layout rounds otherwise
    return pixels.float() / 127.5 - 1
