"""Invoices and issuers in tables; the schema itself keeps a job to one invoice and a series to one open voucher."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from adapters.sql.database import Database
from adapters.sql.errors import Taken
from adapters.sql.rows import cut, from_json, page_of, replacing
from adapters.sql.tables import OPEN, invoices, issuers
from adapters.sql.writer import Writer
from core.invoicing import (
    Authorisation,
    Invoice,
    InvoiceNotFound,
    Issuer,
    NoTaxProfile,
    Observation,
    Receiver,
    Series,
    SeriesBusy,
)
from core.kernel.money import Line
from core.kernel.states import evolved

_ONE: Final = sa.select(invoices).where(invoices.c.tenant == sa.bindparam("t"), invoices.c.id == sa.bindparam("i"))

_OF_JOB: Final = sa.select(invoices).where(
    invoices.c.tenant == sa.bindparam("t"), invoices.c.job_id == sa.bindparam("j")
)
_OPEN_IN: Final = sa.select(invoices).where(
    invoices.c.state.in_(OPEN),
    *(invoices.c[name] == sa.bindparam(name) for name in ("tenant", "cuit", "point_of_sale", "voucher_type")),
)
_ISSUER: Final = sa.select(issuers.c.profile).where(issuers.c.tenant == sa.bindparam("t"))
_PUT_ISSUER: Final = replacing(issuers)


class SqlInvoices:
    """`core.invoicing.ports.InvoiceRepository`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, tenant: str, invoice_id: str) -> Invoice:
        """Return the invoice; raise `InvoiceNotFound`."""
        return _found(await self._writer.first(_ONE, {"t": tenant, "i": invoice_id}), invoice_id)

    async def of_job(self, tenant: str, job_id: str) -> Invoice | None:
        """Return the job's invoice, or None."""
        row = await self._writer.first(_OF_JOB, {"t": tenant, "j": job_id})
        return None if row is None else _invoice(row)

    async def open_in(self, tenant: str, series: Series) -> Invoice | None:
        """Return the invoice of the series that waits for AFIP's word, or None."""
        row = await self._writer.first(
            _OPEN_IN,
            {
                "tenant": tenant,
                "cuit": series.cuit,
                "point_of_sale": series.point_of_sale,
                "voucher_type": series.voucher_type,
            },
        )
        return None if row is None else _invoice(row)

    async def save(self, invoice: Invoice) -> Invoice:
        """Store the invoice and its facts; raise `StaleVersion` or `SeriesBusy`."""
        try:
            version = await self._writer.save(invoices, "invoice", invoice, _row(invoice), stale=["uq_invoices_job"])
        except Taken as taken:  # the series' open voucher, or the number
            msg = "another voucher of the same series was faster"
            raise SeriesBusy(msg) from taken
        return evolved(invoice, {"version": version, "facts": ()})


class SqlInvoiceReader:
    """`core.invoicing.ports.InvoiceReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, invoice_id: str) -> Invoice:
        """Return the invoice; raise `InvoiceNotFound`."""
        return _found(await self._database.first(_ONE, {"t": tenant, "i": invoice_id}), invoice_id)

    async def page(
        self, tenant: str, *, job_id: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Invoice], str | None]:
        """Return a page of invoices, the newest first."""
        conditions = [] if job_id is None else [invoices.c.job_id == job_id]
        query = page_of(invoices, tenant, where=conditions, limit=limit, cursor=cursor)
        return cut(await self._database.rows(query), limit, _invoice)

    async def unanswered(self, *, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """Return (tenant, invoice id) of invoices submitted before the instant and still open."""
        rows = await self._database.rows(
            sa.select(invoices.c.tenant, invoices.c.id)
            .where(invoices.c.state.in_(OPEN), invoices.c.submitted_at < before)
            .order_by(invoices.c.submitted_at)
            .limit(limit)
        )
        return [(row.tenant, row.id) for row in rows]


class SqlIssuers:
    """`core.invoicing.ports.Issuers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str) -> Issuer:
        """Return the tenant's issuer; raise `NoTaxProfile`."""
        row = await self._database.first(_ISSUER, {"t": tenant})
        if row is None:
            msg = "this business has not said who issues its invoices: note its CUIT, VAT condition and point of sale"
            raise NoTaxProfile(msg)
        return from_json(row.profile, Issuer)

    async def put(self, issuer: Issuer) -> None:
        """Store it in place of what was there."""
        row = {"tenant": issuer.tenant, "profile": issuer}
        await self._database.change(_PUT_ISSUER(self._database.sqlite), row)


def _found(row: Any, invoice_id: str) -> Invoice:
    if row is None:
        msg = f"there is no invoice {invoice_id}"
        raise InvoiceNotFound(msg)
    return _invoice(row)


def _row(invoice: Invoice) -> dict[str, Any]:
    return {
        "job_id": invoice.job_id,
        "state": invoice.state,
        "cuit": invoice.issuer.cuit,
        "point_of_sale": invoice.issuer.point_of_sale,
        "voucher_type": invoice.voucher_type,
        "number": invoice.number,
        "issuer": invoice.issuer,
        "receiver": invoice.receiver,
        "lines": invoice.lines,
        "currency": invoice.currency,
        "serviced_on": invoice.serviced_on,
        "issued_on": invoice.issued_on,
        "submitted_at": invoice.submitted_at,
        "authorisation": invoice.authorisation,
        "errors": invoice.errors,
        "created_at": invoice.created_at,
    }


def _invoice(row: Any) -> Invoice:
    return Invoice(
        id=row.id,
        tenant=row.tenant,
        version=row.version,
        job_id=row.job_id,
        state=row.state,
        number=row.number,
        issuer=from_json(row.issuer, Issuer),
        receiver=from_json(row.receiver, Receiver),
        lines=from_json(row.lines, tuple[Line, ...]),
        currency=row.currency,
        serviced_on=row.serviced_on,
        issued_on=row.issued_on,
        submitted_at=row.submitted_at,
        authorisation=None if row.authorisation is None else from_json(row.authorisation, Authorisation),
        errors=from_json(row.errors, tuple[Observation, ...]),
        created_at=row.created_at,
    )
