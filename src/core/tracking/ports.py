"""What tracking needs from the outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen

from core.kernel.actor import Actor
from core.tracking.eta import Journey
from core.tracking.fixes import Fix
from core.tracking.geo import Point
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

    async def overdue(self, *, at: datetime, limit: int) -> Sequence[TrackingSession]:
        """Return sessions, of all tenants, that are not over although their time is."""
        ...


@frozen(kw_only=True)
class Live:
    """An open trip, as all processes share it.

    `journey` holds its newest position, and is gone when that is too old; `seen_at`, when that was measured, stays. `phones` are
    those that reported it of late, the one that counts last. `mark` is how the store knows it again, and nobody else's business.
    """

    session: TrackingSession
    journey: Journey | None = None
    phones: tuple[str, ...] = ()
    seen_at: datetime | None = None
    mark: Any = field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class Recorded:
    """A fix as it is kept: whose, from which phone, and what was remarked about it.

    A phone measures one fix at an instant: trip, phone and `fix.recorded_at` tell it from all others.
    """

    tenant: str
    session_id: str
    job_id: str
    phone: str
    fix: Fix
    remarks: tuple[str, ...] = ()


class Positions(Protocol):
    """The trips under way with their newest positions, and the fixes that the history lacks; every call may raise `Unavailable`.

    It may forget at any time: of trips that costs accuracy for a moment, of fixes what came since the history was last written.
    """

    async def get(self, tenant: str, job_id: str) -> Live | None:
        """Return the job's trip, or None when it is unknown."""
        ...

    async def put(self, session: TrackingSession, *, life: timedelta, seen_at: datetime | None = None) -> None:
        """Let everybody know the session, unless a newer one of its job, or a newer version, is known.

        A session that is no longer active has no position; `seen_at` is taken where none is known.
        """
        ...

    async def advance(
        self, before: Live, after: Live, fixes: Sequence[Recorded], *, life: timedelta
    ) -> tuple[bool, Live | None]:
        """Let `after` follow `before` with its position living for `life`, and keep the fixes, if nothing has changed meanwhile.

        Return whether it was so, and what is known now. If the two differ in nothing only another session counts as a change.
        """
        ...

    async def unwritten(self, *, limit: int) -> Sequence[tuple[str, Sequence[Recorded]]]:
        """Return the oldest fixes that nobody has written, in up to `limit` parcels with their names; others get none for a while."""
        ...

    async def written(self, parcels: Sequence[str]) -> None:
        """Forget parcels that are in the history."""
        ...


class History(Protocol):
    """All fixes of all trips for as long as they are kept."""

    async def add(self, fixes: Sequence[Recorded]) -> None:
        """Store fixes, of any tenants, each once however often it comes."""
        ...

    async def newest(self, tenant: str, session_id: str) -> datetime | None:
        """Return when the newest fix of a trip was measured, by a clock that is not ahead of ours, or None."""
        ...

    async def page(
        self, tenant: str, job_id: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Recorded], str | None]:
        """Return fixes of a job's trips, the newest first, and the cursor of the next page; raise `Invalid` for a strange one."""
        ...

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` fixes, of all tenants, that were received before the instant, and return how many."""
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


class Routes(Protocol):
    """A routing engine, which knows the streets; without one the estimate goes by the distance."""

    async def travel_time(self, start: Point, destination: Point) -> float | None:
        """Return the seconds that a vehicle takes, or None where no street leads there. Raise `Unavailable`."""
        ...


TokenFor: TypeAlias = Callable[[str], str]
"""Derive the link's token from a session id with a secret: the same id gives the same token, nobody else can guess it."""
