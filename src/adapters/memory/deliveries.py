"""The delivery log in memory, what people chose, and the apps on their phones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from heapq import nsmallest

from attrs import frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows, Staged, page_of
from core.kernel.errors import StaleVersion
from core.notifications import (
    Delivery,
    DeliveryNotFound,
    Device,
    DeviceNotFound,
    Preferences,
    Wanted,
    folded,
)


def delivery_rows() -> Rows[Delivery]:
    """Return an empty log, where a reason has one delivery by each channel."""
    return Rows(
        "delivery",
        {
            "key": Index(lambda delivery: (delivery.key,)),
            "way": Index(lambda delivery: ((delivery.key, delivery.channel),), _stale),
            "provider": Index(lambda delivery: () if delivery.provider_id is None else (delivery.provider_id,)),
            "recipient": Index(lambda delivery: ((delivery.recipient.id, delivery.channel),)),
            "job": Index(lambda delivery: () if delivery.job_id is None else (delivery.job_id,)),
        },
    )


def preference_rows() -> Rows[Preferences]:
    """Return the preferences of nobody."""
    return Rows("preferences", {})


def device_rows() -> Rows[Device]:
    """Return no devices; a tenant knows a token once."""
    return Rows(
        "device",
        {
            "token": Index(
                lambda device: (device.token,),
                lambda device: StaleVersion("device", device.id, version=device.version),
            ),
            "user": Index(lambda device: (device.user_id,)),
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

    async def by_key(self, tenant: str, key: str) -> Sequence[Delivery]:
        """Return the deliveries made for this reason, the first one first."""
        return await self._steps(
            "deliveries.by_key", lambda: sorted(self._staged.having("key", tenant, key), key=_oldest)
        )

    async def by_provider_id(self, tenant: str, provider_id: str) -> Delivery | None:
        """Return the delivery that the provider calls so, or None."""
        return await self._steps(
            "deliveries.by_provider_id", lambda: _first(self._staged.having("provider", tenant, provider_id))
        )

    async def waiting(self, tenant: str, *, recipient_id: str, channel: str) -> Sequence[Delivery]:
        """Return what quiet hours hold back for somebody by a channel, the oldest first."""

        def held() -> list[Delivery]:
            theirs = self._staged.having("recipient", tenant, (recipient_id, channel))
            return sorted((each for each in theirs if each.state == "queued" and each.waiting), key=_oldest)

        return await self._steps("deliveries.waiting", held)

    async def save(self, delivery: Delivery) -> Delivery:
        """Store the delivery and its facts; raise `StaleVersion`, also for a reason that has one by this channel."""
        return await self._steps("deliveries.save", lambda: self._staged.save(delivery))


@frozen
class MemoryDeliveryReader:
    """`core.notifications.ports.DeliveryReader`."""

    _rows: Rows[Delivery]
    _steps: Steps

    async def page(
        self, tenant: str, *, wanted: Wanted, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return a page of the log, the newest first."""

        def page() -> tuple[Sequence[Delivery], str | None]:
            job = wanted.job_id
            rows = self._rows.of(tenant) if job is None else self._rows.having("job", tenant, job)
            return page_of((each for each in rows if _is(each, wanted)), limit=limit, cursor=cursor)

        return await self._steps("deliveries.page", page)

    async def due(self, *, at: datetime, limit: int) -> Sequence[Delivery]:
        """Return deliveries of all tenants about which something is to be done by now, the longest due first."""

        def due() -> list[Delivery]:
            timed = [(each.due_at, each) for each in self._rows.all() if each.due_at is not None and each.due_at <= at]
            return [each for _, each in nsmallest(limit, timed, key=lambda row: (row[0], row[1].id))]

        return await self._steps("deliveries.due", due)


@frozen
class MemoryPreferences:
    """`core.notifications.ports.PreferenceRepository`."""

    _staged: Staged[Preferences]
    _steps: Steps

    async def get(self, tenant: str, recipient_id: str) -> Preferences | None:
        """Return what somebody chose, or None."""
        return await self._steps("preferences.get", lambda: self._staged.get(tenant, recipient_id))

    async def save(self, preferences: Preferences) -> Preferences:
        """Store the choice; raise `StaleVersion`."""
        return await self._steps("preferences.save", lambda: self._staged.save(preferences))


@frozen
class MemoryDevices:
    """`core.notifications.ports.DeviceRepository`."""

    _staged: Staged[Device]
    _steps: Steps

    async def get(self, tenant: str, device_id: str) -> Device:
        """Return the device; raise `DeviceNotFound`."""

        def found() -> Device:
            device = self._staged.get(tenant, device_id)
            if device is None:
                msg = f"there is no device {device_id}"
                raise DeviceNotFound(msg)
            return device

        return await self._steps("devices.get", found)

    async def by_token(self, tenant: str, token: str) -> Device | None:
        """Return the device with this push token, or None."""
        return await self._steps(
            "devices.by_token", lambda: next(iter(self._staged.having("token", tenant, token)), None)
        )

    async def of(self, tenant: str, user_id: str) -> Sequence[Device]:
        """Return somebody's devices that can be written to, the one that reported last first."""

        def living() -> list[Device]:
            theirs = sorted(self._staged.having("user", tenant, user_id), key=lambda device: device.id)
            theirs.sort(key=lambda device: device.updated_at, reverse=True)
            return [each for each in theirs if each.retired is None]

        return await self._steps("devices.of", living)

    async def save(self, device: Device) -> Device:
        """Store the device; raise `StaleVersion`, also for a token that another has."""
        return await self._steps("devices.save", lambda: self._staged.save(device))


def _is(delivery: Delivery, wanted: Wanted) -> bool:
    who = wanted.recipient
    return (
        (who is None or who == delivery.recipient.id or folded(who) in delivery.recipient.search)
        and wanted.state in {None, delivery.state}
        and wanted.channel in {None, delivery.channel}
        and (wanted.since is None or wanted.since <= delivery.created_at)
        and (wanted.before is None or delivery.created_at < wanted.before)
    )


def _oldest(delivery: Delivery) -> tuple[datetime, str]:
    return delivery.created_at, delivery.id


def _first(deliveries: Sequence[Delivery]) -> Delivery | None:
    return deliveries[0] if deliveries else None
