"""The delivery log in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.rows import cut, from_json, page_of
from adapters.sql.tables import deliveries
from adapters.sql.writer import Writer
from core.kernel.states import evolved
from core.notifications import Delivery, DeliveryNotFound, Recipient

_BY: Final = {
    name: sa.select(deliveries).where(deliveries.c.tenant == sa.bindparam("t"), deliveries.c[name] == sa.bindparam("v"))
    for name in ("id", "key", "provider_id")
}


class SqlDeliveries:
    """`core.notifications.ports.DeliveryRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, delivery_id: str) -> Delivery:
        """Return the delivery; raise `DeliveryNotFound`."""
        found = await self._one(_BY["id"], tenant, delivery_id)
        if found is None:
            msg = f"there is no delivery {delivery_id}"
            raise DeliveryNotFound(msg)
        return found

    async def by_key(self, tenant: str, key: str) -> Delivery | None:
        """Return the delivery made for this reason, or None."""
        return await self._one(_BY["key"], tenant, key)

    async def by_provider_id(self, tenant: str, provider_id: str) -> Delivery | None:
        """Return the delivery that the provider calls so, or None."""
        return await self._one(_BY["provider_id"], tenant, provider_id)

    async def save(self, delivery: Delivery) -> Delivery:
        """Store the delivery and its facts; raise `StaleVersion`, also for a key that exists."""
        version = await self._writer.save(deliveries, "delivery", delivery, _row(delivery), stale=["uq_deliveries_key"])
        return evolved(delivery, {"version": version, "facts": ()})

    async def _one(self, statement: sa.Executable, tenant: str, value: str) -> Delivery | None:
        row = await self._writer.first(statement, {"t": tenant, "v": value})
        return None if row is None else _delivery(row)


class SqlDeliveryReader:
    """`core.notifications.ports.DeliveryReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant: str, *, job_id: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of deliveries, the newest first."""
        conditions = [] if job_id is None else [deliveries.c.job_id == job_id]
        query = page_of(deliveries, tenant, where=conditions, limit=limit, cursor=cursor)
        return cut(await self._database.rows(query, tenant=tenant), limit, _delivery)


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "key": delivery.key,
        "template": delivery.template,
        "recipient": delivery.recipient,
        "parameters": list(delivery.parameters),
        "link": delivery.link,
        "attachment": delivery.attachment,
        "job_id": delivery.job_id,
        "channel": delivery.channel,
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
        state=row.state,
        attempts=row.attempts,
        provider_id=row.provider_id,
        error_code=row.error_code,
        error_text=row.error_text,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
