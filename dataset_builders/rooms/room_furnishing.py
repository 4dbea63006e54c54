"""Furnishes a room: furniture at the walls and on the floor, rugs, and paintings, windows and closed doors on the walls.

Pieces stand where nothing else does and leave doorways free. Lengths are metres; numbers and shares are our choice.
"""

import math
from dataclasses import dataclass

import numpy as np

from .room_furniture import AGAINST_WALL, FREE_STANDING, BoxList, Furniture, place


@dataclass(frozen=True)
class Cell:
    """One room of the house: its floor rectangle and, for each wall (-x, +x, -z, +z), the stretches kept free."""

    x: tuple[float, float]
    z: tuple[float, float]
    reserved: tuple[list[tuple[float, float]], ...]
    is_own_wall: tuple[bool, bool, bool, bool]  # False where the wall is the dividing wall

    @property
    def area(self) -> float:
        return (self.x[1] - self.x[0]) * (self.z[1] - self.z[0])


@dataclass
class RoomFurnisher:
    """Adds to the boxes of a scene; all randomness comes from the generator of `target`."""

    target: BoxList
    height: float  # of the ceiling
    footprints: list[tuple[float, float, float]]  # x, z, radius taken on the floor; grows

    def __post_init__(self):
        self.rng = self.target.rng

    def furnish(self, cell: Cell) -> None:
        rng = self.rng
        if rng.random() < 0.45:
            self._lay_rug(cell)
        for _ in range(int(np.clip(rng.normal(0.22, 0.06) * cell.area, 2, 6))):
            self._stand_at_wall(cell, AGAINST_WALL[rng.integers(len(AGAINST_WALL))](rng))
        for _ in range(int(np.clip(rng.normal(0.13, 0.05) * cell.area, 1, 4))):
            self._stand_freely(cell, FREE_STANDING[rng.integers(len(FREE_STANDING))](rng))

    def _lay_rug(self, cell: Cell) -> None:
        rng = self.rng
        half_x, half_z = (rng.uniform(0.2, 0.36) * (side[1] - side[0]) for side in (cell.x, cell.z))
        centre, texture = (float(np.mean(cell.x)), -0.008, float(np.mean(cell.z))), self.target.texture("carpet")
        self.target.add(centre, (half_x, 0.006, half_z), 0.0, texture, is_picture=True, is_solid=False,
                        tint=self.target.tint())  # fmt: skip

    def _stand_at_wall(self, cell: Cell, piece: Furniture) -> None:
        """Tries a few places with the piece's back to a wall."""
        rng = self.rng
        for _ in range(6):
            wall = int(rng.integers(4))
            (low, high), is_x_wall = (cell.z, True) if wall < 2 else (cell.x, False)
            if high - low < 2 * piece.half_width + 0.2:
                continue
            along = rng.uniform(low + piece.half_width + 0.02, high - piece.half_width - 0.02)
            across = piece.half_depth + rng.choice([0.01, 0.01, rng.uniform(0.0, 0.3)])
            edge = (cell.x if is_x_wall else cell.z)[wall % 2]
            position = edge + across * (1 if wall % 2 == 0 else -1)
            x, z = (position, along) if is_x_wall else (along, position)
            yaw = (math.pi / 2, -math.pi / 2, math.pi, 0.0)[wall]
            blocks = any(along - piece.half_width < stop + 0.1 and along + piece.half_width > start - 0.1
                         for start, stop in cell.reserved[wall])  # fmt: skip
            if not blocks and self._claim(x, z, 0.5 * (piece.half_width + piece.half_depth)):
                return place(self.target, piece, x, z, yaw)

    def _stand_freely(self, cell: Cell, piece: Furniture) -> None:
        rng = self.rng
        radius = math.hypot(piece.half_width, piece.half_depth)
        for _ in range(6):
            x = rng.uniform(cell.x[0] + radius, max(cell.x[1] - radius, cell.x[0] + radius + 0.01))
            z = rng.uniform(cell.z[0] + radius, max(cell.z[1] - radius, cell.z[0] + radius + 0.01))
            fits = x + radius < cell.x[1] and z + radius < cell.z[1]
            if fits and self._claim(x, z, 0.8 * radius):
                yaw = rng.uniform(-math.pi, math.pi) if rng.random() < 0.5 else rng.integers(4) * math.pi / 2
                return place(self.target, piece, x, z, float(yaw))

    def _claim(self, x: float, z: float, radius: float) -> bool:
        """Takes a disc of the floor if it overlaps no other one."""
        if any(math.hypot(x - other_x, z - other_z) < radius + other for other_x, other_z, other in self.footprints):
            return False
        self.footprints.append((x, z, radius))
        return True

    def hang_pictures(self, cell: Cell) -> None:
        """Puts paintings, windows and closed doors on the walls of a room, clear of openings and of one another."""
        rng = self.rng
        taken = [list(stretches) for stretches in cell.reserved]
        for _ in range(rng.integers(2, 7)):
            kind = str(rng.choice(["painting", "window", "door"], p=[0.5, 0.3, 0.2]))
            wall = int(rng.integers(4))
            if kind == "window" and not cell.is_own_wall[wall]:
                kind = "painting"
            half_width, half_height, middle = self._picture_size(kind)
            low, high = cell.z if wall < 2 else cell.x
            if high - low < 2 * half_width + 0.2:
                continue
            along = rng.uniform(low + half_width + 0.08, high - half_width - 0.08)
            start, stop = along - half_width - 0.05, along + half_width + 0.05
            if any(start < other_stop and stop > other_start for other_start, other_stop in taken[wall]):
                continue
            taken[wall].append((start, stop))
            edge, thin = (cell.x if wall < 2 else cell.z)[wall % 2], 0.02
            across = edge + (thin if wall % 2 == 0 else -thin)
            centre = (across, -middle, along) if wall < 2 else (along, -middle, across)
            half = (thin, half_height, half_width) if wall < 2 else (half_width, half_height, thin)
            self.target.add(centre, half, 0.0, self.target.texture(kind), is_picture=True, is_solid=False,
                            emission=rng.uniform(0.95, 1.15) if kind == "window" else 0.0)  # fmt: skip

    def _picture_size(self, kind: str) -> tuple[float, float, float]:
        """Half width, half height and height of the middle above the floor."""
        rng = self.rng
        if kind == "door":
            return rng.uniform(0.4, 0.5), 1.02, 1.02
        if kind == "window":
            half_height = rng.uniform(0.45, 0.7)
            return rng.uniform(0.4, 0.9), half_height, min(rng.uniform(1.4, 1.6), self.height - half_height - 0.15)
        half_height = rng.uniform(0.18, 0.45)
        return half_height * rng.uniform(0.7, 1.7), half_height, rng.uniform(1.4, 1.75)
