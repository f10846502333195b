"""What else happens when somebody writes."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from core.customers import Customers
from core.jobs import Jobs, Place, Wish
from core.kernel.actor import Actor
from core.messaging import Messaging
from core.messaging.events import DeliveryReported, MessagesAggregated, RequestUnderstood
from core.notifications import Notifications

TRADES: Final = {
    "refrigeracion": "Refrigeración",
    "lavarropas": "Lavarropas",
    "aire_acondicionado": "Aire acondicionado",
    "electricidad": "Electricidad",
    "plomeria": "Plomería",
    "gasista": "Gas",
    "cerrajeria": "Cerrajería",
}


@frozen
class WhenSomebodyWrites:
    """Fragments become a text, a text a request, a request a job."""

    _messaging: Messaging
    _customers: Customers
    _jobs: Jobs
    _notifications: Notifications

    async def understand(self, actor: Actor, fact: MessagesAggregated) -> None:
        """Read what the text asks for."""
        await self._messaging.understand(actor=actor, batch_id=fact.batch_id)

    async def open_a_job(self, actor: Actor, fact: RequestUnderstood) -> None:
        """Open a pending job for whoever asked for a technician."""
        if fact.intent != "request_tech":
            return
        customer = await self._customers.recognise(
            actor=actor,
            identities=fact.identities,
            name=fact.customer_name or fact.sender_name or "",
            phone=fact.sender_phone,
            address=fact.address or "",
        )
        await self._jobs.open(
            actor=actor,
            customer_id=customer.id,
            title=TRADES.get(fact.trade or "", "Servicio técnico"),
            wish=Wish(
                text=fact.text,
                trade=fact.trade,
                urgency=fact.urgency,
                day=fact.day,
                part_of_day=fact.part_of_day,
            ),
            place=Place(address=fact.address or customer.address or None, lat=fact.lat, lng=fact.lng),
            source=actor.correlation,
        )

    async def record_a_report(self, actor: Actor, fact: DeliveryReported) -> None:
        """Note what became of a message of ours."""
        await self._notifications.record(
            actor=actor,
            provider_id=fact.provider_id,
            status=fact.status,
            reference=fact.reference,
            error_code=None if fact.error_code is None else str(fact.error_code),
            error_text=fact.error_text,
        )
