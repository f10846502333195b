"""A delivery: one message to one person, from the wish to the double tick."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.kernel.errors import CuadrillaError, Invalid, NotFound, Unavailable
from core.kernel.states import Moves, check_move, evolved
from core.notifications.events import (
    NotificationFact,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
)
from core.notifications.templates import TEMPLATES

MOVES: Final[Moves] = {
    "queued": frozenset({"sending", "sent", "delivered", "read", "failed"}),
    "sending": frozenset({"queued", "sending", "sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "failed": frozenset({"delivered", "read"}),  # several devices: one may fail and another deliver
    "read": frozenset(),
}


class DeliveryNotFound(NotFound):
    """This tenant has no such delivery."""

    code: ClassVar[str] = "delivery.not_found"


class AnswerLost(Unavailable):
    """The message may or may not have been taken; ask, or wait for a report, before sending again."""

    code: ClassVar[str] = "delivery.answer_lost"


class SendRefused(CuadrillaError):
    """The provider will not take this message, now or later."""

    code: ClassVar[str] = "delivery.refused"

    def __init__(self, error_code: str, text: str) -> None:
        self.error_code, self.text = error_code, text
        super().__init__(f"{error_code}: {text}")


@frozen(kw_only=True)
class Recipient:
    """Who gets a message: our id for them, how they are called, and the provider's id or phone to send to."""

    id: str
    kind: str
    name: str
    address: str


@frozen(kw_only=True, slots=False)
class Delivery:
    """One message to one person. `key` makes it unique: the same reason to write gives the same delivery."""

    id: str
    tenant: str
    key: str
    template: str
    recipient: Recipient
    parameters: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    link: str | None = None
    attachment: str | None = None
    job_id: str | None = None
    channel: str = "whatsapp"
    state: str = "queued"
    attempts: int = 0
    provider_id: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    version: int = 0
    facts: tuple[NotificationFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def queued(
        cls,
        *,
        id_: str,
        tenant: str,
        key: str,
        template: str,
        recipient: Recipient,
        parameters: tuple[str, ...],
        link: str | None,
        attachment: str | None,
        job_id: str | None,
        at: datetime,
    ) -> Delivery:
        """Somebody shall be told."""
        wanted = TEMPLATES.get(template)
        if wanted is None or len(wanted.parameters) != len(parameters):
            msg = f"{template} does not take {len(parameters)} parameters"
            raise Invalid(msg, field="template")
        fact = NotificationQueued(
            tenant=tenant, at=at, job_id=job_id, delivery_id=id_, template=template, recipient_id=recipient.id
        )
        return cls(
            id=id_,
            tenant=tenant,
            key=key,
            template=template,
            recipient=recipient,
            parameters=tuple(" ".join(value.split()) or "-" for value in parameters),
            created_at=at,
            updated_at=at,
            link=link,
            attachment=attachment,
            job_id=job_id,
            facts=(fact,),
        )

    @property
    def text(self) -> str:
        """What the recipient reads."""
        return TEMPLATES[self.template].render(self.parameters)

    def attempt(self, *, at: datetime) -> Delivery:
        """We are about to call the provider; written down before the call."""
        return self._move("attempt", "sending", at, attempts=self.attempts + 1)

    def put_back(self, *, error: str, at: datetime) -> Delivery:
        """The provider did not take it and may later."""
        return self._move("put back", "queued", at, error_text=error)

    def sent(self, *, provider_id: str, at: datetime) -> Delivery:
        """The provider took it. A report of it may have been faster, and stands."""
        if self.state not in {"queued", "sending"}:
            return evolved(self, {"provider_id": provider_id})
        fact = NotificationSent(**self._about(at), channel=self.channel)
        return self._move("send", "sent", at, fact, provider_id=provider_id, error_code=None, error_text=None)

    def refused(self, *, error_code: str, error_text: str, at: datetime) -> Delivery:
        """The provider will not take it, or could not bring it."""
        fact = NotificationFailed(**self._about(at), error_code=error_code, error_text=error_text)
        return self._move("refuse", "failed", at, fact, error_code=error_code, error_text=error_text)

    def report(
        self, status: str, *, provider_id: str, error_code: str | None, error_text: str | None, at: datetime
    ) -> Delivery:
        """Take the provider's word; it may come late, twice and out of order, so a state only rises."""
        if status == "failed":
            if "failed" not in MOVES[self.state]:
                return self
            return self.refused(error_code=error_code or "", error_text=error_text or "", at=at)
        wanted = "read" if status == "played" else status
        if wanted in {"queued", "sending"} or wanted not in MOVES[self.state]:
            return self
        if wanted == "sent":
            return self.sent(provider_id=provider_id, at=at)
        facts = (
            (NotificationSent(**self._about(at), channel=self.channel),) if self.state in {"queued", "sending"} else ()
        )
        return self._move("report", wanted, at, *facts, provider_id=provider_id)

    def _about(self, at: datetime) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "at": at,
            "job_id": self.job_id,
            "delivery_id": self.id,
            "template": self.template,
            "recipient_id": self.recipient.id,
        }

    def _move(self, event: str, wanted: str, at: datetime, *facts: NotificationFact, **changes: Any) -> Delivery:
        check_move(MOVES, kind="delivery", state=self.state, event=event, wanted=wanted)
        changes.update(state=wanted, updated_at=at, facts=(*self.facts, *facts))
        return evolved(self, changes)
