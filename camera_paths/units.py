"""The units of a path's translations, and the only way from one to another: the median depth of the first frame.

That depth is 1 in "scene_depth" by definition; "metre" and "scene" (whatever a reconstruction came out in) need to be
told. No conversion guesses.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from .arrays import is_positive_number

Unit = Literal["scene_depth", "metre", "scene"]
UNITS: tuple[str, ...] = get_args(Unit)
UNIT_IN_WORDS = {"scene_depth": "scene depths", "metre": "metres", "scene": "scene units"}


def check_unit(unit: str, scene_median_depth: float | None) -> None:
    """Raise `ValueError` unless the unit is known and the median depth goes with it."""
    if unit not in UNITS:
        raise ValueError(f"expected unit to be one of {', '.join(UNITS)}, got {unit!r}")
    if unit == "scene_depth" and scene_median_depth is not None:
        raise ValueError(
            'expected no scene_median_depth with unit "scene_depth" (it is 1 by definition), '
            f"got {scene_median_depth}: are the translations in another unit?"
        )
    if unit == "scene" and scene_median_depth is None:
        raise ValueError('expected scene_median_depth with unit "scene", got none')
    if scene_median_depth is not None:
        _check_depth(scene_median_depth)


def conversion_factor(old: Unit, old_depth: float | None, new: Unit, new_depth: float | None) -> float:
    """What to multiply translations in unit `old` by to have them in `new`, from the median depth in both units."""
    depths = []
    for unit, depth in ((old, old_depth), (new, new_depth)):
        if unit == "scene_depth":
            depth = 1.0
        if depth is None:
            raise ValueError(f'expected the median depth in "{unit}" to convert "{old}" to "{new}", got none')
        _check_depth(depth)
        depths.append(depth)
    return depths[1] / depths[0]


def agreed_depth(known: float | None, given: float | None, unit: Unit) -> float | None:
    """The median depth in `unit` that a path knows or that the caller gives; `ValueError` if these two differ."""
    if known is not None and given is not None and not np.isclose(known, given):
        raise ValueError(f'expected the median depth that the path knows, {known:g} in "{unit}", got {given:g}')
    return given if known is None else known


def _check_depth(depth: float) -> None:
    if not is_positive_number(depth):
        raise ValueError(f"expected the median depth to be a positive number, got {depth!r}")
