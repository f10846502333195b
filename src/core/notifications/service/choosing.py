"""How people want to be told, and on which phones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion
from core.kernel.ports import NewId
from core.kernel.time import Clock
from core.notifications.devices import DEVICES_AT_MOST, Device, DeviceNotFound
from core.notifications.ports import Begin, NotificationTransaction
from core.notifications.preferences import CUSTOMERS, Preferences, ZoneNamed


@frozen
class Choices:
    """The preferences and devices of all tenants' people. Everybody chooses for themselves; who manages the people, for all."""

    _begin: Begin
    _zone_named: ZoneNamed
    _clock: Clock
    _new_id: NewId

    async def show(self, *, actor: Actor, recipient_id: str) -> Preferences:
        """Return what somebody chose; version 0 if they never did."""
        _must(actor, recipient_id)
        async with self._begin(actor) as tx:
            kept = await tx.preferences.get(actor.tenant, recipient_id)
        return kept or Preferences(tenant=actor.tenant, id=recipient_id)

    async def choose(
        self, *, actor: Actor, recipient_id: str, version: int | None = None, **choice: Any
    ) -> Preferences:
        """Keep somebody's choice and return it; raise `Invalid`, or `StaleVersion` if `version` is not the one that is kept."""
        _must(actor, recipient_id)
        async with self._begin(actor) as tx:
            kept = await tx.preferences.get(actor.tenant, recipient_id)
            kept = kept or Preferences(tenant=actor.tenant, id=recipient_id)
            if version is not None and version != kept.version:
                raise StaleVersion("preferences", recipient_id, version=version)
            return await tx.preferences.save(kept.chosen(zone_named=self._zone_named, **choice))

    async def register(
        self, *, actor: Actor, provider: str, token: str, name: str = "", session_id: str | None = None
    ) -> Device:
        """Write to this app from now on, until the session ends; a token that is known already becomes the actor's, and lives again.

        Beyond `DEVICES_AT_MOST` those are retired that have not reported for longest.
        """
        async with self._begin(actor) as tx:
            known = await tx.devices.by_token(actor.tenant, token)
            if known is not None and known.provider == provider:
                device = known.taken_by(actor.id, name=name, session_id=session_id, at=self._clock())
            else:
                device = Device.registered(
                    id_=self._new_id("dev"),
                    tenant=actor.tenant,
                    user_id=actor.id,
                    provider=provider,
                    token=token,
                    name=name,
                    session_id=session_id,
                    at=self._clock(),
                )
            saved = await tx.devices.save(device)
            others = [each for each in await tx.devices.of(actor.tenant, actor.id) if each.id != saved.id]
            await self._retire(tx, others[DEVICES_AT_MOST - 1 :], "too_many")
            return saved

    async def retire(self, *, actor: Actor, user_id: str, session_id: str, reason: str) -> None:
        """Write no more to the apps that somebody registered in a session, which ended."""
        async with self._begin(actor) as tx:
            theirs = await tx.devices.of(actor.tenant, user_id)
            await self._retire(tx, [each for each in theirs if each.session_id == session_id], reason)

    async def devices(self, *, actor: Actor, user_id: str) -> Sequence[Device]:
        """Return the devices on which somebody is written to."""
        _must(actor, user_id)
        async with self._begin(actor) as tx:
            return await tx.devices.of(actor.tenant, user_id)

    async def forget(self, *, actor: Actor, device_id: str) -> None:
        """Write to this app no more; raise `DeviceNotFound`, also for somebody else's."""
        async with self._begin(actor) as tx:
            device = await tx.devices.get(actor.tenant, device_id)
            if device.user_id != actor.id and not actor.may("users.write"):
                msg = f"there is no device {device_id}"
                raise DeviceNotFound(msg)
            if device.retired is None:
                await self._retire(tx, [device], "forgotten")

    async def _retire(self, tx: NotificationTransaction, devices: Sequence[Device], reason: str) -> None:
        for device in devices:
            await tx.devices.save(device.retire(reason, at=self._clock()))


def _must(actor: Actor, recipient_id: str) -> None:
    if recipient_id == CUSTOMERS:
        actor.must("customers.write")
    elif recipient_id != actor.id:
        actor.must("users.write")
