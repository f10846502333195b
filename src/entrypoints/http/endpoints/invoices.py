"""What jobs are charged with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from starlette.responses import Response

from core.invoicing import COPIES, Invoice, Tax, unwritable
from core.kernel.errors import Invalid
from core.kernel.money import Line
from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint
from entrypoints.http.problems import Malformed

_G = TypeVar("_G")
_R = TypeVar("_R")


async def create_invoice(call: Call) -> Answer:
    new: views.NewInvoice = call.body
    lines = _lines(new.items)
    return _answered(
        await call.app.invoicing.invoice(
            actor=call.actor, job_id=new.job_id, lines=lines, terms=new.terms(_taxes(new.taxes)), currency=new.currency
        )
    )


async def create_credit_note(call: Call) -> Answer:
    new: views.NewCreditNote = call.body
    return _answered(
        await call.app.invoicing.credit(
            actor=call.actor,
            invoice_id=call.path("id"),
            reason=new.reason,
            lines=_lines(new.items),
            taxes=_taxes(new.taxes),
            amount=new.amount,
            issued_on=new.issued_on,
            period=views.period_of(new),
            annuls=new.annuls,
        )
    )


async def create_debit_note(call: Call) -> Answer:
    new: views.NewDebitNote = call.body
    return _answered(
        await call.app.invoicing.debit(
            actor=call.actor,
            invoice_id=call.path("id"),
            reason=new.reason,
            lines=_lines(new.items) or (),
            taxes=_taxes(new.taxes),
            issued_on=new.issued_on,
            period=views.period_of(new),
            annuls=new.annuls,
        )
    )


def _lines(items: Sequence[views.LineView] | None) -> tuple[Line, ...] | None:
    return None if items is None else tuple(_each("items", items, views.LineView.line))


def _taxes(taxes: Sequence[views.TaxView]) -> tuple[Tax, ...]:
    return tuple(_each("", taxes, views.TaxView.tax))


def _each(name: str, given: Sequence[_G], read: Callable[[_G], _R]) -> Iterator[_R]:
    """Read what was given one by one; raise `NotAcceptable` that names the one which cannot be."""
    for place, each in enumerate(given):
        try:
            yield read(each)
        except Invalid as problem:
            raise unwritable(problem, within=f"{name}.{place}" if name else "") from problem


def _answered(voucher: Invoice) -> Answer:
    return (201 if voucher.state == "issued" else 202), views.InvoiceView.of(voucher)


async def list_invoices(call: Call) -> Answer:
    invoices, cursor = await call.app.invoicing.list(
        actor=call.actor, job_id=call.query("jobId"), limit=call.limit, cursor=call.query("cursor")
    )
    return 200, views.InvoicePage(items=tuple(map(views.InvoiceView.of, invoices)), next_cursor=cursor)


async def show_invoice(call: Call) -> Answer:
    return 200, views.InvoiceView.of(await call.app.invoicing.show(actor=call.actor, invoice_id=call.path("id")))


async def show_pdf(call: Call) -> Response:
    copy = call.query("copy") or "original"
    if copy not in COPIES:
        msg = f"copy is one of {', '.join(COPIES)}"
        raise Malformed(msg, field="copy")
    filename, content = await call.app.invoicing.pdf(actor=call.actor, invoice_id=call.path("id"), copy=copy)
    disposition = {"Content-Disposition": f'inline; filename="{filename}"'}
    return Response(content, media_type="application/pdf", headers=disposition)


INVOICES: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/api/v1/invoices",
        area="invoices",
        summary="Charge a completed job; 202 when AFIP's answer is still unknown",
        handler=create_invoice,
        body=views.NewInvoice,
        answers={201: views.InvoiceView, 202: views.InvoiceView},
        problems=(404, 409, 422, 503),
        resumes=True,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/invoices/{id}/credit-note",
        area="invoices",
        summary="Take an issued invoice back, wholly or in part; 202 when AFIP's answer is still unknown",
        handler=create_credit_note,
        body=views.NewCreditNote,
        answers={201: views.InvoiceView, 202: views.InvoiceView},
        problems=(404, 409, 422, 503),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/invoices/{id}/debit-note",
        area="invoices",
        summary="Charge more on an issued invoice; 202 when AFIP's answer is still unknown",
        handler=create_debit_note,
        body=views.NewDebitNote,
        answers={201: views.InvoiceView, 202: views.InvoiceView},
        problems=(404, 409, 422, 503),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/invoices",
        area="invoices",
        summary="List invoices, the newest first",
        handler=list_invoices,
        query=("jobId", *PAGED),
        answers={200: views.InvoicePage},
        problems=(422,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/invoices/{id}",
        area="invoices",
        summary="Show an invoice",
        handler=show_invoice,
        answers={200: views.InvoiceView},
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/invoices/{id}/pdf",
        area="invoices",
        summary="Fetch an issued invoice as PDF with its QR code; `copy` is original (or nothing), duplicate or both",
        handler=show_pdf,
        query=("copy",),
        answers={200: "application/pdf"},
        problems=(404, 409),
    ),
)
