"""A delivery: one message to one person, from the wish to the double tick."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
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

GRACE: Final = timedelta(seconds=30)
"""For how long a fresh delivery is left to whoever reacts to it, before the queue takes it up."""
DIGEST: Final = "digest"
_ERROR_AT_MOST: Final = 500
_HISTORY: Final = 40

MOVES: Final[Moves] = {
    "queued": frozenset({"sending", "sent", "delivered", "read", "failed", "gathered"}),
    "sending": frozenset({"queued", "sending", "sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "failed": frozenset({"delivered", "read"}),  # several devices: one may fail and another deliver
    "read": frozenset(),
    "gathered": frozenset(),  # what became of it stands at the digest
}


class DeliveryNotFound(NotFound):
    """This tenant has no such delivery."""

    code: ClassVar[str] = "delivery.not_found"


class AnswerLost(Unavailable):
    """The message may or may not have been taken; ask, or wait for a report, before sending again."""

    code: ClassVar[str] = "delivery.answer_lost"


class AskedToWait(Unavailable):
    """The provider did not take the message, and said for how many seconds not to ask again."""

    code: ClassVar[str] = "delivery.asked_to_wait"

    def __init__(self, message: str, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SendRefused(CuadrillaError):
    """The provider will not take this message, now or later."""

    code: ClassVar[str] = "delivery.refused"

    def __init__(self, error_code: str, text: str) -> None:
        self.error_code, self.text = error_code, text
        super().__init__(f"{error_code}: {text}")


@frozen(kw_only=True)
class Recipient:
    """Who gets a message: our id for them, how they are called, the provider's id or phone to send to, and their e-mail address.

    `zone` names the time zone that they live in unless they chose another.
    """

    id: str
    kind: str
    name: str
    address: str
    email: str | None = None
    zone: str = "America/Argentina/Buenos_Aires"

    @property
    def search(self) -> str:
        """By what somebody looks for them: small letters without accents."""
        return folded(f"{self.name} {self.address} {self.email or ''}".strip())


@frozen(kw_only=True)
class Ticket:
    """What a push service gave for one device: not yet a delivery; a receipt follows."""

    device_id: str
    provider: str
    id: str


def folded(text: str) -> str:
    """Return small letters without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


@frozen(kw_only=True, slots=False)
class Delivery:
    """One message to one person by one channel. `key` is the reason to write: it has one delivery by each channel.

    `left` are the channels to try if this one never brings it. `due_at` says when something is to be done about it next: it is
    sent (again), or asked after; None is never. One that is `waiting` was held back by quiet hours.
    """

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
    left: tuple[str, ...] = ()
    language: str = "es"
    urgent: bool = False
    waiting: bool = False
    due_at: datetime | None = None
    digest_id: str | None = None
    tickets: tuple[Ticket, ...] = ()
    history: tuple[tuple[str, datetime], ...] = ()
    """Each state that it came to, and when."""
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
        channel: str = "whatsapp",
        left: tuple[str, ...] = (),
        language: str = "es",
        urgent: bool = False,
        until: datetime | None = None,
    ) -> Delivery:
        """Somebody shall be told; with `until`, not before."""
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
            channel=channel,
            left=left,
            language=language,
            urgent=urgent,
            waiting=until is not None,
            due_at=until or at + GRACE,
            history=(("queued", at),),
            facts=(fact,),
        )

    def by(self, channel: str, *, id_: str, left: tuple[str, ...], at: datetime) -> Delivery:
        """Return the same message by another channel."""
        return Delivery.queued(
            id_=id_,
            tenant=self.tenant,
            key=self.key,
            template=self.template,
            recipient=self.recipient,
            parameters=self.parameters,
            link=self.link,
            attachment=self.attachment,
            job_id=self.job_id,
            at=at,
            channel=channel,
            left=left,
            language=self.language,
            urgent=self.urgent,
        )

    @property
    def text(self) -> str:
        """What the recipient reads; of a template that there is no more, what filled its gaps."""
        template = TEMPLATES.get(self.template)
        return " · ".join(self.parameters) if template is None else template.render(self.parameters, self.language)

    @property
    def event(self) -> str:
        """What it is about, as people turn it off."""
        template = TEMPLATES.get(self.template)
        return "custom" if template is None else template.event

    @property
    def gathers(self) -> bool:
        """Whether it can stand in a digest: what has a button or a document of its own cannot."""
        return self.link is None and self.attachment is None and self.template != DIGEST

    @property
    def unanswered(self) -> int:
        """How many attempts nobody has answered, the one under way included; 0 once the history has forgotten its beginning."""
        answered = sum(state == "queued" for state, _ in self.history[1:])
        return self.attempts - answered if len(self.history) < _HISTORY else 0

    def is_ready(self, at: datetime) -> bool:
        """Say whether it is to be sent now: it never was tried, or its time has come."""
        if self.state not in {"queued", "sending"}:
            return False
        fresh = self.state == "queued" and not self.attempts and not self.waiting
        return fresh or self.due_at is None or self.due_at <= at

    def hold(self, until: datetime) -> Delivery:
        """It is quiet where they live: it waits."""
        return evolved(self, {"waiting": True, "due_at": until})

    def gather(self, digest_id: str, *, at: datetime) -> Delivery:
        """It goes out in a digest, with others."""
        return self._move("gather", "gathered", at, digest_id=digest_id, due_at=None)

    def attempt(self, *, at: datetime, doubt: timedelta = timedelta(seconds=60)) -> Delivery:
        """We are about to call the provider; written down before the call. Without word it is tried again after `doubt`."""
        return self._move("attempt", "sending", at, attempts=self.attempts + 1, due_at=at + doubt)

    def put_back(self, *, error: str, at: datetime, wait: timedelta = timedelta()) -> Delivery:
        """The provider did not take it and may later."""
        return self._move("put back", "queued", at, error_text=error[:_ERROR_AT_MOST], due_at=at + wait)

    def pushed(self, tickets: tuple[Ticket, ...], *, at: datetime, ask_at: datetime | None) -> Delivery:
        """Push services took it for some devices; their receipts are asked for at `ask_at`, if they give any."""
        after = self.sent(provider_id=tickets[0].id, at=at)
        return evolved(after, {"tickets": tickets, "due_at": ask_at})

    def asked(self, left: tuple[Ticket, ...], *, ask_at: datetime | None) -> Delivery:
        """Some receipts came; the rest is asked for at `ask_at`, or never."""
        return evolved(self, {"tickets": left, "due_at": ask_at if left else None})

    def sent(self, *, provider_id: str, at: datetime) -> Delivery:
        """The provider took it. A report of it may have been faster, and stands."""
        if self.state not in {"queued", "sending"}:
            return evolved(self, {"provider_id": provider_id})
        fact = NotificationSent(**self._about(at), channel=self.channel)
        return self._move(
            "send", "sent", at, fact, provider_id=provider_id, error_code=None, error_text=None, due_at=None
        )

    def refused(self, *, error_code: str, error_text: str, at: datetime) -> Delivery:
        """The provider will not take it, or could not bring it."""
        fact = NotificationFailed(**self._about(at), error_code=error_code, error_text=error_text)
        error_text = error_text[:_ERROR_AT_MOST]
        return self._move("refuse", "failed", at, fact, error_code=error_code, error_text=error_text, due_at=None)

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
        return self._move("report", wanted, at, *facts, provider_id=provider_id, due_at=None)

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
        history = self.history if wanted == self.state else (*self.history, (wanted, at))
        changes.update(state=wanted, updated_at=at, history=history[-_HISTORY:], facts=(*self.facts, *facts))
        return evolved(self, changes)
