"""What notifications need from the outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from attrs import frozen

from core.kernel.actor import Actor
from core.notifications.model import Delivery


class DeliveryRepository(Protocol):
    """Deliveries inside a transaction."""

    async def get(self, tenant: str, delivery_id: str) -> Delivery:
        """Return the delivery; raise `DeliveryNotFound`."""
        ...

    async def by_key(self, tenant: str, key: str) -> Delivery | None:
        """Return the delivery made for this reason, or None."""
        ...

    async def by_provider_id(self, tenant: str, provider_id: str) -> Delivery | None:
        """Return the delivery that the provider calls so, or None."""
        ...

    async def save(self, delivery: Delivery) -> Delivery:
        """Store the delivery and its facts and return it as the next version; raise `StaleVersion`, also for a key that exists."""
        ...


class DeliveryTransaction(Protocol):
    """A tenant's transaction over deliveries."""

    @property
    def deliveries(self) -> DeliveryRepository: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[DeliveryTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


class DeliveryReader(Protocol):
    """The delivery log as it was last committed."""

    async def page(
        self, tenant: str, *, job_id: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return up to `limit` deliveries, the newest first, and the cursor of the next page, or None after the last."""
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
    """A way to people's phones."""

    async def send(self, delivery: Delivery, *, document: Document | None) -> str:
        """Hand the message to the provider, under the delivery's id, and return the provider's id for it.

        Raise `Unavailable` when it was not taken and may be later, `AnswerLost` when nobody knows whether it was taken, and
        `SendRefused` when it never will be.
        """
        ...
