"""The newest positions in the memory of one process."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import define, field

from adapters.memory.pauses import Pause, Steps, at_once
from core.kernel.time import Clock
from core.tracking import Journey


@define
class MemoryPositions:
    """`core.tracking.ports.Positions`."""

    _clock: Clock
    _pause: Pause = at_once
    _journeys: dict[tuple[str, str], tuple[datetime, Journey]] = field(factory=dict)

    async def put(self, tenant: str, session_id: str, journey: Journey, *, life: timedelta) -> None:
        """Keep the journey for as long as `life`."""

        def put() -> None:
            now = self._clock()
            # Trips end without a word to us: what is over goes here, or it would stay for ever.
            for key in [key for key, (until, _) in self._journeys.items() if until <= now]:
                del self._journeys[key]
            self._journeys[tenant, session_id] = (now + life, journey)

        await Steps(self._pause)("positions.put", put)

    async def get(self, tenant: str, session_id: str) -> Journey | None:
        """Return the journey, or None when it is unknown or its life is over."""

        def found() -> Journey | None:
            until, journey = self._journeys.get((tenant, session_id), (None, None))
            return journey if until is not None and self._clock() < until else None

        return await Steps(self._pause)("positions.get", found)

    def forget(self) -> None:
        """Lose every position, as the store of them may at any time."""
        self._journeys.clear()
