"""The API as data: what each route takes, which one use case it calls, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from core.jobs import STATUSES, Job, JobFilter, Wish
from core.kernel.actor import Actor
from core.kernel.errors import Invalid
from core.tracking import Point
from entrypoints.http import views
from entrypoints.http.problems import Malformed
from entrypoints.wiring import App

PAGE: Final = 50
PAGE_AT_MOST: Final = 200
UPLOAD: Final = 11 * 1024 * 1024
"""Bytes of an upload, a little above the 10 MiB that a picture may have."""


@frozen(kw_only=True)
class Call:
    """One request, decoded as far as every endpoint needs it."""

    app: App
    actor: Actor
    request: Request
    body: Any = None

    def path(self, name: str) -> str:
        value: str = self.request.path_params[name]
        return value

    def query(self, name: str) -> str | None:
        return self.request.query_params.get(name) or None

    @property
    def limit(self) -> int:
        text = self.query("limit")
        if text is None:
            return PAGE
        if not text.isdigit() or not 1 <= int(text[:9]) <= PAGE_AT_MOST:
            msg = f"limit must be a number from 1 to {PAGE_AT_MOST}"
            raise Malformed(msg, field="limit")
        return int(text)


Answer = tuple[int, object]
Handler = Callable[[Call], Awaitable[Answer | Response]]


@frozen(kw_only=True)
class Endpoint:
    """One route: how it is asked, what it does, what it answers; `answers` maps a status to a shape."""

    method: str
    path: str
    area: str
    summary: str
    handler: Handler
    body: type | None = None
    upload: str | None = None
    query: tuple[str, ...] = ()
    answers: dict[int, Any]
    problems: tuple[int, ...] = ()


# --- jobs


async def open_job(call: Call) -> Answer:
    new: views.NewJob = call.body
    job = await call.app.jobs.open(
        actor=call.actor,
        customer_id=new.customer_id,
        title=new.title,
        wish=Wish(
            text=new.request,
            trade=new.trade,
            urgency=new.urgency,
            day=new.wanted_day,
            part_of_day=new.wanted_part_of_day,
        ),
        place=new.location.place(),
    )
    return 201, views.JobView.of(job)


async def list_jobs(call: Call) -> Answer:
    where = JobFilter(
        status=call.query("status"), technician_id=call.query("technicianId"), customer_id=call.query("customerId")
    )
    if where.status is not None and where.status not in STATUSES:
        msg = f"status must be one of {', '.join(STATUSES)}"
        raise Malformed(msg, field="status")
    jobs, cursor = await call.app.jobs.list(
        actor=call.actor, where=where, limit=call.limit, cursor=call.query("cursor")
    )
    return 200, views.JobPage(items=tuple(map(views.JobView.of, jobs)), next_cursor=cursor)


async def show_job(call: Call) -> Answer:
    return 200, views.JobView.of(await call.app.jobs.show(actor=call.actor, job_id=call.path("id")))


async def change_job(call: Call) -> Answer:
    change: views.JobChange = call.body
    job = await call.app.jobs.change(
        actor=call.actor,
        job_id=call.path("id"),
        version=change.version,
        title=change.title,
        notes=change.notes,
        place=change.location.place() if change.location else None,
    )
    return 200, views.JobView.of(job)


async def move_job(call: Call) -> Answer:
    wanted: views.Transition = call.body
    move = _MOVES.get(wanted.to)
    if move is None:
        msg = f"to must be one of {', '.join(_MOVES)}; a job becomes invoiced by POST /api/v1/invoices"
        raise Invalid(msg, field="to")
    return 200, views.JobView.of(await move(call, call.path("id"), wanted))


async def _schedule(call: Call, job_id: str, wanted: views.Transition) -> Job:
    current = await call.app.jobs.show(actor=call.actor, job_id=job_id)
    if current.status == "en_camino":
        return await call.app.jobs.turn_back(
            actor=call.actor, job_id=job_id, reason=wanted.reason, version=wanted.version
        )
    if wanted.technician_id is None or wanted.starts_at is None or wanted.ends_at is None:
        msg = "scheduling needs technicianId, startsAt and endsAt"
        raise Malformed(msg, field="technicianId")
    return await call.app.jobs.schedule(
        actor=call.actor,
        job_id=job_id,
        technician_id=wanted.technician_id,
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        place=wanted.location.place() if wanted.location else None,
        version=wanted.version,
    )


async def _unschedule(call: Call, job_id: str, wanted: views.Transition) -> Job:
    return await call.app.jobs.unschedule(actor=call.actor, job_id=job_id, reason=wanted.reason, version=wanted.version)


async def _depart(call: Call, job_id: str, wanted: views.Transition) -> Job:
    return await call.app.jobs.depart(actor=call.actor, job_id=job_id, version=wanted.version)


async def _arrive(call: Call, job_id: str, wanted: views.Transition) -> Job:
    return await call.app.jobs.arrive(actor=call.actor, job_id=job_id, version=wanted.version)


async def _complete(call: Call, job_id: str, wanted: views.Transition) -> Job:
    return await call.app.jobs.complete(
        actor=call.actor,
        job_id=job_id,
        lines=tuple(line.line() for line in wanted.lines),
        notes=wanted.notes,
        version=wanted.version,
    )


async def _cancel(call: Call, job_id: str, wanted: views.Transition) -> Job:
    return await call.app.jobs.cancel(
        actor=call.actor, job_id=job_id, reason=wanted.reason or "", version=wanted.version
    )


_MOVES: Final = {
    "pending": _unschedule,
    "scheduled": _schedule,
    "en_camino": _depart,
    "working": _arrive,
    "completed": _complete,
    "cancelled": _cancel,
}


async def add_photo(call: Call) -> Answer:
    content, _ = await _uploaded(call.request)
    job, _photo = await call.app.jobs.add_photo(actor=call.actor, job_id=call.path("id"), content=content)
    return 201, views.JobView.of(job)


async def put_signature(call: Call) -> Answer:
    content, fields = await _uploaded(call.request)
    signed_by = fields.get("signedBy") or call.query("signedBy")
    if not signed_by:
        msg = "say who signed: the field or query parameter signedBy"
        raise Malformed(msg, field="signedBy")
    job = await call.app.jobs.sign(actor=call.actor, job_id=call.path("id"), content=content, signed_by=signed_by[:120])
    return 200, views.JobView.of(job)


async def _uploaded(request: Request) -> tuple[bytes, dict[str, str]]:
    """Return the file of a multipart form and its other fields, or the raw body of an image."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.body(), {}
    async with request.form(max_files=1, max_fields=5) as form:
        file = form.get("file")
        if file is None or isinstance(file, str):
            msg = "send the picture as the form's field file"
            raise Malformed(msg, field="file")
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        return await file.read(), fields


async def show_photo(call: Call) -> Response:
    content, content_type = await call.app.jobs.picture(
        actor=call.actor, job_id=call.path("id"), media_id=call.path("photo_id")
    )
    return Response(content, media_type=content_type, headers={"Content-Disposition": "inline"})


async def show_timeline(call: Call) -> Answer:
    entries = await call.app.jobs.timeline(actor=call.actor, job_id=call.path("id"))
    return 200, views.TimelineView(items=tuple(map(views.EntryView.of, entries)))


# --- people


async def list_customers(call: Call) -> Answer:
    customers, cursor = await call.app.customers.list(actor=call.actor, limit=call.limit, cursor=call.query("cursor"))
    return 200, views.CustomerPage(items=tuple(map(views.CustomerView.of, customers)), next_cursor=cursor)


async def register_customer(call: Call) -> Answer:
    new: views.NewCustomer = call.body
    customer = await call.app.customers.register(
        actor=call.actor,
        name=new.name,
        phone=new.phone,
        vat_condition=new.vat_condition,
        document_type=new.document_type,
        document_number=new.document_number,
        address=new.address,
    )
    return 201, views.CustomerView.of(customer)


async def show_customer(call: Call) -> Answer:
    customer = await call.app.customers.show(actor=call.actor, customer_id=call.path("id"))
    return 200, views.CustomerView.of(customer)


async def change_customer(call: Call) -> Answer:
    change: views.CustomerChange = call.body
    customer = await call.app.customers.change(
        actor=call.actor,
        customer_id=call.path("id"),
        version=change.version,
        name=change.name,
        phone=change.phone,
        vat_condition=change.vat_condition,
        document_type=change.document_type,
        document_number=change.document_number,
        address=change.address,
    )
    return 200, views.CustomerView.of(customer)


async def list_users(call: Call) -> Answer:
    users = await call.app.identity.people(actor=call.actor, role=call.query("role"))
    return 200, views.UserPage(items=tuple(map(views.UserView.of, users)))


# --- tracking


async def report_position(call: Call) -> Answer:
    report: views.PositionReport = call.body
    progress = await call.app.tracking.update(
        actor=call.actor,
        job_id=report.job_id,
        point=Point(report.lat, report.lng),
        accuracy=report.accuracy,
        speed=report.speed,
        heading=report.heading,
        recorded_at=report.recorded_at,
    )
    return 200, views.ProgressView.of(progress)


# --- invoices


async def create_invoice(call: Call) -> Answer:
    new: views.NewInvoice = call.body
    lines = None if new.items is None else tuple(item.line() for item in new.items)
    invoice = await call.app.invoicing.invoice(actor=call.actor, job_id=new.job_id, lines=lines)
    return (201 if invoice.state == "issued" else 202), views.InvoiceView.of(invoice)


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


async def list_notifications(call: Call) -> Answer:
    deliveries, cursor = await call.app.notifications.log(
        actor=call.actor, job_id=call.query("jobId"), limit=call.limit, cursor=call.query("cursor")
    )
    return 200, views.DeliveryPage(items=tuple(map(views.DeliveryView.of, deliveries)), next_cursor=cursor)


PAGED: Final = ("limit", "cursor")

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/api/v1/jobs",
        area="jobs",
        summary="Note that a customer wants a visit",
        handler=open_job,
        body=views.NewJob,
        answers={201: views.JobView},
        problems=(422,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs",
        area="jobs",
        summary="List jobs, the newest first",
        handler=list_jobs,
        query=("status", "technicianId", "customerId", *PAGED),
        answers={200: views.JobPage},
        problems=(422,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{id}",
        area="jobs",
        summary="Show a job",
        handler=show_job,
        answers={200: views.JobView},
        problems=(404,),
    ),
    Endpoint(
        method="PATCH",
        path="/api/v1/jobs/{id}",
        area="jobs",
        summary="Correct what is known about a job",
        handler=change_job,
        body=views.JobChange,
        answers={200: views.JobView},
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/jobs/{id}/transitions",
        area="jobs",
        summary="Move a job to another state; a refusal names what is allowed",
        handler=move_job,
        body=views.Transition,
        answers={200: views.JobView},
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/jobs/{id}/photos",
        area="jobs",
        summary="Keep a photo of the work (JPEG or PNG)",
        handler=add_photo,
        upload="file",
        answers={201: views.JobView},
        problems=(404, 409, 413, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{id}/photos/{photo_id}",
        area="jobs",
        summary="Fetch a photo or the signature",
        handler=show_photo,
        answers={200: "image/*"},
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/jobs/{id}/signature",
        area="jobs",
        summary="Keep the customer's signature (JPEG or PNG)",
        handler=put_signature,
        upload="file",
        query=("signedBy",),
        answers={200: views.JobView},
        problems=(404, 409, 413, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{id}/timeline",
        area="jobs",
        summary="All that happened to a job, message to invoice, in order",
        handler=show_timeline,
        answers={200: views.TimelineView},
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/customers",
        area="people",
        summary="List customers, the newest first",
        handler=list_customers,
        query=PAGED,
        answers={200: views.CustomerPage},
        problems=(422,),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/customers",
        area="people",
        summary="Note a customer",
        handler=register_customer,
        body=views.NewCustomer,
        answers={201: views.CustomerView},
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/customers/{id}",
        area="people",
        summary="Show a customer",
        handler=show_customer,
        answers={200: views.CustomerView},
        problems=(404,),
    ),
    Endpoint(
        method="PATCH",
        path="/api/v1/customers/{id}",
        area="people",
        summary="Correct what is known of a customer",
        handler=change_customer,
        body=views.CustomerChange,
        answers={200: views.CustomerView},
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/users",
        area="people",
        summary="List colleagues by name",
        handler=list_users,
        query=("role",),
        answers={200: views.UserPage},
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tracking/update",
        area="tracking",
        summary="Report a technician's position (degrees, metres, m/s)",
        handler=report_position,
        body=views.PositionReport,
        answers={200: views.ProgressView},
        problems=(404, 422),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/invoices",
        area="invoices",
        summary="Charge a completed job; 202 when AFIP's answer is still unknown",
        handler=create_invoice,
        body=views.NewInvoice,
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
    Endpoint(
        method="GET",
        path="/api/v1/notifications",
        area="notifications",
        summary="The delivery log, the newest first",
        handler=list_notifications,
        query=("jobId", *PAGED),
        answers={200: views.DeliveryPage},
        problems=(422,),
    ),
)
