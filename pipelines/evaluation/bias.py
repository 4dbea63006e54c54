"""Does a system follow one direction better than the other? Pairs of one clip and a clip that goes the other way.

    left_right    a clip and its mirror image: as true as the clip, and as likely
    up_down       a clip and the same clip played backwards: the scene stays upright. A picture turned upside down would be
                  a world that no model is trained on, so it would measure the world and not the direction

What always holds: both members of a pair are of one scene and one amount of motion, and both directions have the same number of
videos. Directions are the camera's. Our choice; the paper has no such test.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .flow_scores import difference, mean


def bias_of(
    names: tuple[str, str],
    directions: list[str],
    errors: np.ndarray,
    opposite_errors: np.ndarray,
    seed: int,
    among: np.ndarray | None = None,
) -> dict[str, Any]:
    """Mean flow MSE, px^2, of videos in either direction, and their paired difference with its interval.

    Args:
        names: ("left", "right") or ("up", "down").
        directions: of the clips, one of `names` each.
        errors: of the clips, `[N]`.
        opposite_errors: of the clips that go the other way, `[N]`.
        among: which pairs count, `[N]` bool; all if None.
    """
    first_name, second_name = names
    goes_first = np.array([direction == first_name for direction in directions])
    first = np.where(goes_first, errors, opposite_errors)
    second = np.where(goes_first, opposite_errors, errors)
    if among is not None:
        first, second = first[among], second[among]
    if not len(first):
        return {"clips": 0}
    larger = max(mean(first), mean(second))
    return {
        "clips": len(first),
        first_name: mean(first),
        second_name: mean(second),
        "relative_difference": abs(mean(first) - mean(second)) / larger if larger else 0.0,
        f"{first_name}_minus_{second_name}": difference(first, second, seed),
    }
