"""What phones can ask for: what changed, and to take what was done without a connection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from attrs import evolve, frozen

from core.kernel.actor import Actor
from core.kernel.errors import Conflict, CuadrillaError, Denied, Invalid, NotFound, StaleVersion, Unavailable
from core.kernel.time import Clock
from core.offline.columns import TABLES
from core.offline.events import ConflictDecided
from core.offline.explanations import explained
from core.offline.merging import repaired
from core.offline.model import (
    EVERYTHING,
    PUSH_AT_MOST,
    TAKEN_AT_ONCE,
    Collided,
    Cursor,
    Decision,
    ForeignCursor,
    NotForPhones,
    Operation,
    OperationReused,
    OperationTaken,
    Outcome,
    PhoneClock,
    Pulled,
    Record,
    Taken,
    TooManyOperations,
)
from core.offline.ports import Begin, Clients, Feed, People, PhoneTransaction, ReportPosition, Visits
from core.offline.records import records_of
from core.offline.turn import Asked, Turn, look, refusal

PAGE: Final = 1000
PAGE_AT_MOST: Final = 20_000
"""Changes of one answer; a job with its lines and photos is one."""
WHOLE: Final = 1 << 40
TRIES: Final = 5
"""How often an operation is tried that meets somebody else's write."""
REFUSALS: Final = (Invalid, Denied, NotFound, Conflict)
ORDER: Final = ("line_items", "photos", "customers", "jobs", "positions")
"""In which order a phone's records are taken: a job is completed with the lines that came with it."""


@frozen
class Offline:
    """Phones of all tenants: a person sees their jobs, and whoever may read all jobs sees all."""

    _begin: Begin
    _feed: Feed
    _visits: Visits
    _clients: Clients
    _report: ReportPosition
    _people: People
    _clock: Clock

    async def pull(
        self, *, actor: Actor, since: Cursor | None, limit: int = PAGE, removals: bool = False, whole: bool = False
    ) -> Pulled:
        """Return what changed after a cursor, or everything there is; raise `ForeignCursor` for one that is not this feed's.

        Without a cursor there is nothing to remove, unless `removals` are asked for. `whole`: in one answer, however long.
        """
        start = since.seq if since is not None else (-1 if removals else 0)
        audience = _audience(actor)
        page = await self._feed.changes(
            actor.tenant, audience, since=start, limit=WHOLE if whole else max(1, min(limit, PAGE_AT_MOST))
        )
        if since is not None and (since.origin != page.origin or since.seq > page.newest):
            raise ForeignCursor
        updated: list[Record] = []
        deleted: list[tuple[str, str]] = []
        for change in page.changes:
            write, remove = records_of(change, audience=audience)
            updated += write
            deleted += remove
        stays = {(each.table, each.id) for each in updated}
        last = page.changes[-1].seq if page.more else page.newest
        return Pulled(
            updated=updated,
            deleted=[each for each in deleted if each not in stays] if start else (),
            cursor=Cursor(page.origin, last),
            more=page.more,
        )

    async def push(
        self, *, actor: Actor, operations: Sequence[Operation], sent_at: datetime | None = None
    ) -> Sequence[tuple[Outcome, Record | None]]:
        """Apply what a person did on the phone, by priority and then in the order in which they did it; each operation once.

        `sent_at` is what the phone's clock says now. Each outcome comes with the record as it is afterwards, in the order in which
        the operations were sent. Raise `TooManyOperations`.
        """
        if len(operations) > PUSH_AT_MOST:
            raise TooManyOperations(len(operations))
        audience = _audience(actor)
        clock = PhoneClock(now=self._clock(), sent_at=sent_at)
        known = dict(await self._feed.outcomes(actor.tenant, actor.id, [each.id for each in operations]))
        outcomes: dict[int, Outcome] = {}
        latest = datetime.max.replace(tzinfo=UTC)
        for place, operation in sorted(
            enumerate(operations), key=lambda each: (each[1].rank, each[1].created_at or latest, each[0])
        ):
            mark = _fingerprint(operation)
            outcome = _known(operation, mark, known)
            if outcome is None:
                outcome = await self._perform(_Attempt(actor, audience, operation, mark, clock))
                if outcome.result != "retry" and operation.kind != "read":
                    known[operation.id] = (mark, outcome)
            outcomes[place] = outcome
        records = await self._records(actor, audience, list(outcomes.values()))
        return [(outcomes[place], records.get((each.table, each.record))) for place, each in enumerate(operations)]

    async def push_records(
        self, *, actor: Actor, since: Cursor | None, changes: Mapping[str, Any], sent_at: datetime | None = None
    ) -> Taken:
        """Take records as WatermelonDB sends them, all or none; raise `Collided` if any changed here after `since`.

        What may not become so is not refused: the server's value stands, is explained, and comes back with the next pull.
        Records of tables that we do not have, and those beyond `TAKEN_AT_ONCE`, stay with the phone.
        """
        audience = _audience(actor)
        page = await self._feed.changes(actor.tenant, audience, since=since.seq if since else 0, limit=1)
        if since is not None and (since.origin != page.origin or since.seq > page.newest):
            raise ForeignCursor
        asked, rejected = _asked(changes)
        clock = PhoneClock(now=self._clock(), sent_at=sent_at)
        records = [each for each in asked if each.table != "positions"]
        outcomes = await self._take_records(actor, audience, records, since.seq if since else 0) if records else []
        positions = [(clock.true(_instant(each)), each) for each in asked if each.table == "positions"]
        for at, each in sorted(positions, key=lambda each: each[0]):
            outcomes += await self._position(actor, each, at)
        return Taken(outcomes=outcomes, rejected=rejected)

    async def _take_records(self, actor: Actor, audience: str, asked: Sequence[Asked], since: int) -> list[Outcome]:
        for attempt in range(TRIES):
            try:
                async with self._begin(actor) as tx:
                    turn = Turn(tx, actor, audience, self._visits, self._clients, self._clock(), strict=False)
                    await look(turn, asked)
                    if collisions := turn.collisions(asked, since):
                        raise Collided([await self._said(tx, actor, *each, told=False) for each in collisions])
                    taken = [(each, await turn.take(each)) for each in asked]
                    outcomes = [await self._said(tx, actor, *each) for each in taken if each[1]]
                    await turn.finish()
                    return outcomes
            except StaleVersion:
                if attempt == TRIES - 1:
                    raise
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def _position(self, actor: Actor, asked: Asked, at: datetime) -> list[Outcome]:
        try:
            await self._reported(actor, asked, at)
        except REFUSALS as refused:
            code, detail = refused.code, str(refused)
            return [
                Outcome(id=asked.id, table=asked.table, record=asked.id, result="refused", code=code, detail=detail)
            ]
        return []

    async def _reported(self, actor: Actor, asked: Asked, at: datetime) -> None:
        fit, wrong = repaired(TABLES["positions"], asked.fields, {})
        spoilt = [str(each.field) for each in wrong if each.field in {"job_id", "lat", "lng"}]
        missing = [name for name in ("job_id", "lat", "lng") if fit.get(name) in (None, "")]
        if asked.kind != "create" or spoilt or missing:
            msg = "a position is created, with jobId, lat and lng"
            raise NotForPhones(msg, field=next(iter((*spoilt, *missing)), "kind"))
        await self._report(actor=actor, job_id=str(fit["job_id"]), values=fit, at=at)

    async def _perform(self, at_work: _Attempt) -> Outcome:
        operation = at_work.operation
        if operation.kind == "read":
            return at_work.outcome("applied")
        for _ in range(TRIES):
            try:
                try:
                    return await self._applied(at_work)
                except (StaleVersion, OperationTaken, Unavailable):
                    raise
                except REFUSALS as refused:
                    return await self._refused(at_work, refused)
            except (StaleVersion, OperationTaken):
                actor = at_work.actor
                known = await self._feed.outcomes(actor.tenant, actor.id, [operation.id])
                if (again := _known(operation, at_work.mark, known)) is not None:
                    return again
            except Unavailable as silent:
                return at_work.outcome("retry", silent)
        return at_work.outcome("retry", StaleVersion(operation.table, operation.record, version=0))

    async def _applied(self, at_work: _Attempt) -> Outcome:
        actor, asked, table = at_work.actor, at_work.asked, at_work.operation.table
        if table not in TABLES:
            msg = f"there is no table {table}; there are {', '.join(TABLES)}"
            raise NotForPhones(msg, field="table")
        if table == "positions":  # twice is as once, so its effect may come before the note of it
            when = _instant(asked)
            await self._reported(actor, asked, at_work.clock.true(when) if when is not None else at_work.at)
        async with self._begin(actor) as tx:
            turn = self._turn(tx, at_work)
            decisions: Sequence[Decision] = ()
            if table != "positions":
                await look(turn, [asked])
                decisions = await turn.take(asked)
            asks = any(each.kept == "ask" for each in decisions)
            outcome = at_work.outcome("conflict" if asks else "merged" if decisions else "applied")
            if decisions:
                told = await self._said(tx, actor, asked, decisions, at=at_work.at)
                outcome = evolve(outcome, decisions=told.decisions, explanation=told.explanation)
            await tx.operations.keep(actor.tenant, actor.id, at_work.mark, outcome, at=self._clock())
            await turn.finish()
        return outcome

    async def _refused(self, at_work: _Attempt, refused: CuadrillaError) -> Outcome:
        actor, asked, table = at_work.actor, at_work.asked, at_work.operation.table
        async with self._begin(actor) as tx:
            turn = self._turn(tx, at_work)
            known, gone = table in TABLES and table != "positions", isinstance(refused, NotFound)
            if known:
                await look(turn, [asked])
            decisions = [refusal(refused, asked, turn.seen_of(asked))]
            told = await self._said(tx, actor, asked, decisions, at=at_work.at)
            outcome = evolve(
                at_work.outcome("gone" if gone else "refused", refused),
                decisions=told.decisions,
                explanation=told.explanation,
            )
            await tx.operations.keep(actor.tenant, actor.id, at_work.mark, outcome, at=self._clock())
            if known:
                turn.send_back(asked, gone=gone)
            await turn.finish()
        return outcome

    def _turn(self, tx: PhoneTransaction, at_work: _Attempt) -> Turn:
        return Turn(tx, at_work.actor, at_work.audience, self._visits, self._clients, at_work.at, strict=True)

    async def _said(
        self,
        tx: PhoneTransaction,
        actor: Actor,
        asked: Asked,
        decisions: Sequence[Decision],
        *,
        at: datetime | None = None,
        told: bool = True,
    ) -> Outcome:
        """Return decisions with their explanation, and unless it is only asked for, leave a fact for people to find."""
        at = at or self._clock()
        authors = sorted({each.by for each in decisions if each.by is not None})
        names = await self._people.names(actor.tenant, authors) if authors else {}
        zone = await self._people.zone(actor.tenant)
        text = explained(decisions, names=names, written_at=at, zone=zone)
        grave = [each for each in decisions if each.rule not in {"repaired", "not_writable"}]
        if told and grave:
            await tx.facts.add(
                ConflictDecided(
                    tenant=actor.tenant,
                    at=self._clock(),
                    job_id=asked.id if asked.table == "jobs" else None,
                    table=asked.table,
                    record_id=asked.id,
                    user_id=actor.id,
                    fields=tuple(each.field for each in grave if each.field),
                    rule=grave[0].rule,
                    explanation=text,
                )
            )
        asks = any(each.kept == "ask" for each in decisions)
        return Outcome(
            id=asked.id,
            table=asked.table,
            record=asked.id,
            result="conflict" if asks else "merged",
            decisions=tuple(decisions),
            explanation=text,
        )

    async def _records(
        self, actor: Actor, audience: str, outcomes: Sequence[Outcome]
    ) -> Mapping[tuple[str, str], Record]:
        asked = [
            Asked(table=each.table, id=each.record)
            for each in outcomes
            if each.table in TABLES and each.table != "positions"
        ]
        if not asked:
            return {}
        async with self._begin(actor) as tx:
            turn = Turn(tx, actor, audience, self._visits, self._clients, self._clock(), strict=True)
            await look(turn, asked)
        wanted = {(each.table, each.id) for each in asked}
        found: dict[tuple[str, str], Record] = {}
        for change in turn.seen.values():
            for record in records_of(change, audience=audience)[0]:
                if (record.table, record.id) in wanted:
                    found[record.table, record.id] = record
        return found


@frozen
class _Attempt:
    """One operation at work."""

    actor: Actor
    audience: str
    operation: Operation
    mark: str
    clock: PhoneClock

    @property
    def asked(self) -> Asked:
        operation = self.operation
        return Asked(
            table=operation.table,
            id=operation.record,
            kind=operation.kind,
            fields=operation.fields,
            base=operation.base_version,
        )

    @property
    def at(self) -> datetime:
        """When the person did it, as far as the phone's clock can tell."""
        return self.clock.true(self.operation.created_at)

    def outcome(self, result: str, error: CuadrillaError | None = None) -> Outcome:
        operation = self.operation
        return Outcome(
            id=operation.id,
            table=operation.table,
            record=operation.record,
            result=result,
            code=error.code if error is not None else None,
            detail=str(error) if error is not None else "",
        )


def _audience(actor: Actor) -> str:
    if actor.may("jobs.read"):
        return EVERYTHING
    actor.must("jobs.read", owner=actor.id)
    return actor.id


def _known(operation: Operation, mark: str, known: Mapping[str, tuple[str, Outcome]]) -> Outcome | None:
    if operation.id not in known:
        return None
    first, outcome = known[operation.id]
    if first != mark:
        msg = f"the operation {operation.id} was another one; give a new operation a new id"
        return Outcome(
            id=operation.id,
            table=operation.table,
            record=operation.record,
            result="refused",
            code=OperationReused.code,
            detail=msg,
        )
    return evolve(outcome, repeated=True)


def _fingerprint(operation: Operation) -> str:
    told = [operation.table, operation.record, operation.kind, operation.base_version, operation.fields]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _asked(changes: Mapping[str, Any]) -> tuple[list[Asked], Mapping[str, Sequence[str]]]:
    """Return what a push of records asks for, in `ORDER`, and the ids that are left to the phone."""
    found: list[Asked] = []
    rejected: dict[str, list[str]] = {}
    for table in (*ORDER, *(name for name in changes if name not in ORDER)):
        part = changes.get(table)
        if not isinstance(part, Mapping):
            continue
        for kind in ("created", "updated", "deleted"):
            listed = part.get(kind)
            for raw in listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ():
                fields = raw if isinstance(raw, Mapping) else {}
                id_ = raw if kind == "deleted" else fields.get("id")
                if not isinstance(id_, str) or not f"{table}{id_}".isprintable():
                    continue
                if table not in TABLES or len(found) >= TAKEN_AT_ONCE:
                    rejected.setdefault(table, []).append(id_)
                else:
                    found.append(Asked(table=table, id=id_, kind=kind.removesuffix("d"), fields=fields))
    return found, rejected


def _instant(asked: Asked) -> datetime | None:
    fit, _ = repaired({"recorded_at": TABLES["positions"]["recorded_at"]}, asked.fields, {})
    when = fit.get("recorded_at")
    return when if isinstance(when, datetime) else None
