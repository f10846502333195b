"""Tracking sessions in tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.row_security import ALL
from adapters.sql.tables import Instant, sessions
from adapters.sql.writer import Writer
from core.kernel.states import evolved
from core.tracking import Point, TrackingSession

_OF_JOB: Final = (
    sa.select(sessions)
    .where(sessions.c.tenant == sa.bindparam("t"), sessions.c.job_id == sa.bindparam("j"))
    .order_by(sessions.c.opened_at.desc(), sessions.c.id.desc())
    .limit(1)
)
_BY_TOKEN: Final = sa.select(sessions).where(sessions.c.token_hash == sa.bindparam("h"))
_OVERDUE: Final = (
    sa.select(sessions)
    .where(sa.text("state IN ('active', 'arrived')"), sessions.c.expires_at <= sa.bindparam("at", type_=Instant))
    .order_by(sessions.c.expires_at)
    .limit(sa.bindparam("limit"))
)


class SqlSessions:
    """`core.tracking.ports.SessionRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def of_job(self, tenant: str, job_id: str) -> TrackingSession | None:
        """Return the job's newest session, or None."""
        return _session(await self._writer.first(_OF_JOB, {"t": tenant, "j": job_id}))

    async def save(self, session: TrackingSession) -> TrackingSession:
        """Store the session and its facts; raise `StaleVersion`."""
        row = {
            "job_id": session.job_id,
            "technician_id": session.technician_id,
            "customer_id": session.customer_id,
            "token_hash": session.token_hash,
            "state": session.state,
            "lat": session.destination.lat if session.destination else None,
            "lng": session.destination.lng if session.destination else None,
            "opened_at": session.opened_at,
            "expires_at": session.expires_at,
            "arrived_at": session.arrived_at,
        }
        version = await self._writer.save(
            sessions, "tracking session", session, row, stale=["uq_tracking_sessions_open"]
        )
        return evolved(session, {"version": version, "facts": ()})


class SqlSessionReader:
    """`core.tracking.ports.SessionReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_job(self, tenant: str, job_id: str) -> TrackingSession | None:
        """Return the job's newest session, or None."""
        return _session(await self._database.first(_OF_JOB, {"t": tenant, "j": job_id}, tenant=tenant))

    async def by_token(self, token_hash: str) -> TrackingSession | None:
        """Return the session whose link has this token, or None."""
        return _session(await self._database.first(_BY_TOKEN, {"h": token_hash}, tenant=ALL))

    async def overdue(self, *, at: datetime, limit: int) -> Sequence[TrackingSession]:
        """Return sessions, of all tenants, that are not over although their time is."""
        found = await self._database.rows(_OVERDUE, {"at": at, "limit": limit}, tenant=ALL)
        return [each for row in found if (each := _session(row)) is not None]


def _session(row: Any) -> TrackingSession | None:
    if row is None:
        return None
    return TrackingSession(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        job_id=row.job_id,
        technician_id=row.technician_id,
        customer_id=row.customer_id,
        token_hash=row.token_hash,
        state=row.state,
        destination=None if row.lat is None else Point(row.lat, row.lng),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        arrived_at=row.arrived_at,
    )
