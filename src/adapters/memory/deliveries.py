"""The delivery log in memory."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows, Staged, page_of
from core.kernel.errors import StaleVersion
from core.notifications import Delivery, DeliveryNotFound


def delivery_rows() -> Rows[Delivery]:
    """Return an empty log, where a key has one delivery."""
    return Rows(
        "delivery",
        {
            "key": Index(lambda delivery: (delivery.key,), _stale),
            "provider": Index(lambda delivery: () if delivery.provider_id is None else (delivery.provider_id,)),
            "job": Index(lambda delivery: () if delivery.job_id is None else (delivery.job_id,)),
        },
    )


def _stale(delivery: Delivery) -> StaleVersion:
    return StaleVersion("delivery", delivery.id, version=delivery.version)


@frozen
class MemoryDeliveries:
    """`core.notifications.ports.DeliveryRepository`."""

    _staged: Staged[Delivery]
    _steps: Steps

    async def get(self, tenant: str, delivery_id: str) -> Delivery:
        """Return the delivery; raise `DeliveryNotFound`."""

        def found() -> Delivery:
            delivery = self._staged.get(tenant, delivery_id)
            if delivery is None:
                msg = f"there is no delivery {delivery_id}"
                raise DeliveryNotFound(msg)
            return delivery

        return await self._steps("deliveries.get", found)

    async def by_key(self, tenant: str, key: str) -> Delivery | None:
        """Return the delivery made for this reason, or None."""
        return await self._steps("deliveries.by_key", lambda: _first(self._staged.having("key", tenant, key)))

    async def by_provider_id(self, tenant: str, provider_id: str) -> Delivery | None:
        """Return the delivery that the provider calls so, or None."""
        return await self._steps(
            "deliveries.by_provider_id", lambda: _first(self._staged.having("provider", tenant, provider_id))
        )

    async def save(self, delivery: Delivery) -> Delivery:
        """Store the delivery and its facts; raise `StaleVersion`, also for a key that exists."""
        return await self._steps("deliveries.save", lambda: self._staged.save(delivery))


@frozen
class MemoryDeliveryReader:
    """`core.notifications.ports.DeliveryReader`."""

    _rows: Rows[Delivery]
    _steps: Steps

    async def page(
        self, tenant: str, *, job_id: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of the log, the newest first."""
        return await self._steps(
            "deliveries.page",
            lambda: page_of(
                self._rows.of(tenant) if job_id is None else self._rows.having("job", tenant, job_id),
                limit=limit,
                cursor=cursor,
            ),
        )


def _first(deliveries: Sequence[Delivery]) -> Delivery | None:
    return deliveries[0] if deliveries else None
