"""What can be asked of tracking."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from attrs import evolve, field, frozen

from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion, Unavailable
from core.kernel.ports import NewId
from core.kernel.time import Clock, utc
from core.tracking.eta import Eta, Journey, estimate, guided, step, unguided
from core.tracking.fixes import Fix
from core.tracking.geo import Point, haversine
from core.tracking.model import LinkExpired, OtherPhone, SessionNotFound, TooManyFixes, TrackingSession
from core.tracking.ports import (
    Begin,
    History,
    Live,
    Positions,
    Recorded,
    Routes,
    SessionReader,
    TokenFor,
    Visit,
    Visits,
)
from core.tracking.rules import EtaRules

POSITION_LIFE: Final = timedelta(minutes=5)
FIXES_AT_MOST: Final = 500
"""Fixes in one report."""
PACE: Final = timedelta(seconds=5)
"""What is measured sooner after the newest fix is kept, and changes nothing."""
_AFTER: Final = timedelta(minutes=10)
"""For how long a trip is known to the store of positions after its time."""
_PHONES: Final = 8
"""Phones of a trip that are remembered at most."""
_TRIES: Final = 5
_REMEMBERED: Final = 10_000
"""Trips, and links, that a process remembers at most."""
_ENGINE_REST: Final = timedelta(seconds=30)
"""For how long a routing engine that failed is not asked about the same trip."""
_LINK_LIFE: Final = timedelta(seconds=30)
"""For how long a process remembers whose link a token is, and who comes."""


@frozen(kw_only=True)
class Report:
    """A position as a phone sends it: metres, m/s, degrees; `recorded_at` is when it was measured, if not now."""

    point: Point
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    recorded_at: datetime | None = None


@frozen(kw_only=True)
class Outcome:
    """What became of a fix: why it changed nothing, or what was remarkable about it."""

    ignored: str | None = None
    noted: tuple[str, ...] = ()


_TAKEN: Final = Outcome()
_OVER: Final = Outcome(ignored="trip_is_over")
_SOON: Final = Outcome(ignored="too_soon")


@frozen(kw_only=True)
class Progress:
    """Where a trip stands: `state` is the session's, `distance` in metres; `outcome` is that of the fix just reported.

    `seen_at` is when the newest position was measured; it is known for longer than the position.
    """

    session: TrackingSession
    journey: Journey | None
    eta: Eta | None
    distance: float | None
    seen_at: datetime | None = None
    outcome: Outcome = _TAKEN


@frozen(kw_only=True)
class Watched:
    """What the customer's page shows."""

    token: str
    visit: Visit
    progress: Progress


@frozen
class Tracking:
    """Trips of all tenants.

    A report of positions asks the store of positions and nothing else: what this process remembers of the trip is carried on, and
    counts only if the store finds it unchanged. The database is asked about a trip that the store does not know, and for every
    report while the store does not answer.
    """

    _begin: Begin
    _sessions: SessionReader
    _positions: Positions
    _history: History
    _visits: Visits
    _token_for: TokenFor
    _clock: Clock
    _new_id: NewId
    _rules: EtaRules = EtaRules()
    _keep: timedelta = timedelta(days=30)
    _routes: Routes | None = None
    _held: dict[tuple[str, str], Live] = field(factory=dict, repr=False)
    _unguided: dict[tuple[str, str], datetime] = field(factory=dict, repr=False)
    """Trips that the routing engine has to be asked about, and from when on."""
    _links: dict[str, tuple[datetime, TrackingSession, Visit]] = field(factory=dict, repr=False)

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
        session_id, now = self._new_id("trip"), self._clock()
        async with self._begin(actor) as tx:
            current = await tx.sessions.of_job(actor.tenant, job_id)
            if current is not None and not current.over:
                if now < current.expires_at:
                    return current
                await tx.sessions.save(current.close("expired", at=now))
            opened = await tx.sessions.save(
                TrackingSession.opened(
                    id_=session_id,
                    tenant=actor.tenant,
                    job_id=job_id,
                    technician_id=technician_id,
                    customer_id=customer_id,
                    token_hash=_hash(self._token_for(session_id)),
                    destination=destination,
                    at=now,
                )
            )
        await self._tell(opened)
        return opened

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
        phone: str | None = None,
    ) -> Progress:
        """Take a technician's position; as `update_all` with one report, whose outcome is in the answer."""
        now = self._clock()
        report = Report(point=point, accuracy=accuracy, speed=speed, heading=heading, recorded_at=recorded_at)
        live, (outcome,) = await self._report(actor, job_id, [_fix(report, now)], phone, now)
        return self._progress(live, at=now, outcome=outcome)

    async def update_all(
        self, *, actor: Actor, job_id: str, reports: Sequence[Report], phone: str | None = None
    ) -> tuple[Progress, Sequence[Outcome]]:
        """Take what a technician's phone measured, in any order; return where the trip stands, and what became of each.

        Every fix of a trip under way is kept. One that is measured within `PACE` of the newest changes nothing, nor does any that
        `step` ignores. An arrival is noted once, and ends the trip. `phone` tells a technician's phones apart: the one that came
        last counts, until it is silent for as long as a position lives. Raise `TooManyFixes`, `SessionNotFound`, `OtherPhone`.
        """
        if len(reports) > FIXES_AT_MOST:
            raise TooManyFixes(len(reports), limit=FIXES_AT_MOST)
        now = self._clock()
        live, outcomes = await self._report(actor, job_id, [_fix(report, now) for report in reports], phone, now)
        return self._progress(live, at=now), outcomes

    async def close(self, *, actor: Actor, job_id: str, state: str) -> None:
        """End the job's trip, `completed` or `cancelled`; where none is open there is nothing to end."""
        async with self._begin(actor) as tx:
            session = await tx.sessions.of_job(actor.tenant, job_id)
            if session is None or session.over:
                return
            closed = await tx.sessions.save(session.close(state, at=self._clock()))
        await self._tell(closed)

    async def make_known(self, *, tenant: str, job_id: str) -> None:
        """See that the store of positions knows the job's trip as it was last committed; raise `Unavailable`."""
        session = await self._sessions.of_job(tenant, job_id)
        if session is not None:
            await self._put(session)

    async def show(self, *, actor: Actor, job_id: str) -> Progress:
        """Return where the job's newest trip stands, to the office and to the technician; raise `SessionNotFound`."""
        live = await self._known(actor.tenant, job_id)
        if live is None or not _may_see(actor, live.session):
            raise _nobody(job_id)
        return self._progress(live, at=self._clock())

    async def history(
        self, *, actor: Actor, job_id: str, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Recorded], str | None]:
        """Return the fixes of the job's trips, the newest first, to the office; raise `SessionNotFound`.

        The last seconds may be missing: they are still on their way.
        """
        actor.must("tracking.read")
        if await self._sessions.of_job(actor.tenant, job_id) is None:
            raise _nobody(job_id)
        return await self._history.page(actor.tenant, job_id, limit=limit, cursor=cursor)

    async def watch(self, *, token: str) -> Watched:
        """Return what the owner of a link may see; raise `SessionNotFound` or `LinkExpired`.

        A trip that has ended gives its end and no position.
        """
        now = self._clock()
        hashed = _hash(token)
        session, visit = await self._behind(hashed, now)
        if now >= session.expires_at:
            msg = "this tracking link has expired"
            raise LinkExpired(msg)
        live = await self._known(session.tenant, session.job_id)
        if live is None or live.session.id != session.id:  # the job has another trip since
            live = Live(session=await self._sessions.by_token(hashed) or session)
        return Watched(token=token, visit=visit, progress=self._progress(live, at=now))

    async def expire_due(self, *, limit: int) -> int:
        """End trips, of all tenants, whose time is over, and return how many."""
        now, ended = self._clock(), 0
        for session in await self._sessions.overdue(at=now, limit=limit):
            actor = Actor(tenant=session.tenant, id="tracking", role="service", correlation=session.id)
            try:
                async with self._begin(actor) as tx:
                    expired = await tx.sessions.save(session.close("expired", at=now))
            except StaleVersion:  # it ended otherwise meanwhile
                continue
            await self._tell(expired)
            ended += 1
        return ended

    async def write_history(self, *, limit: int) -> int:
        """Bring fixes from the store of positions into the history, in up to `limit` parcels, and return how many it were."""
        parcels = await self._positions.unwritten(limit=limit)
        if parcels:
            await self._history.add([each for _, fixes in parcels for each in fixes])
            await self._positions.written([name for name, _ in parcels])
        return len(parcels)

    async def ask_the_way(self, *, limit: int) -> int:
        """Ask the routing engine about up to `limit` trips that were reported to this process; return how many it answered.

        It is asked once per destination, apart from the reports, which wait for no engine. Until it has answered, and where it
        fails, the estimate goes by the distance; after a failure it is asked again later.
        """
        now, answered = self._clock(), 0
        for key in [each for each, due in self._unguided.items() if due <= now][:limit]:
            del self._unguided[key]  # a trip that moves on meanwhile comes back with its next report
            answered += await self._ask_the_way(key)
        return answered

    async def prune_history(self, *, limit: int) -> int:
        """Delete up to `limit` fixes, of all tenants, that are no longer kept, and return how many."""
        return await self._history.prune(before=self._clock() - self._keep, limit=limit)

    async def _report(
        self, actor: Actor, job_id: str, fixes: Sequence[Fix], phone: str | None, now: datetime
    ) -> tuple[Live, Sequence[Outcome]]:
        """Carry the trip on, and note an arrival."""
        try:
            taken = await self._take(actor, job_id, fixes, phone, now)
        except Unavailable:  # the store of positions, or the database, which then says so itself
            taken = await self._take_alone(actor, job_id, fixes, phone, now)
        live, arrived_at, outcomes = taken
        if arrived_at is not None:
            live = evolve(live, session=await self._arrive(actor, live.session, arrived_at=arrived_at))
        return live, outcomes

    async def _take(self, actor: Actor, job_id: str, fixes: Sequence[Fix], phone: str | None, now: datetime) -> _Taken:
        """Carry the trip on as the store of positions knows it."""
        key = (actor.tenant, job_id)
        live = self._held.get(key)
        if live is not None and not _unhindered(actor, live, phone, now):
            live = None  # what is refused is refused by what holds now
        for _ in range(_TRIES):
            if live is None:
                live = await self._shared(*key)
            if live is None or not actor.may("tracking.update", owner=live.session.technician_id):
                raise _nobody(job_id)
            after, arrived_at, outcomes = self._carried_on(actor, live, fixes, phone, now)
            kept = _kept(after.session, phone, fixes, outcomes)
            done, found = await self._positions.advance(live, after, kept, life=POSITION_LIFE)
            if done and found is not None:
                self._remember(key, found)
                return found, arrived_at, outcomes
            live = found
        msg = "too many report this trip at once"
        raise Unavailable(msg)

    async def _take_alone(
        self, actor: Actor, job_id: str, fixes: Sequence[Fix], phone: str | None, now: datetime
    ) -> _Taken:
        """Carry the trip on by the database and what this process remembers; the fixes go into the history at once."""
        key = (actor.tenant, job_id)
        session = await self._sessions.of_job(*key)
        if session is None or not actor.may("tracking.update", owner=session.technician_id):
            raise _nobody(job_id)
        held = self._held.get(key)
        known = held is not None and held.session.id == session.id
        live = evolve(held, session=session) if held is not None and known else Live(session=session)
        after, arrived_at, outcomes = self._carried_on(actor, live, fixes, phone, now)
        if kept := _kept(session, phone, fixes, outcomes):
            await self._history.add(kept)
        self._remember(key, after)
        return after, arrived_at, outcomes

    def _carried_on(self, actor: Actor, live: Live, fixes: Sequence[Fix], phone: str | None, now: datetime) -> _Taken:
        """Return the trip after the fixes, the instant of an arrival that they prove, and what became of each."""
        session = live.session
        if session.state != "active" or now >= session.expires_at:
            return live, None, [_OVER] * len(fixes)
        phones = live.phones
        if phone is not None and actor.id == session.technician_id:
            if phone in phones[:-1]:
                raise OtherPhone
            if phone not in phones:
                phones = (*phones, phone)[-_PHONES:]
        journey, arrived_at = live.journey, None
        outcomes = [_OVER] * len(fixes)
        for place in sorted(range(len(fixes)), key=lambda place: fixes[place].recorded_at):
            fix = fixes[place]
            newest = None if journey is None else journey.suspect or journey.fix
            if newest is not None and timedelta(0) < _measured(fix) - _measured(newest) < PACE:
                outcomes[place] = _SOON
                continue
            took = step(journey, fix, destination=session.destination, rules=self._rules)
            journey, arrived_at = took.journey, took.arrived_at
            if took.ignored is None and not took.noted:
                outcomes[place] = _TAKEN
            else:
                outcomes[place] = Outcome(ignored=took.ignored, noted=took.noted)
            if arrived_at is not None:
                break
        if journey is live.journey and phones == live.phones:
            return live, arrived_at, outcomes
        seen_at = live.seen_at if journey is None else _measured(journey.fix)
        after = Live(session=session, journey=journey, phones=phones, seen_at=seen_at, mark=live.mark)
        return after, arrived_at, outcomes

    async def _ask_the_way(self, key: tuple[str, str]) -> bool:
        live, routes = self._held.get(key), self._routes
        way = None if live is None else unguided(live.journey, rules=self._rules)
        if routes is None or live is None or live.journey is None or way is None:
            return False
        try:
            seconds = await routes.travel_time(*way)
        except Unavailable:
            self._unguided[key] = self._clock() + _ENGINE_REST
            return False
        after = evolve(live, journey=guided(live.journey, seconds, rules=self._rules))
        left = live.journey.fix.received_at + POSITION_LIFE - self._clock()
        if left > timedelta(0):
            done, found = await self._positions.advance(live, after, (), life=left)
            if done and found is not None:
                self._held[key] = found
        return True

    async def _arrive(self, actor: Actor, session: TrackingSession, *, arrived_at: datetime) -> TrackingSession:
        try:
            async with self._begin(actor) as tx:
                current = await tx.sessions.of_job(session.tenant, session.job_id)
                if current is None or current.id != session.id or current.state != "active":
                    return current or session
                arrived = await tx.sessions.save(current.arrive(arrived_at=arrived_at, at=self._clock()))
        except StaleVersion:  # another fix proved it at the same moment
            return await self._sessions.of_job(session.tenant, session.job_id) or session
        await self._tell(arrived)
        return arrived

    async def _behind(self, hashed: str, now: datetime) -> tuple[TrackingSession, Visit]:
        """Return the session whose link it is, as it was lately, and who comes."""
        until, session, visit = self._links.get(hashed, (now, None, None))
        if session is None or visit is None or until <= now:
            session = await self._sessions.by_token(hashed)
            if session is None:
                msg = "there is no such tracking link"
                raise SessionNotFound(msg)
            visit = await self._visits.describe(session)
            if len(self._links) >= _REMEMBERED:
                self._links.clear()
            self._links[hashed] = (now + _LINK_LIFE, session, visit)
        return session, visit

    async def _known(self, tenant: str, job_id: str) -> Live | None:
        """Return the job's newest trip, by the database alone while the store of positions does not answer."""
        try:
            return await self._shared(tenant, job_id)
        except Unavailable:
            session = await self._sessions.of_job(tenant, job_id)
            return None if session is None else Live(session=session)

    async def _shared(self, tenant: str, job_id: str) -> Live | None:
        """Return the job's newest trip from the store of positions, to which it is told if it had forgotten it."""
        live = await self._positions.get(tenant, job_id)
        if live is None:
            session = await self._sessions.of_job(tenant, job_id)
            if session is not None:
                await self._put(session, seen_at=await self._history.newest(tenant, session.id))
                live = await self._positions.get(tenant, job_id) or Live(session=session)
        return live

    async def _tell(self, session: TrackingSession) -> None:
        """Let everybody know a session that was just stored; what does not get through now, a reaction brings."""
        self._held.pop((session.tenant, session.job_id), None)
        try:
            await self._put(session)
        except Unavailable:
            return

    async def _put(self, session: TrackingSession, *, seen_at: datetime | None = None) -> None:
        left = max(session.expires_at - self._clock(), timedelta(0))
        await self._positions.put(session, life=left + _AFTER, seen_at=seen_at)

    def _remember(self, key: tuple[str, str], live: Live) -> None:
        if len(self._held) >= _REMEMBERED:
            self._held.clear()
            self._unguided.clear()
        self._held[key] = live
        if self._routes is not None and unguided(live.journey, rules=self._rules) is not None:
            self._unguided.setdefault(key, self._clock())

    def _progress(self, live: Live, *, at: datetime, outcome: Outcome = _TAKEN) -> Progress:
        session = live.session
        journey = live.journey if session.state == "active" and at < session.expires_at else None
        if journey is not None and at - journey.fix.received_at >= POSITION_LIFE:
            journey = None  # it lives on in this process only
        distance = None
        if journey is not None and session.destination is not None:
            distance = haversine(journey.fix.point, session.destination)
        eta = estimate(journey, destination=session.destination, at=at, rules=self._rules)
        return Progress(
            session=session, journey=journey, eta=eta, distance=distance, seen_at=live.seen_at, outcome=outcome
        )


_Taken: TypeAlias = tuple[Live, datetime | None, Sequence[Outcome]]
"""A trip afterwards, an arrival that was proven, and what became of each fix."""


def _fix(report: Report, now: datetime) -> Fix:
    return Fix(
        point=report.point,
        recorded_at=utc(report.recorded_at) if report.recorded_at else now,
        received_at=now,
        accuracy=report.accuracy,
        speed=report.speed,
        heading=report.heading,
    )


def _measured(fix: Fix) -> datetime:
    """Return when a fix was measured: a phone's clock may be ahead, a measurement cannot."""
    return min(fix.recorded_at, fix.received_at)


def _unhindered(actor: Actor, live: Live, phone: str | None, now: datetime) -> bool:
    """Say whether nothing that is remembered of the trip speaks against a report."""
    session = live.session
    open_ = session.state == "active" and now < session.expires_at
    return open_ and actor.may("tracking.update", owner=session.technician_id) and phone not in live.phones[:-1]


def _kept(
    session: TrackingSession, phone: str | None, fixes: Sequence[Fix], outcomes: Sequence[Outcome]
) -> list[Recorded]:
    """Return what the history keeps: where the technician was while on the way, and nothing of afterwards."""
    until = session.expires_at if session.state == "active" else session.arrived_at
    return [
        Recorded(
            tenant=session.tenant,
            session_id=session.id,
            job_id=session.job_id,
            phone=phone or "",
            fix=fix,
            remarks=each.noted if each.ignored is None else (each.ignored, *each.noted),
        )
        for fix, each in zip(fixes, outcomes, strict=True)
        if until is not None and _measured(fix) <= until
    ]


def _may_see(actor: Actor, session: TrackingSession) -> bool:
    return actor.may("tracking.read") or actor.may("tracking.update", owner=session.technician_id)


def _nobody(job_id: str) -> SessionNotFound:
    return SessionNotFound(f"nobody is on the way to job {job_id}")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
