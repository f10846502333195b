"""What tracking needs from the outside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol, TypeAlias

from attrs import frozen

from core.kernel.actor import Actor
from core.tracking.eta import Journey
from core.tracking.model import TrackingSession


class SessionRepository(Protocol):
    """Tracking sessions; at most one of a job is not over."""

    async def of_job(self, tenant: str, job_id: str) -> TrackingSession | None:
        """Return the job's newest session, or None."""
        ...

    async def save(self, session: TrackingSession) -> TrackingSession:
        """Store the session and its facts and return it as the next version; raise `StaleVersion`."""
        ...


class SessionTransaction(Protocol):
    """A tenant's transaction over tracking sessions."""

    @property
    def sessions(self) -> SessionRepository: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[SessionTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


class SessionReader(Protocol):
    """Sessions as they were last committed."""

    async def of_job(self, tenant: str, job_id: str) -> TrackingSession | None:
        """Return the job's newest session, or None."""
        ...

    async def by_token(self, token_hash: str) -> TrackingSession | None:
        """Return the session whose link has this token, of whichever tenant, or None."""
        ...


class Positions(Protocol):
    """The newest position of each trip; may forget at any time, which costs accuracy for a moment and nothing else."""

    async def put(self, tenant: str, session_id: str, journey: Journey, *, life: timedelta) -> None:
        """Keep the journey for as long as `life`. Raise `Unavailable`."""
        ...

    async def get(self, tenant: str, session_id: str) -> Journey | None:
        """Return the journey, or None when it is unknown or its life is over. Raise `Unavailable`."""
        ...


@frozen(kw_only=True)
class Visit:
    """What a customer may know of who comes; `zone` is the IANA time zone of the business."""

    technician: str
    business: str
    business_phone: str | None
    address: str | None
    zone: str


class Visits(Protocol):
    """Tells what a customer may know of a trip."""

    async def describe(self, session: TrackingSession) -> Visit:
        """Return who comes, from which business and where to."""
        ...


TokenFor: TypeAlias = Callable[[str], str]
"""Derive the link's token from a session id with a secret: the same id gives the same token, nobody else can guess it."""
