"""Facts on their way: taken by the relay, settled by reactions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from adapters.sql.database import Connection, Database
from adapters.sql.row_security import ALL
from adapters.sql.rows import among
from adapters.sql.tables import outbox, settlements
from adapters.sql.writer import FIRST_FAILURE, SETTLE, settlement
from core.kernel.actor import Actor
from core.kernel.errors import NotFound, Unavailable
from core.kernel.events import Envelope
from core.kernel.ports import Overdue
from core.kernel.time import Clock
from core.reactions import FACTS

CHANNEL: Final = "cuadrilla_outbox"
"""PostgreSQL's channel that a trigger of the migrations notifies."""

_KNOWN: Final = outbox.c.event_type.in_(sorted(FACTS))
"""A fact of a newer version is left to the newer processes."""
_FACT: Final = [column for column in outbox.columns if column.name not in {"sent_at", "done_at"}]
"""What makes an envelope, and its place."""
_UNSENT: Final = (
    sa.select(*_FACT).where(outbox.c.sent_at.is_(None), _KNOWN).order_by(outbox.c.seq).limit(sa.bindparam("n"))
)
_TAKEN: Final = (
    sa.select(outbox.c.seq)
    .where(outbox.c.sent_at.is_(None), _KNOWN)
    .order_by(outbox.c.seq)
    .limit(sa.bindparam("n"))
    .with_for_update(skip_locked=True)
    .cte("taken")  # as a plain subquery it might run, and lock, more than once
)
_TAKE: Final = (
    sa.update(outbox)
    .where(outbox.c.seq.in_(sa.select(_TAKEN.c.seq)))
    .values(sent_at=sa.bindparam("now"))
    .returning(*_FACT)
)
_OVERDUE: Final = (
    sa.select(*_FACT)
    .where(
        outbox.c.sent_at.is_not(None),
        outbox.c.done_at.is_(None),
        _KNOWN,
        sa.or_(
            outbox.c.sent_at <= sa.bindparam("leased_before"),
            outbox.c.id.in_(
                sa.select(settlements.c.fact_id).where(
                    settlements.c.state == "retrying", settlements.c.due_at <= sa.bindparam("now")
                )
            ),
        ),
    )
    .order_by(outbox.c.seq)
    .limit(sa.bindparam("n"))
    .with_for_update(skip_locked=True)
)
_ONE: Final = sa.select(*_FACT).where(outbox.c.id == sa.bindparam("i"), _KNOWN)

_Read = Callable[[sa.Executable], Awaitable[list[Any]]]


class SqlOutbox:
    """`core.kernel.ports.Outbox` and `Settlements`."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._holding = asyncio.Lock()  # SQLite: one holder at a time in this process
        self._changed = asyncio.Event()
        self._connecting = asyncio.Lock()
        self._stop_listening: Callable[[], Awaitable[None]] | None = None

    @contextlib.asynccontextmanager
    async def unsent(self, *, limit: int) -> AsyncIterator[Sequence[Envelope]]:
        """Hold facts that were never sent; leaving well marks them sent."""
        if self._database.sqlite:  # not in a transaction: it would keep every writer waiting while the block sends
            async with self._holding:
                rows = await self._database.rows(_UNSENT, {"n": limit}, tenant=ALL)
                yield [envelope(row) for row in rows]
                if rows:
                    mark = _mark([row.seq for row in rows], sent_at=self._clock(), sqlite=True)
                    await self._database.change(mark, tenant=ALL)
            return
        async with self._database.transaction(tenant=ALL) as connection:
            rows = await connection.run(_TAKE, {"n": limit, "now": self._clock()})
            yield [envelope(row) for row in sorted(rows, key=lambda row: int(row.seq))]

    @contextlib.asynccontextmanager
    async def overdue(self, *, at: datetime, lease: timedelta, limit: int) -> AsyncIterator[Sequence[Overdue]]:
        """Hold sent facts whose lease is over or a retry of which is due; leaving well starts a new lease."""
        wanted = {"leased_before": at - lease, "now": at, "n": limit}
        if self._database.sqlite:
            async with self._holding:
                rows = await self._database.rows(_OVERDUE, wanted, tenant=ALL)
                yield await _with_settlements(partial(self._database.rows, tenant=ALL), rows, at=at, sqlite=True)
                if rows:
                    async with self._database.transaction(tenant=ALL) as connection:
                        await _lease(connection, rows, at=at, lease=lease)
            return
        async with self._database.transaction(tenant=ALL) as connection:
            rows = await connection.run(_OVERDUE, wanted)
            yield await _with_settlements(connection.run, rows, at=at, sqlite=False)
            if rows:
                await _lease(connection, rows, at=at, lease=lease)

    async def finish(self, fact_ids: Sequence[str]) -> None:
        """Note that nothing is left to do about these facts."""
        await self._database.change(
            sa.update(outbox)
            .where(among(outbox.c.id, fact_ids, sqlite=self._database.sqlite))
            .values(done_at=self._clock()),
            tenant=ALL,
        )

    async def get(self, fact_id: str) -> Envelope:
        """Return the fact; raise `NotFound`."""
        row = await self._database.first(_ONE, {"i": fact_id}, tenant=ALL)
        if row is None:
            msg = f"there is no fact {fact_id}"
            raise NotFound(msg)
        return envelope(row)

    async def settle(self, actor: Actor, *, failure: str | None = None) -> None:
        """Note that a reaction is over; twice changes nothing."""
        state = "done" if failure is None else "failed"
        await self._database.change(
            SETTLE(self._database.sqlite),
            settlement(actor, state=state, error=failure, at=self._clock()),
            tenant=actor.tenant,
        )

    async def postpone(self, actor: Actor, *, failure: str, wait: Callable[[int], timedelta | None]) -> datetime | None:
        """Count a failed attempt and return when the next is due, or None when it was the last."""
        sqlite, now = self._database.sqlite, self._clock()
        this = sa.and_(settlements.c.fact_id == actor.causation, settlements.c.reaction == actor.reaction)
        async with self._database.transaction(tenant=actor.tenant) as connection:
            await connection.run(FIRST_FAILURE(sqlite), settlement(actor, state="retrying", error=failure, at=now))
            row = await connection.first(sa.select(settlements).where(this).with_for_update())
            if row.state != "retrying":
                return None
            pause = wait(row.attempts + 1)
            due = None if pause is None else now + pause
            await connection.run(
                sa.update(settlements)
                .where(this)
                .values(
                    state="failed" if due is None else "retrying",
                    attempts=row.attempts + 1,
                    due_at=due,
                    error=failure,
                    at=now,
                )
            )
        return due

    def changed(self) -> None:
        """Wake whoever waits in this process."""
        self._changed.set()

    async def wait(self, *, timeout: float) -> None:  # noqa: ASYNC109 - a promise to return, not to cancel
        """Return when something may have been stored, here or (on PostgreSQL) anywhere, or when so many seconds are over."""
        if not self._database.sqlite:
            await self._listen()
        # Not `wait_for`: that of Python 3.11 swallows a cancellation which comes as the wait ends, and a worker would never stop.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        self._changed.clear()

    async def _listen(self) -> None:
        """Hear of other processes' commits; while that cannot be had, the time-out has to do."""
        async with self._connecting:
            if self._stop_listening is None:
                with contextlib.suppress(Unavailable):
                    self._stop_listening = await self._database.listen(
                        CHANNEL, heard=self._changed.set, ended=self._unheard
                    )
                    self._changed.set()  # nobody told us of what was stored before

    def _unheard(self) -> None:
        self._stop_listening = None
        self._changed.set()

    async def close(self) -> None:
        """Stop listening."""
        if self._stop_listening is not None:
            await self._stop_listening()


def envelope(row: Any) -> Envelope:
    """Return the fact that a row holds."""
    known = {"tenant": row.tenant, "at": row.at, "job_id": row.job_id}
    return Envelope(
        id=row.id,
        fact=msgspec.convert({**row.payload, **known}, FACTS[row.event_type]),
        actor=row.actor,
        correlation=row.correlation,
        causation=row.causation,
    )


def _mark(seqs: list[int], *, sent_at: datetime, sqlite: bool) -> sa.Executable:
    return sa.update(outbox).where(among(outbox.c.seq, seqs, sqlite=sqlite)).values(sent_at=sent_at)


async def _with_settlements(read: _Read, rows: Sequence[Any], *, at: datetime, sqlite: bool) -> list[Overdue]:
    settled: dict[str, set[str]] = {row.id: set() for row in rows}
    waiting: dict[str, set[str]] = {row.id: set() for row in rows}
    if rows:
        for each in await read(
            sa.select(settlements).where(among(settlements.c.fact_id, list(settled), sqlite=sqlite))
        ):
            if each.state != "retrying":
                settled[each.fact_id].add(each.reaction)
            elif each.due_at > at:
                waiting[each.fact_id].add(each.reaction)
    return [Overdue(envelope(row), frozenset(settled[row.id]), frozenset(waiting[row.id])) for row in rows]


async def _lease(connection: Connection, rows: Sequence[Any], *, at: datetime, lease: timedelta) -> None:
    """Start a new lease; a retry that was due is put off by as long, lest it be sent at every look."""
    await connection.run(_mark([row.seq for row in rows], sent_at=at, sqlite=connection.sqlite))
    await connection.run(
        sa.update(settlements)
        .where(
            among(settlements.c.fact_id, [row.id for row in rows], sqlite=connection.sqlite),
            settlements.c.state == "retrying",
            settlements.c.due_at <= at,
        )
        .values(due_at=at + lease)
    )
