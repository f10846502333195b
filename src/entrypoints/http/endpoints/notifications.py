"""What people were told."""

from __future__ import annotations

from typing import Final

from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint


async def list_notifications(call: Call) -> Answer:
    deliveries, cursor = await call.app.notifications.log(
        actor=call.actor, job_id=call.query("jobId"), limit=call.limit, cursor=call.query("cursor")
    )
    return 200, views.DeliveryPage(items=tuple(map(views.DeliveryView.of, deliveries)), next_cursor=cursor)


NOTIFICATIONS: Final[tuple[Endpoint, ...]] = (
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
