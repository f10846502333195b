"""Trips under way and their newest positions in the memory of one process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import define, evolve, field

from adapters.memory.pauses import Pause, Steps, at_once
from core.kernel.time import Clock
from core.tracking import Live, Recorded, TrackingSession

_Key: TypeAlias = tuple[str, str]
"""Tenant and job."""


@define
class MemoryPositions:
    """`core.tracking.ports.Positions`; what no other process shares, nobody else can be writing."""

    _clock: Clock
    _pause: Pause = at_once
    _trips: dict[_Key, tuple[datetime, Live]] = field(factory=dict)
    _fresh: dict[_Key, datetime] = field(factory=dict)
    """Until when a trip has its position."""
    _parcels: dict[str, Sequence[Recorded]] = field(factory=dict)
    _sent: int = 0

    async def get(self, tenant: str, job_id: str) -> Live | None:
        """Return the job's trip, or None when it is unknown."""
        return await Steps(self._pause)("positions.get", lambda: self._found((tenant, job_id)))

    async def put(self, session: TrackingSession, *, life: timedelta, seen_at: datetime | None = None) -> None:
        """Let everybody know the session, unless a newer one of its job, or a newer version, is known."""

        def put() -> None:
            now, key = self._clock(), (session.tenant, session.job_id)
            # Trips end without a word to us: what is over goes here, or it would stay for ever.
            for over in [each for each, (until, _) in self._trips.items() if until <= now]:
                del self._trips[over]
            known = self._found(key) or Live(session=session, seen_at=seen_at)
            if known.session is not session and _order(known.session) >= _order(session):
                return
            if known.session.id != session.id:
                known = Live(session=session, seen_at=seen_at)
            if session.state != "active":
                known = evolve(known, journey=None, phones=())
            self._trips[key] = (now + life, evolve(known, session=session, seen_at=known.seen_at or seen_at))

        await Steps(self._pause)("positions.put", put)

    async def advance(
        self, before: Live, after: Live, fixes: Sequence[Recorded], *, life: timedelta
    ) -> tuple[bool, Live | None]:
        """Let `after` follow `before`, and keep the fixes, if nothing has changed meanwhile."""

        def advance() -> tuple[bool, Live | None]:
            now, key = self._clock(), (before.session.tenant, before.session.job_id)
            found = self._found(key)
            if found is None or found.session != before.session or (after is not before and found != before):
                return False, found
            if after is not before:
                self._trips[key] = (self._trips[key][0], after)
                self._fresh[key] = now + life
            if fixes:
                self._sent += 1
                self._parcels[str(self._sent)] = tuple(fixes)
            return True, after

        return await Steps(self._pause)("positions.advance", advance)

    async def unwritten(self, *, limit: int) -> Sequence[tuple[str, Sequence[Recorded]]]:
        """Return the oldest fixes that nobody has written, in up to `limit` parcels with their names."""
        return await Steps(self._pause)("positions.unwritten", lambda: list(self._parcels.items())[:limit])

    async def written(self, parcels: Sequence[str]) -> None:
        """Forget parcels that are in the history."""

        def written() -> None:
            for each in parcels:
                self._parcels.pop(each, None)

        await Steps(self._pause)("positions.written", written)

    def forget(self) -> None:
        """Lose every trip, as the store of them may at any time; what the history lacks stays."""
        self._trips.clear()

    def _found(self, key: _Key) -> Live | None:
        now = self._clock()
        until, live = self._trips.get(key, (now, None))
        if live is None or until <= now:
            return None
        fresh = live.journey is None or now < self._fresh[key]
        return live if fresh else evolve(live, journey=None, phones=())


def _order(session: TrackingSession) -> tuple[datetime, str, int]:
    return session.opened_at, session.id, session.version
