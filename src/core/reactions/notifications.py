"""What else happens when somebody shall be told."""

from __future__ import annotations

from attrs import frozen

from core.kernel.actor import Actor
from core.notifications import Notifications
from core.notifications.events import NotificationQueued


@frozen
class WhenANotificationIsQueued:
    """It is sent."""

    _notifications: Notifications

    async def send(self, actor: Actor, fact: NotificationQueued) -> None:
        """Hand it to the provider."""
        await self._notifications.send(actor=actor, delivery_id=fact.delivery_id)
