"""What happens to messages."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from attrs import frozen

from core.kernel.events import Fact


@frozen(kw_only=True, slots=False)
class MessagesAggregated(Fact):
    """Fragments of one person became one text."""

    name: ClassVar[str] = "messages.aggregated"
    batch_id: str
    thread: str
    messages: int
    reason: str


@frozen(kw_only=True, slots=False)
class RequestUnderstood(Fact):
    """What a text asks for, as far as a language model can tell."""

    name: ClassVar[str] = "request.understood"
    batch_id: str
    thread: str
    intent: str
    text: str
    trade: str | None = None
    address: str | None = None
    lat: float | None = None
    lng: float | None = None
    day: date | None = None
    part_of_day: str | None = None
    urgency: str = "normal"
    customer_name: str | None = None
    sender_name: str | None = None
    sender_phone: str | None = None
    identities: tuple[str, ...] = ()


@frozen(kw_only=True, slots=False)
class DeliveryReported(Fact):
    """The provider says what became of a message of ours."""

    name: ClassVar[str] = "delivery.reported"
    provider_id: str
    status: str
    reference: str | None = None
    """What we called the message when we sent it, if the provider echoes it."""
    error_code: int | None = None
    error_text: str | None = None


FACTS: tuple[type[Fact], ...] = (MessagesAggregated, RequestUnderstood, DeliveryReported)
