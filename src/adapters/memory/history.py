"""The history of positions in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from attrs import define, field, frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import page_of
from core.tracking import Recorded

_Key: TypeAlias = tuple[str, str, str, datetime]
"""Tenant, trip, phone, and when it was measured."""


@frozen
class _Listed:
    recorded: Recorded

    @property
    def created_at(self) -> datetime:
        return self.recorded.fix.recorded_at

    @property
    def id(self) -> str:
        return f"{self.recorded.session_id}|{self.recorded.phone}"


@define
class MemoryHistory:
    """`core.tracking.ports.History`."""

    _steps: Steps
    _rows: dict[_Key, Recorded] = field(factory=dict)

    async def add(self, fixes: Sequence[Recorded]) -> None:
        """Store fixes, of any tenants, each once however often it comes."""

        def add() -> None:
            for each in fixes:
                self._rows.setdefault((each.tenant, each.session_id, each.phone, each.fix.recorded_at), each)

        await self._steps("history.add", add)

    async def newest(self, tenant: str, session_id: str) -> datetime | None:
        """Return when the newest fix of a trip was measured, or None."""

        def newest() -> datetime | None:
            own = (each.fix for each in self._rows.values() if (each.tenant, each.session_id) == (tenant, session_id))
            return max((min(fix.recorded_at, fix.received_at) for fix in own), default=None)

        return await self._steps("history.newest", newest)

    async def page(
        self, tenant: str, job_id: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Recorded], str | None]:
        """Return fixes of a job's trips, the newest first, and the cursor of the next page."""

        def page() -> tuple[Sequence[Recorded], str | None]:
            own = (_Listed(each) for each in self._rows.values() if (each.tenant, each.job_id) == (tenant, job_id))
            listed, place = page_of(own, limit=limit, cursor=cursor)
            return [each.recorded for each in listed], place

        return await self._steps("history.page", page)

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` fixes, of all tenants, that were received before the instant, and return how many."""

        def prune() -> int:
            old = [key for key, each in self._rows.items() if each.fix.received_at < before][:limit]
            for key in old:
                del self._rows[key]
            return len(old)

        return await self._steps("history.prune", prune)
