"""What can be asked of customers."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from core.customers.model import Customer, IdentityTaken
from core.customers.ports import Begin, CustomerReader
from core.kernel.actor import Actor
from core.kernel.errors import StaleVersion
from core.kernel.ports import NewId
from core.kernel.time import Clock


@frozen
class Customers:
    """Customers of all tenants."""

    _begin: Begin
    _customers: CustomerReader
    _clock: Clock
    _new_id: NewId

    async def register(
        self,
        *,
        actor: Actor,
        name: str,
        phone: str | None = None,
        vat_condition: str = "consumidor_final",
        document_type: str = "none",
        document_number: str = "",
        address: str = "",
        email: str | None = None,
    ) -> Customer:
        """Note a customer; a WhatsApp message from the phone will find them."""
        actor.must("customers.write")
        customer = Customer.registered(
            id_=self._new_id("cust"),
            tenant=actor.tenant,
            name=name,
            at=self._clock(),
            phone=phone,
            identities=(f"whatsapp:{phone_id(phone)}",) if phone else (),
            vat_condition=vat_condition,
            document_type=document_type,
            document_number=document_number,
            address=address,
            email=email,
        )
        async with self._begin(actor) as tx:
            return await tx.customers.save(customer)

    async def recognise(
        self, *, actor: Actor, identities: Sequence[str], name: str, phone: str | None, address: str = ""
    ) -> Customer:
        """Return the customer known by one of the identities; somebody new becomes a customer.

        Two callers at once get the same customer: an identity has one owner, and who comes second looks again.
        """
        actor.must("customers.write")
        try:
            return await self._recognise(actor, identities, name, phone, address)
        except (IdentityTaken, StaleVersion):
            return await self._recognise(actor, identities, name, phone, address)

    async def _recognise(
        self, actor: Actor, identities: Sequence[str], name: str, phone: str | None, address: str
    ) -> Customer:
        async with self._begin(actor.unsettled()) as tx:
            known = await tx.customers.known_as(actor.tenant, identities)
            if known is None:
                new = Customer.registered(
                    id_=self._new_id("cust"),
                    tenant=actor.tenant,
                    name=name.strip() or phone or "Cliente de WhatsApp",
                    at=self._clock(),
                    phone=phone,
                    identities=tuple(identities),
                    address=address,
                )
                return await tx.customers.save(new)
            further = tuple(identity for identity in identities if identity not in known.identities)
            if not further:
                return known
            return await tx.customers.save(
                known.change(at=self._clock(), identities=(*known.identities, *further), phone=known.phone or phone)
            )

    async def show(self, *, actor: Actor, customer_id: str) -> Customer:
        """Return one customer."""
        actor.must("customers.read")
        return await self._customers.get(actor.tenant, customer_id)

    async def list(
        self, *, actor: Actor, limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[Customer], str | None]:
        """Return a page of customers, the newest first."""
        actor.must("customers.read")
        return await self._customers.page(actor.tenant, limit=limit, cursor=cursor)

    async def change(
        self,
        *,
        actor: Actor,
        customer_id: str,
        name: str | None = None,
        phone: str | None = None,
        vat_condition: str | None = None,
        document_type: str | None = None,
        document_number: str | None = None,
        address: str | None = None,
        email: str | None = None,
        version: int | None = None,
    ) -> Customer:
        """Correct what is known of a customer; None leaves a thing as it is."""
        actor.must("customers.write")
        async with self._begin(actor) as tx:
            customer = await tx.customers.get(actor.tenant, customer_id)
            if version is not None and version != customer.version:
                raise StaleVersion("customer", customer.id, version=version)
            identity = f"whatsapp:{phone_id(phone)}" if phone else None
            changed = customer.change(
                at=self._clock(),
                name=name,
                phone=phone,
                identities=(*customer.identities, identity)
                if identity and identity not in customer.identities
                else None,
                vat_condition=vat_condition,
                document_type=document_type,
                document_number=document_number,
                address=address,
                email=email,
            )
            return await tx.customers.save(changed) if changed is not customer else customer


def phone_id(phone: str) -> str:
    """Return the id by which WhatsApp knows a phone number: its digits."""
    return "".join(character for character in phone if character.isdigit())
