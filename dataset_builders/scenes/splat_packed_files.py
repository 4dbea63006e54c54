"""Decodes the two packed layouts of PlayCanvas' tools: SuperSplat's compressed .ply, and .sog version 2.

What always holds: both are lossy, so what comes out is near what was packed, within the steps of their quantisation. Both
keep the axes of the .ply they were made from. Written from PlayCanvas' description of the formats.

Compressed .ply: element `chunk` has the bounds of 256 Gaussians each, element `vertex` their 32-bit words (position and
log scale 11 + 10 + 11 bits, quaternion 2 + 3 x 10, colour and opacity 4 x 8), an optional element `sh` bytes of f_rest_*.
.sog: a zip of meta.json and lossless pictures, a pixel a Gaussian; positions are logarithmic in 16 bits, scales and colours
indices into a table of 256, f_rest_* an index into a palette.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .gaussian_splats import HARMONIC_0, HARMONICS_OF_DEGREE, GaussianSplats

_CHUNK = 256  # Gaussians that share bounds


def decode_compressed_ply(tables: dict[str, np.ndarray]) -> GaussianSplats:
    """The elements of a compressed .ply -> Gaussians."""
    missing = [element for element in ("chunk", "vertex") if element not in tables]
    if missing:
        raise ValueError(f"expected the elements chunk and vertex in a compressed .ply, got none named {missing[0]}")
    chunks, packed = tables["chunk"], tables["vertex"]
    _check_properties(chunks, [f"{end}_{axis}" for end in ("min", "max") for axis in (*"xyz", "scale_x", "scale_z")])
    _check_properties(packed, [f"packed_{name}" for name in ("position", "rotation", "scale", "color")])
    if len(chunks) < -(-len(packed) // _CHUNK):
        raise ValueError(f"expected a chunk for each {_CHUNK} of {len(packed)} Gaussians, got {len(chunks)} chunks")
    chunk = chunks[np.arange(len(packed)) // _CHUNK]
    colour = _bits(packed["packed_color"], (8, 8, 8, 8))
    if "min_r" in (chunks.dtype.names or ()):  # files of SuperSplat's first versions have no bounds of colours
        colour[:, :3] = _between(chunk, ("r", "g", "b"), colour[:, :3])
    constant = ((colour[:, :3] - 0.5) / HARMONIC_0)[:, None]
    return GaussianSplats(
        _between(chunk, tuple("xyz"), _bits(packed["packed_position"], (11, 10, 11))),
        _between(chunk, ("scale_x", "scale_y", "scale_z"), _bits(packed["packed_scale"], (11, 10, 11))),
        _quaternions(packed["packed_rotation"] >> 30, _bits(packed["packed_rotation"], (10, 10, 10))),
        _logits(colour[:, 3]),
        np.concatenate([constant, _harmonic_bytes(tables.get("sh"), len(packed))], axis=1),
    )


def _check_properties(table: np.ndarray, names: list[str]) -> None:
    missing = [name for name in names if name not in (table.dtype.names or ())]
    if missing:
        raise ValueError(f"expected the properties of a compressed .ply, got one without {', '.join(missing)}")


def _bits(words: np.ndarray, widths: tuple[int, ...]) -> np.ndarray:
    """Fields of 32-bit words, the last one lowest -> shares of their largest value, [N, len(widths)] float64."""
    shares, shift = [], sum(widths)
    for width in widths:
        shift -= width
        shares.append((words >> shift & (1 << width) - 1) / ((1 << width) - 1))
    return np.stack(shares, axis=1)


def _between(chunk: np.ndarray, axes: tuple[str, ...], shares: np.ndarray) -> np.ndarray:
    low, high = (np.stack([chunk[f"{end}_{axis}"] for axis in axes], axis=1) for end in ("min", "max"))
    return low + shares * (high - low)


def _quaternions(largest: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Which component (w, x, y, z) is the largest, and the other three in order as shares of -sqrt(1/2)..sqrt(1/2)."""
    others = (shares - 0.5) * np.sqrt(2)
    quaternions = np.empty((len(shares), 4))
    is_other = np.arange(4) != largest[:, None]
    quaternions[is_other] = others.ravel()
    quaternions[~is_other] = np.sqrt(np.maximum(0, 1 - (others**2).sum(axis=1)))
    return quaternions


def _logits(opacities: np.ndarray) -> np.ndarray:
    """The inverse of the logistic function; infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return np.log(opacities) - np.log1p(-opacities)


def _harmonic_bytes(table: np.ndarray | None, count: int) -> np.ndarray:
    """The element `sh` -> coefficients [N, K - 1, 3]: 256 steps from -4 to 4."""
    if table is None:
        return np.empty((count, 0, 3))
    names = table.dtype.names or ()
    if len(table) != count or list(names) != [f"f_rest_{number}" for number in range(len(names))] or len(names) % 3:
        raise ValueError(f"expected {count} rows of f_rest_0, f_rest_1, ... in element sh, got {len(table)}")
    steps = np.stack([table[name] for name in names], axis=1).astype(np.float64)
    return ((steps - 127.5) / 32).reshape(count, 3, len(names) // 3).transpose(0, 2, 1)


def decode_sog(file: Path) -> GaussianSplats:
    """A .sog file (version 2, the one of 2025) -> Gaussians."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _decode_sog(archive)
    except (zipfile.BadZipFile, json.JSONDecodeError, UnidentifiedImageError, OSError) as error:
        raise ValueError(f"expected a whole .sog, a zip of meta.json and pictures: {error}") from None
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"expected the pictures and the numbers of a .sog, got others: {error!r}") from None


def _decode_sog(archive: zipfile.ZipFile) -> GaussianSplats:
    meta = json.loads(archive.read("meta.json"))
    if meta.get("version") != 2:
        raise ValueError(f"expected a .sog of version 2, got version {meta.get('version')}")
    count = meta["count"]
    pictures = {part: [_pixels(archive, name) for name in meta[part]["files"]] for part in meta if part in _SOG_PARTS}
    for part in _SOG_PARTS[:4]:
        if any(len(pixels) < count for pixels in pictures[part]):
            raise ValueError(f"expected a pixel for each of {count} Gaussians in {part}, got a smaller picture")
    low, high = (pixels[:count, :3].astype(np.float64) for pixels in pictures["means"])
    bounds = np.array([meta["means"]["mins"], meta["means"]["maxs"]])
    logarithms = bounds[0] + (bounds[1] - bounds[0]) * (256 * high + low) / 65535
    rotations, colours = pictures["quats"][0][:count], pictures["sh0"][0][:count]
    if rotations[:, 3].min(initial=255) < 252:
        raise ValueError(f"expected 252 to 255 in the alpha of quats, got {rotations[:, 3].min()}: was it compressed?")
    constant = np.array(meta["sh0"]["codebook"])[colours[:, None, :3]]
    return GaussianSplats(
        np.sign(logarithms) * np.expm1(np.abs(logarithms)),
        np.array(meta["scales"]["codebook"])[pictures["scales"][0][:count, :3]],
        _quaternions(rotations[:, 3] - 252, rotations[:, :3] / 255),
        _logits(colours[:, 3] / 255),
        np.concatenate([constant, _palette_harmonics(meta.get("shN"), pictures.get("shN"), count)], axis=1),
    )


_SOG_PARTS = ("means", "scales", "quats", "sh0", "shN")


def _pixels(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """A picture, row by row: [H * W, 4] uint8."""
    with Image.open(io.BytesIO(archive.read(name))) as picture:
        return np.asarray(picture.convert("RGBA")).reshape(-1, 4)


def _palette_harmonics(meta: dict | None, pictures: list[np.ndarray] | None, count: int) -> np.ndarray:
    """Coefficients [N, K - 1, 3] from the palette and the index of each Gaussian."""
    if meta is None or pictures is None:
        return np.empty((count, 0, 3))
    coefficients = HARMONICS_OF_DEGREE[meta["bands"]] - 1
    centroids, labels = pictures
    palette = np.array(meta["codebook"])[centroids[:, :3]].reshape(-1, coefficients, 3)  # 64 entries lie in a row
    index = labels[:count, 0] + 256 * labels[:count, 1].astype(np.int64)
    if len(index) < count or index.max(initial=0) >= len(palette):
        raise ValueError(f"expected {count} indices below {len(palette)} in shN, got {len(index)} up to {index.max()}")
    return palette[index]
