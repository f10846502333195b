"""Time is a value: aware, in UTC, handed in by whoever has a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from attrs import frozen

from core.kernel.errors import Invalid

Clock: TypeAlias = Callable[[], datetime]
"""Tells the present instant, aware and in UTC."""


def utc(instant: datetime) -> datetime:
    """Return the same instant in UTC; raise `Invalid` if it names no zone."""
    if instant.tzinfo is None:
        msg = f"{instant.isoformat()} names no time zone"
        raise Invalid(msg)
    return instant.astimezone(UTC)


@frozen(kw_only=True)
class RetryPolicy:
    """How long to wait before each further try, in seconds; a value, so that a test can read it.

    The waits grow from `first` by `factor` up to `longest`; after `tries` in all a person has to look.
    """

    first: float = 2.0
    factor: float = 2.0
    longest: float = 900.0
    tries: int = 100

    def wait(self, attempt: int) -> timedelta | None:
        """Return the pause after the given failed attempt (counted from 1), or None when it was the last."""
        if attempt >= self.tries:
            return None
        return timedelta(seconds=min(self.longest, self.first * self.factor ** (attempt - 1)))
