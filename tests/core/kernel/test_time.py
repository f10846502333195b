"""Instants are aware, and retries are values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from core.kernel.errors import Invalid
from core.kernel.time import RetryPolicy, utc


def test_an_instant_is_the_same_instant_in_utc() -> None:
    local = datetime(2026, 11, 20, 21, 30, tzinfo=timezone(timedelta(hours=-3)))
    assert utc(local) == local
    assert utc(local).tzinfo is UTC
    assert utc(local).isoformat() == "2026-11-21T00:30:00+00:00"


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(Invalid, match="2026-11-20T09:00:00 names no time zone"):
        utc(datetime(2026, 11, 20, 9, 0))  # noqa: DTZ001 - what a client may send


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (RetryPolicy(), [2, 4, 8, 16, 32, 64, 128, 256, 512, *([900] * 90), None, None]),
        (RetryPolicy(first=1, factor=3, longest=10, tries=5), [1, 3, 9, 10, None]),
        (RetryPolicy(first=5, factor=1, tries=3), [5, 5, None]),
        (RetryPolicy(tries=1), [None]),
    ],
    ids=["usual", "steep", "steady", "once"],
)
def test_the_pauses_grow_up_to_the_longest_and_end(policy: RetryPolicy, waits: list[float | None]) -> None:
    told = [policy.wait(attempt) for attempt in range(1, len(waits) + 1)]
    assert told == [None if wait is None else timedelta(seconds=wait) for wait in waits]
