"""One-time codes: how long they live, how often they may be guessed at and sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from core.kernel.errors import Limited
from core.kernel.ports import RateRule

_DAY: Final = timedelta(days=1)


def _waits() -> tuple[timedelta, ...]:
    waits = [timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15)]
    while waits[-1] < _DAY:
        waits.append(min(waits[-1] * 2, _DAY))
    return tuple(waits)


class TooOften(Limited):
    """Something was tried too often; what was tried now was neither counted nor looked at."""

    code = "too_often"

    def __init__(self, wait: float) -> None:
        super().__init__("too many tries; wait before the next one", retry_after=max(1.0, wait))


@frozen
class OtpRules:
    """The numbers of log-in by one-time code.

    After `tries` guesses, at one code or several, there is a cool-down, each longer than the one before, up to a day; a day without guesses
    after its end, or a log-in, forgives. Within it no code is sent and none is looked at.
    """

    digits: int = 6
    life: timedelta = timedelta(minutes=5)
    tries: int = 3
    cool_downs: tuple[timedelta, ...] = field(factory=_waits)
    forgiven: timedelta = _DAY
    per_phone: tuple[RateRule, ...] = (
        RateRule(name="otp-phone-pause", limit=1, seconds=30),
        RateRule(name="otp-phone-hour", limit=5, seconds=3600),
        RateRule(name="otp-phone-day", limit=10, seconds=86_400),
    )
    per_ip: tuple[RateRule, ...] = (RateRule(name="otp-ip", limit=20, seconds=3600),)
    per_tenant: tuple[RateRule, ...] = (RateRule(name="otp-tenant", limit=200, seconds=3600),)
    in_time: timedelta = timedelta(seconds=20)
    """How long WhatsApp may take to deliver before the code goes by SMS."""
    newcomers: bool = True
    """Whether a phone that nobody knows may found a tenant of its own."""

    def cool_down(self, strikes: int) -> timedelta:
        """Return the wait after the given number of earlier cool-downs."""
        return self.cool_downs[min(strikes, len(self.cool_downs) - 1)]


@frozen
class Guesses:
    """What is kept of a phone: the code that counts, how often it was guessed at, and the cool-down."""

    digest: str = field(default="", repr=False)
    expires_at: datetime | None = None
    tries: int = 0
    strikes: int = 0
    blocked_until: datetime | None = None

    def wait(self, at: datetime) -> timedelta | None:
        """Return how much of a cool-down is left, if any is."""
        if self.blocked_until is None or at >= self.blocked_until:
            return None
        return self.blocked_until - at

    def forgiven(self, at: datetime, rules: OtpRules) -> Guesses:
        """Return what is left to remember of it at an instant."""
        if self.blocked_until is not None and at >= self.blocked_until + rules.forgiven:
            return Guesses(self.digest, self.expires_at, self.tries)
        return self

    def with_code(self, digest: str, *, at: datetime, rules: OtpRules) -> Guesses:
        """Replace the code: the one before does not count any more, but the guesses at it do."""
        going = self.expires_at is not None and at < self.expires_at and self.tries < rules.tries
        return Guesses(digest, at + rules.life, self.tries if going else 0, self.strikes, self.blocked_until)

    def guess(self, *, at: datetime, rules: OtpRules) -> tuple[Guesses, Attempt]:
        """Count a guess, before anything is compared; the last one permitted begins the cool-down in advance."""
        wait = self.wait(at)
        if wait is not None:
            return self, Attempt(wait=wait)
        if self.expires_at is None or at >= self.expires_at or self.tries >= rules.tries:
            return self, Attempt()
        tries, last = self.tries + 1, self.tries + 1 == rules.tries
        after = Guesses(
            self.digest,
            self.expires_at,
            tries,
            self.strikes + last,
            at + rules.cool_down(self.strikes) if last else self.blocked_until,
        )
        return after, Attempt(digest=self.digest)


@frozen
class Attempt:
    """What somebody who guesses gets: the digest to compare with, or a cool-down, or nothing (there is no code)."""

    digest: str | None = field(default=None, repr=False)
    wait: timedelta | None = None
