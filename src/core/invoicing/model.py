"""A voucher, from the draft to AFIP's authorisation: an invoice, or a note that corrects one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from attrs import field, fields, frozen

from core.invoicing.doubt import Doubt
from core.invoicing.events import (
    InvoiceDrafted,
    InvoiceFact,
    InvoiceIssued,
    InvoiceRefused,
    InvoiceReleased,
    InvoiceSubmitted,
    InvoiceUnanswered,
)
from core.invoicing.outcome import Authorisation, Observation
from core.invoicing.parties import Issuer, Receiver
from core.invoicing.preflight import NotAcceptable, findings, unwritable
from core.invoicing.terms import PLAIN, Terms
from core.invoicing.voucher import (
    CONCEPT,
    CURRENCY,
    DOCUMENT_TYPE,
    RECEIVER_CONDITION,
    Corrected,
    Series,
    letter,
    number_text,
    voucher_type,
)
from core.kernel.errors import Invalid
from core.kernel.money import Line, Totals, totals
from core.kernel.states import IllegalMove, Moves, check_move, evolved

MOVES: Final[Moves] = {
    "draft": frozenset({"draft", "pending_cae", "issued"}),
    "pending_cae": frozenset({"issued", "cae_failed", "unknown", "draft", "pending_cae"}),
    "unknown": frozenset({"issued", "cae_failed", "unknown", "draft", "pending_cae"}),
    "cae_failed": frozenset({"draft", "issued"}),
    "issued": frozenset(),
}
OPEN: Final = frozenset({"pending_cae", "unknown"})
"""States in which an invoice holds its series: nobody takes the next number before it is settled."""
_ASKED: Final = tuple(each.name for each in fields(Doubt) if each.name != "since")


@frozen(kw_only=True, slots=False)
class Invoice:
    """A voucher. It gets its number before AFIP is asked and keeps it until the answer is known.

    A refused voucher consumes no number. One whose answer was lost is `unknown`, never failed: AFIP may have authorised it.
    A job has one invoice at most, and any number of notes. A note that names a period to AFIP still takes its money from the
    voucher that it `corrects`.
    """

    id: str
    tenant: str
    job_id: str | None
    issuer: Issuer
    receiver: Receiver
    lines: tuple[Line, ...]
    created_at: datetime
    serviced_on: date
    currency: str = "ARS"
    kind: str = "invoice"
    terms: Terms = PLAIN
    corrects: tuple[Corrected, ...] = ()
    corrects_period: tuple[date, date] | None = None
    reason: str = ""
    """Why a note is issued, for the receiver to read."""
    state: str = "draft"
    number: int | None = None
    issued_on: date | None = None
    submitted_at: datetime | None = None
    """When AFIP was asked; of a note's draft, since when it is on its way there."""
    batch: str | None = None
    """What ties together the vouchers that AFIP was asked for in one request."""
    slot: int = 0
    """The place in that request: a series has one open voucher in each slot."""
    authorisation: Authorisation | None = None
    errors: tuple[Observation, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    """What AFIP may still authorise of it, although it is a draft or refused."""
    look_at: datetime | None = None
    """When to look what became of the doubts; None without any."""
    version: int = 0
    facts: tuple[InvoiceFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def drafted(
        cls,
        *,
        id_: str,
        job_id: str | None,
        issuer: Issuer,
        receiver: Receiver,
        lines: tuple[Line, ...],
        currency: str,
        serviced_on: date,
        at: datetime,
        today: date | None = None,
        **more: Any,
    ) -> Invoice:
        """Somebody wants something charged, or a voucher corrected; `more` are further fields. Raise `NotAcceptable`."""
        draft = cls(
            id=id_,
            tenant=issuer.tenant,
            job_id=job_id,
            issuer=issuer,
            receiver=receiver,
            lines=lines,
            created_at=at,
            serviced_on=serviced_on,
            currency=currency,
            **more,
        )
        draft.check(today=today)
        fact = InvoiceDrafted(**draft._about(at), total=draft.totals.total, currency=currency)
        return evolved(draft, {"facts": (fact,)})

    @property
    def letter(self) -> str:
        return letter(issuer=self.issuer.vat_condition, receiver=self.receiver.vat_condition)

    @property
    def voucher_type(self) -> int:
        """AFIP's `CbteTipo`."""
        return voucher_type(self.letter, kind=self.kind, mipyme=self.terms.mipyme is not None)

    @property
    def series(self) -> Series:
        return Series(cuit=self.issuer.cuit, point_of_sale=self.issuer.point_of_sale, voucher_type=self.voucher_type)

    @property
    def totals(self) -> Totals:
        taxes = sum((tax.amount for tax in self.terms.taxes), Decimal("0.00"))
        return totals(self.lines, currency=self.currency, taxes=taxes, exact=self.terms.exact)

    @property
    def concept(self) -> int:
        """AFIP's `Concepto`; 0 for a word that is none."""
        return CONCEPT.get(self.terms.concept or self.issuer.concept, 0)

    @property
    def period(self) -> tuple[date, date] | None:
        """The first and last day of the service, None for products."""
        if self.concept == CONCEPT["products"]:
            return None
        return self.terms.service_from or self.serviced_on, self.terms.service_to or self.serviced_on

    @property
    def due_on(self) -> date | None:
        """When payment is due; None for products on plain terms, and for a MiPyME note."""
        credit = self.terms.mipyme is not None
        if (credit and self.kind != "invoice") or (self.period is None and not credit):
            return None
        return self.terms.due_on or max(self.issued_on or self.serviced_on, self.serviced_on)

    @property
    def document(self) -> tuple[int, int]:
        """AFIP's `DocTipo` and `DocNro`."""
        return DOCUMENT_TYPE[self.receiver.document_type], int(self.receiver.document_number or 0)

    @property
    def named(self) -> tuple[Corrected, ...]:
        """The vouchers that AFIP is told a note corrects; none if it is told a period."""
        return () if self.corrects_period is not None else self.corrects

    @property
    def receiver_condition(self) -> int:
        """AFIP's `CondicionIVAReceptorId`."""
        return RECEIVER_CONDITION[self.receiver.vat_condition]

    @property
    def afip_currency(self) -> str:
        """AFIP's `MonId`."""
        return CURRENCY[self.currency]

    @property
    def printed_number(self) -> str:
        return number_text(self.issuer.point_of_sale, self.number or 0)

    @property
    def filename(self) -> str:
        """The name that AFIP's own web form gives the file."""
        return f"{self.issuer.cuit}_{self.voucher_type:03}_{self.issuer.point_of_sale:05}_{self.number or 0:08}.pdf"

    def check(self, *, today: date | None = None, newest: date | None = None) -> None:
        """Raise `NotAcceptable` for what AFIP is known to refuse, before a number is taken."""
        try:
            found = findings(self, today=today, newest=newest)
        except NotAcceptable:
            raise
        except Invalid as problem:  # its total cannot be written
            raise unwritable(problem) from problem
        if found:
            raise NotAcceptable(found)

    def revise(
        self,
        *,
        issuer: Issuer,
        receiver: Receiver,
        lines: tuple[Line, ...],
        at: datetime,
        terms: Terms | None = None,
        currency: str | None = None,
        reason: str | None = None,
        today: date | None = None,
    ) -> Invoice:
        """Change a draft, or a refused voucher, which becomes a draft again."""
        self._check_open("revise", "draft", want=False)  # AFIP may have it: only `release` takes it back
        wanted = {
            "issuer": issuer,
            "receiver": receiver,
            "lines": lines,
            "terms": terms or self.terms,
            "currency": currency or self.currency,
            "reason": reason or self.reason,
            "submitted_at": None if self.kind == "invoice" else at,
        }
        sums = evolved(self, wanted).totals
        about = {**self._about(at), "customer_id": receiver.customer_id}
        fact = InvoiceDrafted(**about, total=sums.total, currency=sums.currency)
        revised = self._move("revise", "draft", fact, **wanted, errors=(), number=None, issued_on=None)
        revised.check(today=today)
        return revised

    def submit(self, *, number: int, issued_on: date, at: datetime, batch: str | None = None, slot: int = 0) -> Invoice:
        """Take a number; AFIP is asked next, for all vouchers of a batch in one request."""
        if self.state != "draft":
            raise self._illegal("submit", "pending_cae")
        fact = InvoiceSubmitted(**self._about(at), number=number_text(self.issuer.point_of_sale, number))
        taken = {"number": number, "issued_on": issued_on, "submitted_at": at, "batch": batch, "slot": slot}
        return self._move("submit", "pending_cae", fact, errors=(), **taken)

    def issue(self, authorisation: Authorisation, *, at: datetime) -> Invoice:
        """AFIP said yes."""
        self._check_open("issue", "issued")
        fact = InvoiceIssued(
            **self._about(at),
            number=self.printed_number,
            cae=authorisation.cae,
            total=self.totals.total,
            currency=self.currency,
            kind=self.kind,
        )
        sure: dict[str, Any] = {"errors": (), "doubts": (), "look_at": None}
        return self._move("issue", "issued", fact, authorisation=authorisation, **sure)

    def adopt(self, doubt: Doubt, authorisation: Authorisation, *, at: datetime) -> Invoice:
        """A request that was given up for lost arrived after all: AFIP has the voucher as it was asked for then."""
        check_move(MOVES, kind="invoice", state=self.state, event="adopt", wanted="issued")
        return evolved(self.as_asked(doubt), {"state": "unknown"}).issue(authorisation, at=at)

    def refuse(self, observations: Sequence[Observation], *, at: datetime, late: bool = False) -> Invoice:
        """AFIP said no; the number is free again. `late`: an earlier request with it has no answer, and may still arrive."""
        fact = InvoiceRefused(**self._about(at), errors=tuple(map(str, observations)))
        doubt = self._doubt(at) if late else {}
        return self._move("refuse", "cae_failed", fact, errors=tuple(observations), number=None, **doubt)

    def lose_answer(self, *, at: datetime) -> Invoice:
        """AFIP was asked and nobody knows what it said."""
        fact = InvoiceUnanswered(**self._about(at), number=self.printed_number)
        return self._move("lose the answer", "unknown", fact)

    def ask_again(self, *, at: datetime) -> Invoice:
        """AFIP has nothing under the number: it is asked for the same voucher under the same number, which it gives once."""
        self._check_open("ask again", "pending_cae")
        fact = InvoiceSubmitted(**self._about(at), number=self.printed_number)
        return self._move("ask again", "pending_cae", fact, submitted_at=at)

    def release(self, *, at: datetime, late: bool = False) -> Invoice:
        """The number is free or somebody else's, and ours is not asked for any more: it is a draft again.

        `late`: an earlier request with it has no answer, and may still arrive.
        """
        self._check_open("release", "draft")
        fact = InvoiceReleased(**self._about(at), number=self.printed_number)
        free: dict[str, Any] = {"number": None, "issued_on": None, "submitted_at": None, "slot": 0}
        free |= self._doubt(at) if late else {}
        return self._move("release", "draft", fact, **free)

    def as_asked(self, doubt: Doubt) -> Invoice:
        """Return the voucher as AFIP was asked for it then."""
        return evolved(self, {name: getattr(doubt, name) for name in _ASKED})

    def dispel(self, doubt: Doubt) -> Invoice:
        """The number is another voucher's, or the request too old: AFIP will not authorise this any more."""
        doubts = tuple(each for each in self.doubts if each != doubt)
        return evolved(self, {"doubts": doubts, "look_at": self.look_at if doubts else None})

    def look_later(self, *, at: datetime) -> Invoice:
        """AFIP has none of the doubts now: look again when they are twice as old."""
        return evolved(self, {"look_at": at + (at - max(each.since for each in self.doubts))})

    def rest(self) -> Invoice:
        """A note's draft is not on its way to AFIP any more."""
        return evolved(self, {"submitted_at": None})

    def _doubt(self, at: datetime) -> dict[str, Any]:
        doubt = Doubt(since=at, **{name: getattr(self, name) for name in _ASKED})
        return {"doubts": (*self.doubts, doubt), "look_at": at}

    def _about(self, at: datetime) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "at": at,
            "job_id": self.job_id,
            "invoice_id": self.id,
            "customer_id": self.receiver.customer_id,
        }

    def _check_open(self, event: str, wanted: str, *, want: bool = True) -> None:
        if (self.state in OPEN) is not want:
            raise self._illegal(event, wanted)

    def _illegal(self, event: str, wanted: str) -> IllegalMove:
        return IllegalMove("invoice", state=self.state, event=event, wanted=wanted, allowed=MOVES[self.state])

    def _move(self, event: str, wanted: str, fact: InvoiceFact, **changes: Any) -> Invoice:
        check_move(MOVES, kind="invoice", state=self.state, event=event, wanted=wanted)
        return evolved(self, {**changes, "state": wanted, "facts": (*self.facts, fact)})
