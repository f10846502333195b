"""Jobs in tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.row_security import ALL
from adapters.sql.rows import cut, from_json, page_of
from adapters.sql.tables import inbox, jobs, outbox
from adapters.sql.writer import Writer
from core.jobs import Job, JobFilter, JobNotFound, Photo, Place, Signature, TimelineEntry, Wish
from core.kernel.money import Line
from core.kernel.states import evolved

_ONE: Final = sa.select(jobs).where(jobs.c.tenant == sa.bindparam("t"), jobs.c.id == sa.bindparam("i"))


class SqlJobs:
    """`core.jobs.ports.JobRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, job_id: str) -> Job:
        """Return the job; raise `JobNotFound`."""
        return _found(await self._writer.first(_ONE, {"t": tenant, "i": job_id}), job_id)

    async def save(self, job: Job) -> Job:
        """Store the job and its facts; raise `StaleVersion`."""
        version = await self._writer.save(jobs, "job", job, _row(job))
        return evolved(job, {"version": version, "facts": ()})


class SqlJobReader:
    """`core.jobs.ports.JobReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, job_id: str) -> Job:
        """Return the job; raise `JobNotFound`."""
        return _found(await self._database.first(_ONE, {"t": tenant, "i": job_id}, tenant=tenant), job_id)

    async def page(
        self, tenant: str, *, where: JobFilter, limit: int, cursor: str | None
    ) -> tuple[Sequence[Job], str | None]:
        """Return a page of jobs, the newest first."""
        wanted = {"status": where.status, "technician_id": where.technician_id, "customer_id": where.customer_id}
        conditions = [jobs.c[name] == value for name, value in wanted.items() if value is not None]
        query = page_of(jobs, tenant, where=conditions, limit=limit, cursor=cursor)
        return cut(await self._database.rows(query, tenant=tenant), limit, _job)

    async def starting(self, *, after: datetime, until: datetime) -> Sequence[tuple[str, str, datetime]]:
        """Return (tenant, job id, start) of scheduled visits that start in the span, the soonest first."""
        rows = await self._database.rows(
            sa.select(jobs.c.tenant, jobs.c.id, jobs.c.starts_at)
            .where(jobs.c.status == "scheduled", jobs.c.starts_at > after, jobs.c.starts_at <= until)
            .order_by(jobs.c.starts_at, jobs.c.tenant, jobs.c.id),
            tenant=ALL,
        )
        return [(row.tenant, row.id, row.starts_at) for row in rows]

    async def timeline(self, tenant: str, job_id: str) -> Sequence[TimelineEntry]:
        """Return the messages that asked for the job and every fact about it, in the order in which they were stored."""
        job = await self.get(tenant, job_id)
        messages: list[Any] = []
        about = outbox.c.job_id == job_id
        if job.source is not None:
            asked = sa.select(inbox).where(inbox.c.tenant == tenant, inbox.c.batch_id == job.source)
            messages = await self._database.rows(asked.order_by(inbox.c.seq), tenant=tenant)
            about = sa.or_(about, sa.and_(outbox.c.correlation == job.source, outbox.c.job_id.is_(None)))
        told = await self._database.rows(
            sa.select(outbox).where(outbox.c.tenant == tenant, about).order_by(outbox.c.seq), tenant=tenant
        )
        return [*map(_message_entry, messages), *map(_fact_entry, told)]


def _message_entry(row: Any) -> TimelineEntry:
    return TimelineEntry(
        id=row.id,
        at=row.received_at,
        kind="message.received",
        actor=row.thread,
        causation=None,
        data={"text": row.text, "kind": row.kind, "sentAt": row.sent_at},
    )


def _fact_entry(row: Any) -> TimelineEntry:
    return TimelineEntry(
        id=row.id, at=row.at, kind=row.event_type, actor=row.actor, causation=row.causation, data=dict(row.payload)
    )


def _found(row: Any, job_id: str) -> Job:
    if row is None:
        raise JobNotFound(job_id)
    return _job(row)


def _row(job: Job) -> dict[str, Any]:
    return {
        "status": job.status,
        "customer_id": job.customer_id,
        "technician_id": job.technician_id,
        "title": job.title,
        "wish": job.wish,
        "place": job.place,
        "source": job.source,
        "starts_at": job.starts_at,
        "ends_at": job.ends_at,
        "lines": job.lines,
        "notes": job.notes,
        "photos": job.photos,
        "signature": job.signature,
        "invoice_id": job.invoice_id,
        "currency": job.currency,
        "created_at": job.created_at,
    }


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        status=row.status,
        customer_id=row.customer_id,
        technician_id=row.technician_id,
        title=row.title,
        wish=from_json(row.wish, Wish),
        place=from_json(row.place, Place),
        source=row.source,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        lines=from_json(row.lines, tuple[Line, ...]),
        notes=row.notes,
        photos=from_json(row.photos, tuple[Photo, ...]),
        signature=None if row.signature is None else from_json(row.signature, Signature),
        invoice_id=row.invoice_id,
        currency=row.currency,
        created_at=row.created_at,
    )
