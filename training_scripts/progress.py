"""How fast a run is and how long it will take: samples and tokens a second, and the seconds that are left.

Rates are of training steps alone; validations and saving are counted only in the time that is left.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

WINDOW = 200
"""Steps over which a rate is averaged."""
BAR_FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
"""tqdm's, without its own rate and remaining time, which a validation would throw off."""


class Progress:
    """Measures a run.

    Args:
        samples_per_step: of all processes together.
        tokens_per_sample: length of the sequence of a sample; None for models that have no tokens.
        steps, validate_every: of the whole run.
    """

    def __init__(self, samples_per_step: int, tokens_per_sample: int | None, steps: int, validate_every: int):
        self.samples_per_step, self.tokens_per_sample = samples_per_step, tokens_per_sample
        self.steps, self.validate_every = steps, validate_every
        self.step_seconds: deque[float] = deque(maxlen=WINDOW)
        self.validation_seconds = 0.0

    @contextmanager
    def of_step(self) -> Iterator[None]:
        """Around one training step."""
        started = time.monotonic()
        yield
        self.step_seconds.append(time.monotonic() - started)

    @contextmanager
    def of_validation(self) -> Iterator[None]:
        """Around one validation."""
        started = time.monotonic()
        yield
        self.validation_seconds = time.monotonic() - started

    def numbers(self, step: int) -> dict[str, float]:
        """`samples_per_second`, `tokens_per_second` (with tokens) and `seconds_left` after `step` steps; {} before the first."""
        if not self.step_seconds:
            return {}
        seconds = sum(self.step_seconds) / len(self.step_seconds)
        samples = self.samples_per_step / seconds
        tokens = {"tokens_per_second": samples * self.tokens_per_sample} if self.tokens_per_sample else {}
        return {"samples_per_second": samples, **tokens, "seconds_left": self._left(step, seconds)}

    def _left(self, step: int, seconds: float) -> float:
        validations = -(-self.steps // self.validate_every) - step // self.validate_every  # the last step has one too
        return (self.steps - step) * seconds + validations * self.validation_seconds

    def words(self, step: int) -> str:
        """`numbers` for the bar."""
        numbers = self.numbers(step)
        if not numbers:
            return ""
        tokens = f"{numbers['tokens_per_second']:.0f} tokens/s, " if self.tokens_per_sample else ""
        return f"{numbers['samples_per_second']:.3g} samples/s, {tokens}{duration(numbers['seconds_left'])} left"


def duration(seconds: float) -> str:
    """ "45 s", "12 min", "1 h 05 min" or "2 d 3 h"."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"
