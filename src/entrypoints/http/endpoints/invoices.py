"""What jobs are charged with."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from core.invoicing import Invoice
from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint


async def create_invoice(call: Call) -> Answer:
    new: views.NewInvoice = call.body
    lines = None if new.items is None else tuple(item.line() for item in new.items)
    return _answered(
        await call.app.invoicing.invoice(
            actor=call.actor, job_id=new.job_id, lines=lines, terms=new.terms(), currency=new.currency
        )
    )


async def create_credit_note(call: Call) -> Answer:
    new: views.NewCreditNote = call.body
    return _answered(
        await call.app.invoicing.credit(
            actor=call.actor,
            invoice_id=call.path("id"),
            reason=new.reason,
            lines=None if new.items is None else tuple(item.line() for item in new.items),
            taxes=tuple(each.tax() for each in new.taxes),
            amount=new.amount,
            issued_on=new.issued_on,
        )
    )


async def create_debit_note(call: Call) -> Answer:
    new: views.NewDebitNote = call.body
    return _answered(
        await call.app.invoicing.debit(
            actor=call.actor,
            invoice_id=call.path("id"),
            reason=new.reason,
            lines=tuple(item.line() for item in new.items),
            taxes=tuple(each.tax() for each in new.taxes),
            issued_on=new.issued_on,
        )
    )


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
    filename, content = await call.app.invoicing.pdf(actor=call.actor, invoice_id=call.path("id"))
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
        summary="Fetch an issued invoice as PDF with its QR code",
        handler=show_pdf,
        answers={200: "application/pdf"},
        problems=(404, 409),
    ),
)
