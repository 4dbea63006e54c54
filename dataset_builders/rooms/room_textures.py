"""Procedural textures for the rooms: surfaces, paintings, windows and doors, as one bank of mip chains a split.

Every split draws its bank from a seed of its own, so no texture occurs in two splits. All texels are uint8 RGB; a
texture is 64 x 64 texels and its mip chain (64, 32, ..., 1) lies flat in one row of `TextureBank.texels`. Surfaces tile
seamlessly enough for walls and floors, and are kept soft: at 64 x 64 pixels busy patterns cost tokens and teach no
geometry. The choice of kinds and colours is ours.
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

TEXTURE_SIZE = 64
MIP_LEVELS = 7
MIP_OFFSETS = tuple(sum((TEXTURE_SIZE >> level) ** 2 for level in range(upto)) for upto in range(MIP_LEVELS))
SPLIT_CODES = {"train": 11, "validation": 22, "test": 33}

# How many textures of each kind the training bank holds; the other splits hold a quarter.
SURFACE_COUNTS = {
    "plain": 96, "plaster": 120, "marble": 48, "stripes": 56, "checks": 40, "bricks": 56,
    "tiles": 80, "planks": 104, "wood": 72, "waves": 40, "carpet": 40, "leaves": 16,
}  # fmt: skip
PICTURE_COUNTS = {"painting": 144, "window": 64, "door": 48}

_ROWS, _COLUMNS = (axis.astype(np.float32) / TEXTURE_SIZE for axis in np.mgrid[0:TEXTURE_SIZE, 0:TEXTURE_SIZE])


@dataclass(frozen=True)
class TextureBank:
    """All textures of one split; `ids[kind]` lists the rows of `texels` that hold that kind."""

    texels: np.ndarray  # [K, 5461, 3] uint8, mip levels one after another
    ids: dict[str, np.ndarray]


def smooth_noise(rng: np.random.Generator, base: int = 2, octaves: int = 4, decay: float = 0.55) -> np.ndarray:
    """Tileable fractal noise [64, 64] in 0..1; `base`, a power of two, is the number of cells of the first octave."""
    total = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), np.float32)
    for octave in range(octaves):
        cells = min(base << octave, TEXTURE_SIZE)
        step = TEXTURE_SIZE // cells
        grid = np.pad(rng.random((cells, cells), dtype=np.float32), 2, mode="wrap")
        large = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += decay**octave * large[2 * step : -2 * step, 2 * step : -2 * step]
    total -= total.min()
    return total / (total.max() + 1e-6)


def _hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), np.float32)


def natural_colour(rng: np.random.Generator) -> np.ndarray:
    """A soft colour [3] in 0..1: mostly warm or neutral, sometimes a calm blue or green, seldom strong."""
    hue = rng.choice([rng.normal(0.08, 0.04), rng.normal(0.58, 0.06), rng.normal(0.33, 0.08), rng.random()],
                     p=[0.5, 0.2, 0.15, 0.15])  # fmt: skip
    return _hsv(hue, rng.beta(1.3, 5.0), 0.35 + 0.62 * rng.beta(2.2, 1.4))


def wood_colour(rng: np.random.Generator) -> np.ndarray:
    """A wood tone [3], from pale birch to dark walnut."""
    return _hsv(rng.normal(0.08, 0.012), rng.uniform(0.2, 0.58), rng.uniform(0.38, 0.92))


def _related(rng: np.random.Generator, colour: np.ndarray, contrast: float) -> np.ndarray:
    """A second colour near `colour`: darker or lighter by about `contrast`, with a slight change of hue."""
    factor = 1.0 + rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0) * contrast
    return np.clip(colour * factor + rng.normal(0, 0.04, 3), 0.04, 1).astype(np.float32)


def _two_colours(rng: np.random.Generator, contrast: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    first = natural_colour(rng)
    second = natural_colour(rng) if rng.random() < 0.2 else _related(rng, first, contrast)
    return first, second


def _mix(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Blends two colours by a [64, 64] weight to a [64, 64, 3] picture."""
    return first + (second - first) * weight[..., None]


def _plain(rng: np.random.Generator) -> np.ndarray:
    return natural_colour(rng) * (1 - 0.1 * smooth_noise(rng))[..., None]


def _plaster(rng: np.random.Generator) -> np.ndarray:
    return _mix(*_two_colours(rng, 0.3), smooth_noise(rng, base=int(rng.choice([1, 2, 4])), octaves=5))


def _marble(rng: np.random.Generator) -> np.ndarray:
    phase = _COLUMNS * rng.integers(1, 3) + _ROWS * rng.integers(0, 2) + rng.uniform(0.5, 1.2) * smooth_noise(rng)
    return _mix(*_two_colours(rng, 0.45), np.abs(np.sin(np.pi * phase)) ** rng.uniform(0.5, 2))


def _stripes(rng: np.random.Generator) -> np.ndarray:
    axis = _COLUMNS if rng.random() < 0.7 else _ROWS
    wave = np.sin(2 * np.pi * axis * rng.integers(2, 5))
    return _mix(*_two_colours(rng), np.clip(0.5 + wave * rng.uniform(0.6, 4), 0, 1))


def _checks(rng: np.random.Generator) -> np.ndarray:
    count = rng.integers(1, 4)
    wave = np.sin(2 * np.pi * _COLUMNS * count) * np.sin(2 * np.pi * _ROWS * count)
    return _mix(*_two_colours(rng, 0.5), np.clip(0.5 + 5 * wave, 0, 1))


def _bricks(rng: np.random.Generator) -> np.ndarray:
    rows, columns = 2 * int(rng.integers(2, 4)), int(rng.integers(2, 4))
    row = np.floor(_ROWS * rows).astype(int)
    along = _COLUMNS * columns + 0.5 * (row % 2)
    shade = rng.random((rows, columns), dtype=np.float32)[row, np.floor(along).astype(int) % columns]
    joint = ((_ROWS * rows) % 1 < 0.14) | (along % 1 < 0.08)
    brick, mortar = _two_colours(rng, 0.25)
    return np.where(joint[..., None], mortar, brick * (0.8 + 0.3 * shade)[..., None])


def _tiles(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(2, 5))
    shade = rng.random((count, count), dtype=np.float32)
    shade = cv2.resize(shade, (TEXTURE_SIZE, TEXTURE_SIZE), interpolation=cv2.INTER_NEAREST)
    joint = ((_COLUMNS * count) % 1 < 0.07) | ((_ROWS * count) % 1 < 0.07)
    tile, grout = _two_colours(rng, 0.35)
    return np.where(joint[..., None], grout, tile * (0.88 + rng.uniform(0.05, 0.25) * shade)[..., None])


def _grain(rng: np.random.Generator) -> np.ndarray:
    """Wood grain [64, 64] in 0..1: noise stretched along the rows."""
    noise = smooth_noise(rng, base=4, octaves=4)
    return cv2.resize(noise, (TEXTURE_SIZE, TEXTURE_SIZE * 4), interpolation=cv2.INTER_LINEAR)[:TEXTURE_SIZE]


def _planks(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(3, 6))
    plank = np.minimum(np.floor(_COLUMNS * count).astype(int), count - 1)
    shade = rng.random(count, dtype=np.float32)[plank]
    joint = (_COLUMNS * count) % 1 < 0.08
    brightness = (0.82 + 0.25 * shade + 0.15 * (_grain(rng) - 0.5)) * np.where(joint, 0.72, 1.0)
    return wood_colour(rng) * brightness[..., None]


def _wood(rng: np.random.Generator) -> np.ndarray:
    colour = wood_colour(rng)
    return _mix(colour, _related(rng, colour, 0.3), _grain(rng))


def _waves(rng: np.random.Generator) -> np.ndarray:
    bend = rng.uniform(0.05, 0.2) * np.sin(2 * np.pi * (_ROWS * rng.integers(1, 3)))
    wave = np.sin(2 * np.pi * (_COLUMNS * rng.integers(2, 4) + bend))
    return _mix(*_two_colours(rng, 0.35), 0.5 + 0.5 * wave)


def _carpet(rng: np.random.Generator) -> np.ndarray:
    x, y = np.abs(_COLUMNS - 0.5), np.abs(_ROWS - 0.5)
    distance = np.maximum(x, y) if rng.random() < 0.6 else np.hypot(x, y)
    ring = np.floor(distance * rng.integers(4, 9)).astype(int)
    colours = np.stack([*_two_colours(rng, 0.5), natural_colour(rng)])
    return colours[rng.integers(0, 3, 9)[ring]] * (0.9 + 0.15 * smooth_noise(rng, base=8, octaves=3))[..., None]


def _leaves(rng: np.random.Generator) -> np.ndarray:
    green = _hsv(rng.normal(0.3, 0.03), rng.uniform(0.35, 0.6), rng.uniform(0.45, 0.75))
    return _mix(green * 0.55, green, smooth_noise(rng, base=8, octaves=3))


def _framed(picture: np.ndarray, width: int, colour: np.ndarray) -> np.ndarray:
    """Draws a frame of `width` texels around a picture."""
    framed = np.empty_like(picture)
    framed[:] = colour
    inner = TEXTURE_SIZE - 2 * width
    framed[width:-width, width:-width] = cv2.resize(picture, (inner, inner), interpolation=cv2.INTER_AREA)
    return framed


def _landscape(rng: np.random.Generator) -> np.ndarray:
    """Sky over two or three rows of hills."""
    sky = _hsv(rng.normal(0.57, 0.03), rng.uniform(0.1, 0.5), rng.uniform(0.75, 1.0))
    picture = _mix(sky, np.ones(3, np.float32), np.clip(_ROWS * rng.uniform(0.5, 1.6), 0, 1))
    for layer in range(rng.integers(1, 4)):
        horizon = 0.45 + 0.16 * layer + 0.22 * (smooth_noise(rng, base=2, octaves=3)[0] - 0.5)
        hill = _hsv(rng.normal(0.28, 0.07), rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.7))
        picture = np.where((horizon[None] < _ROWS)[..., None], hill * (1.1 - 0.3 * _ROWS)[..., None], picture)
    return picture.astype(np.float32)


def _shapes(rng: np.random.Generator) -> np.ndarray:
    """An abstract painting of a few soft discs and rectangles."""
    picture = np.ascontiguousarray(natural_colour(rng) * (0.75 + 0.25 * smooth_noise(rng))[..., None])
    for _ in range(rng.integers(2, 6)):
        colour = tuple(float(channel) for channel in natural_colour(rng))
        left, top, right, bottom = (int(value) for value in rng.integers(0, TEXTURE_SIZE, 4))
        if rng.random() < 0.5:
            cv2.rectangle(picture, (left, top), (right, bottom), colour, -1)
        else:
            cv2.circle(picture, (left, top), int(rng.integers(6, TEXTURE_SIZE // 3)), colour, -1)
    return picture


def _painting(rng: np.random.Generator) -> np.ndarray:
    picture = _landscape(rng) if rng.random() < 0.4 else _shapes(rng)
    frame = wood_colour(rng) if rng.random() < 0.6 else natural_colour(rng)
    return _framed(picture, int(rng.integers(3, 9)), frame)


def _window(rng: np.random.Generator) -> np.ndarray:
    """A bright view behind one to six panes."""
    frame = np.full(3, rng.uniform(0.75, 0.98), np.float32) if rng.random() < 0.6 else wood_colour(rng)
    picture = _framed(0.45 + 0.55 * _landscape(rng), 4, frame)
    for axis in range(2):
        for bar in np.linspace(0, TEXTURE_SIZE, int(rng.integers(1, 4)) + 1)[1:-1]:
            bars = slice(int(bar) - 1, int(bar) + 2)
            picture[(bars, slice(None)) if axis else (slice(None), bars)] = frame
    return picture


def _door(rng: np.random.Generator) -> np.ndarray:
    """A panelled door with a frame and a handle."""
    leaf = wood_colour(rng) if rng.random() < 0.6 else natural_colour(rng)
    picture = leaf * (0.92 + 0.1 * _grain(rng).T)[..., None]
    panels = int(rng.integers(1, 4))
    for panel in range(panels):
        top, bottom = (int(TEXTURE_SIZE * (panel + edge) / panels) for edge in (0.18, 0.85))
        picture[top:bottom, 14:50] *= 0.86
        picture[top + 2 : bottom - 2, 17:47] *= 1.1
    picture = _framed(picture.astype(np.float32), 4, _related(rng, leaf, 0.3))
    picture[30:35, 50:56] = (0.75, 0.7, 0.55)
    return picture


_MAKERS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "plain": _plain, "plaster": _plaster, "marble": _marble, "stripes": _stripes, "checks": _checks, "bricks": _bricks,
    "tiles": _tiles, "planks": _planks, "wood": _wood, "waves": _waves, "carpet": _carpet, "leaves": _leaves,
    "painting": _painting, "window": _window, "door": _door,
}  # fmt: skip


def make_texture(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Draws one texture [64, 64, 3] float32 in 0..1 of the given kind; surfaces get a slight uneven shade."""
    picture = _MAKERS[kind](rng)
    if kind in SURFACE_COUNTS:
        picture = picture * (1 - 0.12 * smooth_noise(rng, octaves=3))[..., None]
    return np.clip(picture, 0, 1).astype(np.float32)


def mip_chain(pictures: np.ndarray) -> np.ndarray:
    """[K, 64, 64, 3] float 0..1 -> [K, 5461, 3] uint8: the pictures and their 2x reductions, one after another."""
    levels = [pictures]
    while levels[-1].shape[1] > 1:
        half = levels[-1].shape[1] // 2
        levels.append(levels[-1].reshape(-1, half, 2, half, 2, 3).mean((2, 4)))
    flat = np.concatenate([level.reshape(len(level), -1, 3) for level in levels], axis=1)
    return (flat * 255 + 0.5).astype(np.uint8)


@cache
def texture_bank(split: str) -> TextureBank:
    """The bank of a split ("train", "validation", "test"): 1,024 textures for train, 256 for each of the others."""
    if split not in SPLIT_CODES:
        raise ValueError(f"split must be one of {sorted(SPLIT_CODES)}, got {split!r}")
    rng = np.random.default_rng(np.random.SeedSequence([SPLIT_CODES[split], 7_000_003]))
    share = 1 if split == "train" else 4
    kinds = [kind for kind, count in (SURFACE_COUNTS | PICTURE_COUNTS).items() for _ in range(count // share)]
    texels = mip_chain(np.stack([make_texture(kind, rng) for kind in kinds]))
    return TextureBank(texels, {kind: np.flatnonzero(np.array(kinds) == kind) for kind in _MAKERS})


@cache
def packed_texels(split: str) -> np.ndarray:
    """The bank's texels as [K, 5461] uint64, red + green * 2^21 + blue * 2^42: what the renderer reads."""
    red, green, blue = np.moveaxis(texture_bank(split).texels.astype(np.uint64), -1, 0)
    return red | (green << np.uint64(21)) | (blue << np.uint64(42))
