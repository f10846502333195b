"""Facts in memory: stored with what they tell of, taken by the relay, settled by reactions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import define, field, frozen

from adapters.memory.pauses import Pause, Steps
from core.kernel.actor import Actor
from core.kernel.errors import AlreadySettled, NotFound
from core.kernel.events import Envelope, Fact
from core.kernel.ports import NewId, Overdue
from core.kernel.time import Clock

Pair: TypeAlias = tuple[str, str]
"""Fact id and reaction."""


@define
class Settlement:
    """How far a reaction to a fact is: `done`, `failed` or `retrying`."""

    state: str
    attempts: int = 1
    due_at: datetime | None = None
    error: str | None = None

    @property
    def over(self) -> bool:
        return self.state != "retrying"


@define
class OutboxRows:
    """The committed facts and settlements. A fact is unsent, then unfinished, then only history."""

    facts: dict[str, Envelope] = field(factory=dict)
    unsent: dict[str, None] = field(factory=dict)
    unfinished: dict[str, datetime] = field(factory=dict)
    """Fact ids with the instant at which they were sent."""
    held: set[str] = field(factory=set)
    settlements: dict[str, dict[str, Settlement]] = field(factory=dict)
    _of_job: dict[tuple[str, str], list[str]] = field(factory=dict)
    _of_correlation: dict[tuple[str, str], list[str]] = field(factory=dict)
    _order: dict[str, int] = field(factory=dict)

    def add(self, envelope: Envelope) -> None:
        self.facts[envelope.id] = envelope
        self.unsent[envelope.id] = None
        self._order[envelope.id] = len(self._order)
        if envelope.fact.job_id is not None:
            self._of_job.setdefault((envelope.tenant_id, envelope.fact.job_id), []).append(envelope.id)
        else:
            self._of_correlation.setdefault((envelope.tenant_id, envelope.correlation), []).append(envelope.id)

    def about(self, tenant: str, *, job_id: str, correlation: str | None) -> list[Envelope]:
        """Return the facts about a job, and those about no job under the correlation, in the order of storing."""
        ids = list(self._of_job.get((tenant, job_id), ()))
        if correlation is not None:
            ids += self._of_correlation.get((tenant, correlation), ())
        return [self.facts[id_] for id_ in sorted(ids, key=self._order.__getitem__)]

    def settlement(self, pair: Pair) -> Settlement | None:
        return self.settlements.get(pair[0], {}).get(pair[1])

    def settle(self, pair: Pair, *, failure: str | None = None) -> None:
        known = self.settlement(pair)
        if known is not None and known.over:
            return
        attempts = known.attempts if known is not None else 1
        state = "done" if failure is None else "failed"
        self.settlements.setdefault(pair[0], {})[pair[1]] = Settlement(state, attempts, None, failure)


@define
class StagedOutbox:
    """What one transaction adds to the outbox, and the reaction that it settles."""

    _rows: OutboxRows
    _actor: Actor
    _new_id: NewId
    _envelopes: list[Envelope] = field(factory=list)
    _settles: Pair | None = None

    def settle(self) -> None:
        """Stage the actor's reaction as applied; raise `AlreadySettled` if it was before."""
        if self._actor.reaction is not None and self._actor.causation is not None:
            self._settles = (self._actor.causation, self._actor.reaction)
            self.check()

    def remember(self, facts: Sequence[Fact]) -> None:
        """Stage facts."""
        actor = self._actor
        self._envelopes += [
            Envelope(
                id=self._new_id("fact"),
                fact=fact,
                actor=actor.id,
                correlation=actor.correlation,
                causation=actor.causation,
            )
            for fact in facts
        ]

    def check(self) -> None:
        """Raise `AlreadySettled` if the reaction is over by now."""
        if self._settles is None:
            return
        known = self._rows.settlement(self._settles)
        if known is not None and known.over:
            fact_id, reaction = self._settles
            msg = f"{reaction} has reacted to {fact_id}"
            raise AlreadySettled(msg)

    def apply(self) -> None:
        for envelope in self._envelopes:
            self._rows.add(envelope)
        if self._settles is not None:
            self._rows.settle(self._settles)


@frozen
class MemoryFacts:
    """`core.kernel.ports.Facts`."""

    _staged: StagedOutbox
    _steps: Steps

    async def add(self, *facts: Fact) -> None:
        """Store facts that belong to no saved aggregate."""
        await self._steps("facts.add", lambda: self._staged.remember(facts))


@define
class MemoryOutbox:
    """`core.kernel.ports.Outbox` and `Settlements`."""

    _rows: OutboxRows
    _clock: Clock
    _pause: Pause
    _steps: Steps
    _changed: asyncio.Event = field(factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def unsent(self, *, limit: int) -> AsyncIterator[Sequence[Envelope]]:
        """Hold facts that were never sent; leaving well marks them sent."""
        await self._pause("outbox.unsent:before")
        ids = [id_ for id_ in self._rows.unsent if id_ not in self._rows.held][:limit]
        self._rows.held.update(ids)
        try:
            yield [self._rows.facts[id_] for id_ in ids]
            await self._pause("outbox.sent:before")
            for id_ in ids:
                del self._rows.unsent[id_]
                self._rows.unfinished[id_] = self._clock()
            await self._pause("outbox.sent:after")
        finally:
            self._rows.held.difference_update(ids)

    @contextlib.asynccontextmanager
    async def overdue(self, *, at: datetime, lease: timedelta, limit: int) -> AsyncIterator[Sequence[Overdue]]:
        """Hold sent facts whose lease is over or a retry of which is due; leaving well starts a new lease."""
        await self._pause("outbox.overdue:before")
        ids = [
            id_
            for id_, sent_at in self._rows.unfinished.items()
            if id_ not in self._rows.held and (sent_at <= at - lease or self._due(id_, at))
        ][:limit]
        self._rows.held.update(ids)
        try:
            yield [self._overdue(id_, at) for id_ in ids]
            await self._pause("outbox.leased:before")
            for id_ in ids:
                self._lease(id_, at, lease)
            await self._pause("outbox.leased:after")
        finally:
            self._rows.held.difference_update(ids)

    async def finish(self, fact_ids: Sequence[str]) -> None:
        """Note that nothing is left to do about these facts."""

        def finish() -> None:
            for id_ in fact_ids:
                self._rows.unfinished.pop(id_, None)

        await self._steps("outbox.finish", finish)

    async def get(self, fact_id: str) -> Envelope:
        """Return the fact; raise `NotFound`."""

        def found() -> Envelope:
            envelope = self._rows.facts.get(fact_id)
            if envelope is None:
                msg = f"there is no fact {fact_id}"
                raise NotFound(msg)
            return envelope

        return await self._steps("outbox.get", found)

    async def settle(self, actor: Actor, *, failure: str | None = None) -> None:
        """Note that the actor's reaction to its fact is over; twice changes nothing."""
        pair = _pair(actor)
        await self._steps("outbox.settle", lambda: self._rows.settle(pair, failure=failure))

    async def postpone(self, actor: Actor, *, failure: str, wait: Callable[[int], timedelta | None]) -> datetime | None:
        """Count a failed attempt and return when the next is due, or None when it was the last."""
        pair = _pair(actor)
        return await self._steps("outbox.postpone", lambda: self._postpone(pair, failure, wait))

    def changed(self) -> None:
        """Wake whoever waits in this process."""
        self._changed.set()

    async def wait(self, *, timeout: float) -> None:  # noqa: ASYNC109 - the name that every store has
        """Return when something was stored, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        self._changed.clear()

    def _due(self, fact_id: str, at: datetime) -> bool:
        marks = self._rows.settlements.get(fact_id, {}).values()
        return any(mark.due_at is not None and mark.due_at <= at for mark in marks)

    def _overdue(self, fact_id: str, at: datetime) -> Overdue:
        marks = self._rows.settlements.get(fact_id, {})
        return Overdue(
            self._rows.facts[fact_id],
            settled=frozenset(name for name, mark in marks.items() if mark.over),
            waiting=frozenset(name for name, mark in marks.items() if mark.due_at is not None and mark.due_at > at),
        )

    def _lease(self, fact_id: str, at: datetime, lease: timedelta) -> None:
        self._rows.unfinished[fact_id] = at
        for mark in self._rows.settlements.get(fact_id, {}).values():
            if mark.due_at is not None and mark.due_at <= at:
                mark.due_at = at + lease

    def _postpone(self, pair: Pair, failure: str, wait: Callable[[int], timedelta | None]) -> datetime | None:
        known = self._rows.settlement(pair)
        if known is not None and known.over:
            return None
        attempts = (known.attempts if known is not None else 0) + 1
        pause = wait(attempts)
        due_at = None if pause is None else self._clock() + pause
        state = "failed" if due_at is None else "retrying"
        self._rows.settlements.setdefault(pair[0], {})[pair[1]] = Settlement(state, attempts, due_at, failure)
        return due_at


def _pair(actor: Actor) -> Pair:
    if actor.causation is None or actor.reaction is None:
        msg = "only a reaction to a fact can be settled"
        raise ValueError(msg)
    return actor.causation, actor.reaction
