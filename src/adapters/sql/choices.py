"""What people chose of notifications, and the apps on their phones, in tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.tables import devices, preferences
from adapters.sql.writer import Writer
from core.kernel.states import evolved
from core.notifications import Device, DeviceNotFound, Preferences, QuietHours

_CHOSEN: Final = sa.select(preferences).where(
    preferences.c.tenant == sa.bindparam("t"), preferences.c.id == sa.bindparam("i")
)
_OURS: Final = sa.select(devices).where(devices.c.tenant == sa.bindparam("t"))
_DEVICE: Final = _OURS.where(devices.c.id == sa.bindparam("i"))
_BY_TOKEN: Final = _OURS.where(devices.c.token == sa.bindparam("k"))
_OF: Final = _OURS.where(devices.c.user_id == sa.bindparam("u"), devices.c.retired.is_(None)).order_by(
    devices.c.updated_at.desc(), devices.c.id
)


class SqlPreferences:
    """`core.notifications.ports.PreferenceRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, recipient_id: str) -> Preferences | None:
        """Return what somebody chose, or None."""
        row = await self._writer.first(_CHOSEN, {"t": tenant, "i": recipient_id})
        if row is None:
            return None
        return Preferences(
            tenant=row.tenant,
            id=row.id,
            version=row.version,
            channels=frozenset(row.channels),
            muted=frozenset(row.muted),
            quiet=row.quiet,
            hours=QuietHours(row.starts, row.ends),
            zone=row.zone,
            language=row.language,
            digest=row.digest,
        )

    async def save(self, chosen: Preferences) -> Preferences:
        """Store the choice; raise `StaleVersion`."""
        row = {
            "channels": sorted(chosen.channels),
            "muted": sorted(chosen.muted),
            "quiet": chosen.quiet,
            "starts": chosen.hours.start,
            "ends": chosen.hours.end,
            "zone": chosen.zone,
            "language": chosen.language,
            "digest": chosen.digest,
        }
        return evolved(chosen, {"version": await self._writer.save(preferences, "preferences", chosen, row)})


class SqlDevices:
    """`core.notifications.ports.DeviceRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, device_id: str) -> Device:
        """Return the device; raise `DeviceNotFound`."""
        row = await self._writer.first(_DEVICE, {"t": tenant, "i": device_id})
        if row is None:
            msg = f"there is no device {device_id}"
            raise DeviceNotFound(msg)
        return _device(row)

    async def by_token(self, tenant: str, token: str) -> Device | None:
        """Return the device with this push token, or None."""
        row = await self._writer.first(_BY_TOKEN, {"t": tenant, "k": token})
        return None if row is None else _device(row)

    async def of(self, tenant: str, user_id: str) -> Sequence[Device]:
        """Return somebody's devices that can be written to."""
        return [_device(row) for row in await self._writer.run(_OF, {"t": tenant, "u": user_id})]

    async def save(self, device: Device) -> Device:
        """Store the device; raise `StaleVersion`, also for a token that another has."""
        row = {
            "user_id": device.user_id,
            "provider": device.provider,
            "token": device.token,
            "name": device.name,
            "session_id": device.session_id,
            "created_at": device.created_at,
            "updated_at": device.updated_at,
            "retired": device.retired,
        }
        version = await self._writer.save(devices, "device", device, row, stale=["uq_devices_token"])
        return evolved(device, {"version": version})


def _device(row: Any) -> Device:
    return Device(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        user_id=row.user_id,
        provider=row.provider,
        token=row.token,
        name=row.name,
        session_id=row.session_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        retired=row.retired,
    )
