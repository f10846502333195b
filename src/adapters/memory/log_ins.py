"""Log-ins that count, as one process knows them."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import define, field

from adapters.memory.pauses import Pause, Steps, at_once
from core.identity.ports import KnownLogIn
from core.kernel.time import Clock


@define
class MemoryKnownLogIns:
    """`core.identity.ports.KnownLogIns`."""

    _clock: Clock
    _pause: Pause = at_once
    _known: dict[tuple[str, str], tuple[datetime, KnownLogIn | None]] = field(factory=dict)
    """None of those that are to be forgotten."""

    async def get(self, tenant: str, session_id: str) -> KnownLogIn | None:
        """Return the log-in, or None where the database has to be asked."""
        return await Steps(self._pause)("log_ins.get", lambda: self._kept((tenant, session_id))[1])

    async def remember(self, tenant: str, session_id: str, known: KnownLogIn, *, life: timedelta) -> None:
        """Know it for as long as `life`, unless it is known, or was to be forgotten a short while ago."""

        def remember() -> None:
            now = self._clock()
            for over in [each for each, (until, _) in self._known.items() if until <= now]:
                del self._known[over]
            self._known.setdefault((tenant, session_id), (now + life, known))

        await Steps(self._pause)("log_ins.remember", remember)

    async def forget(self, tenant: str, session_id: str, *, life: timedelta) -> None:
        """Let nobody know it for as long as `life`."""

        def forget() -> None:
            self._known[tenant, session_id] = (self._clock() + life, None)

        await Steps(self._pause)("log_ins.forget", forget)

    def _kept(self, key: tuple[str, str]) -> tuple[datetime, KnownLogIn | None]:
        now = self._clock()
        until, known = self._known.get(key, (now, None))
        return (until, known) if now < until else (now, None)
