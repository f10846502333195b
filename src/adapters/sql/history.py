"""The history of positions in a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.database import Database
from adapters.sql.row_security import ALL
from adapters.sql.rows import cut, page_of, records
from adapters.sql.tables import Instant, fixes
from core.tracking import Fix, Point, Recorded

_COLUMNS: Final = tuple(column.name for column in fixes.columns)
_ROWS: Final = records(fixes, _COLUMNS, parameter="rows")
_ADD_ALL: Final = (
    postgresql.insert(fixes)
    .from_select(_COLUMNS, sa.select(*(_ROWS.c[name] for name in _COLUMNS)))
    .on_conflict_do_nothing()
)
"""One statement for any number of rows; to bind each value by itself takes four times as long."""
_ADD: Final = sqlite.insert(fixes).on_conflict_do_nothing()
_MEASURED: Final = sa.case((fixes.c.recorded_at < fixes.c.received_at, fixes.c.recorded_at), else_=fixes.c.received_at)
_NEWEST: Final = sa.select(sa.func.max(_MEASURED, type_=Instant).label("at")).where(
    fixes.c.tenant == sa.bindparam("t"), fixes.c.session_id == sa.bindparam("s")
)
_LISTED: Final[Any] = sa.select(
    fixes,
    fixes.c.recorded_at.label("created_at"),
    (fixes.c.session_id + sa.literal("|") + fixes.c.phone).label("id"),
).subquery()
_KEY: Final = (fixes.c.tenant, fixes.c.session_id, fixes.c.phone, fixes.c.recorded_at)
_OLD: Final = (
    sa.select(*_KEY).where(fixes.c.received_at < sa.bindparam("before", type_=Instant)).limit(sa.bindparam("limit"))
)
_PRUNE: Final = sa.delete(fixes).where(sa.tuple_(*_KEY).in_(_OLD)).returning(fixes.c.tenant)


class SqlHistory:
    """`core.tracking.ports.History`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, fixes: Sequence[Recorded]) -> None:
        """Store fixes, of any tenants, each once however often it comes."""
        if not fixes:
            return
        rows = [_row(each) for each in fixes]
        if self._database.sqlite:
            await self._database.change(_ADD, rows, tenant=ALL)
        else:
            await self._database.change(_ADD_ALL, {"rows": rows}, tenant=ALL)

    async def newest(self, tenant: str, session_id: str) -> datetime | None:
        """Return when the newest fix of a trip was measured, or None."""
        found = await self._database.first(_NEWEST, {"t": tenant, "s": session_id}, tenant=tenant)
        at: datetime | None = found.at
        return at

    async def page(
        self, tenant: str, job_id: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Recorded], str | None]:
        """Return fixes of a job's trips, the newest first, and the cursor of the next page."""
        query = page_of(_LISTED, tenant, where=[_LISTED.c.job_id == job_id], limit=limit, cursor=cursor)
        return cut(await self._database.rows(query, tenant=tenant), limit, _recorded)

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` fixes, of all tenants, that were received before the instant, and return how many."""
        return len(await self._database.change(_PRUNE, {"before": before, "limit": limit}, tenant=ALL))


def _row(recorded: Recorded) -> dict[str, Any]:
    fix = recorded.fix
    return {
        "tenant": recorded.tenant,
        "session_id": recorded.session_id,
        "phone": recorded.phone,
        "recorded_at": fix.recorded_at,
        "job_id": recorded.job_id,
        "received_at": fix.received_at,
        "lat": fix.point.lat,
        "lng": fix.point.lng,
        "accuracy": fix.accuracy,
        "speed": fix.speed,
        "heading": fix.heading,
        "remarks": ",".join(recorded.remarks),
    }


def _recorded(row: Any) -> Recorded:
    return Recorded(
        tenant=row.tenant,
        session_id=row.session_id,
        job_id=row.job_id,
        phone=row.phone,
        fix=Fix(
            point=Point(row.lat, row.lng),
            recorded_at=row.recorded_at,
            received_at=row.received_at,
            accuracy=row.accuracy,
            speed=row.speed,
            heading=row.heading,
        ),
        remarks=tuple(row.remarks.split(",")) if row.remarks else (),
    )
