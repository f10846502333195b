"""What notifications need from the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import field, frozen

from core.kernel.actor import Actor
from core.notifications.devices import Device
from core.notifications.model import Delivery
from core.notifications.preferences import Preferences


class DeliveryRepository(Protocol):
    """Deliveries inside a transaction."""

    async def get(self, tenant: str, delivery_id: str) -> Delivery:
        """Return the delivery; raise `DeliveryNotFound`."""
        ...

    async def by_key(self, tenant: str, key: str) -> Sequence[Delivery]:
        """Return the deliveries made for this reason, one by each channel, the first one first."""
        ...

    async def by_provider_id(self, tenant: str, provider_id: str) -> Delivery | None:
        """Return the delivery that the provider calls so, or None."""
        ...

    async def waiting(self, tenant: str, *, recipient_id: str, channel: str) -> Sequence[Delivery]:
        """Return what quiet hours held back for somebody by a channel and no provider has taken yet, the oldest first."""
        ...

    async def save(self, delivery: Delivery) -> Delivery:
        """Store the delivery and its facts and return it as the next version.

        Raise `StaleVersion`, also for a reason that has a delivery by this channel.
        """
        ...


class PreferenceRepository(Protocol):
    """What people chose, inside a transaction."""

    async def get(self, tenant: str, recipient_id: str) -> Preferences | None:
        """Return what somebody chose, or None if they never did."""
        ...

    async def save(self, preferences: Preferences) -> Preferences:
        """Store the choice and return it as the next version; raise `StaleVersion`."""
        ...


class DeviceRepository(Protocol):
    """Devices inside a transaction."""

    async def get(self, tenant: str, device_id: str) -> Device:
        """Return the device; raise `DeviceNotFound`."""
        ...

    async def by_token(self, tenant: str, token: str) -> Device | None:
        """Return the device with this push token, retired or not, or None."""
        ...

    async def of(self, tenant: str, user_id: str) -> Sequence[Device]:
        """Return somebody's devices that can be written to, the one that reported last first."""
        ...

    async def save(self, device: Device) -> Device:
        """Store the device and return it as the next version; raise `StaleVersion`, also for a token that another has."""
        ...


class NotificationTransaction(Protocol):
    """A tenant's transaction over deliveries, preferences and devices."""

    @property
    def deliveries(self) -> DeliveryRepository: ...

    @property
    def preferences(self) -> PreferenceRepository: ...

    @property
    def devices(self) -> DeviceRepository: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[NotificationTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


@frozen(kw_only=True)
class Wanted:
    """Which deliveries are looked for; None asks for all. `recipient` is an id, or a part of a name, phone or address.

    `since` belongs to the period, `before` no longer does.
    """

    job_id: str | None = None
    recipient: str | None = None
    state: str | None = None
    channel: str | None = None
    since: datetime | None = None
    before: datetime | None = None


class DeliveryReader(Protocol):
    """The delivery log as it was last committed."""

    async def page(
        self, tenant: str, *, wanted: Wanted, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return up to `limit` deliveries, the newest first, and the cursor of the next page, or None after the last."""
        ...

    async def due(self, *, at: datetime, limit: int) -> Sequence[Delivery]:
        """Return up to `limit` deliveries of all tenants about which something is to be done by now, the longest due first."""
        ...


@frozen(kw_only=True)
class Document:
    """A file that goes with a message."""

    filename: str
    content_type: str
    content: bytes


class Documents(Protocol):
    """Files that messages refer to."""

    async def fetch(self, tenant: str, reference: str) -> Document:
        """Return the file; raise `NotFound`."""
        ...


class Channel(Protocol):
    """A way to people."""

    async def send(self, delivery: Delivery, *, document: Document | None) -> str:
        """Hand the message to the provider, under the delivery's id, and return the provider's id for it.

        Raise `Unavailable` when it was not taken and may be later (`AskedToWait` with the seconds that the provider named),
        `AnswerLost` when nobody knows whether it was taken, and `SendRefused` when it never will be.
        """
        ...


@frozen(kw_only=True)
class PushNote:
    """One message to one device."""

    device_id: str
    token: str = field(repr=False)
    title: str
    body: str
    data: Mapping[str, str]
    urgent: bool


@frozen(kw_only=True)
class PushAnswer:
    """What a push service says of one note: its ticket, or why not.

    `gone` means that the token will never work again, `again` that the same note may be taken later, `lost` that nobody knows
    whether it was taken. Nothing of all that, and no ticket, is a refusal.
    """

    ticket: str | None = None
    error_code: str = ""
    error_text: str = ""
    gone: bool = False
    again: bool = False
    lost: bool = False
    retry_after: float = 0.0


class PushService(Protocol):
    """A way to the apps on people's phones."""

    @property
    def gives_receipts(self) -> bool:
        """Whether it tells afterwards what became of a ticket."""
        ...

    async def push(self, tenant: str, notes: Sequence[PushNote]) -> Sequence[PushAnswer]:
        """Hand over any number of notes and return the answers in their order; what fails is an answer as well."""
        ...

    async def receipts(self, tenant: str, tickets: Sequence[str]) -> Mapping[str, PushAnswer]:
        """Return what became of tickets, those that are known by now."""
        ...
