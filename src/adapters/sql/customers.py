"""Customers and their identities in tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.errors import Taken
from adapters.sql.rows import among, cut, page_of
from adapters.sql.tables import customer_identities, customers
from adapters.sql.writer import Writer
from core.customers import Customer, CustomerNotFound, IdentityTaken
from core.kernel.states import evolved

_ONE: Final = sa.select(customers).where(customers.c.tenant == sa.bindparam("t"), customers.c.id == sa.bindparam("i"))


class SqlCustomers:
    """`core.customers.ports.CustomerRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, customer_id: str) -> Customer:
        """Return the customer; raise `CustomerNotFound`."""
        return _found(await self._writer.first(_ONE, {"t": tenant, "i": customer_id}), customer_id)

    async def known_as(self, tenant: str, identities: Sequence[str]) -> Customer | None:
        """Return who has the first of these identities that anybody has."""
        known = customer_identities.c
        rows = await self._writer.run(
            sa.select(customer_identities).where(
                known.tenant == tenant, among(known.identity, identities, sqlite=self._writer.sqlite)
            )
        )
        owners = {row.identity: row.customer_id for row in rows}
        owner = next((owners[identity] for identity in identities if identity in owners), None)
        return None if owner is None else await self.get(tenant, owner)

    async def save(self, customer: Customer) -> Customer:
        """Store the customer; raise `StaleVersion` or `IdentityTaken`."""
        version = await self._writer.save(customers, "customer", customer, _row(customer))
        if customer.version:
            owned = customer_identities.c
            await self._writer.run(
                sa.delete(customer_identities).where(owned.tenant == customer.tenant, owned.customer_id == customer.id)
            )
        rows = [
            {"tenant": customer.tenant, "identity": identity, "customer_id": customer.id}
            for identity in dict.fromkeys(customer.identities)
        ]
        if rows:
            try:
                await self._writer.run(sa.insert(customer_identities), rows)
            except Taken as taken:
                msg = "this phone or WhatsApp user is another customer's"
                raise IdentityTaken(msg) from taken
        return evolved(customer, {"version": version, "facts": ()})


class SqlCustomerReader:
    """`core.customers.ports.CustomerReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, customer_id: str) -> Customer:
        """Return the customer; raise `CustomerNotFound`."""
        return _found(await self._database.first(_ONE, {"t": tenant, "i": customer_id}, tenant=tenant), customer_id)

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Customer], str | None]:
        """Return a page of customers, the newest first."""
        query = page_of(customers, tenant, where=(), limit=limit, cursor=cursor)
        return cut(await self._database.rows(query, tenant=tenant), limit, _customer)


def _found(row: Any, customer_id: str) -> Customer:
    if row is None:
        raise CustomerNotFound(customer_id)
    return _customer(row)


def _row(customer: Customer) -> dict[str, Any]:
    return {
        "name": customer.name,
        "phone": customer.phone,
        "email": customer.email,
        "vat_condition": customer.vat_condition,
        "document_type": customer.document_type,
        "document_number": customer.document_number,
        "address": customer.address,
        "identities": list(customer.identities),
        "created_at": customer.created_at,
    }


def _customer(row: Any) -> Customer:
    return Customer(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        name=row.name,
        phone=row.phone,
        email=row.email,
        vat_condition=row.vat_condition,
        document_type=row.document_type,
        document_number=row.document_number,
        address=row.address,
        identities=tuple(row.identities),
        created_at=row.created_at,
    )
