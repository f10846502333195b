"""The inbox and its batches in tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from adapters.sql.database import Database
from adapters.sql.row_security import ALL
from adapters.sql.rows import either, from_json, records
from adapters.sql.tables import batches, inbox
from adapters.sql.writer import Writer
from core.kernel.states import evolved
from core.messaging import Batch, BatchNotFound, InboundMessage, Sender, StatusReport, Understanding

_UNIQUE: Final = ("tenant", "source", "event_id")
_COLUMNS: Final = tuple(column.name for column in inbox.columns if column.name not in {"seq", "batch_id"})


def _once(insert: Any) -> sa.Executable:
    statement = insert(inbox).values({name: sa.bindparam(name) for name in _COLUMNS})
    stored: sa.Executable = statement.on_conflict_do_nothing(index_elements=_UNIQUE).returning(inbox.c.id)
    return stored


def _many_at_once() -> sa.Executable:
    given = records(inbox, _COLUMNS, parameter="events")
    ordered = sa.select(*(given.c[name] for name in _COLUMNS)).order_by(given.c.place)
    statement = postgresql.insert(inbox).from_select(_COLUMNS, ordered)
    return statement.on_conflict_do_nothing(index_elements=_UNIQUE).returning(inbox.c.id)


_ONE: Final = either(_once)
_MANY: Final = _many_at_once()
"""For PostgreSQL."""

_WAITING: Final = sa.and_(inbox.c.batch_id.is_(None), inbox.c.kind != "status")
_FORGOTTEN: Final = (
    sa.select(inbox.c.tenant, inbox.c.thread, sa.func.max(inbox.c.seq).label("newest"))
    .where(_WAITING)
    .group_by(inbox.c.tenant, inbox.c.thread)
    .having(sa.func.min(inbox.c.received_at) < sa.bindparam("before", type_=inbox.c.received_at.type))
    .order_by(sa.func.min(inbox.c.received_at))
    .limit(sa.bindparam("n"))
    .subquery()
)
_KNOWN: Final = (
    sa.select(inbox.c.id)
    .where(
        inbox.c.tenant == sa.bindparam("t"),
        inbox.c.source == sa.bindparam("s"),
        inbox.c.event_id.in_(sa.bindparam("events", expanding=True)),
    )
    .limit(1)
)
_NEWEST: Final = sa.select(inbox.c.tenant, inbox.c.thread, inbox.c.id).join(
    _FORGOTTEN, inbox.c.seq == _FORGOTTEN.c.newest
)
_UP_TO: Final = sa.select(inbox.c.seq).where(inbox.c.tenant == sa.bindparam("t"), inbox.c.id == sa.bindparam("up_to"))
_FREE: Final = (
    sa.select(inbox.c.seq)
    .where(
        _WAITING,
        inbox.c.tenant == sa.bindparam("t"),
        inbox.c.thread == sa.bindparam("th"),
        inbox.c.seq <= _UP_TO.scalar_subquery(),
    )
    .order_by(inbox.c.seq)
    .limit(sa.bindparam("n"))
    .with_for_update()
    .cte("free")  # locked in one order, so that two gathering at once wait for each other and never both for ever
)
_GATHER: Final = (
    sa.update(inbox)
    .where(inbox.c.seq.in_(sa.select(_FREE.c.seq)))
    .values(batch_id=sa.bindparam("batch"))
    .returning(inbox)
)
_BATCH: Final = sa.select(batches).where(batches.c.tenant == sa.bindparam("t"), batches.c.id == sa.bindparam("i"))


class SqlInbox:
    """`core.messaging.ports.Inbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def receive(self, messages: Sequence[InboundMessage]) -> frozenset[str]:
        """Store the messages, all or none, and return the ids of the new ones."""
        rows = [_message_row(message) for message in messages]
        sqlite = self._database.sqlite
        tenants = {message.tenant for message in messages}
        whose = tenants.pop() if len(tenants) == 1 else ALL  # one delivery may hold messages to several numbers
        if len(rows) == 1:  # by far the usual delivery, and the quicker statement
            found = await self._database.change(_ONE(sqlite), rows[0], tenant=whose)
        elif not sqlite:
            found = await self._database.change(_MANY, _placed(rows), tenant=whose)
        else:
            async with self._database.transaction(tenant=whose) as connection:
                found = await _one_by_one(connection.run, rows)
        return frozenset(row.id for row in found)

    async def knows(self, tenant: str, source: str, event_ids: Sequence[str]) -> bool:
        """Say whether one of the events is stored."""
        found = await self._database.first(_KNOWN, {"t": tenant, "s": source, "events": list(event_ids)}, tenant=tenant)
        return found is not None

    async def forgotten(self, *, before: datetime, limit: int) -> Sequence[tuple[str, str, str]]:
        """Return (tenant, thread, newest message id) of threads with a message that no batch took in time."""
        rows = await self._database.rows(_NEWEST, {"before": before, "n": limit}, tenant=ALL)
        return [(row.tenant, row.thread, row.id) for row in rows]


class SqlMessages:
    """`core.messaging.ports.MessageRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def note(self, reports: Sequence[StatusReport]) -> Sequence[StatusReport]:
        """Store the reports and return the new ones."""
        first = {_report_id(report): report for report in reversed(reports)}
        rows = [_report_row(report) for report in reversed(first.values())]
        if self._writer.sqlite:
            found = await _one_by_one(self._writer.run, rows)
        else:
            found = await self._writer.run(_MANY, _placed(rows))
        new = {row.id for row in found}
        return [report for id_, report in reversed(first.items()) if id_ in new]

    async def gather(
        self, tenant: str, thread: str, *, batch_id: str, up_to: str, limit: int
    ) -> Sequence[InboundMessage]:
        """Put messages of the thread that no batch has, up to one, into the batch."""
        rows = await self._writer.run(
            _GATHER, {"t": tenant, "th": thread, "up_to": up_to, "batch": batch_id, "n": limit}
        )
        return [_message(row) for row in sorted(rows, key=lambda row: int(row.seq))]

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """Return the batch; raise `BatchNotFound`."""
        row = await self._writer.first(_BATCH, {"t": tenant, "i": batch_id})
        if row is None:
            msg = f"there is no batch {batch_id}"
            raise BatchNotFound(msg)
        return Batch(
            id=row.id,
            tenant=row.tenant,
            version=row.version,
            source=row.source,
            sender=from_json(row.sender, Sender),
            text=row.text,
            reason=row.reason,
            closed_at=row.closed_at,
            message_ids=tuple(row.message_ids),
            lat=row.lat,
            lng=row.lng,
            understanding=None if row.understanding is None else from_json(row.understanding, Understanding),
        )

    async def save(self, batch: Batch) -> Batch:
        """Store the batch and its facts; raise `StaleVersion`."""
        row = {
            "source": batch.source,
            "sender": batch.sender,
            "text": batch.text,
            "reason": batch.reason,
            "message_ids": list(batch.message_ids),
            "lat": batch.lat,
            "lng": batch.lng,
            "understanding": batch.understanding,
            "closed_at": batch.closed_at,
        }
        version = await self._writer.save(batches, "batch", batch, row)
        return evolved(batch, {"version": version, "facts": ()})


def _placed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"events": [{**row, "place": place} for place, row in enumerate(rows)]}


async def _one_by_one(run: Callable[..., Awaitable[list[Any]]], rows: list[dict[str, Any]]) -> list[Any]:
    return [stored for row in rows for stored in await run(_ONE(True), row)]  # noqa: FBT003 - SQLite's


def _message_row(message: InboundMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "tenant": message.tenant,
        "source": message.source,
        "event_id": message.event_id,
        "kind": message.kind,
        "thread": message.sender.thread,
        "sender": message.sender,
        "text": message.text,
        "lat": message.lat,
        "lng": message.lng,
        "sent_at": message.sent_at,
        "received_at": message.received_at,
        "raw": dict(message.raw),
    }


def _report_id(report: StatusReport) -> str:
    return f"{report.tenant}:{report.source}:{report.event_id}"


def _report_row(report: StatusReport) -> dict[str, Any]:
    return {
        "id": _report_id(report),
        "tenant": report.tenant,
        "source": report.source,
        "event_id": report.event_id,
        "kind": "status",
        "thread": report.provider_id,
        "sender": {},
        "text": report.status,
        "lat": None,
        "lng": None,
        "sent_at": report.at,
        "received_at": report.received_at,
        "raw": dict(report.raw),
    }


def _message(row: Any) -> InboundMessage:
    return InboundMessage(
        id=row.id,
        tenant=row.tenant,
        source=row.source,
        event_id=row.event_id,
        sender=from_json(row.sender, Sender),
        kind=row.kind,
        text=row.text,
        lat=row.lat,
        lng=row.lng,
        sent_at=row.sent_at,
        received_at=row.received_at,
        raw=row.raw,
    )
