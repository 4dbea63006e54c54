"""Scenes by what a user writes on a command line: a scene's folder, a procedural room, or a nerfstudio checkpoint.

What always holds: `open_scene` gives a `RadianceField` or one clear error; `scene_fingerprint` changes when the files do.

    scenes/kitchen                  a folder that `camvig data fit-scene` or `import-splats` made
    room:train/5                    the procedural room of seed 5 of the split "train"
    nerfstudio:outputs/.../config.yml
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from .radiance_field import RadianceField
from .room_field import RoomField
from .scene_files import SCENE_FILE, load_scene

ROOM = re.compile(r"room:(\w+)/(\d+)")
NERFSTUDIO = "nerfstudio:"


def open_scene(source: str, trust_remote_code: bool = False) -> RadianceField:
    """The scene of a source. `ValueError` says what sources there are.

    `trust_remote_code` is for nerfstudio, whose configurations can run any code.
    """
    if match := ROOM.fullmatch(source):
        return RoomField(match[1], int(match[2]), threads=1)
    if source.startswith(NERFSTUDIO):
        from .nerfstudio_field import load_nerfstudio_scene  # imports torch

        return load_nerfstudio_scene(source.removeprefix(NERFSTUDIO), trust_remote_code=trust_remote_code)
    if (Path(source) / SCENE_FILE).is_file():
        return load_scene(source)
    hint = "; a file of splats becomes a scene by camvig data import-splats" if Path(source).is_file() else ""
    raise ValueError(
        f"expected a scene: a folder that camvig data fit-scene made, room:train/5, or nerfstudio:CONFIG, got {source!r}{hint}"
    )


def scene_fingerprint(source: str) -> str:
    """16 hexadecimal digits of a scene's files, or of the source itself where it is no folder."""
    digest = hashlib.sha256(b"" if Path(source).is_dir() else source.encode())
    for file in sorted(Path(source).iterdir()) if Path(source).is_dir() else []:
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
