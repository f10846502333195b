"""Who is told what: people as recipients of messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from attrs import frozen

from core.customers import Customer, Customers
from core.identity import Identity, User
from core.kernel.actor import Actor
from core.notifications import Notifications, Recipient

ZoneNamed = Callable[[str], tzinfo]
"""Return the time zone of an IANA name."""


@frozen
class Telling:
    """Writes to customers and colleagues, one message for each reason (the fact and the recipient)."""

    _notifications: Notifications
    _customers: Customers
    _identity: Identity
    _zone_named: ZoneNamed

    async def customer(
        self,
        actor: Actor,
        customer_id: str,
        template: str,
        *parameters: str,
        job_id: str | None,
        link: str | None = None,
        attachment: str | None = None,
    ) -> None:
        """Tell a customer; the first parameter, their first name, is filled in."""
        customer = await self._customers.show(actor=actor, customer_id=customer_id)
        address = _address(customer)
        if address is None:
            return  # somebody without a phone is told by other means
        await self._notifications.notify(
            actor=actor,
            key=f"{actor.causation}:{template}:{customer.id}",
            template=template,
            recipient=Recipient(id=customer.id, kind="customer", name=customer.name, address=address),
            parameters=(first_name(customer.name), *parameters),
            link=link,
            attachment=attachment,
            job_id=job_id,
        )

    async def colleague(
        self, actor: Actor, user_id: str, template: str, *parameters: str, job_id: str | None, greet: bool = False
    ) -> None:
        """Tell a colleague; `greet` fills in their first name as the first parameter."""
        user = await self.person(actor, user_id)
        if user.phone is None:
            return
        await self._notifications.notify(
            actor=actor,
            key=f"{actor.causation}:{template}:{user.id}",
            template=template,
            recipient=Recipient(id=user.id, kind=user.role, name=user.name, address=user.phone),
            parameters=(first_name(user.name), *parameters) if greet else parameters,
            job_id=job_id,
        )

    async def person(self, actor: Actor, user_id: str) -> User:
        """Return a colleague."""
        return await self._identity.person(actor=actor, user_id=user_id)

    async def zone(self, actor: Actor) -> tzinfo:
        """Return the zone that the tenant's people live in."""
        return self._zone_named((await self._identity.tenant(actor=actor)).zone)

    async def known_customer(self, actor: Actor, customer_id: str) -> Customer:
        """Return a customer."""
        return await self._customers.show(actor=actor, customer_id=customer_id)


def first_name(name: str) -> str:
    """Return what a friendly message calls somebody."""
    return name.split(maxsplit=1)[0] if name.split() else "-"


def _address(customer: Customer) -> str | None:
    if customer.phone:
        return customer.phone
    return next((i.removeprefix("whatsapp:") for i in customer.identities if i.startswith("whatsapp:")), None)
