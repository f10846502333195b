"""Time that flows as usual and can be moved on."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from attrs import define, field


@define
class SkippingClock:
    """A clock that begins at an instant, runs with the real one, and skips what nobody wants to wait for."""

    _start: datetime
    _real: float = field(factory=time.monotonic)
    _skipped: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._real) + self._skipped

    def skip(self, by: timedelta) -> None:
        """Move on."""
        self._skipped += by

    def skip_to(self, instant: datetime) -> None:
        """Move on to an instant, unless it is past."""
        self.skip(max(timedelta(0), instant - self()))
