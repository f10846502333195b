"""Open windows in the memory of one process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from adapters.memory.pauses import Pause, Steps, at_once
from core.messaging import AggregationRules, Signal, Window


@define
class MemoryBuffer:
    """`core.messaging.ports.MessageBuffer`."""

    _rules: AggregationRules
    _pause: Pause = at_once
    _windows: dict[tuple[str, str], Window] = field(factory=dict)

    async def add(self, *, tenant: str, thread: str, message_id: str, signal: Signal, at: datetime) -> Window:
        """Add a fragment to its thread's window, opening one if none is open, and return it as it is now."""

        def add() -> Window:
            window = self._windows.get((tenant, thread))
            if window is None:
                window = self._rules.open(tenant=tenant, thread=thread, message_id=message_id, signal=signal, at=at)
            else:
                window = self._rules.add(window, message_id=message_id, signal=signal, at=at)
            self._windows[tenant, thread] = window
            return window

        return await Steps(self._pause)("buffer.add", add)

    async def take_due(self, *, at: datetime, limit: int) -> Sequence[Window]:
        """Remove and return windows that close at or before the instant, the first to close first."""

        def take() -> list[Window]:
            due = sorted(
                (window for window in self._windows.values() if window.closes_at <= at),
                key=lambda window: window.closes_at,
            )[:limit]
            for window in due:
                del self._windows[window.tenant, window.thread]
            return due

        return await Steps(self._pause)("buffer.take_due", take)

    def forget(self) -> None:
        """Lose every window, as a buffer may at any time."""
        self._windows.clear()
