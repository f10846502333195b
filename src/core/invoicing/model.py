"""An invoice, from the draft to AFIP's authorisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from attrs import field, frozen

from core.invoicing.events import (
    InvoiceDrafted,
    InvoiceFact,
    InvoiceIssued,
    InvoiceRefused,
    InvoiceReleased,
    InvoiceSubmitted,
    InvoiceUnanswered,
)
from core.invoicing.voucher import DOCUMENT_TYPE, INVOICE_TYPE, RECEIVER_CONDITION, Series, letter, number_text
from core.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from core.kernel.money import Line, Totals, totals
from core.kernel.states import IllegalMove, Moves, check_move, evolved

MOVES: Final[Moves] = {
    "draft": frozenset({"draft", "pending_cae"}),
    "pending_cae": frozenset({"issued", "cae_failed", "unknown", "draft", "pending_cae"}),
    "unknown": frozenset({"issued", "cae_failed", "unknown", "draft", "pending_cae"}),
    "cae_failed": frozenset({"draft"}),
    "issued": frozenset(),
}
OPEN: Final = frozenset({"pending_cae", "unknown"})
"""States in which an invoice holds its series: nobody takes the next number before it is settled."""

OUT_OF_ORDER: Final = 10016
"""AFIP's code for a number or date that is not the next of its series."""

MUST_IDENTIFY_FROM: Final = Decimal(10_000_000)
"""Pesos from which a final consumer is identified (RG 5700/2025)."""


class InvoiceNotFound(NotFound):
    """This tenant has no such invoice."""

    code: ClassVar[str] = "invoice.not_found"


class NotIssued(Conflict):
    """The invoice has no CAE, so there is nothing to print."""

    code: ClassVar[str] = "invoice.not_issued"


class NoTaxProfile(Conflict):
    """The tenant has not said who issues its invoices."""

    code: ClassVar[str] = "invoice.no_tax_profile"


class SeriesBusy(Unavailable):
    """Another voucher of the same series waits for AFIP's word; numbers are taken one at a time."""

    code: ClassVar[str] = "invoice.series_busy"


class AnswerLost(Unavailable):
    """AFIP was asked and no answer came: the voucher may or may not be authorised."""

    code: ClassVar[str] = "afip.answer_lost"


@frozen
class Observation:
    """AFIP's own code and text."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class Refused(Invalid):
    """AFIP refused the voucher; `observations` are its own codes and texts."""

    code: ClassVar[str] = "afip.refused"

    def __init__(self, observations: Sequence[Observation]) -> None:
        self.observations = tuple(observations)
        super().__init__("AFIP refused the invoice: " + "; ".join(map(str, self.observations)))

    @property
    def number_taken(self) -> bool:
        """Whether the number is not the next of its series: somebody has it, and that may be us."""
        return any(each.code == OUT_OF_ORDER for each in self.observations)

    def details(self) -> Mapping[str, object]:
        return {"afip": [{"code": each.code, "message": each.text} for each in self.observations]}


@frozen(kw_only=True)
class Issuer:
    """Who issues a tenant's invoices, as AFIP knows them."""

    tenant: str
    cuit: str
    name: str
    address: str
    vat_condition: str
    point_of_sale: int
    gross_income: str
    started_on: date
    concept: str = "services"


@frozen(kw_only=True)
class Receiver:
    """Whom an invoice is for, as they stood when it was drafted."""

    customer_id: str
    name: str
    vat_condition: str = "consumidor_final"
    document_type: str = "none"
    document_number: str = ""
    address: str = ""


@frozen(kw_only=True)
class Authorisation:
    """AFIP's yes: the CAE (14 digits), its last valid day, and what AFIP observed all the same."""

    cae: str
    expires_on: date
    observations: tuple[Observation, ...] = ()


@frozen(kw_only=True, slots=False)
class Invoice:
    """A voucher of one job. It gets its number before AFIP is asked and keeps it until the answer is known.

    A refused voucher consumes no number. One whose answer was lost is `unknown`, never failed: AFIP may have authorised it.
    """

    id: str
    tenant: str
    job_id: str
    issuer: Issuer
    receiver: Receiver
    lines: tuple[Line, ...]
    created_at: datetime
    serviced_on: date
    currency: str = "ARS"
    state: str = "draft"
    number: int | None = None
    issued_on: date | None = None
    submitted_at: datetime | None = None
    authorisation: Authorisation | None = None
    errors: tuple[Observation, ...] = ()
    version: int = 0
    facts: tuple[InvoiceFact, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def drafted(
        cls,
        *,
        id_: str,
        job_id: str,
        issuer: Issuer,
        receiver: Receiver,
        lines: tuple[Line, ...],
        currency: str,
        serviced_on: date,
        at: datetime,
    ) -> Invoice:
        """Somebody wants the job charged."""
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
        )
        draft.check()
        fact = InvoiceDrafted(**draft._about(at), total=draft.totals.total, currency=currency)
        return evolved(draft, {"facts": (fact,)})

    @property
    def letter(self) -> str:
        return letter(issuer=self.issuer.vat_condition, receiver=self.receiver.vat_condition)

    @property
    def voucher_type(self) -> int:
        """AFIP's `CbteTipo`."""
        return INVOICE_TYPE[self.letter]

    @property
    def series(self) -> Series:
        return Series(cuit=self.issuer.cuit, point_of_sale=self.issuer.point_of_sale, voucher_type=self.voucher_type)

    @property
    def totals(self) -> Totals:
        return totals(self.lines, currency=self.currency)

    @property
    def document(self) -> tuple[int, int]:
        """AFIP's `DocTipo` and `DocNro`."""
        return DOCUMENT_TYPE[self.receiver.document_type], int(self.receiver.document_number or 0)

    @property
    def receiver_condition(self) -> int:
        """AFIP's `CondicionIVAReceptorId`."""
        return RECEIVER_CONDITION[self.receiver.vat_condition]

    @property
    def printed_number(self) -> str:
        return number_text(self.issuer.point_of_sale, self.number or 0)

    @property
    def filename(self) -> str:
        """The name that AFIP's own web form gives the file."""
        return f"{self.issuer.cuit}_{self.voucher_type:03}_{self.issuer.point_of_sale:05}_{self.number or 0:08}.pdf"

    def check(self) -> None:
        """Raise `Invalid` for what AFIP is known to refuse, before a number is taken."""
        if self.currency != "ARS":
            msg = "invoices are in pesos; other currencies need their rate at AFIP"
            raise Invalid(msg, field="currency")
        sums = self.totals
        if sums.total <= 0:
            msg = "an invoice must come to more than zero"
            raise Invalid(msg, field="items")
        if self.letter == "A" and self.receiver.document_type != "CUIT":
            msg = "an invoice A needs the receiver's CUIT"
            raise Invalid(msg, field="documentType")
        if self.letter == "C" and sums.vat:
            msg = "a monotributista or exempt issuer charges no VAT: give the lines a VAT rate of 0"
            raise Invalid(msg, field="items")
        if self.receiver.document_type == "none" and sums.total >= MUST_IDENTIFY_FROM:
            msg = f"from $ {MUST_IDENTIFY_FROM:,} on a final consumer must be identified: note their DNI or CUIT"
            raise Invalid(msg, field="documentNumber")
        if self.receiver.document_number == self.issuer.cuit:
            msg = "issuer and receiver are the same"
            raise Invalid(msg, field="documentNumber")

    def revise(self, *, issuer: Issuer, receiver: Receiver, lines: tuple[Line, ...], at: datetime) -> Invoice:
        """Change a draft, or a refused invoice, which becomes a draft again."""
        if self.state in OPEN:  # AFIP may have it: only `release` takes it back
            raise IllegalMove("invoice", state=self.state, event="revise", wanted="draft", allowed=MOVES[self.state])
        fact = InvoiceDrafted(**self._about(at), total=totals(lines).total, currency=self.currency)
        revised = self._move(
            "revise", "draft", fact, issuer=issuer, receiver=receiver, lines=lines, errors=(), number=None
        )
        revised.check()
        return revised

    def submit(self, *, number: int, issued_on: date, at: datetime) -> Invoice:
        """Take a number; AFIP is asked next."""
        if self.state != "draft":
            raise IllegalMove(
                "invoice", state=self.state, event="submit", wanted="pending_cae", allowed=MOVES[self.state]
            )
        numbered = number_text(self.issuer.point_of_sale, number)
        fact = InvoiceSubmitted(**self._about(at), number=numbered)
        return self._move("submit", "pending_cae", fact, number=number, issued_on=issued_on, submitted_at=at, errors=())

    def issue(self, authorisation: Authorisation, *, at: datetime) -> Invoice:
        """AFIP said yes."""
        fact = InvoiceIssued(
            **self._about(at),
            number=self.printed_number,
            cae=authorisation.cae,
            total=self.totals.total,
            currency=self.currency,
        )
        return self._move("issue", "issued", fact, authorisation=authorisation, errors=())

    def refuse(self, observations: Sequence[Observation], *, at: datetime) -> Invoice:
        """AFIP said no; the number is free again."""
        fact = InvoiceRefused(**self._about(at), errors=tuple(map(str, observations)))
        return self._move("refuse", "cae_failed", fact, errors=tuple(observations), number=None)

    def lose_answer(self, *, at: datetime) -> Invoice:
        """AFIP was asked and nobody knows what it said."""
        fact = InvoiceUnanswered(**self._about(at), number=self.printed_number)
        return self._move("lose the answer", "unknown", fact)

    def ask_again(self, *, at: datetime) -> Invoice:
        """AFIP has nothing under the number: it is asked for the same voucher under the same number, which it gives once."""
        if self.state not in OPEN:
            raise IllegalMove(
                "invoice", state=self.state, event="ask again", wanted="pending_cae", allowed=MOVES[self.state]
            )
        fact = InvoiceSubmitted(**self._about(at), number=self.printed_number)
        return self._move("ask again", "pending_cae", fact, submitted_at=at)

    def release(self, *, at: datetime) -> Invoice:
        """The number is free or somebody else's, and AFIP was not and will not be asked for ours: it is a draft again."""
        if self.state not in OPEN:
            raise IllegalMove("invoice", state=self.state, event="release", wanted="draft", allowed=MOVES[self.state])
        fact = InvoiceReleased(**self._about(at), number=self.printed_number)
        return self._move("release", "draft", fact, number=None, issued_on=None, submitted_at=None)

    def _about(self, at: datetime) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "at": at,
            "job_id": self.job_id,
            "invoice_id": self.id,
            "customer_id": self.receiver.customer_id,
        }

    def _move(self, event: str, wanted: str, fact: InvoiceFact, **changes: Any) -> Invoice:
        check_move(MOVES, kind="invoice", state=self.state, event=event, wanted=wanted)
        return evolved(self, {**changes, "state": wanted, "facts": (*self.facts, fact)})
