"""Jobs: what a customer wants, and the visit that comes of it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from core.jobs import STATUSES, Job, JobFilter, Wish
from core.kernel.errors import Invalid
from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint
from entrypoints.http.problems import Malformed


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


JOBS: Final[tuple[Endpoint, ...]] = (
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
)
