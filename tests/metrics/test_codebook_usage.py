"""Codebook usage: hand-counted ids and digits, the two extremes, and what is refused."""

import numpy as np
import pytest

from camvig.metrics.codebook_usage import codebook_usage


def test_hand_counted():
    usage = codebook_usage(np.array([[0, 1], [1, 5]]), [2, 3])  # digits (0,0) (1,0) (1,0) (1,2)
    assert (usage.ids, usage.distinct_ids, usage.vocabulary_share) == (4, 3, 0.5)
    assert usage.id_entropy_bits == pytest.approx(1.5)  # shares 1/4, 1/2, 1/4
    assert usage.digit_values_share == pytest.approx(4 / 5)  # the middle value of the second digit is missing
    quarter = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert usage.digit_entropy_bits == pytest.approx(2 * quarter)


@pytest.mark.parametrize("levels", [[2] * 6, [4, 4, 4], [8, 8]])
def test_all_ids_once_is_full_use(levels):
    usage = codebook_usage(np.arange(64), levels)
    assert (usage.vocabulary_share, usage.digit_values_share) == (1.0, 1.0)
    assert usage.id_entropy_bits == usage.digit_entropy_bits == pytest.approx(6.0)


def test_a_collapsed_codebook():
    usage = codebook_usage(np.full((3, 4), 2**18 - 1), [8] * 6)
    assert (usage.distinct_ids, usage.id_entropy_bits, usage.digit_entropy_bits) == (1, 0.0, 0.0)
    assert usage.digit_values_share == pytest.approx(1 / 8)


def test_digits_say_more_than_ids_where_the_vocabulary_is_larger_than_the_sample():
    ids = np.random.default_rng(0).integers(0, 2**18, 1024)
    usage = codebook_usage(ids, [2] * 18)
    assert usage.id_entropy_bits <= 10 and usage.digit_entropy_bits > 17.9


@pytest.mark.parametrize(
    "ids, message",
    [
        (np.array([0, 6]), r"expected ids in 0\.\.5, got 0\.\.6"),
        (np.array([-1]), r"got -1\.\.-1"),
        (np.array([], np.int64), "at least one"),
        (np.array([0.5]), "float64"),
    ],
)
def test_ids_that_do_not_fit(ids, message):
    with pytest.raises(ValueError, match=message):
        codebook_usage(ids, [2, 3])
