"""The delivery log in a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.row_security import ALL
from adapters.sql.rows import cut, from_json, page_of
from adapters.sql.tables import deliveries
from adapters.sql.writer import Writer
from core.kernel.states import evolved
from core.notifications import Delivery, DeliveryNotFound, Recipient, Ticket, Wanted, folded

_BY: Final = {
    name: sa.select(deliveries)
    .where(deliveries.c.tenant == sa.bindparam("t"), deliveries.c[name] == sa.bindparam("v"))
    .order_by(deliveries.c.created_at, deliveries.c.id)
    for name in ("id", "key", "provider_id")
}
_WAITING: Final = (
    sa.select(deliveries)
    .where(
        deliveries.c.tenant == sa.bindparam("t"),
        deliveries.c.recipient_id == sa.bindparam("r"),
        deliveries.c.channel == sa.bindparam("c"),
        deliveries.c.state == "queued",
        deliveries.c.waiting,
    )
    .order_by(deliveries.c.created_at, deliveries.c.id)
)
_DUE: Final = (
    sa.select(deliveries)
    .where(deliveries.c.due_at <= sa.bindparam("at"))
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(sa.bindparam("n"))
)


class SqlDeliveries:
    """`core.notifications.ports.DeliveryRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, delivery_id: str) -> Delivery:
        """Return the delivery; raise `DeliveryNotFound`."""
        found = await self._writer.first(_BY["id"], {"t": tenant, "v": delivery_id})
        if found is None:
            msg = f"there is no delivery {delivery_id}"
            raise DeliveryNotFound(msg)
        return _delivery(found)

    async def by_key(self, tenant: str, key: str) -> Sequence[Delivery]:
        """Return the deliveries made for this reason, the first one first."""
        return [_delivery(row) for row in await self._writer.run(_BY["key"], {"t": tenant, "v": key})]

    async def by_provider_id(self, tenant: str, provider_id: str) -> Delivery | None:
        """Return the delivery that the provider calls so, or None."""
        row = await self._writer.first(_BY["provider_id"], {"t": tenant, "v": provider_id})
        return None if row is None else _delivery(row)

    async def waiting(self, tenant: str, *, recipient_id: str, channel: str) -> Sequence[Delivery]:
        """Return what quiet hours hold back for somebody by a channel, the oldest first."""
        rows = await self._writer.run(_WAITING, {"t": tenant, "r": recipient_id, "c": channel})
        return [_delivery(row) for row in rows]

    async def save(self, delivery: Delivery) -> Delivery:
        """Store the delivery and its facts; raise `StaleVersion`, also for a reason that has one by this channel."""
        version = await self._writer.save(deliveries, "delivery", delivery, _row(delivery), stale=["uq_deliveries_key"])
        return evolved(delivery, {"version": version, "facts": ()})


class SqlDeliveryReader:
    """`core.notifications.ports.DeliveryReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant: str, *, wanted: Wanted, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of deliveries, the newest first."""
        query = page_of(deliveries, tenant, where=list(_conditions(wanted)), limit=limit, cursor=cursor)
        return cut(await self._database.rows(query, tenant=tenant), limit, _delivery)

    async def due(self, *, at: datetime, limit: int) -> Sequence[Delivery]:
        """Return deliveries of all tenants about which something is to be done by now, the longest due first."""
        rows = await self._database.rows(_DUE, {"at": at, "n": limit}, tenant=ALL)
        return [_delivery(row) for row in rows]


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    column = deliveries.c
    equal = ((column.job_id, wanted.job_id), (column.state, wanted.state), (column.channel, wanted.channel))
    conditions = [each == value for each, value in equal if value is not None]
    if wanted.since is not None:
        conditions.append(column.created_at >= wanted.since)
    if wanted.before is not None:
        conditions.append(column.created_at < wanted.before)
    if wanted.recipient is not None:
        part = column.recipient_search.contains(folded(wanted.recipient), autoescape=True)
        conditions.append(sa.or_(column.recipient_id == wanted.recipient, part))
    return conditions


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "key": delivery.key,
        "template": delivery.template,
        "recipient": delivery.recipient,
        "recipient_id": delivery.recipient.id,
        "recipient_search": delivery.recipient.search,
        "parameters": list(delivery.parameters),
        "link": delivery.link,
        "attachment": delivery.attachment,
        "job_id": delivery.job_id,
        "channel": delivery.channel,
        "remaining": list(delivery.left),
        "language": delivery.language,
        "urgent": delivery.urgent,
        "waiting": delivery.waiting,
        "due_at": delivery.due_at,
        "digest_id": delivery.digest_id,
        "tickets": msgspec.to_builtins(delivery.tickets),
        "history": msgspec.to_builtins(delivery.history),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "provider_id": delivery.provider_id,
        "error_code": delivery.error_code,
        "error_text": delivery.error_text,
        "created_at": delivery.created_at,
        "updated_at": delivery.updated_at,
    }


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        key=row.key,
        template=row.template,
        recipient=from_json(row.recipient, Recipient),
        parameters=tuple(row.parameters),
        link=row.link,
        attachment=row.attachment,
        job_id=row.job_id,
        channel=row.channel,
        left=tuple(row.remaining),
        language=row.language,
        urgent=row.urgent,
        waiting=row.waiting,
        due_at=row.due_at,
        digest_id=row.digest_id,
        tickets=from_json(row.tickets, tuple[Ticket, ...]),
        history=from_json(row.history, tuple[tuple[str, datetime], ...]),
        state=row.state,
        attempts=row.attempts,
        provider_id=row.provider_id,
        error_code=row.error_code,
        error_text=row.error_text,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
