"""Who guesses passwords is slowed down."""

import pytest

from fixieai import errors
from fixieai.platform import attempts
from fixieai.platform.attempts import Attempts


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def waits(tried: Attempts, clock: Clock, times: int) -> list[float]:
    """How long each attempt has to wait, when each is made as soon as it may."""
    found = []
    for _ in range(times):
        try:
            tried.begin("ann")
            found.append(0.0)
        except errors.TooManyRequests as refused:
            found.append(refused.retry_after or 0.0)
            clock.now += found[-1]
            tried.begin("ann")
    return found


def test_a_few_attempts_are_free_and_the_next_ones_wait_longer_and_longer() -> None:
    clock = Clock()

    assert waits(Attempts(clock), clock, 11) == [0, 0, 0, 0, 0, 5, 10, 20, 40, 60, 60]


def test_attempts_at_once_count_before_any_has_failed() -> None:
    tried = Attempts(Clock())
    for _ in range(attempts.FREE_ATTEMPTS):
        tried.begin("ann")
    for _ in range(3):
        with pytest.raises(errors.TooManyRequests):
            tried.begin("ann")
    tried.begin("bob")


def test_success_and_time_make_up_for_failures() -> None:
    clock = Clock()
    tried = Attempts(clock)
    waits(tried, clock, 8)
    tried.succeeded("ann")
    assert waits(tried, clock, 6) == [0, 0, 0, 0, 0, 5]
    clock.now += 3601
    assert waits(tried, clock, 2) == [0, 0]


def test_only_so_many_names_are_kept() -> None:
    tried = Attempts(Clock())
    for number in range(10_050):
        tried.begin(str(number))
    assert len(tried._made) == 10_000
