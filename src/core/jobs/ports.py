"""What jobs need from the outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from core.jobs.model import Job
from core.kernel.actor import Actor


class JobRepository(Protocol):
    """Jobs by id, one tenant at a time."""

    async def get(self, tenant: str, job_id: str) -> Job:
        """Return the job; raise `JobNotFound` if this tenant has none by that id."""
        ...

    async def save(self, job: Job) -> Job:
        """Store the job and its facts together and return it as the next version, its facts gone.

        Raise `StaleVersion` if the stored version is not `job.version`.
        """
        ...


class JobTransaction(Protocol):
    """A tenant's transaction over jobs."""

    @property
    def jobs(self) -> JobRepository: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[JobTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


@frozen(kw_only=True)
class JobFilter:
    """Which jobs to list."""

    status: str | None = None
    technician_id: str | None = None
    customer_id: str | None = None


@frozen(kw_only=True)
class TimelineEntry:
    """One thing that happened on the way from the first message to the invoice."""

    id: str
    at: datetime
    kind: str
    actor: str
    causation: str | None
    data: dict[str, object]


class JobReader(Protocol):
    """Jobs as they were last committed; reads outside a transaction."""

    async def get(self, tenant: str, job_id: str) -> Job:
        """Return the job; raise `JobNotFound` if this tenant has none by that id."""
        ...

    async def page(
        self, tenant: str, *, where: JobFilter, limit: int, cursor: str | None
    ) -> tuple[Sequence[Job], str | None]:
        """Return up to `limit` jobs, the newest first, and the cursor of the next page, or None after the last."""
        ...

    async def starting(self, *, after: datetime, until: datetime) -> Sequence[tuple[str, str, datetime]]:
        """Return (tenant, job id, start) of all tenants' scheduled visits that start after one instant and not after another.

        The soonest comes first.
        """
        ...

    async def timeline(self, tenant: str, job_id: str) -> Sequence[TimelineEntry]:
        """Return everything stored about the job, and the messages that asked for it, oldest first."""
        ...


class Colleagues(Protocol):
    """The people whom jobs are given to."""

    async def is_technician(self, tenant: str, user_id: str) -> bool:
        """Say whether the tenant has such a technician, and active."""
        ...


class Clients(Protocol):
    """The people whom jobs are done for."""

    async def exists(self, tenant: str, customer_id: str) -> bool:
        """Say whether the tenant has such a customer."""
        ...


class MediaStore(Protocol):
    """Bytes of photos and signatures."""

    async def put(self, tenant: str, media_id: str, content: bytes) -> None:
        """Keep the bytes; they are durable when this returns."""
        ...

    async def get(self, tenant: str, media_id: str) -> bytes:
        """Return the bytes; raise `NotFound` if this tenant has none by that id."""
        ...
