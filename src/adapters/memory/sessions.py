"""Tracking sessions in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows, Staged
from core.kernel.errors import StaleVersion
from core.tracking import TrackingSession


def session_rows() -> Rows[TrackingSession]:
    """Return an empty table of sessions, at most one of a job not over."""
    return Rows(
        "tracking session",
        {
            "job": Index(lambda session: (session.job_id,)),
            "open": Index(lambda session: () if session.over else (session.job_id,), _stale),
            "token": Index(lambda session: (session.token_hash,), _stale),
        },
    )


def _stale(session: TrackingSession) -> StaleVersion:
    return StaleVersion("tracking session", session.id, version=session.version)


@frozen
class MemorySessions:
    """`core.tracking.ports.SessionRepository`."""

    _staged: Staged[TrackingSession]
    _steps: Steps

    async def of_job(self, tenant: str, job_id: str) -> TrackingSession | None:
        """Return the job's newest session, or None."""
        return await self._steps("sessions.of_job", lambda: _newest(self._staged.having("job", tenant, job_id)))

    async def save(self, session: TrackingSession) -> TrackingSession:
        """Store the session and its facts; raise `StaleVersion`."""
        return await self._steps("sessions.save", lambda: self._staged.save(session))


@frozen
class MemorySessionReader:
    """`core.tracking.ports.SessionReader`."""

    _rows: Rows[TrackingSession]
    _steps: Steps

    async def of_job(self, tenant: str, job_id: str) -> TrackingSession | None:
        """Return the job's newest session, or None."""
        return await self._steps("sessions.of_job", lambda: _newest(self._rows.having("job", tenant, job_id)))

    async def by_token(self, token_hash: str) -> TrackingSession | None:
        """Return the session whose link has this token, or None."""
        return await self._steps(
            "sessions.by_token",
            lambda: next((each for each in self._rows.all() if each.token_hash == token_hash), None),
        )

    async def overdue(self, *, at: datetime, limit: int) -> Sequence[TrackingSession]:
        """Return sessions, of all tenants, that are not over although their time is."""

        def overdue() -> list[TrackingSession]:
            due = [each for each in self._rows.all() if not each.over and each.expires_at <= at]
            return sorted(due, key=lambda each: each.expires_at)[:limit]

        return await self._steps("sessions.overdue", overdue)


def _newest(sessions: Iterable[TrackingSession]) -> TrackingSession | None:
    return max(sessions, key=lambda session: (session.opened_at, session.id), default=None)
