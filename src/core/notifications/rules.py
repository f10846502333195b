"""Which ways lead to somebody, how often a message is tried, and what a digest says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from attrs import frozen

from core.kernel.time import RetryPolicy
from core.notifications.model import Delivery, Recipient
from core.notifications.preferences import Preferences
from core.notifications.templates import Template

_NEWS_AT_MOST: Final = 700
"""Characters of a digest's news: a template's body may have 1024 in all."""
_DOCUMENTS: Final = ("whatsapp", "email")
_MESSAGES: Final = ("whatsapp", "push", "sms")


@frozen(kw_only=True)
class SendingRules:
    """How patient we are with a provider; the waits between tries spread by `jitter`, so that not all come back at once."""

    retry: RetryPolicy = RetryPolicy(first=2.0, factor=3.0, longest=1800.0, tries=60)
    """With no other way left: about a day."""
    with_another_way: int = 6
    """Tries in about four minutes; then the next channel has its turn."""
    urgent: int = 4
    jitter: float = 0.2
    doubt: timedelta = timedelta(seconds=60)
    """How long to wait for a report on a message whose answer was lost, before it is sent again; longer each time."""
    unanswered: int = 5
    """Attempts whose answer was lost: each may have brought the message, and nobody wants an invoice sixty times."""
    receipts_after: timedelta = timedelta(minutes=15)
    receipts_life: timedelta = timedelta(hours=24)

    def gives_up(self, delivery: Delivery) -> bool:
        """Say whether it has been tried often enough by this channel."""
        most = self.retry.tries
        if delivery.left:
            most = self.urgent if delivery.urgent else self.with_another_way
        lost = delivery.state == "sending" and delivery.unanswered >= self.unanswered
        return lost or delivery.attempts >= most

    def wait(self, attempt: int, *, chance: float) -> timedelta:
        """Return the pause after a failed attempt (counted from 1); `chance` is from 0 to 1."""
        pause = self.retry.wait(min(attempt, self.retry.tries - 1)) or timedelta()
        return pause * (1 + self.jitter * (2 * chance - 1))


def ways_to(
    recipient: Recipient, template: Template, preferences: Preferences, available: Collection[str]
) -> tuple[str, ...]:
    """Return the channels by which somebody can be told this, the first choice first.

    Documents go by all of theirs; of a message's channels each is for when those before it fail.
    """
    reached = {
        "whatsapp": bool(recipient.address),
        "push": recipient.kind != "customer",
        "sms": recipient.address.startswith("+"),
        "email": recipient.email is not None,
    }
    wanted = _DOCUMENTS if template.document else _MESSAGES
    return tuple(each for each in wanted if each in preferences.channels and each in available and reached[each])


def news(deliveries: Sequence[Delivery], language: str) -> str:
    """Return the messages as one line, the oldest first; what does not fit is counted."""
    told: list[str] = []
    for number, delivery in enumerate(deliveries):
        line = f"({number + 1}) {delivery.text}"
        if told and sum(map(len, told)) + len(line) > _NEWS_AT_MOST:
            rest = len(deliveries) - number
            told.append(f"and {rest} more" if language == "en" else f"y {rest} más")
            break
        told.append(line[:_NEWS_AT_MOST])
    return " ".join(told).rstrip(".")
