"""What can be asked of tracking."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from attrs import frozen

from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion, Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock, utc
from core.tracking.eta import Eta, EtaRules, Fix, Journey, estimate, step
from core.tracking.geo import Point, haversine
from core.tracking.model import LinkExpired, SessionNotFound, TrackingSession
from core.tracking.ports import Begin, Positions, SessionReader, TokenFor, Visit, Visits

POSITION_LIFE = timedelta(minutes=5)


@frozen(kw_only=True)
class Progress:
    """Where a trip stands: `state` is the session's, `distance` in metres; `ignored` says why the fix changed nothing."""

    session: TrackingSession
    journey: Journey | None
    eta: Eta | None
    distance: float | None
    ignored: str | None = None


@frozen(kw_only=True)
class Watched:
    """What the customer's page shows."""

    token: str
    visit: Visit
    progress: Progress


@frozen
class Tracking:
    """Trips of all tenants."""

    _begin: Begin
    _sessions: SessionReader
    _positions: Positions
    _visits: Visits
    _token_for: TokenFor
    _clock: Clock
    _new_id: NewId
    _rules: EtaRules = EtaRules()

    async def open(
        self,
        *,
        actor: Actor,
        job_id: str,
        technician_id: str,
        customer_id: str,
        destination: Point | None,
    ) -> TrackingSession:
        """Start a trip; a job that is being travelled to already keeps its session."""
        session_id = self._new_id("trip")
        async with self._begin(actor) as tx:
            current = await tx.sessions.of_job(actor.tenant, job_id)
            if current is not None and not current.over:
                return current
            return await tx.sessions.save(
                TrackingSession.opened(
                    id_=session_id,
                    tenant=actor.tenant,
                    job_id=job_id,
                    technician_id=technician_id,
                    customer_id=customer_id,
                    token_hash=_hash(self._token_for(session_id)),
                    destination=destination,
                    at=self._clock(),
                )
            )

    def token_of(self, session_id: str) -> str:
        """Return the token of a session's link."""
        return self._token_for(session_id)

    async def update(
        self,
        *,
        actor: Actor,
        job_id: str,
        point: Point,
        accuracy: float | None = None,
        speed: float | None = None,
        heading: float | None = None,
        recorded_at: datetime | None = None,
    ) -> Progress:
        """Take a technician's position: metres, m/s, degrees; `recorded_at` is when the phone measured it.

        A fix from the future or not newer than the newest is ignored with the reason. An arrival is noted once.
        """
        now = self._clock()
        session = await self._sessions.of_job(actor.tenant, job_id)
        if session is None or not actor.may("tracking.update", owner=session.technician_id):
            msg = f"nobody is on the way to job {job_id}"
            raise SessionNotFound(msg)
        if session.state != "active":
            return Progress(session=session, journey=None, eta=None, distance=None, ignored="trip_is_over")
        fix = Fix(
            point=point,
            recorded_at=utc(recorded_at) if recorded_at else now,
            received_at=now,
            accuracy=accuracy,
            speed=speed,
            heading=heading,
        )
        before = await self._journey(session)
        took = step(before, fix, destination=session.destination, rules=self._rules)
        if took.journey is not None and took.ignored is None:
            await self._remember(session, took.journey)
        if took.arrived_at is not None:
            session = await self._arrive(actor, session, arrived_at=took.arrived_at)
        return self._progress(session, took.journey, at=now, ignored=took.ignored)

    async def close(self, *, actor: Actor, job_id: str, state: str) -> None:
        """End the job's trip, `completed` or `cancelled`; where none is open there is nothing to end."""
        async with self._begin(actor) as tx:
            session = await tx.sessions.of_job(actor.tenant, job_id)
            if session is not None and not session.over:
                await tx.sessions.save(session.close(state, at=self._clock()))

    async def watch(self, *, token: str) -> Watched:
        """Return what the owner of a link may see; raise `SessionNotFound` or `LinkExpired`.

        A trip that has ended gives its end and no position.
        """
        session = await self._sessions.by_token(_hash(token))
        if session is None:
            msg = "there is no such tracking link"
            raise SessionNotFound(msg)
        now = self._clock()
        if now >= session.expires_at:
            msg = "this tracking link has expired"
            raise LinkExpired(msg)
        journey = await self._journey(session) if session.state == "active" else None
        progress = self._progress(session, journey, at=now, ignored=None)
        return Watched(token=token, visit=await self._visits.describe(session), progress=progress)

    async def _arrive(self, actor: Actor, session: TrackingSession, *, arrived_at: datetime) -> TrackingSession:
        try:
            async with self._begin(actor) as tx:
                current = await tx.sessions.of_job(session.tenant, session.job_id)
                if current is None or current.id != session.id or current.state != "active":
                    return current or session
                return await tx.sessions.save(current.arrive(arrived_at=arrived_at, at=self._clock()))
        except StaleVersion:  # another fix proved it at the same moment
            return await self._sessions.of_job(session.tenant, session.job_id) or session

    async def _journey(self, session: TrackingSession) -> Journey | None:
        try:
            return await self._positions.get(session.tenant, session.id)
        except Unavailable:
            return None

    async def _remember(self, session: TrackingSession, journey: Journey) -> None:
        try:
            await self._positions.put(session.tenant, session.id, journey, life=POSITION_LIFE)
        except Unavailable:
            return  # the next fix starts afresh; the trip itself is in the database

    def _progress(
        self, session: TrackingSession, journey: Journey | None, *, at: datetime, ignored: str | None
    ) -> Progress:
        distance = None
        if journey is not None and session.destination is not None:
            distance = haversine(journey.fix.point, session.destination)
        eta = estimate(journey, destination=session.destination, at=at, rules=self._rules)
        return Progress(session=session, journey=journey, eta=eta, distance=distance, ignored=ignored)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
