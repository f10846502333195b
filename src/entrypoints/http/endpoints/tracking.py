"""Where technicians are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.identity import Unauthenticated
from core.kernel.errors import Invalid
from core.tracking import Outcome, Report, TooManyFixes
from core.tracking.service import FIXES_AT_MOST
from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint
from entrypoints.http.problems import Malformed
from entrypoints.http.wire import Attempt


async def report_position(call: Call) -> Answer:
    sent: views.PositionReport = call.body
    if sent.fixes is not None:
        return await _report_many(call, sent.job_id, sent)
    progress = await call.app.tracking.update(
        actor=call.actor,
        job_id=sent.job_id,
        point=sent.point(),
        accuracy=sent.accuracy,
        speed=sent.speed,
        heading=sent.heading,
        recorded_at=sent.recorded_at,
        phone=_phone(call),
    )
    return 200, views.ProgressView.of(progress)


async def _report_many(call: Call, job_id: str, sent: views.PositionReport) -> Answer:
    if sent.lat is not None or sent.lng is not None:
        msg = "send lat and lng, or fixes"
        raise Malformed(msg, field="fixes")
    fixes = sent.fixes or ()
    if len(fixes) > FIXES_AT_MOST:
        raise TooManyFixes(len(fixes), limit=FIXES_AT_MOST)
    reports = [_read(each) for each in fixes]
    taken = [each for each in reports if isinstance(each, Report)]
    progress, outcomes = await call.app.tracking.update_all(
        actor=call.actor, job_id=job_id, reports=taken, phone=_phone(call)
    )
    return 200, views.ProgressView.of(progress, _results(reports, outcomes))


def _read(attempt: Attempt[views.FixReport]) -> Report | Invalid:
    if attempt.read is None:
        return attempt.refused or Malformed("cannot be read")
    try:
        return attempt.read.report()
    except Invalid as refused:
        return refused


def _results(reports: Sequence[Report | Invalid], outcomes: Sequence[Outcome]) -> tuple[views.FixResultView, ...]:
    of_the_taken = iter(outcomes)
    results = []
    for place, each in enumerate(reports):
        if isinstance(each, Invalid):
            field = f"fixes.{place}.{each.field}" if each.field else f"fixes.{place}"
            results.append(
                views.FixResultView(index=place, result="refused", reason=each.code, detail=str(each), field=field)
            )
        else:
            outcome = next(of_the_taken)
            result = "ignored" if outcome.ignored else "accepted"
            results.append(views.FixResultView(index=place, result=result, reason=outcome.ignored, noted=outcome.noted))
    return tuple(results)


def _phone(call: Call) -> str | None:
    """Return what tells a technician's phones apart: each has logged in by itself. A machine's token has no phone."""
    try:
        return call.app.sessions.named(token=call.token)
    except Unauthenticated:
        return None


async def show_trip(call: Call) -> Answer:
    return 200, views.TripView.of(await call.app.tracking.show(actor=call.actor, job_id=call.path("id")))


async def list_fixes(call: Call) -> Answer:
    fixes, cursor = await call.app.tracking.history(
        actor=call.actor, job_id=call.path("id"), limit=call.limit, cursor=call.query("cursor")
    )
    return 200, views.FixPage(items=tuple(map(views.FixView.of, fixes)), next_cursor=cursor)


TRACKING: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/api/v1/tracking/update",
        area="tracking",
        summary="Report a technician's position, or up to 500 that waited without signal (degrees, metres, m/s)",
        handler=report_position,
        body=views.PositionReport,
        answers={200: views.ProgressView},
        problems=(404, 409, 413, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{id}/trip",
        area="tracking",
        summary="Where the technician who comes to a job is now, for the office and the technician",
        handler=show_trip,
        answers={200: views.TripView},
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/jobs/{id}/positions",
        area="tracking",
        summary="Where technicians were on the way to a job, the newest first, for the office; kept for 30 days",
        handler=list_fixes,
        query=PAGED,
        answers={200: views.FixPage},
        problems=(404, 422),
    ),
)
