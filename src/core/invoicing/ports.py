"""What invoicing needs from the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Final, Protocol, TypeAlias

from attrs import frozen

from core.invoicing.model import Invoice
from core.invoicing.outcome import Authorisation, Refused
from core.invoicing.parties import Issuer, Receiver
from core.invoicing.voucher import Series
from core.kernel.actor import Actor
from core.kernel.money import Line


class InvoiceRepository(Protocol):
    """Invoices and notes inside a transaction. A job has one invoice at most."""

    async def get(self, tenant: str, invoice_id: str) -> Invoice:
        """Return the invoice; raise `InvoiceNotFound`."""
        ...

    async def of_job(self, tenant: str, job_id: str) -> Invoice | None:
        """Return the job's invoice, or None."""
        ...

    async def open_in(self, tenant: str, series: Series) -> Invoice | None:
        """Return the lowest numbered voucher of the series that waits for AFIP's word, or None."""
        ...

    async def numbered(self, tenant: str, series: Series, number: int) -> Invoice | None:
        """Return the voucher of the series that has the number, in whichever state, or None."""
        ...

    async def newest_day(self, tenant: str, series: Series) -> date | None:
        """Return the latest day of issue of the series' issued vouchers, or None."""
        ...

    async def notes_of(self, tenant: str, invoice_id: str) -> Sequence[Invoice]:
        """Return the notes that correct the invoice, in every state, the oldest first."""
        ...

    async def save(self, invoice: Invoice) -> Invoice:
        """Store the invoice and its facts and return it as the next version.

        Raise `StaleVersion`, also for a second invoice of a job, and `SeriesBusy` for a second open one in a slot of a series, and
        for a number that another voucher of the series has.
        """
        ...


class InvoiceTransaction(Protocol):
    """A tenant's transaction over invoices."""

    @property
    def invoices(self) -> InvoiceRepository: ...


Begin: TypeAlias = Callable[[Actor], AbstractAsyncContextManager[InvoiceTransaction]]
"""Open the actor's transaction: leaving the block well commits, raising rolls back; it never nests."""


class InvoiceReader(Protocol):
    """Invoices as they were last committed."""

    async def get(self, tenant: str, invoice_id: str) -> Invoice:
        """Return the invoice; raise `InvoiceNotFound`."""
        ...

    async def of_job(self, tenant: str, job_id: str) -> Invoice | None:
        """Return the job's invoice, or None."""
        ...

    async def page(
        self, tenant: str, *, job_id: str | None, states: Collection[str] | None = None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Invoice], str | None]:
        """Return up to `limit` invoices, the newest first, and the cursor of the next page, or None after the last.

        With `states`, only those in one of them.
        """
        ...

    async def unanswered(self, *, before: datetime, limit: int, skip: int = 0) -> Sequence[tuple[str, str]]:
        """Return (tenant, invoice id) of what was submitted before the instant and is still open: the oldest, then lowest, first.

        And of what has doubts to be looked at (`look_at`) before the instant. The first `skip` are left out.
        """
        ...


class Issuers(Protocol):
    """Who issues each tenant's invoices."""

    async def get(self, tenant: str) -> Issuer:
        """Return the tenant's issuer; raise `NoTaxProfile`."""
        ...

    async def put(self, issuer: Issuer) -> None:
        """Store it in place of what was there."""
        ...


@frozen(kw_only=True)
class Work:
    """A completed job as an invoice needs it."""

    job_id: str
    receiver: Receiver
    lines: tuple[Line, ...]
    currency: str
    serviced_on: date


class CompletedWork(Protocol):
    """Jobs that may be charged."""

    async def get(self, tenant: str, job_id: str) -> Work:
        """Return the work; raise `NotFound`, or `Conflict` for a job that is not completed."""
        ...


@frozen(kw_only=True)
class Found:
    """A voucher that AFIP has under a number."""

    same: bool
    """Receiver, total, date and corrected vouchers are ours."""
    authorisation: Authorisation


class TaxAuthority(Protocol):
    """AFIP, as seen by one issuer."""

    async def last_authorised(self, tenant: str, series: Series) -> int:
        """Return the highest authorised number of the series, 0 before the first. Raise `Unavailable` or `Refused`."""
        ...

    async def authorise(self, invoice: Invoice) -> Authorisation:
        """Ask for a CAE for the submitted invoice.

        Raise `Refused` with AFIP's reasons, `Unavailable` when the request certainly did not reach AFIP, and `AnswerLost` when it may have.
        """
        ...

    async def authorise_many(self, invoices: Sequence[Invoice]) -> Sequence[Authorisation | Refused | None]:
        """Ask in one request for the CAEs of submitted vouchers of one series, in the order of their numbers.

        Each gets its answer; after the first refusal AFIP considers none, which is None. Raise as `authorise` does when the request
        as a whole was refused, did not arrive, or lost its answer.
        """
        ...

    async def most_at_once(self, tenant: str, series: Series) -> int:
        """Return how many vouchers AFIP takes in one request. Raise `Unavailable` or `Refused`."""
        ...

    async def find(self, invoice: Invoice) -> Found | None:
        """Return what AFIP has under the invoice's number, or None if nothing. Raise `Unavailable`."""
        ...


@frozen(kw_only=True)
class Exchange:
    """One call to AFIP as it was: both documents without the access ticket, `failure` if no answer could be read."""

    subject: str
    """The id of the invoice, or of the batch, that it was about."""
    operation: str
    at: datetime
    request: str
    response: str
    failure: str = ""


class VoucherTrail(Protocol):
    """Every call to AFIP about a voucher, for audit; nothing is changed or deleted."""

    async def add(self, tenant: str, exchange: Exchange) -> None:
        """Keep it."""
        ...

    async def of(self, tenant: str, subjects: Sequence[str], *, limit: int) -> Sequence[Exchange]:
        """Return what is kept of the subjects, the newest first."""
        ...


COPIES: Final = ("original", "duplicate", "both")
"""Whose document it is: the receiver's, the issuer's, or one after the other."""


class InvoicePrinter(Protocol):
    """Makes the document that people get."""

    async def print(self, invoice: Invoice, *, qr_text: str, copy: str = "original") -> bytes:
        """Return the issued invoice as a PDF with its QR code: the `original`, the issuer's `duplicate`, or `both` in one document.

        The same invoice gives the same bytes. Raise `NotIssued`.
        """
        ...


LocalDay: TypeAlias = Callable[[datetime], date]
"""The calendar day of an instant in Argentina."""

Turn: TypeAlias = Callable[[int], Awaitable[bool]]
"""Wait a little for a busy series; takes how often we have waited and returns False when patience is over."""
