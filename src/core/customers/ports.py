"""What customers need from the outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from core.customers.model import Customer
from core.kernel.actor import Actor


class CustomerRepository(Protocol):
    """Customers by id or identity, one tenant at a time."""

    async def get(self, tenant: str, customer_id: str) -> Customer:
        """Return the customer; raise `CustomerNotFound` if this tenant has none by that id."""
        ...

    async def known_as(self, tenant: str, identities: Sequence[str]) -> Customer | None:
        """Return the customer who has the first of these identities that anybody has, or None."""
        ...

    async def save(self, customer: Customer) -> Customer:
        """Store the customer and its facts and return it as the next version.

        Raise `StaleVersion` if the stored version is another, `IdentityTaken` if an identity is somebody else's.
        """
        ...


class CustomerTransaction(Protocol):
    """A tenant's transaction over customers."""

    @property
    def customers(self) -> CustomerRepository: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[CustomerTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


class CustomerReader(Protocol):
    """Customers as they were last committed."""

    async def get(self, tenant: str, customer_id: str) -> Customer:
        """Return the customer; raise `CustomerNotFound` if this tenant has none by that id."""
        ...

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Customer], str | None]:
        """Return up to `limit` customers, the newest first, and the cursor of the next page, or None after the last."""
        ...
