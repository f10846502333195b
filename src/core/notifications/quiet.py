"""Quiet hours: when somebody is left alone, by the clock on their own wall."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

from attrs import frozen

_SECOND: timedelta = timedelta(seconds=1)
_DAY: timedelta = timedelta(days=1)


@frozen
class QuietHours:
    """From `start` until `end` of local time, over midnight if the end is earlier; equal ends are no quiet hours at all."""

    start: time = time(22)
    end: time = time(8)

    def holds(self, at: datetime, zone: tzinfo) -> bool:
        """Say whether a wall clock in the zone shows a time of quiet."""
        shown = at.astimezone(zone).time()
        if self.start <= self.end:
            return self.start <= shown < self.end
        return shown >= self.start or shown < self.end

    def over(self, at: datetime, zone: tzinfo) -> datetime:
        """Return the first instant, not before `at`, at which it is not quiet.

        Clocks that are put forward over the end wake people at that moment; an hour that comes twice is quiet as often as a wall
        clock says so.
        """
        at = at.astimezone(UTC)
        while self.holds(at, zone):
            shown = at.astimezone(zone)
            end = at + _until(shown.time(), self.end)
            if end.astimezone(zone).utcoffset() == shown.utcoffset():
                return end
            at = _clocks_change(at, end, zone)
        return at


def _until(shown: time, end: time) -> timedelta:
    """Return how long a clock that nobody touches takes from one time of day to the next `end`."""
    left = _of_day(end) - _of_day(shown)
    return left if left > timedelta() else left + _DAY


def _of_day(shown: time) -> timedelta:
    return timedelta(hours=shown.hour, minutes=shown.minute, seconds=shown.second, microseconds=shown.microsecond)


def _clocks_change(first: datetime, last: datetime, zone: tzinfo) -> datetime:
    """Return the first whole second after `first` at which the zone's clocks are no longer as they were."""
    before, low, high = first.astimezone(zone).utcoffset(), first.replace(microsecond=0), last
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2 or 1)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
