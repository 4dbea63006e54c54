"""How sure a mean over clips is: bootstrap intervals (percentile method, by `scipy.stats.bootstrap`) that a seed fixes.

Clips are drawn with replacement; pairs (one clip under two systems) stay together. What is not finite is refused: a metric
that does not exist for a clip (NaN), or knows no bound (PSNR of equal pixels), is left out by `known_values`, which counts
it. Fewer than two values have no interval: (NaN, NaN). Clips of one scene are not independent, so give one value a scene
where several clips share one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Interval = tuple[float, float]


class KnownValues(NamedTuple):
    """The finite values, and how many are not."""

    values: np.ndarray  # [M] float64
    num_left_out: int


def known_values(values: Any) -> KnownValues:
    """Of values [N] the finite ones, and the number of the others."""
    numbers = _one_row(values)
    known = numbers[np.isfinite(numbers)]
    return KnownValues(known, len(numbers) - len(known))


def bootstrap_interval(
    values: Any,
    statistic: Callable[..., Any] = np.mean,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The interval (low, high) of `statistic` of values [N], which takes `axis` or else is called once a resample."""
    return _interval((_one_row(values),), statistic, confidence, resamples, seed)


def bootstrap_difference(
    values: Any, others: Any, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """The interval of mean(values - others), paired by clip. 0 outside it: the two systems differ."""
    first, second = _pair(values, others)
    return _interval((first - second,), np.mean, confidence, resamples, seed)


def bootstrap_ratio(
    numerator: Any, denominator: Any, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """The interval of mean(numerator) / mean(denominator), paired by clip: the ratio of means, not the mean of ratios.

    Infinite where a resample's denominator may be 0.
    """
    pair = _pair(numerator, denominator)
    return _interval(pair, _ratio_of_means, confidence, resamples, seed)


def _ratio_of_means(numerator: np.ndarray, denominator: np.ndarray, axis: int = -1) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return numerator.mean(axis=axis) / denominator.mean(axis=axis)


def _interval(
    samples: tuple[np.ndarray, ...], statistic: Callable[..., Any], confidence: float, resamples: int, seed: int
) -> Interval:
    if not 0 < confidence < 1 or resamples < 1:
        raise ValueError(f"expected confidence in 0..1 and resamples of at least 1, got {confidence} and {resamples}")
    for sample in samples:
        if not np.isfinite(sample).all():
            others = int((~np.isfinite(sample)).sum())
            raise ValueError(f"expected finite values, got {others} others: leave them out with known_values")
    if len(samples[0]) < 2:
        return float("nan"), float("nan")
    found = stats.bootstrap(
        samples, statistic, paired=len(samples) > 1, confidence_level=confidence, n_resamples=resamples,
        method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _pair(values: Any, others: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = _one_row(values), _one_row(others)
    if len(first) != len(second):
        raise ValueError(f"expected pairs of values, got {len(first)} and {len(second)} values")
    return first, second


def _one_row(values: Any) -> np.ndarray:
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1:
        raise ValueError(f"expected values [N], got {list(numbers.shape)}")
    return numbers
