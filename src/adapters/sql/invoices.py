"""Invoices, issuers and the trail in tables; the schema itself keeps a job to one invoice and a series to one open voucher a slot."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from attrs import asdict, fields, frozen

from adapters.sql.database import Database
from adapters.sql.errors import Taken
from adapters.sql.row_security import ALL
from adapters.sql.rows import cut, from_json, page_of, replacing
from adapters.sql.tables import OPEN, invoices, issuers, voucher_trail
from adapters.sql.writer import Writer
from core.invoicing import (
    Authorisation,
    Corrected,
    Exchange,
    Invoice,
    InvoiceNotFound,
    Issuer,
    NoTaxProfile,
    Observation,
    Receiver,
    Series,
    SeriesBusy,
    Terms,
)
from core.invoicing.doubt import Doubt
from core.invoicing.terms import PLAIN
from core.kernel.money import Line
from core.kernel.states import evolved

_ONE: Final = sa.select(invoices).where(invoices.c.tenant == sa.bindparam("t"), invoices.c.id == sa.bindparam("i"))

_OF_JOB: Final = sa.select(invoices).where(
    invoices.c.tenant == sa.bindparam("t"),
    invoices.c.job_id == sa.bindparam("j"),
    invoices.c.kind == "invoice",
)
_SERIES: Final = tuple(
    invoices.c[name] == sa.bindparam(name) for name in ("tenant", "cuit", "point_of_sale", "voucher_type")
)
_OPEN_IN: Final = sa.select(invoices).where(invoices.c.state.in_(OPEN), *_SERIES).order_by(invoices.c.number).limit(1)
_NUMBERED: Final = sa.select(invoices).where(invoices.c.number == sa.bindparam("number"), *_SERIES)
_NEWEST_DAY: Final = sa.select(sa.func.max(invoices.c.issued_on).label("day")).where(
    invoices.c.state == "issued", *_SERIES
)
_NOTES_OF: Final = (
    sa.select(invoices)
    .where(invoices.c.tenant == sa.bindparam("t"), invoices.c.corrects_id == sa.bindparam("i"))
    .order_by(invoices.c.created_at, invoices.c.id)
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
        """Return the lowest numbered voucher of the series that waits for AFIP's word, or None."""
        row = await self._writer.first(_OPEN_IN, _named(tenant, series))
        return None if row is None else _invoice(row)

    async def numbered(self, tenant: str, series: Series, number: int) -> Invoice | None:
        """Return the voucher of the series that has the number, or None."""
        row = await self._writer.first(_NUMBERED, {**_named(tenant, series), "number": number})
        return None if row is None else _invoice(row)

    async def newest_day(self, tenant: str, series: Series) -> date | None:
        """Return the latest day of issue of the series' issued vouchers, or None."""
        row = await self._writer.first(_NEWEST_DAY, _named(tenant, series))
        return None if row is None else row.day

    async def notes_of(self, tenant: str, invoice_id: str) -> Sequence[Invoice]:
        """Return the notes that correct the invoice, the oldest first."""
        return [_invoice(row) for row in await self._writer.run(_NOTES_OF, {"t": tenant, "i": invoice_id})]

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
        return _found(await self._database.first(_ONE, {"t": tenant, "i": invoice_id}, tenant=tenant), invoice_id)

    async def of_job(self, tenant: str, job_id: str) -> Invoice | None:
        """Return the job's invoice, or None."""
        row = await self._database.first(_OF_JOB, {"t": tenant, "j": job_id}, tenant=tenant)
        return None if row is None else _invoice(row)

    async def page(
        self, tenant: str, *, job_id: str | None, states: Collection[str] | None = None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Invoice], str | None]:
        """Return a page of invoices, the newest first."""
        conditions = [] if job_id is None else [invoices.c.job_id == job_id]
        if states is not None:
            conditions.append(invoices.c.state.in_(sorted(states)))
        query = page_of(invoices, tenant, where=conditions, limit=limit, cursor=cursor)
        return cut(await self._database.rows(query, tenant=tenant), limit, _invoice)

    async def unanswered(self, *, before: datetime, limit: int, skip: int = 0) -> Sequence[tuple[str, str]]:
        """Return (tenant, invoice id) of what is unanswered or doubted since before the instant: the oldest, then lowest, first."""
        rows = await self._database.rows(
            sa.select(invoices.c.tenant, invoices.c.id)
            .where(
                sa.or_(
                    sa.and_(invoices.c.state.in_(OPEN), invoices.c.submitted_at < before),
                    sa.and_(invoices.c.state.not_in(OPEN), invoices.c.look_at < before),
                )
            )
            .order_by(
                sa.case((invoices.c.state.in_(OPEN), invoices.c.submitted_at), else_=invoices.c.look_at),
                invoices.c.number,
                invoices.c.id,
            )
            .limit(limit)
            .offset(skip),
            tenant=ALL,
        )
        return [(row.tenant, row.id) for row in rows]


class SqlIssuers:
    """`core.invoicing.ports.Issuers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str) -> Issuer:
        """Return the tenant's issuer; raise `NoTaxProfile`."""
        row = await self._database.first(_ISSUER, {"t": tenant}, tenant=tenant)
        if row is None:
            msg = "this business has not said who issues its invoices: note its CUIT, VAT condition and point of sale"
            raise NoTaxProfile(msg)
        return from_json(row.profile, Issuer)

    async def put(self, issuer: Issuer) -> None:
        """Store it in place of what was there."""
        row = {"tenant": issuer.tenant, "profile": issuer}
        await self._database.change(_PUT_ISSUER(self._database.sqlite), row, tenant=issuer.tenant)


_ADD_EXCHANGE: Final = sa.insert(voucher_trail).values(
    {column.name: sa.bindparam(column.name) for column in voucher_trail.columns if column.name != "seq"}
)


class SqlTrail:
    """`core.invoicing.ports.VoucherTrail`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tenant: str, exchange: Exchange) -> None:
        """Keep it."""
        row = {"tenant": tenant, **asdict(exchange)}
        await self._database.change(_ADD_EXCHANGE, row, tenant=tenant)

    async def of(self, tenant: str, subjects: Sequence[str], *, limit: int) -> Sequence[Exchange]:
        """Return what is kept of the subjects, the newest first."""
        query = (
            sa.select(voucher_trail)
            .where(voucher_trail.c.tenant == tenant, voucher_trail.c.subject.in_(list(subjects)))
            .order_by(voucher_trail.c.seq.desc())
            .limit(limit)
        )
        names = [each.name for each in fields(Exchange)]
        return [
            Exchange(**{name: getattr(row, name) for name in names})
            for row in await self._database.rows(query, tenant=tenant)
        ]


def _named(tenant: str, series: Series) -> dict[str, Any]:
    return {"tenant": tenant, **asdict(series)}


@frozen(kw_only=True)
class _Details:
    """What a voucher says that no statement looks for."""

    terms: Terms = PLAIN
    corrects: tuple[Corrected, ...] = ()
    corrects_period: tuple[date, date] | None = None
    reason: str = ""
    doubts: tuple[Doubt, ...] = ()


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
        "kind": invoice.kind,
        "details": _Details(
            terms=invoice.terms,
            corrects=invoice.corrects,
            corrects_period=invoice.corrects_period,
            reason=invoice.reason,
            doubts=invoice.doubts,
        ),
        "corrects_id": invoice.corrects[0].invoice_id if invoice.corrects else None,
        "batch": invoice.batch,
        "slot": invoice.slot,
        "look_at": invoice.look_at,
    }


def _invoice(row: Any) -> Invoice:
    details = from_json(row.details, _Details)
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
        kind=row.kind,
        terms=details.terms,
        corrects=details.corrects,
        corrects_period=details.corrects_period,
        reason=details.reason,
        batch=row.batch,
        slot=row.slot,
        doubts=details.doubts,
        look_at=row.look_at,
    )
