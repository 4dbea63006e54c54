"""Work on many clips at once: the order and the results of one thread, and the first error."""

import threading

import pytest
import torch

from camvig.pipelines.evaluation.in_threads import in_threads


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_rows_are_worked_on_at_once_and_stay_in_order(two_threads):
    both = threading.Barrier(2, timeout=60)

    def power(base, exponent):
        both.wait()  # broken, unless another row is worked on meanwhile
        return base**exponent

    assert in_threads(power, [2, 3, 4, 5], [1, 2, 3, 4]) == [2, 9, 64, 625]


def test_an_error_is_raised(two_threads):
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda value: 1 / value, [1, 0, 1])


def test_columns_have_one_length():
    with pytest.raises(ValueError, match="shorter"):
        in_threads(max, [1, 2], [3])
