"""Boxes and furniture of the procedural rooms: every solid is a box that may be turned about the vertical.

Lengths are metres; y points down and the floor is y = 0, so heights above the floor are negative y. A box turned by
`yaw` has its local x axis at (cos yaw, 0, sin yaw) and its local z axis at (-sin yaw, 0, cos yaw) in the room. A piece
of furniture is described in its own frame: centre of the footprint at the origin, its back at +z, heights counted
upwards. Sizes and shapes are our choice.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .room_textures import TextureBank


@dataclass
class BoxList:
    """Collects boxes; each list has one entry a box and becomes an array of the same name in `RoomScene`."""

    rng: np.random.Generator
    bank: TextureBank
    boxes: list[list[float]] = field(default_factory=list)  # centre xyz, half size xyz, cos yaw, sin yaw
    box_textures: list[tuple[int, int]] = field(default_factory=list)  # sides, top and bottom
    box_scale: list[float] = field(default_factory=list)  # texture repeats a metre
    box_tint: list[np.ndarray] = field(default_factory=list)
    box_emission: list[float] = field(default_factory=list)  # 0 = lit by the lamps, else its own brightness
    box_is_picture: list[bool] = field(default_factory=list)  # the texture is fitted to the face
    box_is_solid: list[bool] = field(default_factory=list)  # casts shadows and stops the camera

    def texture(self, *kinds: str) -> int:
        """Picks a texture of one of the kinds."""
        return int(self.rng.choice(self.bank.ids[kinds[self.rng.integers(len(kinds))]]))

    def tint(self, spread: float = 0.08) -> np.ndarray:
        """A random factor [3] near one for the colours of a texture."""
        return np.clip(self.rng.normal(1.0, spread, 3) * self.rng.normal(1.0, spread), 0.65, 1.3)

    def add(
        self,
        centre: Sequence[float],
        half_size: Sequence[float],
        yaw: float,
        texture: int,
        *,
        top: int | None = None,
        scale: float = 0.6,
        tint: np.ndarray | None = None,
        emission: float = 0.0,
        is_picture: bool = False,
        is_solid: bool = True,
    ) -> None:
        """Appends one box given in room coordinates."""
        self.boxes.append([*map(float, centre), *map(float, half_size), math.cos(yaw), math.sin(yaw)])
        self.box_textures.append((texture, texture if top is None else top))
        self.box_scale.append(scale)
        self.box_tint.append(np.ones(3) if tint is None else tint)
        self.box_emission.append(emission)
        self.box_is_picture.append(is_picture)
        self.box_is_solid.append(is_solid)


@dataclass(frozen=True)
class Part:
    """One box of a piece of furniture in the piece's own frame; `bottom` and `top` are heights above the floor."""

    x: tuple[float, float]
    z: tuple[float, float]
    bottom: float
    top: float
    material: int = 0
    yaw: float = 0.0


@dataclass(frozen=True)
class Furniture:
    """A piece of furniture: parts, the texture kinds of each material, and the half sizes of its footprint."""

    parts: list[Part]
    materials: list[tuple[str, ...]]
    half_width: float
    half_depth: float
    surface: float = 0.0  # height on which small things may stand, 0 = none


FABRIC = ("plain", "plaster", "stripes", "plain", "waves")
WOODEN = ("wood", "wood", "plain", "planks")


def _legs(half_width: float, half_depth: float, height: float, thickness: float, material: int = 0) -> list[Part]:
    """Four legs at the corners, or two panels at the sides for what is narrow."""
    inner_x, inner_z = half_width - thickness, half_depth - thickness
    return [
        Part((x, x + thickness), (z, z + thickness), 0.0, height, material)
        for x in (-half_width, inner_x)
        for z in (-half_depth, inner_z)
    ]


def table(rng: np.random.Generator) -> Furniture:
    half_width, half_depth = rng.uniform(0.35, 0.95), rng.uniform(0.3, 0.5)
    height = rng.choice([rng.uniform(0.38, 0.5), rng.uniform(0.7, 0.78)])
    legs = _legs(half_width - 0.04, half_depth - 0.04, height - 0.05, rng.uniform(0.05, 0.1), int(rng.integers(0, 2)))
    if rng.random() < 0.35:
        legs = [Part((x - 0.03, x + 0.03), (-half_depth + 0.05, half_depth - 0.05), 0, height - 0.05, 1)
                for x in (-half_width * 0.85, half_width * 0.85)]  # fmt: skip
    top = Part((-half_width, half_width), (-half_depth, half_depth), height - 0.05, height)
    return Furniture([top, *legs], [WOODEN, WOODEN], half_width, half_depth, height)


def chair(rng: np.random.Generator) -> Furniture:
    half, seat, back = rng.uniform(0.2, 0.25), rng.uniform(0.42, 0.48), rng.uniform(0.8, 1.0)
    parts = [
        Part((-half, half), (-half, half), seat - 0.06, seat, 1),
        Part((-half, half), (half - 0.05, half), seat, back, int(rng.integers(0, 2))),
        *_legs(half, half, seat - 0.06, 0.05),
    ]
    return Furniture(parts, [WOODEN, FABRIC], half, half)


def sofa(rng: np.random.Generator) -> Furniture:
    half_width, half_depth = rng.choice([rng.uniform(0.4, 0.5), rng.uniform(0.75, 1.15)]), rng.uniform(0.38, 0.48)
    seat, arm, back = rng.uniform(0.36, 0.45), rng.uniform(0.5, 0.62), rng.uniform(0.7, 0.9)
    side = half_width - rng.uniform(0.12, 0.2)
    parts = [
        Part((-side, side), (-half_depth, half_depth), 0.06, seat),
        Part((-half_width, half_width), (half_depth - 0.22, half_depth), 0.06, back),
        Part((-half_width, -side), (-half_depth, half_depth), 0.06, arm),
        Part((side, half_width), (-half_depth, half_depth), 0.06, arm),
    ]
    if rng.random() < 0.6:
        left = rng.choice([-side + 0.05, side - 0.45])
        parts.append(Part((left, left + 0.4), (half_depth - 0.38, half_depth - 0.22), seat, seat + 0.36, 1))
    return Furniture(parts, [FABRIC, FABRIC], half_width, half_depth)


def bed(rng: np.random.Generator) -> Furniture:
    half_width, half_depth, height = rng.uniform(0.5, 0.95), rng.uniform(0.95, 1.05), rng.uniform(0.4, 0.6)
    parts = [
        Part((-half_width, half_width), (-half_depth, half_depth - 0.06), 0.0, height - 0.18, 0),
        Part((-half_width, half_width), (-half_depth - 0.02, half_depth - 0.06), height - 0.18, height, 1),
        Part((-half_width, half_width), (half_depth - 0.06, half_depth), 0.0, rng.uniform(0.8, 1.2), 0),
        Part((-half_width * 0.85, -0.05), (half_depth - 0.5, half_depth - 0.1), height, height + 0.12, 2),
        Part((0.05, half_width * 0.85), (half_depth - 0.5, half_depth - 0.1), height, height + 0.12, 2),
    ]
    return Furniture(parts, [WOODEN, FABRIC, ("plain",)], half_width, half_depth)


def cabinet(rng: np.random.Generator) -> Furniture:
    half_width, half_depth = rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.3)
    height = rng.choice([rng.uniform(0.45, 0.95), rng.uniform(0.8, 1.1), rng.uniform(1.6, 2.1)], p=[0.4, 0.3, 0.3])
    parts = [
        Part((-half_width, half_width), (-half_depth + 0.03, half_depth), 0.0, height - 0.04),
        Part((-half_width - 0.02, half_width + 0.02), (-half_depth, half_depth), height - 0.04, height, 1),
    ]
    split = rng.uniform(-0.3, 0.3) * half_width
    for left, right in ((-half_width + 0.03, split - 0.015), (split + 0.015, half_width - 0.03)):
        parts.append(Part((left, right), (-half_depth, -half_depth + 0.03), 0.08, height - 0.08, 2))
    return Furniture(parts, [WOODEN, WOODEN, WOODEN], half_width + 0.02, half_depth, height if height < 1.3 else 0.0)


def bookshelf(rng: np.random.Generator) -> Furniture:
    half_width, half_depth, height = rng.uniform(0.35, 0.8), rng.uniform(0.14, 0.2), rng.uniform(1.1, 2.1)
    boards = int(rng.integers(3, 5))
    levels = np.linspace(0.06, height - 0.04, boards + 1)
    parts = [Part((x, x + 0.04), (-half_depth, half_depth), 0.0, height) for x in (-half_width, half_width - 0.04)]
    parts.append(Part((-half_width, half_width), (half_depth - 0.03, half_depth), 0.0, height))
    for level in levels:
        parts.append(Part((-half_width, half_width), (-half_depth, half_depth), level - 0.02, level + 0.02))
    for level, above in pairwise(levels):
        left = rng.uniform(-half_width + 0.05, 0.0)
        right = left + rng.uniform(0.25, 0.9) * (half_width - left)
        top = level + rng.uniform(0.45, 0.85) * (above - level)
        inside = (-half_depth + 0.05, half_depth - 0.05)
        parts.append(Part((left, right), inside, level + 0.02, top, int(rng.integers(1, 3))))
    return Furniture(parts, [WOODEN, ("stripes", "planks"), ("plain", "stripes")], half_width, half_depth)


def floor_lamp(rng: np.random.Generator) -> Furniture:
    height, shade = rng.uniform(1.3, 1.7), rng.uniform(0.13, 0.2)
    parts = [
        Part((-0.13, 0.13), (-0.13, 0.13), 0.0, 0.04),
        Part((-0.02, 0.02), (-0.02, 0.02), 0.04, height - 0.25),
        Part((-shade, shade), (-shade, shade), height - 0.25, height, 1),
    ]
    return Furniture(parts, [("plain",), ("plain",)], shade, shade)


def plant(rng: np.random.Generator) -> Furniture:
    pot, height = rng.uniform(0.12, 0.2), rng.uniform(0.5, 1.5)
    parts = [Part((-pot, pot), (-pot, pot), 0.0, 2 * pot)]
    for _ in range(rng.integers(2, 5)):
        size, offset_x, offset_z = rng.uniform(0.1, 0.22), *rng.uniform(-0.14, 0.14, 2)
        base = rng.uniform(2 * pot, height)
        x, z = (offset_x - size, offset_x + size), (offset_z - size, offset_z + size)
        parts.append(Part(x, z, base, base + 2 * size, 1, rng.uniform(-0.8, 0.8)))
    return Furniture(parts, [("plaster", "plain"), ("leaves",)], 0.3, 0.3)


def crate(rng: np.random.Generator) -> Furniture:
    half_width, half_depth, height = *rng.uniform(0.18, 0.45, 2), rng.uniform(0.25, 0.9)
    return Furniture([Part((-half_width, half_width), (-half_depth, half_depth), 0.0, height)],
                     [(*WOODEN, *FABRIC, "tiles", "marble")], half_width, half_depth, height)  # fmt: skip


def counter(rng: np.random.Generator) -> Furniture:
    half_width = rng.uniform(0.8, 1.5)
    parts = [
        Part((-half_width, half_width), (-0.27, 0.3), 0.0, 0.86),
        Part((-half_width, half_width), (-0.3, 0.3), 0.86, 0.91, 1),
    ]
    if rng.random() < 0.7:
        parts.append(Part((-half_width, half_width * rng.uniform(0.2, 1)), (0.0, 0.3), 1.45, 2.1, 2))
    return Furniture(parts, [WOODEN, ("marble", "plain", "wood"), WOODEN], half_width, 0.3, 0.91)


def screen(rng: np.random.Generator) -> Furniture:
    half_width, base, height = rng.uniform(0.4, 0.7), rng.uniform(0.7, 1.0), rng.uniform(0.4, 0.55)
    parts = [
        Part((-half_width, half_width), (0.02, 0.07), base * 0.6, base * 0.6 + 1.1 * height, 1),
        Part((-half_width - 0.15, half_width + 0.15), (-0.2, 0.2), 0.0, base * 0.55),
    ]
    return Furniture(parts, [WOODEN, ("plain",)], half_width + 0.15, 0.2)


FurnitureMaker = Callable[[np.random.Generator], Furniture]
AGAINST_WALL: list[FurnitureMaker] = [sofa, bed, cabinet, cabinet, bookshelf, bookshelf, counter, screen, table, plant]
FREE_STANDING: list[FurnitureMaker] = [table, table, chair, chair, chair, sofa, crate, plant, floor_lamp, cabinet]


def place(target: BoxList, piece: Furniture, x: float, z: float, yaw: float) -> None:
    """Adds a piece of furniture to the boxes, with textures and tints drawn once a material; things go on top of it."""
    rng = target.rng
    materials = [(target.texture(*kinds), target.tint(), rng.uniform(0.35, 0.9)) for kinds in piece.materials]
    for part in piece.parts:
        texture, tint, scale = materials[part.material]
        local_x, local_z = sum(part.x) / 2, sum(part.z) / 2
        centre = (*_turned(x, z, local_x, local_z, yaw), (part.bottom + part.top) / 2)
        half = ((part.x[1] - part.x[0]) / 2, (part.top - part.bottom) / 2, (part.z[1] - part.z[0]) / 2)
        target.add((centre[0], -centre[2], centre[1]), half, yaw + part.yaw, texture, scale=scale, tint=tint)
    if piece.surface > 0:
        for _ in range(rng.integers(0, 4)):
            _put_on_top(target, piece, x, z, yaw)


def _turned(x: float, z: float, local_x: float, local_z: float, yaw: float) -> tuple[float, float]:
    """Room coordinates (x, z) of a point given in the frame of a piece that stands at (x, z), turned by yaw."""
    return x + math.cos(yaw) * local_x - math.sin(yaw) * local_z, z + math.sin(yaw) * local_x + math.cos(yaw) * local_z


def _put_on_top(target: BoxList, piece: Furniture, x: float, z: float, yaw: float) -> None:
    """Stands one small box (a vase, a book, a box) on the piece's surface."""
    rng = target.rng
    half_x, half_y, half_z = rng.uniform(0.04, 0.14), rng.uniform(0.03, 0.18), rng.uniform(0.04, 0.12)
    room_x, room_z = max(piece.half_width - 0.15, 0.0), max(piece.half_depth - 0.15, 0.0)
    centre_x, centre_z = _turned(x, z, rng.uniform(-room_x, room_x), rng.uniform(-room_z, room_z), yaw)
    kinds = ("plain", "plaster", "stripes", "marble", "wood")
    target.add((centre_x, -piece.surface - half_y, centre_z), (half_x, half_y, half_z), rng.uniform(-math.pi, math.pi),
               target.texture(*kinds), scale=rng.uniform(0.8, 2.0), tint=target.tint(0.12))  # fmt: skip
