"""House-like rooms made of boxes: an outer shell, often divided by a wall with a doorway, furnished and lit.

`sample_scene(split, scene_seed)` is a pure function: the pair fully determines the scene, and textures come from the
split's own bank. Metres; OpenCV-like axes (y points down): the floor is y = 0 and the ceiling y = -height. All solids
lie inside the shell; a camera may be anywhere in the shell but in a solid box. Proportions are our choice.
"""

import math
from dataclasses import dataclass

import numpy as np

from .room_furniture import AGAINST_WALL, FREE_STANDING, BoxList, Furniture, place
from .room_textures import SPLIT_CODES, texture_bank

MAX_BOXES = 250  # candidate lists of the renderer hold box numbers in one byte
DOOR_HEIGHT = 2.05
FLOORS = ("planks", "planks", "tiles", "wood", "plaster", "plain", "checks", "marble")
WALLS = (*("plain",) * 5, *("plaster",) * 4, "marble", "stripes", "stripes", "waves", "bricks", "planks", "tiles")


@dataclass(frozen=True)
class RoomScene:
    """Everything the renderer needs; N boxes, L lights, K openings; shell faces are -x, +x, ceiling, floor, -z, +z."""

    split: str
    scene_seed: int
    shell: np.ndarray  # [6] x0, x1, y0 (ceiling), y1 (floor, 0), z0, z1
    shell_textures: np.ndarray  # [6] int32
    shell_scale: np.ndarray  # [6] texture repeats a metre
    shell_tint: np.ndarray  # [6, 3]
    boxes: np.ndarray  # [N, 8] centre xyz, half size xyz, cos yaw, sin yaw
    box_textures: np.ndarray  # [N, 2] int32: sides, top and bottom
    box_scale: np.ndarray  # [N] texture repeats a metre
    box_tint: np.ndarray  # [N, 3]
    box_emission: np.ndarray  # [N] 0 = lit by the lights, else its own brightness
    box_is_picture: np.ndarray  # [N] bool: the texture is fitted to the face
    box_is_solid: np.ndarray  # [N] bool: casts shadows and stops the camera
    lights: np.ndarray  # [L, 3]
    light_colour: np.ndarray  # [L, 3], strength included
    light_radius: np.ndarray  # [L] metres; the softness of shadows
    openings: np.ndarray  # [K, 3] middles of the doorways and hatches inside the shell

    def clearance_is_free(self, points: np.ndarray, margin: float) -> np.ndarray:
        """Tells for points [P, 3] whether each stays more than `margin` metres away from the shell and all solids."""
        low, high = self.shell[0::2] + margin, self.shell[1::2] - margin
        inside = np.all((points > low) & (points < high), axis=1)
        solid = self.boxes[self.box_is_solid]
        offset = points[:, None] - solid[None, :, :3]
        cosine, sine = solid[:, 6], solid[:, 7]
        local_x = cosine * offset[..., 0] + sine * offset[..., 2]
        local_z = cosine * offset[..., 2] - sine * offset[..., 0]
        local = np.stack([local_x, offset[..., 1], local_z], axis=-1)
        beyond = np.maximum(np.abs(local) - solid[:, 3:6], 0.0)
        return inside & np.all((beyond**2).sum(-1) > margin**2, axis=1)


@dataclass(frozen=True)
class _Cell:
    """One room of the house: its floor rectangle and, for each wall (-x, +x, -z, +z), the stretches kept free."""

    x: tuple[float, float]
    z: tuple[float, float]
    reserved: tuple[list[tuple[float, float]], ...]
    is_own_wall: tuple[bool, bool, bool, bool]  # False where the wall is the dividing wall

    @property
    def area(self) -> float:
        return (self.x[1] - self.x[0]) * (self.z[1] - self.z[0])


class _SceneSampler:
    """Draws one scene step by step; all randomness comes from one generator."""

    def __init__(self, split: str, scene_seed: int):
        self.rng = np.random.default_rng(np.random.SeedSequence([SPLIT_CODES[split], scene_seed]))
        self.target = BoxList(self.rng, texture_bank(split))
        self.split, self.scene_seed = split, scene_seed
        self.openings: list[tuple[float, float, float]] = []
        self.footprints: list[tuple[float, float, float]] = []  # x, z, radius taken on the floor
        self.lights: list[tuple[np.ndarray, np.ndarray, float]] = []

    def sample(self) -> RoomScene:
        rng = self.rng
        self.height = rng.uniform(2.3, 3.6)
        has_two_rooms = rng.random() < 0.5
        longest = rng.uniform(5.0, 8.0) if has_two_rooms else rng.uniform(3.0, 8.0)
        shorter = rng.uniform(3.0, min(longest, 6.0))
        self.runs_along_x = rng.random() < 0.5
        width, depth = (longest, shorter) if self.runs_along_x else (shorter, longest)
        self.shell = np.array([-width / 2, width / 2, -self.height, 0.0, -depth / 2, depth / 2])
        self._paint_shell()
        cells = self._divide() if has_two_rooms else [self._whole()]
        if not has_two_rooms and rng.random() < 0.4:
            self._add_column()
        for cell in cells:
            self._light(cell, lamps=1 if has_two_rooms else int(rng.integers(1, 3)))
            self._furnish(cell)
            self._hang_pictures(cell)
        return self._finish()

    def _wall_scale(self) -> float:
        return self.rng.uniform(0.3, 0.8)

    def _paint_shell(self) -> None:
        rng, target = self.rng, self.target
        wall = target.texture(*WALLS)
        walls = [wall if rng.random() < 0.75 else target.texture("plain", "plaster") for _ in range(4)]
        ceiling, floor = target.texture("plain", "plaster"), target.texture(*FLOORS)
        self.shell_textures = np.array([walls[0], walls[1], ceiling, floor, walls[2], walls[3]], np.int32)
        scale = self._wall_scale()
        self.shell_scale = np.array([scale, scale, rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.8), scale, scale])
        self.shell_tint = np.repeat(target.tint(0.05)[None], 6, axis=0)
        self.shell_tint[2:4] = target.tint(0.06), target.tint(0.08)
        self.shell_tint[2] = self._towards_white(ceiling) ** 0.9 * rng.uniform(0.8, 0.95)

    def _towards_white(self, texture: int) -> np.ndarray:
        """The tint [3] that turns the mean colour of a texture into a warm white."""
        mean = self.target.bank.texels[texture, -1].astype(float) / 255
        return np.array([1.0, 0.985, 0.95]) / np.maximum(mean, 0.2)

    def _whole(self) -> _Cell:
        x0, x1, _, _, z0, z1 = self.shell
        return _Cell((x0, x1), (z0, z1), ([], [], [], []), (True, True, True, True))

    def _add_column(self) -> None:
        """A column, or a partial wall that starts at the shell."""
        rng, half_height = self.rng, self.height / 2
        centre = np.array([rng.uniform(*self.shell[0:2]) * 0.6, rng.uniform(*self.shell[4:6]) * 0.6])
        half = rng.uniform(0.1, 0.22, 2)
        if rng.random() < 0.6:
            axis = int(rng.integers(2))
            half[axis] = rng.uniform(0.5, 1.1)
            centre[axis] = rng.choice([-1.0, 1.0]) * (self.shell[4 * axis + 1] - half[axis])
        self.target.add((centre[0], -half_height, centre[1]), (half[0], half_height, half[1]), 0.0,
                        self.target.texture(*WALLS), scale=self._wall_scale(), tint=self.target.tint(0.05))  # fmt: skip
        self.footprints.append((centre[0], centre[1], float(half.max()) + 0.1))

    def _divide(self) -> list[_Cell]:
        """Builds a wall across the longer side, with a doorway and sometimes a hatch, and returns the two rooms."""
        rng = self.rng
        low, high = (self.shell[4:6] if self.runs_along_x else self.shell[0:2]).tolist()  # the ends of the wall
        long_half = self.shell[1] if self.runs_along_x else self.shell[5]
        position, half_thickness = rng.uniform(-0.2, 0.2) * 2 * long_half, rng.uniform(0.06, 0.12)
        openings = self._choose_openings(low, high)
        shades = [(self.target.texture(*WALLS), self._wall_scale(), self.target.tint(0.05)) for _ in range(2)]
        if rng.random() < 0.6:
            shades[0] = (int(self.shell_textures[0]), self.shell_scale[0], self.shell_tint[0])
        for side, (texture, scale, tint) in zip((-0.5, 0.5), shades, strict=True):
            for start, stop, bottom, top in _pieces_around(openings, low, high, self.height):
                across = position + side * half_thickness
                self._add_wall_piece((start, stop), (bottom, top), across, half_thickness / 2, texture, scale, tint)
        for start, stop, bottom, top in openings:
            along = (start + stop) / 2
            x, z = (position, along) if self.runs_along_x else (along, position)
            self.openings.append((x, -(bottom + top) / 2, z))
            if bottom == 0:
                self.footprints.append((x, z, (stop - start) / 2 + 0.35))
        stretches = [(start, stop) for start, stop, _, _ in openings]
        cells = self._cells_beside(position, half_thickness, stretches)
        if rng.random() < 0.6:
            self._cover_second_room(cells[1], shades[1])
        return cells

    def _choose_openings(self, low: float, high: float) -> list[tuple[float, float, float, float]]:
        """One doorway and perhaps a hatch: (start, stop, bottom, top) along the wall, ordered, not overlapping."""
        rng = self.rng
        door_width = rng.choice([rng.uniform(0.8, 1.0), rng.uniform(1.1, 1.8)])
        top = min(rng.choice([DOOR_HEIGHT, rng.uniform(2.1, 2.6)]), self.height - 0.1)
        start = rng.uniform(low + 0.15, high - 0.15 - door_width)
        openings = [(start, start + door_width, 0.0, top)]
        hatch_width = rng.uniform(0.6, 1.4)
        hatch_start = rng.uniform(low + 0.2, high - 0.2 - hatch_width)
        is_apart = hatch_start > start + door_width + 0.2 or hatch_start + hatch_width < start - 0.2
        if is_apart and rng.random() < 0.6:
            openings.append((hatch_start, hatch_start + hatch_width, rng.uniform(0.8, 1.1), rng.uniform(1.6, 2.0)))
        return sorted(openings)

    def _add_wall_piece(self, along, heights, across, half_across, texture, scale, tint) -> None:
        middle, half = (along[0] + along[1]) / 2, (along[1] - along[0]) / 2
        y, half_y = -(heights[0] + heights[1]) / 2, (heights[1] - heights[0]) / 2
        centre = (across, y, middle) if self.runs_along_x else (middle, y, across)
        size = (half_across, half_y, half) if self.runs_along_x else (half, half_y, half_across)
        self.target.add(centre, size, 0.0, texture, scale=scale, tint=tint)

    def _cells_beside(self, position: float, half_thickness: float, stretches) -> list[_Cell]:
        x0, x1, _, _, z0, z1 = self.shell
        if self.runs_along_x:
            return [
                _Cell((x0, position - half_thickness), (z0, z1), ([], stretches, [], []), (True, False, True, True)),
                _Cell((position + half_thickness, x1), (z0, z1), (stretches, [], [], []), (False, True, True, True)),
            ]
        return [
            _Cell((x0, x1), (z0, position - half_thickness), ([], [], [], stretches), (True, True, True, False)),
            _Cell((x0, x1), (position + half_thickness, z1), ([], [], stretches, []), (True, True, False, True)),
        ]

    def _cover_second_room(self, cell: _Cell, shade) -> None:
        """Gives the second room a floor of its own and walls that match its side of the dividing wall."""
        texture, scale, tint = shade
        (x0, x1), (z0, z1), thin = cell.x, cell.z, 0.004
        x, z, half_x, half_z = (x0 + x1) / 2, (z0 + z1) / 2, (x1 - x0) / 2, (z1 - z0) / 2
        self.target.add((x, -thin, z), (half_x, thin, half_z), 0.0, self.target.texture(*FLOORS), is_solid=False,
                        scale=self.rng.uniform(0.3, 0.8), tint=self.target.tint(0.08))  # fmt: skip
        y = -self.height / 2
        faces = [((x0 + thin, y, z), (thin, -y, half_z)), ((x1 - thin, y, z), (thin, -y, half_z)),
                 ((x, y, z0 + thin), (half_x, -y, thin)), ((x, y, z1 - thin), (half_x, -y, thin))]  # fmt: skip
        for (centre, half), is_own in zip(faces, cell.is_own_wall, strict=True):
            if is_own:
                self.target.add(centre, half, 0.0, texture, scale=scale, tint=tint, is_solid=False)

    def _light(self, cell: _Cell, lamps: int) -> None:
        """Hangs lamps under the ceiling: a point light and, at the ceiling, a small bright box."""
        rng = self.rng
        for _ in range(lamps):
            x, z = (rng.uniform(0.8 * low + 0.2 * high, 0.2 * low + 0.8 * high) for low, high in (cell.x, cell.z))
            drop = rng.uniform(0.12, 0.45)
            warmth = rng.uniform(-0.06, 0.1)
            colour = np.array([1 + warmth, 1.0, 1 - warmth]) * rng.uniform(0.85, 1.2) / math.sqrt(lamps)
            self.lights.append((np.array([x, -self.height + drop, z]), colour, rng.uniform(0.03, 0.16)))
            size = rng.uniform(0.1, 0.22)
            texture = self.target.texture("plain")
            self.target.add((x, -self.height + 0.03, z), (size, 0.03, size), 0.0, texture, emission=1.1,
                            tint=self._towards_white(texture), is_solid=False)  # fmt: skip

    def _furnish(self, cell: _Cell) -> None:
        rng = self.rng
        if rng.random() < 0.45:
            self._lay_rug(cell)
        for _ in range(int(np.clip(rng.normal(0.22, 0.06) * cell.area, 2, 6))):
            self._stand_at_wall(cell, AGAINST_WALL[rng.integers(len(AGAINST_WALL))](rng))
        for _ in range(int(np.clip(rng.normal(0.13, 0.05) * cell.area, 1, 4))):
            self._stand_freely(cell, FREE_STANDING[rng.integers(len(FREE_STANDING))](rng))

    def _lay_rug(self, cell: _Cell) -> None:
        rng = self.rng
        half_x, half_z = (rng.uniform(0.2, 0.36) * (side[1] - side[0]) for side in (cell.x, cell.z))
        centre, texture = (float(np.mean(cell.x)), -0.008, float(np.mean(cell.z))), self.target.texture("carpet")
        self.target.add(centre, (half_x, 0.006, half_z), 0.0, texture, is_picture=True, is_solid=False,
                        tint=self.target.tint())  # fmt: skip

    def _stand_at_wall(self, cell: _Cell, piece: Furniture) -> None:
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

    def _stand_freely(self, cell: _Cell, piece: Furniture) -> None:
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

    def _hang_pictures(self, cell: _Cell) -> None:
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

    def _finish(self) -> RoomScene:
        target = self.target
        if len(target.boxes) > MAX_BOXES:
            raise ValueError(f"a scene holds at most {MAX_BOXES} boxes, got {len(target.boxes)}")
        positions, colours, radii = zip(*self.lights, strict=True)
        return RoomScene(
            split=self.split,
            scene_seed=self.scene_seed,
            shell=self.shell,
            shell_textures=self.shell_textures,
            shell_scale=self.shell_scale,
            shell_tint=self.shell_tint,
            boxes=np.array(target.boxes),
            box_textures=np.array(target.box_textures, np.int32),
            box_scale=np.array(target.box_scale),
            box_tint=np.array(target.box_tint),
            box_emission=np.array(target.box_emission),
            box_is_picture=np.array(target.box_is_picture),
            box_is_solid=np.array(target.box_is_solid),
            lights=np.array(positions),
            light_colour=np.array(colours),
            light_radius=np.array(radii),
            openings=np.array(self.openings).reshape(-1, 3),
        )


def _pieces_around(openings, low: float, high: float, height: float) -> list[tuple[float, float, float, float]]:
    """Splits a wall from low to high into the rectangles (start, stop, bottom, top) that its openings leave."""
    pieces, cursor = [], low
    for start, stop, bottom, top in openings:
        pieces.append((cursor, start, 0.0, height))
        pieces.append((start, stop, top, height))
        if bottom > 0:
            pieces.append((start, stop, 0.0, bottom))
        cursor = stop
    return [*pieces, (cursor, high, 0.0, height)]


def sample_scene(split: str, scene_seed: int) -> RoomScene:
    """Draws the scene that belongs to (split, scene_seed); the same pair always gives the same scene."""
    if split not in SPLIT_CODES:
        raise ValueError(f"split must be one of {sorted(SPLIT_CODES)}, got {split!r}")
    if scene_seed < 0:
        raise ValueError(f"scene_seed must be 0 or more, got {scene_seed}")
    return _SceneSampler(split, scene_seed).sample()
