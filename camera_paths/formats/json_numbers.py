"""Frames and numbers in JSON files of camera paths: what is not as expected is named by file, frame and key.

A JSON text or boolean is never taken for a number, nor a list of another shape for the one that was expected.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .path_format import PathSource


def json_frames(source: PathSource, key: str) -> list[dict]:
    """The list of objects, one a frame, under a key of the file's outermost object."""
    content = source.json
    frames = content.get(key) if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        raise source.error(f'expected an object with frames in "{key}", got {_in_words(frames)}')
    source.check_count(len(frames))
    for frame, fields in enumerate(frames):
        if not isinstance(fields, dict):
            raise source.error(f'frame {frame}: expected an object in "{key}", got {_in_words(fields)}')
    return frames


def json_numbers(
    source: PathSource, value: Any, shape: tuple[int, ...], name: str, frame: int | None = None
) -> np.ndarray:
    """A JSON value as finite float64 numbers [*shape]; `ValueError` with its name and its frame where it is not."""
    where = "" if frame is None else f"frame {frame}: "
    leaves = np.array(value, dtype=object)
    if leaves.shape != shape:
        raise source.error(f"{where}expected {name} to be {_count(shape)}, got {_in_words(value)}")
    for leaf in leaves.flat:
        if type(leaf) not in (int, float):
            raise source.error(f"{where}expected {name} to be {_count(shape)}, got {_in_words(leaf)}")
    try:
        numbers = leaves.astype(np.float64)
    except OverflowError:  # an integer of more than 300 digits
        numbers = np.full(shape, np.inf)
    if not np.isfinite(numbers).all():
        raise source.error(f"{where}expected finite numbers in {name}, got NaN or infinity")
    return numbers


def json_positive(source: PathSource, fields: dict, key: str, frame: int | None = None) -> float | None:
    """The number above 0 under a key, or None where there is no such key."""
    if key not in fields:
        return None
    number = float(json_numbers(source, fields[key], (), f'"{key}"', frame))
    if number <= 0:
        where = "" if frame is None else f"frame {frame}: "
        raise source.error(f'{where}expected "{key}" above 0, got {number:g}')
    return number


def _count(shape: tuple[int, ...]) -> str:
    """A shape in words: "a number", "16 numbers", "4 x 4 numbers"."""
    return " x ".join(str(side) for side in shape) + " numbers" if shape else "a number"


def _in_words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        shape = np.array(value, dtype=object).shape
        return "an empty list" if 0 in shape else _count(shape).replace("numbers", "values")
    return repr(value)[:80]
