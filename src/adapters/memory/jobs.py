"""Jobs in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from attrs import frozen

from adapters.memory.messages import InboxRows, Received
from adapters.memory.outbox import OutboxRows
from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows, Staged, page_of
from core.jobs import Job, JobFilter, JobNotFound, TimelineEntry
from core.kernel.events import Envelope


def job_rows() -> Rows[Job]:
    """Return an empty table of jobs."""
    indexes: dict[str, Index[Job]] = {}
    return Rows("job", indexes)


@frozen
class MemoryJobs:
    """`core.jobs.ports.JobRepository`."""

    _staged: Staged[Job]
    _steps: Steps

    async def get(self, tenant: str, job_id: str) -> Job:
        """Return the job; raise `JobNotFound`."""
        return await self._steps("jobs.get", lambda: _found(self._staged.get(tenant, job_id), job_id))

    async def save(self, job: Job) -> Job:
        """Store the job and its facts; raise `StaleVersion`."""
        return await self._steps("jobs.save", lambda: self._staged.save(job))


@frozen
class MemoryJobReader:
    """`core.jobs.ports.JobReader`."""

    _rows: Rows[Job]
    _inbox: InboxRows
    _outbox: OutboxRows
    _steps: Steps

    async def get(self, tenant: str, job_id: str) -> Job:
        """Return the job; raise `JobNotFound`."""
        return await self._steps("jobs.get", lambda: self._get(tenant, job_id))

    async def page(
        self, tenant: str, *, where: JobFilter, limit: int, cursor: str | None
    ) -> tuple[Sequence[Job], str | None]:
        """Return a page of jobs, the newest first."""

        def wanted(job: Job) -> bool:
            return (
                where.status in (None, job.status)
                and where.technician_id in (None, job.technician_id)
                and where.customer_id in (None, job.customer_id)
            )

        return await self._steps(
            "jobs.page", lambda: page_of(filter(wanted, self._rows.of(tenant)), limit=limit, cursor=cursor)
        )

    async def starting(self, *, after: datetime, until: datetime) -> Sequence[tuple[str, str, datetime]]:
        """Return (tenant, job id, start) of scheduled visits that start in the span, the soonest first."""

        def found() -> list[tuple[str, str, datetime]]:
            visits = [
                (job.starts_at, job.tenant, job.id)
                for job in self._rows.all()
                if job.status == "scheduled" and job.starts_at is not None and after < job.starts_at <= until
            ]
            return [(tenant, id_, starts_at) for starts_at, tenant, id_ in sorted(visits)]

        return await self._steps("jobs.starting", found)

    async def timeline(self, tenant: str, job_id: str) -> Sequence[TimelineEntry]:
        """Return the messages that asked for the job and every fact about it, in the order of storing."""
        return await self._steps("jobs.timeline", lambda: self._timeline(self._get(tenant, job_id)))

    def _get(self, tenant: str, job_id: str) -> Job:
        return _found(self._rows.get((tenant, job_id)), job_id)

    def _timeline(self, job: Job) -> list[TimelineEntry]:
        asked = [] if job.source is None else self._inbox.in_batch(job.tenant, job.source)
        told = self._outbox.about(job.tenant, job_id=job.id, correlation=job.source)
        return [*map(_message_entry, asked), *map(_fact_entry, told)]


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise JobNotFound(job_id)
    return job


def _message_entry(received: Received) -> TimelineEntry:
    message = received.message
    return TimelineEntry(
        id=message.id,
        at=message.received_at,
        kind="message.received",
        actor=message.sender.thread,
        causation=None,
        data={"text": message.text, "kind": message.kind, "sentAt": message.sent_at},
    )


def _fact_entry(envelope: Envelope) -> TimelineEntry:
    fact = msgspec.to_builtins(envelope.fact)
    return TimelineEntry(
        id=envelope.id,
        at=envelope.timestamp,
        kind=envelope.event_type,
        actor=envelope.actor,
        causation=envelope.causation,
        data={name: value for name, value in fact.items() if name not in {"tenant", "at", "job_id"}},
    )
