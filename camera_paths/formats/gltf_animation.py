"""glTF 2.0 animations: which channels move a camera, and their values at any time.

Values between keyframes are LINEAR (slerp for rotations), STEP or CUBICSPLINE, and held before the first and after the
last, as the specification says. Channels are core glTF's, or KHR_animation_pointer's to the same properties and to a camera's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from .gltf_file import GltfFile

MOVES = {"translation": [0, 0, 0], "rotation": [0, 0, 0, 1], "scale": [1, 1, 1]}  # and their values at rest
POINTER = re.compile(r"/(nodes|cameras)/(\d+)/(translation|rotation|scale|perspective/(?:yfov|aspectRatio))")
Target = tuple[str, int, str]  # "nodes" or "cameras", a number, and what of it changes


class Track(NamedTuple):
    """The keyframes of one property."""

    times: np.ndarray  # [K] seconds, increasing
    values: np.ndarray  # [K, N], or [K, 3, N] for CUBICSPLINE: tangent in, value, tangent out
    interpolation: str
    is_rotation: bool

    def at(self, times: np.ndarray) -> np.ndarray:
        """Values [T, N] at times [T]."""
        times = np.clip(times, self.times[0], self.times[-1])
        if self.interpolation == "CUBICSPLINE":
            return self._cubic_at(times)
        if self.interpolation == "STEP":
            return self.values[np.searchsorted(self.times, times, side="right") - 1]
        if self.is_rotation and len(self.times) > 1:
            return Slerp(self.times, Rotation.from_quat(self.values))(times).as_quat()
        return np.stack([np.interp(times, self.times, column) for column in self.values.T], axis=1)

    def _cubic_at(self, times: np.ndarray) -> np.ndarray:
        """A Hermite spline, as in the specification's appendix C: tangents are per second."""
        start = np.searchsorted(self.times, times, side="right") - 1
        end = np.minimum(start + 1, len(self.times) - 1)
        step = (self.times[end] - self.times[start])[:, None]
        s = np.where(step > 0, (times - self.times[start])[:, None] / np.where(step > 0, step, 1), 0)
        values = (2 * s**3 - 3 * s**2 + 1) * self.values[start, 1] + (3 * s**2 - 2 * s**3) * self.values[end, 1]
        tangents = (s**3 - 2 * s**2 + s) * self.values[start, 2] + (s**3 - s**2) * self.values[end, 0]
        return values + step * tangents


class Movement(NamedTuple):
    """What moves a camera."""

    tracks: dict[Target, Track]
    animations: list[str]  # the names of those that the tracks are from


def movement_of(file: GltfFile, wanted: set[tuple[str, int]]) -> Movement:
    """What moves these nodes and changes this camera.

    An exporter may give each node an animation of its own (Blender does), so all that concern the camera are taken
    together. `ValueError` where two move the same thing: they would be takes, of which none can be chosen.
    """
    tracks: dict[Target, Track] = {}
    names: dict[int, str] = {}
    for number, animation in enumerate(file.content.get("animations", [])):
        name = str(animation.get("name", number))
        for channel in animation["channels"]:
            target = _target(channel["target"])
            if target is None or target[:2] not in wanted:
                continue
            if target in tracks:
                raise file.source.error(
                    f"expected the {target[2]} of the camera to be animated once, got it again in animation {name!r}: "
                    "export one animation"
                )
            tracks[target] = _track(file, animation["samplers"][channel["sampler"]], target)
            names[number] = name
    return Movement(tracks, list(names.values()))


def _target(target: dict) -> Target | None:
    """What a channel changes, unless it is something else than a node's place or a camera's lens."""
    if target.get("path") == "pointer":
        found = POINTER.fullmatch(target["extensions"]["KHR_animation_pointer"]["pointer"])
        return (found[1], int(found[2]), found[3].removeprefix("perspective/")) if found else None
    return ("nodes", target["node"], target["path"]) if target["path"] in MOVES and "node" in target else None


def _track(file: GltfFile, sampler: dict, target: Target) -> Track:
    name, interpolation = target[2], sampler.get("interpolation", "LINEAR")
    times, values = file.accessor(sampler["input"])[:, 0], file.accessor(sampler["output"])
    if interpolation not in ("LINEAR", "STEP", "CUBICSPLINE"):
        raise file.source.error(f"expected interpolation LINEAR, STEP or CUBICSPLINE, got {interpolation!r}")
    width, parts = len(MOVES.get(name, [0])), 3 if interpolation == "CUBICSPLINE" else 1
    if values.shape != (len(times) * parts, width):
        raise file.source.error(
            f"expected {len(times) * parts} x {width} numbers of {name} for {len(times)} keyframes, "
            f"got {values.shape[0]} x {values.shape[1]}"
        )
    later = np.diff(times) > 0
    if not later.all():
        keyframe = int(np.argmin(later)) + 1
        raise file.source.error(
            f"keyframe {keyframe} of {name}: expected a time after {times[keyframe - 1]:g} s, got {times[keyframe]:g} s"
        )
    if name == "rotation":
        check_quaternions(file, values[1::3] if parts == 3 else values)
    return Track(times, values.reshape(-1, 3, width) if parts == 3 else values, interpolation, name == "rotation")


def check_quaternions(file: GltfFile, quaternions: np.ndarray) -> None:  # [K, 4]
    lengths = np.linalg.norm(quaternions, axis=1)
    wrong = np.abs(lengths - 1) > 1e-2
    if wrong.any():
        keyframe = int(np.argmax(wrong))
        raise file.source.error(
            f"keyframe {keyframe} of rotation: expected a unit quaternion, got one of length {lengths[keyframe]:g}"
        )
