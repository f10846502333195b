"""A circuit breaker: whoever does not answer several times is left alone for a while, then asked once to see.

Our own forty lines instead of a library: the ones that are kept count every exception alike or wrap the call themselves, and we
must tell an endpoint that is down from one that says no, and say which calls certainly never left.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, field

from core.kernel.errors import Unavailable


@define
class Breaker:
    """For one endpoint, in one process. Closed it lets everything pass; open it lets nothing; half open, one probe.

    `after`: failures in a row that open it. `rest`: seconds for which it stays open.
    """

    _name: str
    _after: int = 5
    _rest: float = 15.0
    _clock: Callable[[], float] = time.monotonic
    _failures: int = field(default=0, init=False)
    _closed_again_at: float = field(default=0.0, init=False)
    _probe_ends_at: float = field(default=0.0, init=False)

    def enter(self) -> None:
        """Ask to call; raise `Unavailable` if the endpoint is to be left alone. `succeeded` or `failed` must follow."""
        if self._failures < self._after:
            return
        now = self._clock()
        # A probe that never came back, because it was cancelled, holds the door for one rest only.
        if now < self._closed_again_at or now < self._probe_ends_at:
            msg = f"{self._name} has not answered lately and was not asked; it will be soon"
            raise Unavailable(msg)
        self._probe_ends_at = now + self._rest

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        self._failures = 0
        self._probe_ends_at = 0.0

    def failed(self) -> None:
        """It did not answer, or not sensibly."""
        self._failures += 1
        self._probe_ends_at = 0.0
        if self._failures >= self._after:
            self._closed_again_at = self._clock() + self._rest
