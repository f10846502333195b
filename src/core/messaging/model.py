"""Incoming messages, batches of them, and what a batch asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar

from attrs import field, frozen

from core.kernel.errors import NotFound
from core.kernel.events import Fact
from core.kernel.states import evolved
from core.messaging.events import MessagesAggregated, RequestUnderstood


class BatchNotFound(NotFound):
    """This tenant has no such batch."""

    code: ClassVar[str] = "batch.not_found"


@frozen(kw_only=True)
class Sender:
    """Who wrote: the provider's ids for them, best first (`whatsapp:...`), and what else it told."""

    identities: tuple[str, ...]
    name: str | None = None
    phone: str | None = None

    @property
    def thread(self) -> str:
        """The key under which this person's messages are gathered."""
        return self.identities[0]


@frozen(kw_only=True)
class InboundMessage:
    """A message as a provider delivered it; `event_id` is the provider's and unique in its tenant and source.

    `kind` is the provider's type where we understand it and `unsupported` otherwise; `text` is what a person would read,
    empty where there is nothing to read. `sent_at` is the message's own time.
    """

    id: str
    tenant: str
    source: str
    event_id: str
    sender: Sender
    kind: str
    text: str
    sent_at: datetime
    received_at: datetime
    lat: float | None = None
    lng: float | None = None
    raw: Mapping[str, object] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class StatusReport:
    """What a provider says became of a message of ours."""

    tenant: str
    source: str
    event_id: str
    provider_id: str
    status: str
    at: datetime
    received_at: datetime
    reference: str | None = None
    error_code: int | None = None
    error_text: str | None = None
    raw: Mapping[str, object] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class Understanding:
    """What a text asks for. `intent` is `request_tech`, `ask_price`, `greeting` or `other`; None is: not said."""

    intent: str
    trade: str | None = None
    address: str | None = None
    day: date | None = None
    part_of_day: str | None = None
    urgency: str = "normal"
    customer_name: str | None = None


@frozen(kw_only=True, slots=False)
class Batch:
    """Fragments that are one text. Every message is in exactly one batch."""

    id: str
    tenant: str
    source: str
    sender: Sender
    text: str
    reason: str
    closed_at: datetime
    message_ids: tuple[str, ...] = ()
    lat: float | None = None
    lng: float | None = None
    understanding: Understanding | None = None
    version: int = 0
    facts: tuple[Fact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def gathered(cls, *, id_: str, messages: Sequence[InboundMessage], reason: str, at: datetime) -> Batch:
        """Join the messages' texts in the order in which they were sent."""
        ordered = sorted(messages, key=lambda message: (message.sent_at, message.received_at, message.id))
        first, last = ordered[0], ordered[-1]
        located = [message for message in ordered if message.lat is not None]
        fact = MessagesAggregated(
            tenant=first.tenant,
            at=at,
            batch_id=id_,
            thread=last.sender.thread,
            messages=len(ordered),
            reason=reason,
        )
        return cls(
            id=id_,
            tenant=first.tenant,
            source=first.source,
            sender=last.sender,
            text=" ".join(message.text.strip() for message in ordered if message.text.strip()),
            reason=reason,
            closed_at=at,
            message_ids=tuple(message.id for message in ordered),
            lat=located[-1].lat if located else None,
            lng=located[-1].lng if located else None,
            facts=(fact,),
        )

    def understand(self, understanding: Understanding, *, at: datetime) -> Batch:
        """Note what the text asks for."""
        fact = RequestUnderstood(
            tenant=self.tenant,
            at=at,
            batch_id=self.id,
            thread=self.sender.thread,
            intent=understanding.intent,
            text=self.text,
            trade=understanding.trade,
            address=understanding.address,
            lat=self.lat,
            lng=self.lng,
            day=understanding.day,
            part_of_day=understanding.part_of_day,
            urgency=understanding.urgency,
            customer_name=understanding.customer_name,
            sender_name=self.sender.name,
            sender_phone=self.sender.phone,
            identities=self.sender.identities,
        )
        return evolved(self, {"understanding": understanding, "facts": (*self.facts, fact)})
