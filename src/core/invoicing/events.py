"""What happens to an invoice."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from attrs import frozen

from core.kernel.events import Fact


@frozen(kw_only=True, slots=False)
class InvoiceFact(Fact):
    invoice_id: str
    customer_id: str


@frozen(kw_only=True, slots=False)
class InvoiceDrafted(InvoiceFact):
    name: ClassVar[str] = "invoice.drafted"
    total: Decimal
    currency: str


@frozen(kw_only=True, slots=False)
class InvoiceSubmitted(InvoiceFact):
    """A number is taken and AFIP is about to be asked."""

    name: ClassVar[str] = "invoice.submitted"
    number: str


@frozen(kw_only=True, slots=False)
class InvoiceUnanswered(InvoiceFact):
    """AFIP was asked and nobody knows what it said."""

    name: ClassVar[str] = "invoice.unanswered"
    number: str


@frozen(kw_only=True, slots=False)
class InvoiceIssued(InvoiceFact):
    name: ClassVar[str] = "invoice.issued"
    number: str
    cae: str
    total: Decimal
    currency: str
    kind: str = "invoice"
    """`credit_note` and `debit_note` correct an invoice."""


@frozen(kw_only=True, slots=False)
class InvoiceRefused(InvoiceFact):
    """AFIP refused it, with AFIP's own codes and texts."""

    name: ClassVar[str] = "invoice.refused"
    errors: tuple[str, ...]


@frozen(kw_only=True, slots=False)
class InvoiceReleased(InvoiceFact):
    """AFIP does not have the voucher that got no answer; its number is free again."""

    name: ClassVar[str] = "invoice.released"
    number: str


FACTS: tuple[type[InvoiceFact], ...] = (
    InvoiceDrafted,
    InvoiceSubmitted,
    InvoiceUnanswered,
    InvoiceIssued,
    InvoiceRefused,
    InvoiceReleased,
)
