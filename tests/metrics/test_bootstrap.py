"""Bootstrap intervals: known cases, pairs kept together, the seed, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from camvig.metrics.bootstrap import bootstrap_difference, bootstrap_interval, bootstrap_ratio, known_values

RNG = np.random.default_rng(0)
VALUES = RNG.normal(5.0, 1.0, 200)


def test_interval_of_a_mean_agrees_with_the_normal_one():
    low, high = bootstrap_interval(VALUES, resamples=4000)
    expected = stats.t.interval(0.95, 199, VALUES.mean(), stats.sem(VALUES))
    assert (low, high) == pytest.approx(expected, abs=0.02) and low < VALUES.mean() < high


def test_the_seed_fixes_the_interval():
    assert bootstrap_interval(VALUES) == bootstrap_interval(VALUES)
    assert bootstrap_interval(VALUES) != bootstrap_interval(VALUES, seed=1)


def test_less_confidence_and_more_values_narrow_it():
    wide, narrow = bootstrap_interval(VALUES), bootstrap_interval(VALUES, confidence=0.5)
    few = bootstrap_interval(VALUES[:20])
    assert wide[0] < narrow[0] < narrow[1] < wide[1] and few[1] - few[0] > 2 * (wide[1] - wide[0])


def test_equal_values_have_an_interval_of_no_width():
    assert bootstrap_interval(np.full(9, 3.0)) == (3.0, 3.0)
    assert bootstrap_interval([1.0, 2.0, 300.0], np.median) == (1.0, 300.0)


def test_pairs_stay_together():
    better = VALUES - 0.1  # by the same amount in every clip: sure, although the means' intervals overlap
    assert bootstrap_difference(VALUES, better) == pytest.approx((0.1, 0.1))
    assert bootstrap_ratio(3 * VALUES, VALUES) == pytest.approx((3, 3))
    mixed = bootstrap_ratio(3 * VALUES, RNG.permutation(VALUES))
    assert mixed[0] < 2.97 and mixed[1] > 3.03


def test_ratio_is_of_means_not_the_mean_of_ratios():
    numerator, denominator = np.tile([1.0, 1.0], 200), np.tile([0.1, 1.9], 200)  # ratios: mean 5.26, of means 1
    low, high = bootstrap_ratio(numerator, denominator)
    assert 0.85 < low < 1 < high < 1.15


def test_what_is_not_known_is_left_out_and_counted_or_refused():
    values = [1.0, float("nan"), 3.0, float("inf")]
    known = known_values(values)
    assert known.values.tolist() == [1.0, 3.0] and known.num_left_out == 2
    for interval in (bootstrap_interval(known.values), bootstrap_difference(known.values, [0.0, 0.0])):
        assert interval == (1.0, 3.0)
    with pytest.raises(ValueError, match="expected finite values, got 2 others"):
        bootstrap_interval(values)


def test_fewer_than_two_values_have_no_interval():
    assert np.isnan(bootstrap_interval([1.0])).all() and np.isnan(bootstrap_ratio([], [])).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="expected pairs of values, got 2 and 3 values"):
        bootstrap_ratio([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"expected values \[N\], got \[1, 2\]"):
        bootstrap_interval([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"expected confidence in 0\.\.1"):
        bootstrap_interval(VALUES, confidence=95)
