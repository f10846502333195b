"""The circuit breaker."""

from __future__ import annotations

import pytest

from adapters.afip.breaker import Breaker
from core.kernel.errors import Unavailable


class Time:
    """A clock moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(time: Time) -> Breaker:
    breaker = Breaker("AFIP", after=3, rest=10.0, clock=time)
    for _ in range(3):
        breaker.enter()
        breaker.failed()
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker("AFIP", after=3, rest=10.0, clock=Time())
    for _ in range(5):
        for _ in range(2):
            breaker.enter()
            breaker.failed()
        breaker.enter()
        breaker.succeeded()
    with pytest.raises(Unavailable, match="AFIP has not answered lately"):
        broken(Time()).enter()


def test_after_a_rest_one_may_look_and_the_others_wait_for_what_it_sees() -> None:
    time = Time()
    breaker = broken(time)
    time.now += 9.9
    with pytest.raises(Unavailable):
        breaker.enter()
    time.now += 0.1
    breaker.enter()
    with pytest.raises(Unavailable):
        breaker.enter()
    breaker.succeeded()
    breaker.enter()
    breaker.enter()


def test_a_probe_that_fails_begins_another_rest() -> None:
    time = Time()
    breaker = broken(time)
    time.now += 10
    breaker.enter()
    breaker.failed()
    time.now += 9
    with pytest.raises(Unavailable):
        breaker.enter()
    time.now += 1
    breaker.enter()


def test_a_probe_that_never_comes_back_gives_up_its_place() -> None:
    time = Time()
    breaker = broken(time)
    time.now += 10
    breaker.enter()
    time.now += 10
    breaker.enter()
