"""Sliding windows in the memory of one process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field

from adapters.memory.pauses import Pause, Steps, at_once
from core.kernel.ports import Allowance, RateRule

SLOTS: Final = 20
"""Parts of a window: the requests of one part leave it together, after its last has been there for the whole window."""


@define
class _Window:
    """The requests counted under one key: the number of each slot and what it counted, the newest last."""

    slots: deque[list[int]] = field(factory=deque)
    taken: int = 0
    over: float = 0.0


@define
class MemoryLimiter:
    """`core.kernel.ports.RateLimiter` for one process; `now` is in seconds and only goes forwards.

    Beyond `at_most` keys those that were first seen the longest ago are forgotten.
    """

    _now: Callable[[], float] = time.monotonic
    _pause: Pause = at_once
    _at_most: int = 100_000
    _windows: dict[str, _Window] = field(factory=dict, repr=False)

    async def take(self, asked: Sequence[tuple[str, RateRule]]) -> Allowance:
        """Count one request under every key by its rule, or under none if one of them has nothing left."""
        return await Steps(self._pause)("limits.take", lambda: self._take(asked))

    def _take(self, asked: Sequence[tuple[str, RateRule]]) -> Allowance:
        now = self._now()
        windows = [self._window(key, rule, now) for key, rule in asked]
        said = []
        for window, (_, rule) in zip(windows, asked, strict=True):
            length = rule.seconds / SLOTS
            oldest = window.slots[0][0] if window.slots else int(now * SLOTS / rule.seconds)
            said.append((max(0, rule.limit - window.taken), now - (oldest + SLOTS + 1) * length, rule))
        left, in_, rule = said[0] if len(said) == 1 else min(said, key=lambda each: each[:2])
        if left:
            for window, (_, each) in zip(windows, asked, strict=True):
                self._count(window, each, now)
        return Allowance(rule=rule, allowed=left > 0, remaining=max(0, left - 1), wait=-in_)

    def _window(self, key: str, rule: RateRule, now: float) -> _Window:
        """Return the key's window without what has left it."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._at_most:
                self._forget(now)
            window = self._windows[key] = _Window()
        oldest = int(now * SLOTS / rule.seconds) - SLOTS
        while window.slots and window.slots[0][0] < oldest:
            window.taken -= window.slots.popleft()[1]
        return window

    def _count(self, window: _Window, rule: RateRule, now: float) -> None:
        slot = int(now * SLOTS / rule.seconds)
        if window.slots and window.slots[-1][0] == slot:
            window.slots[-1][1] += 1
        else:
            window.slots.append([slot, 1])
            window.over = now + rule.seconds * 2
        window.taken += 1

    def _forget(self, now: float) -> None:
        for key in [key for key, window in self._windows.items() if window.over <= now]:
            del self._windows[key]
        for key in list(self._windows)[: len(self._windows) - self._at_most * 9 // 10]:
            del self._windows[key]
