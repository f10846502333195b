"""What happens to a notification."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from core.kernel.events import Fact


@frozen(kw_only=True, slots=False)
class NotificationFact(Fact):
    delivery_id: str
    template: str
    recipient_id: str


@frozen(kw_only=True, slots=False)
class NotificationQueued(NotificationFact):
    name: ClassVar[str] = "notification.queued"


@frozen(kw_only=True, slots=False)
class NotificationSent(NotificationFact):
    name: ClassVar[str] = "notification.sent"
    channel: str


@frozen(kw_only=True, slots=False)
class NotificationFailed(NotificationFact):
    name: ClassVar[str] = "notification.failed"
    error_code: str
    error_text: str


FACTS: tuple[type[NotificationFact], ...] = (NotificationQueued, NotificationSent, NotificationFailed)
