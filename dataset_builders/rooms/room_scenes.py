"""House-like rooms made of boxes: an outer shell, often divided by a wall with a doorway, furnished and lit.

`sample_scene(split, scene_seed)` is a pure function: the pair fully determines the scene, and textures come from the
split's own bank. Here the shell, the dividing wall and the lamps are drawn; `room_furnishing` does the rest. Proportions are
our choice.
"""

import math

import numpy as np

from .room_furnishing import Cell, RoomFurnisher
from .room_furniture import BoxList
from .room_scene import RoomScene
from .room_textures import SPLIT_CODES, texture_bank

MAX_BOXES = 250  # candidate lists of the renderer hold box numbers in one byte
DOOR_HEIGHT = 2.05
FLOORS = ("planks", "planks", "tiles", "wood", "plaster", "plain", "checks", "marble")
WALLS = (*("plain",) * 5, *("plaster",) * 4, "marble", "stripes", "stripes", "waves", "bricks", "planks", "tiles")


class _SceneSampler:
    """Draws one scene step by step; all randomness comes from one generator."""

    def __init__(self, split: str, scene_seed: int):
        self.rng = np.random.default_rng(np.random.SeedSequence([SPLIT_CODES[split], scene_seed]))
        self.target = BoxList(self.rng, texture_bank(split))
        self.split, self.scene_seed = split, scene_seed
        self.openings: list[tuple[float, float, float]] = []
        self.doorways: list[list[tuple[float, float, float]]] = []
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
        furnisher = RoomFurnisher(self.target, self.height, self.footprints)
        for cell in cells:
            self._light(cell, lamps=1 if has_two_rooms else int(rng.integers(1, 3)))
            furnisher.furnish(cell)
            furnisher.hang_pictures(cell)
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

    def _whole(self) -> Cell:
        x0, x1, _, _, z0, z1 = self.shell
        return Cell((x0, x1), (z0, z1), ([], [], [], []), (True, True, True, True))

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

    def _divide(self) -> list[Cell]:
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
                jambs = ((position, -top, end) if self.runs_along_x else (end, -top, position) for end in (start, stop))
                self.doorways.append(list(jambs))
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

    def _cells_beside(self, position: float, half_thickness: float, stretches) -> list[Cell]:
        x0, x1, _, _, z0, z1 = self.shell
        if self.runs_along_x:
            return [
                Cell((x0, position - half_thickness), (z0, z1), ([], stretches, [], []), (True, False, True, True)),
                Cell((position + half_thickness, x1), (z0, z1), (stretches, [], [], []), (False, True, True, True)),
            ]
        return [
            Cell((x0, x1), (z0, position - half_thickness), ([], [], [], stretches), (True, True, True, False)),
            Cell((x0, x1), (position + half_thickness, z1), ([], [], stretches, []), (True, True, False, True)),
        ]

    def _cover_second_room(self, cell: Cell, shade) -> None:
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

    def _light(self, cell: Cell, lamps: int) -> None:
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
            doorways=np.array(self.doorways).reshape(-1, 2, 3),
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
