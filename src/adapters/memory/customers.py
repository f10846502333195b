"""Customers in memory."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows, Staged, page_of
from core.customers import Customer, CustomerNotFound, IdentityTaken


def customer_rows() -> Rows[Customer]:
    """Return an empty table of customers, where an identity is one customer's."""
    return Rows("customer", {"identity": Index(lambda customer: customer.identities, _taken)})


def _taken(_: Customer) -> IdentityTaken:
    return IdentityTaken("this phone or WhatsApp user is another customer's")


@frozen
class MemoryCustomers:
    """`core.customers.ports.CustomerRepository`."""

    _staged: Staged[Customer]
    _steps: Steps

    async def get(self, tenant: str, customer_id: str) -> Customer:
        """Return the customer; raise `CustomerNotFound`."""
        return await self._steps("customers.get", lambda: _found(self._staged.get(tenant, customer_id), customer_id))

    async def known_as(self, tenant: str, identities: Sequence[str]) -> Customer | None:
        """Return who has the first of these identities that anybody has."""

        def known() -> Customer | None:
            owners = (self._staged.having("identity", tenant, identity) for identity in identities)
            return next((rows[0] for rows in owners if rows), None)

        return await self._steps("customers.known_as", known)

    async def save(self, customer: Customer) -> Customer:
        """Store the customer and its facts; raise `StaleVersion` or `IdentityTaken`."""
        return await self._steps("customers.save", lambda: self._staged.save(customer))


@frozen
class MemoryCustomerReader:
    """`core.customers.ports.CustomerReader`."""

    _rows: Rows[Customer]
    _steps: Steps

    async def get(self, tenant: str, customer_id: str) -> Customer:
        """Return the customer; raise `CustomerNotFound`."""
        return await self._steps("customers.get", lambda: _found(self._rows.get((tenant, customer_id)), customer_id))

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Customer], str | None]:
        """Return a page of customers, the newest first."""
        return await self._steps("customers.page", lambda: page_of(self._rows.of(tenant), limit=limit, cursor=cursor))


def _found(customer: Customer | None, customer_id: str) -> Customer:
    if customer is None:
        raise CustomerNotFound(customer_id)
    return customer
