"""Numbers from anywhere (lists, numpy, CPU tensors, JSON) as one checked kind of array."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike


def is_positive_number(value: object) -> bool:
    """Whether `value` is a single finite number above 0."""
    return isinstance(value, Real) and math.isfinite(value) and float(value) > 0


def read_only_array(name: str, value: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """Copy `value` to a read-only float64 array [T, *shape] of finite numbers, or raise `ValueError`."""
    expected = ", ".join(["T", *map(str, shape)])
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {name} to be numbers of shape [{expected}], got something else: {error}") from None
    if array.shape[1:] != shape or array.ndim != len(shape) + 1:
        raise ValueError(f"expected {name} of shape [{expected}], got {list(array.shape)}")
    finite = np.isfinite(array).reshape(len(array), math.prod(shape)).all(axis=1)
    if not finite.all():
        raise ValueError(f"frame {int(np.argmin(finite))}: expected finite numbers in {name}, got NaN or infinity")
    array.setflags(write=False)
    return array
