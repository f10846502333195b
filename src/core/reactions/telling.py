"""Who is told what: people as recipients of messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from attrs import frozen

from core.customers import Customer, Customers
from core.identity import Identity, User
from core.jobs import Job
from core.kernel.actor import Actor
from core.notifications import Notifications, Recipient, Variable, first_name

ZoneNamed = Callable[[str], tzinfo]
"""Return the time zone of an IANA name."""


@frozen
class Telling:
    """Writes to customers and colleagues, one message for each reason (the fact, or what else is named, and the recipient)."""

    _notifications: Notifications
    _customers: Customers
    _identity: Identity
    _zone_named: ZoneNamed

    async def customer(
        self,
        actor: Actor,
        customer_id: str,
        template: str,
        *parameters: Variable | None,
        job_id: str | None,
        link: str | None = None,
        attachment: str | None = None,
        urgent: bool = False,
    ) -> None:
        """Tell a customer; the first parameter, their first name, is filled in."""
        customer = await self._customers.show(actor=actor, customer_id=customer_id)
        await self._notifications.notify(
            actor=actor,
            key=f"{actor.causation}:{template}:{customer.id}",
            template=template,
            recipient=Recipient(
                id=customer.id,
                kind="customer",
                name=customer.name,
                address=_address(customer),
                email=customer.email,
                zone=await self._zone_name(actor),
            ),
            parameters=(first_name(customer.name), *parameters),
            link=link,
            attachment=attachment,
            job_id=job_id,
            urgent=urgent,
        )

    async def colleague(
        self,
        actor: Actor,
        user_id: str,
        template: str,
        *parameters: Variable | None,
        job_id: str | None,
        greet: bool = False,
        urgent: bool = False,
        reason: str | None = None,
    ) -> None:
        """Tell a colleague; `greet` fills in their first name as the first parameter. Who has left is told nothing any more.

        `reason` stands in for the fact where none is reacted to.
        """
        user = await self.person(actor, user_id)
        if not user.active:
            return
        await self._notifications.notify(
            actor=actor,
            key=f"{reason or actor.causation}:{template}:{user.id}",
            template=template,
            recipient=Recipient(
                id=user.id,
                kind=user.role,
                name=user.name,
                address=user.phone or "",
                zone=await self._zone_name(actor),
            ),
            parameters=(first_name(user.name), *parameters) if greet else parameters,
            job_id=job_id,
            urgent=urgent,
        )

    async def technician(
        self,
        actor: Actor,
        user_id: str,
        template: str,
        job: Job,
        hours: tuple[datetime, datetime],
        *,
        urgent: bool = False,
        reason: str | None = None,
    ) -> None:
        """Tell a technician what a visit is about, when, for whom and where; as `colleague`."""
        customer = await self.known_customer(actor, job.customer_id)
        zone = await self.zone(actor)
        first, last = (each.astimezone(zone) for each in hours)
        await self.colleague(
            actor,
            user_id,
            template,
            job.title,
            first,
            (first, last),
            customer.name,
            customer.phone or "-",
            job.place.address or customer.address or "-",
            job_id=job.id,
            urgent=urgent,
            reason=reason,
        )

    async def person(self, actor: Actor, user_id: str) -> User:
        """Return a colleague."""
        return await self._identity.person(actor=actor, user_id=user_id)

    async def zone(self, actor: Actor) -> tzinfo:
        """Return the zone that the tenant's people live in."""
        return self._zone_named(await self._zone_name(actor))

    async def known_customer(self, actor: Actor, customer_id: str) -> Customer:
        """Return a customer."""
        return await self._customers.show(actor=actor, customer_id=customer_id)

    async def _zone_name(self, actor: Actor) -> str:
        return (await self._identity.tenant(actor=actor)).zone


def _address(customer: Customer) -> str:
    """Return a customer's phone, or the id by which WhatsApp knows somebody without one."""
    known = (each.removeprefix("whatsapp:") for each in customer.identities if each.startswith("whatsapp:"))
    return customer.phone or next(known, "")
