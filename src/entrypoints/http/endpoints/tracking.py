"""Where technicians are."""

from __future__ import annotations

from typing import Final

from core.tracking import Point
from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import Answer, Call, Endpoint


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


TRACKING: Final[tuple[Endpoint, ...]] = (
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
)
