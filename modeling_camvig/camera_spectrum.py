"""The gain-shape spectrum of a camera path: the other layout of `camera_signal`, and its exact inverse.

Speech codecs send how loud a sound is apart from its shape, and audio codecs quantize spectra. A path gets both (our
choice): its translations and its rotation vectors are each divided by their largest length along the path, the gain, so
that a slow path is coded as finely as a fast one; then every value is written as a sum of the sines
sin(pi (2 k + 1) t / (2 T - 1)), k = 0..T-2, which are 0 at the first pose, as a relative path is, and are the
Karhunen-Loeve basis of a random walk that starts there. A camera is smooth: most of it is in the first few sines.

The result is again 8 numbers for each of T frames. Frame 0 has the two gains and the first pose's focal lengths, as logs,
each twice. The other T - 1 frames share the coefficients out: listed by frequency, the j-th number of every frame is from
the j-th run of T - 1, shifted by 3 j, so that each frame holds one strong, low coefficient and seven ever weaker ones of
different values. All frames then need about the same number of bits, which is what a codec gives them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST_GAIN = 0.01
"""Scene depths or radians; what moves less is written smaller than its gain says."""
GAIN_REFERENCE = 0.2
"""Scene depths or radians whose log gain is 0."""
TRANSLATION_WEIGHT = 0.5
"""Of a translation's shape beside a rotation's: 1% of a path's length is seen less than 1% of its largest rotation."""
SHIFT = 3


def values_to_spectrum(values: Tensor) -> Tensor:
    """Values `[B, T, 8]` of relative poses (scene depths, radians, log focal ratios) -> `[B, T, 8]`."""
    moves = values[:, 1:, :6].unflatten(2, (2, 3))  # [B, T-1, 2, 3]
    gains = moves.norm(dim=-1).amax(1).clamp(min=LEAST_GAIN)  # [B, 2]
    shapes = moves / gains[:, None, :, None] * _weights(values)[:, None]
    zooms = values[:, 1:, 6:] - values[:, :1, 6:]
    coefficients = _sines(values) @ torch.cat([shapes.flatten(2), zooms], dim=-1)  # [B, T-1, 8], by frequency
    frames = coefficients.flatten(1)[:, _order(values)]  # [B, T-1, 8]
    header = torch.cat([(gains / GAIN_REFERENCE).log(), values[:, 0, 6:]], dim=-1).repeat(1, 2)  # [B, 8]
    return torch.cat([header[:, None], frames], dim=1)


def spectrum_to_values(spectrum: Tensor) -> Tensor:
    """The inverse, `[B, T, 8]` -> `[B, T, 8]`; the first pose's translation and rotation are exactly 0."""
    header = spectrum[:, 0].unflatten(1, (2, 4)).mean(1)
    gains, focal = header[:, :2].exp() * GAIN_REFERENCE, header[:, None, 2:]
    places = _order(spectrum).flatten().argsort()
    coefficients = spectrum[:, 1:].flatten(1)[:, places].view_as(spectrum[:, 1:])  # by frequency
    tracks = _sines(spectrum).T @ coefficients  # [B, T-1, 8]
    moves = tracks[..., :6].unflatten(2, (2, 3)) / _weights(spectrum)[:, None] * gains[:, None, :, None]
    later = torch.cat([moves.flatten(2), focal + tracks[..., 6:]], dim=-1)
    first = torch.cat([torch.zeros_like(moves[:, :1].flatten(2)), focal], dim=-1)
    return torch.cat([first, later], dim=1)


def _weights(like: Tensor) -> Tensor:
    return like.new_tensor([TRANSLATION_WEIGHT, 1.0])


def _sines(like: Tensor) -> Tensor:
    """`[T-1 frequencies, T-1 poses]`, orthonormal."""
    steps = torch.arange(like.shape[1] - 1, dtype=torch.float64, device=like.device)
    period = 2 * like.shape[1] - 1
    return (torch.sin(math.pi / period * (2 * steps[:, None] + 1) * (steps + 1)) * 2 / math.sqrt(period)).to(like.dtype)


def _order(like: Tensor) -> Tensor:
    """Which coefficient of the list by frequency stands where: `[T-1 frames, 8]` int64."""
    frames = like.shape[1] - 1
    frame, number = torch.arange(frames, device=like.device)[:, None], torch.arange(8, device=like.device)
    return number * frames + (frame + SHIFT * number) % frames
