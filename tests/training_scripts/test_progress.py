"""Rates and the time that is left, from known step times."""

import pytest

from camvig.training_scripts.progress import Progress, duration


def measured(tokens: int | None = 100, validation: float = 30.0) -> Progress:
    progress = Progress(samples_per_step=8, tokens_per_sample=tokens, steps=100, validate_every=40)
    progress.step_seconds.extend([1.0, 3.0])
    progress.validation_seconds = validation
    return progress


def test_rates_are_those_of_the_steps():
    numbers = measured().numbers(10)
    assert numbers["samples_per_second"] == 4.0 and numbers["tokens_per_second"] == 400.0
    assert "tokens_per_second" not in measured(tokens=None).numbers(10)


@pytest.mark.parametrize("step, validations", [(10, 3), (40, 2), (80, 1), (99, 1)])
def test_the_time_left_counts_the_validations_to_come(step, validations):
    assert measured().numbers(step)["seconds_left"] == (100 - step) * 2.0 + validations * 30.0


def test_nothing_is_left_at_the_end_and_nothing_is_known_at_the_start():
    progress = Progress(8, None, steps=80, validate_every=40)
    assert progress.numbers(0) == {} and progress.words(0) == ""
    with progress.of_step():
        pass
    with progress.of_validation():
        pass
    assert progress.numbers(80)["seconds_left"] == 0 and progress.words(80).endswith("0 s left")
    assert len(progress.step_seconds) == 1 and progress.validation_seconds > 0


@pytest.mark.parametrize(
    "seconds, words",
    [(0, "0 s"), (59, "59 s"), (59.6, "1 min"), (3570, "1 h 00 min"), (3900, "1 h 05 min"), (190000, "2 d 5 h")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
