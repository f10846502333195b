"""Invoices and issuers in memory."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from datetime import date, datetime

from attrs import define, field, frozen

from adapters.memory.pauses import Steps
from adapters.memory.rows import Index, Rows, Staged, page_of
from core.invoicing import OPEN, Exchange, Invoice, InvoiceNotFound, Issuer, NoTaxProfile, Series, SeriesBusy
from core.kernel.errors import StaleVersion

_NUMBERED = frozenset({*OPEN, "issued"})


def invoice_rows() -> Rows[Invoice]:
    """Return an empty table of invoices: one for a job, one open in a slot of a series, one for a number."""
    return Rows(
        "invoice",
        {
            "job": Index(lambda invoice: (invoice.job_id,)),
            "charge": Index(lambda invoice: (invoice.job_id,) if invoice.kind == "invoice" else (), _stale),
            "open": Index(lambda invoice: ((invoice.series, invoice.slot),) if invoice.state in OPEN else (), _busy),
            "series": Index(lambda invoice: (invoice.series,) if invoice.state in _NUMBERED else ()),
            "number": Index(_number, _busy),
            "corrects": Index(lambda invoice: tuple(each.invoice_id for each in invoice.corrects)),
        },
    )


def _number(invoice: Invoice) -> tuple[Hashable, ...]:
    return () if invoice.number is None else ((invoice.series, invoice.number),)


def _stale(invoice: Invoice) -> StaleVersion:
    return StaleVersion("invoice", invoice.id, version=invoice.version)


def _busy(_: Invoice) -> SeriesBusy:
    return SeriesBusy("another voucher of the same series waits for AFIP's word")


@frozen
class MemoryInvoices:
    """`core.invoicing.ports.InvoiceRepository`."""

    _staged: Staged[Invoice]
    _steps: Steps

    async def get(self, tenant: str, invoice_id: str) -> Invoice:
        """Return the invoice; raise `InvoiceNotFound`."""
        return await self._steps("invoices.get", lambda: _found(self._staged.get(tenant, invoice_id), invoice_id))

    async def of_job(self, tenant: str, job_id: str) -> Invoice | None:
        """Return the job's invoice, or None."""
        return await self._steps("invoices.of_job", lambda: _first(self._staged.having("charge", tenant, job_id)))

    async def open_in(self, tenant: str, series: Series) -> Invoice | None:
        """Return the lowest numbered voucher of the series that waits for AFIP's word, or None."""

        def lowest() -> Invoice | None:
            open_ = [each for each in self._staged.having("series", tenant, series) if each.state in OPEN]
            return min(open_, key=lambda each: each.number or 0, default=None)

        return await self._steps("invoices.open_in", lowest)

    async def numbered(self, tenant: str, series: Series, number: int) -> Invoice | None:
        """Return the voucher of the series that has the number, or None."""
        return await self._steps(
            "invoices.numbered", lambda: _first(self._staged.having("number", tenant, (series, number)))
        )

    async def newest_day(self, tenant: str, series: Series) -> date | None:
        """Return the latest day of issue of the series' issued vouchers, or None."""

        def newest() -> date | None:
            issued = [each for each in self._staged.having("series", tenant, series) if each.state == "issued"]
            return max((each.issued_on for each in issued if each.issued_on), default=None)

        return await self._steps("invoices.newest_day", newest)

    async def notes_of(self, tenant: str, invoice_id: str) -> Sequence[Invoice]:
        """Return the notes that correct the invoice, the oldest first."""
        return await self._steps(
            "invoices.notes_of",
            lambda: sorted(
                self._staged.having("corrects", tenant, invoice_id), key=lambda each: (each.created_at, each.id)
            ),
        )

    async def save(self, invoice: Invoice) -> Invoice:
        """Store the invoice and its facts; raise `StaleVersion` or `SeriesBusy`."""
        return await self._steps("invoices.save", lambda: self._staged.save(invoice))


@frozen
class MemoryInvoiceReader:
    """`core.invoicing.ports.InvoiceReader`."""

    _rows: Rows[Invoice]
    _steps: Steps

    async def get(self, tenant: str, invoice_id: str) -> Invoice:
        """Return the invoice; raise `InvoiceNotFound`."""
        return await self._steps("invoices.get", lambda: _found(self._rows.get((tenant, invoice_id)), invoice_id))

    async def of_job(self, tenant: str, job_id: str) -> Invoice | None:
        """Return the job's invoice, or None."""
        return await self._steps("invoices.of_job", lambda: _first(self._rows.having("charge", tenant, job_id)))

    async def page(
        self, tenant: str, *, job_id: str | None, states: Collection[str] | None = None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Invoice], str | None]:
        """Return a page of invoices, the newest first."""

        def page() -> tuple[list[Invoice], str | None]:
            rows = self._rows.of(tenant) if job_id is None else self._rows.having("job", tenant, job_id)
            wanted = (row for row in rows if states is None or row.state in states)
            return page_of(wanted, limit=limit, cursor=cursor)

        return await self._steps("invoices.page", page)

    async def unanswered(self, *, before: datetime, limit: int, skip: int = 0) -> Sequence[tuple[str, str]]:
        """Return (tenant, invoice id) of what is unanswered or doubted since before the instant: the oldest, then lowest, first."""

        def waiting() -> list[tuple[str, str]]:
            found = [
                (since, invoice.number or 0, invoice.tenant, invoice.id)
                for invoice in self._rows.all()
                if (since := invoice.submitted_at if invoice.state in OPEN else invoice.look_at) is not None
                and since < before
            ]
            return [(tenant, id_) for _, _, tenant, id_ in sorted(found)[skip : skip + limit]]

        return await self._steps("invoices.unanswered", waiting)


@define
class MemoryIssuers:
    """`core.invoicing.ports.Issuers`."""

    _steps: Steps
    _issuers: dict[str, Issuer] = field(factory=dict)

    async def get(self, tenant: str) -> Issuer:
        """Return the tenant's issuer; raise `NoTaxProfile`."""

        def found() -> Issuer:
            issuer = self._issuers.get(tenant)
            if issuer is None:
                msg = (
                    "this business has not said who issues its invoices: note its CUIT, VAT condition and point of sale"
                )
                raise NoTaxProfile(msg)
            return issuer

        return await self._steps("issuers.get", found)

    async def put(self, issuer: Issuer) -> None:
        """Store it in place of what was there."""
        await self._steps("issuers.put", lambda: self._issuers.update({issuer.tenant: issuer}))


@define
class MemoryTrail:
    """`core.invoicing.ports.VoucherTrail`."""

    _steps: Steps
    _kept: list[tuple[str, Exchange]] = field(factory=list)

    async def add(self, tenant: str, exchange: Exchange) -> None:
        """Keep it."""
        await self._steps("trail.add", lambda: self._kept.append((tenant, exchange)))

    async def of(self, tenant: str, subjects: Sequence[str], *, limit: int) -> Sequence[Exchange]:
        """Return what is kept of the subjects, the newest first."""

        def found() -> list[Exchange]:
            ours = [each for whose, each in self._kept if whose == tenant and each.subject in subjects]
            return ours[::-1][:limit]

        return await self._steps("trail.of", found)


def _first(invoices: Sequence[Invoice]) -> Invoice | None:
    return invoices[0] if invoices else None


def _found(invoice: Invoice | None, invoice_id: str) -> Invoice:
    if invoice is None:
        msg = f"there is no invoice {invoice_id}"
        raise InvoiceNotFound(msg)
    return invoice
