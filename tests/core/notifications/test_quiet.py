"""Quiet hours in every zone that there is, on days when clocks are changed and on all others."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.notifications import QuietHours

ZONES: Final = sorted(available_timezones() - {"localtime", "Factory"})
NIGHT: Final = QuietHours()
BUENOS_AIRES: Final = "America/Argentina/Buenos_Aires"


def at(text: str, zone: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("shown", "quiet"),
    [("21:59", False), ("22:00", True), ("23:30", True), ("00:00", True), ("07:59", True), ("08:00", False)],
)
def test_a_night_goes_over_midnight(shown: str, quiet: bool) -> None:
    assert NIGHT.holds(at(f"2026-11-20T{shown}", BUENOS_AIRES), ZoneInfo(BUENOS_AIRES)) is quiet


@pytest.mark.parametrize(("shown", "quiet"), [("12:59", False), ("13:00", True), ("15:59", True), ("16:00", False)])
def test_a_siesta_stays_within_its_day(shown: str, quiet: bool) -> None:
    siesta = QuietHours(time(13), time(16))
    assert siesta.holds(at(f"2026-11-20T{shown}", BUENOS_AIRES), ZoneInfo(BUENOS_AIRES)) is quiet


def test_equal_ends_are_no_quiet_hours() -> None:
    always = QuietHours(time(8), time(8))
    assert not any(
        always.holds(at(f"2026-11-20T{hour:02}:00", BUENOS_AIRES), ZoneInfo(BUENOS_AIRES)) for hour in range(24)
    )


@pytest.mark.parametrize(
    ("zone", "hours", "now", "over"),
    [
        (BUENOS_AIRES, ("22:00", "08:00"), "2026-11-20T23:30", "2026-11-21T11:00"),
        (BUENOS_AIRES, ("22:00", "08:00"), "2026-12-31T22:00", "2027-01-01T11:00"),
        ("Asia/Kolkata", ("22:00", "08:00"), "2026-11-20T23:30", "2026-11-21T02:30"),
        # Clocks go forward in the night: the morning comes an hour sooner.
        ("Europe/Madrid", ("22:00", "08:00"), "2026-03-28T23:30", "2026-03-29T06:00"),
        # Clocks go back: it is the eight o'clock of a wall clock all the same.
        ("Europe/Madrid", ("22:00", "08:00"), "2026-10-24T23:30", "2026-10-25T07:00"),
        # The end does not exist on this day: it is over when clocks jump past it.
        ("Europe/Madrid", ("22:00", "02:30"), "2026-03-28T23:30", "2026-03-29T01:00"),
        # The end comes twice: the first time counts.
        ("America/New_York", ("22:00", "01:30"), "2026-10-31T23:30", "2026-11-01T05:30"),
        # Santiago puts clocks forward at midnight: 00:00 to 00:59 do not exist.
        ("America/Santiago", ("22:00", "00:30"), "2026-09-05T23:30", "2026-09-06T04:00"),
        # Half an hour of daylight saving.
        ("Australia/Lord_Howe", ("22:00", "08:00"), "2026-10-03T23:00", "2026-10-03T21:00"),
        # A day that Samoa never had.
        ("Pacific/Apia", ("22:00", "08:00"), "2011-12-29T23:30", "2011-12-30T18:00"),
    ],
)
def test_it_is_over_when_a_wall_clock_says_so(zone: str, hours: tuple[str, str], now: str, over: str) -> None:
    quiet = QuietHours(*map(time.fromisoformat, hours))
    assert quiet.over(at(now, zone), ZoneInfo(zone)) == datetime.fromisoformat(over).replace(tzinfo=UTC)


def test_the_hour_that_comes_twice_is_quiet_twice() -> None:
    zone, quiet = "America/New_York", QuietHours(time(1), time(1, 30))
    for fold, over in ((0, "2026-11-01T05:30"), (1, "2026-11-01T06:30")):
        now = at("2026-11-01T01:10", zone, fold=fold)
        assert quiet.over(now, ZoneInfo(zone)) == datetime.fromisoformat(over).replace(tzinfo=UTC)


times = st.times(min_value=time(0), max_value=time(23, 59))


@given(
    zone=st.sampled_from(ZONES),
    instant=st.integers(
        int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 12, 31, tzinfo=UTC).timestamp())
    ),
    start=times,
    end=times,
)
@example(zone="Africa/Casablanca", instant=1_771_117_200, start=time(22), end=time(8))
@example(zone="Antarctica/Troll", instant=1_774_744_200, start=time(0), end=time(2))
@example(zone="Pacific/Kwajalein", instant=745_930_800, start=time(22), end=time(8))
def test_quiet_hours_end_at_the_first_instant_that_is_not_quiet(
    zone: str, instant: int, start: time, end: time
) -> None:
    hours, where, now = QuietHours(start, end), ZoneInfo(zone), datetime.fromtimestamp(instant, UTC)
    over = hours.over(now, where)
    assert not hours.holds(over, where)
    if not hours.holds(now, where):
        assert over == now
        return
    assert now < over <= now + timedelta(hours=50)
    assert hours.holds(over - timedelta(microseconds=1), where)
    step = (over - now) / 97
    assert all(hours.holds(now + step * number, where) for number in range(97))
