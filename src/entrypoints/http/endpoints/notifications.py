"""What people were told, how they want to be told, and the apps on their phones."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from core.identity import Unauthenticated
from core.notifications import CUSTOMERS, Wanted
from entrypoints.http import views
from entrypoints.http.endpoints.endpoint import PAGED, Answer, Call, Endpoint
from entrypoints.http.problems import Malformed


async def list_notifications(call: Call) -> Answer:
    wanted = Wanted(
        job_id=call.query("jobId"),
        recipient=call.query("recipient"),
        state=call.query("status"),
        channel=call.query("channel"),
        since=_instant(call, "from"),
        before=_instant(call, "to"),
    )
    deliveries, cursor = await call.app.notifications.log(
        actor=call.actor, wanted=wanted, limit=call.limit, cursor=call.query("cursor")
    )
    return 200, views.DeliveryPage(items=tuple(map(views.DeliveryView.of, deliveries)), next_cursor=cursor)


async def show_preferences(call: Call) -> Answer:
    # Asked for first, so that the id of a stranger is no person's and not somebody without preferences.
    user = await call.app.identity.person(actor=call.actor, user_id=call.path("id"))
    chosen = await call.app.choices.show(actor=call.actor, recipient_id=user.id)
    return 200, views.PreferencesView.of(chosen)


async def choose_preferences(call: Call) -> Answer:
    user = await call.app.identity.person(actor=call.actor, user_id=call.path("id"))
    return await _chosen(call, user.id)


async def show_customers_preferences(call: Call) -> Answer:
    return 200, views.PreferencesView.of(await call.app.choices.show(actor=call.actor, recipient_id=CUSTOMERS))


async def choose_customers_preferences(call: Call) -> Answer:
    return await _chosen(call, CUSTOMERS)


async def register_device(call: Call) -> Answer:
    new: views.NewDevice = call.body
    try:
        session = call.app.sessions.named(token=call.token)
    except Unauthenticated:  # a token of a machine, or of the demo: no session stands behind it
        session = None
    device = await call.app.choices.register(
        actor=call.actor, provider=new.provider, token=new.token, name=new.name, session_id=session
    )
    return 201, views.DeviceView.of(device)


async def list_devices(call: Call) -> Answer:
    devices = await call.app.choices.devices(actor=call.actor, user_id=call.actor.id)
    return 200, views.DevicePage(items=tuple(map(views.DeviceView.of, devices)))


async def forget_device(call: Call) -> Answer:
    await call.app.choices.forget(actor=call.actor, device_id=call.path("id"))
    return 204, None


async def _chosen(call: Call, recipient_id: str) -> Answer:
    wanted: views.PreferencesChoice = call.body
    chosen = await call.app.choices.choose(
        actor=call.actor, recipient_id=recipient_id, version=wanted.version, **wanted.choice()
    )
    return 200, views.PreferencesView.of(chosen)


def _instant(call: Call, name: str) -> datetime | None:
    text = call.query(name)
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        msg = f"{name} must be an ISO 8601 time with its zone, as in 2026-11-21T14:30:00Z"
        raise Malformed(msg, field=name)
    return instant


NOTIFICATIONS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/api/v1/notifications",
        area="notifications",
        summary="The delivery log, the newest first; the recipient is an id, or part of a name or phone",
        handler=list_notifications,
        query=("jobId", "recipient", "status", "channel", "from", "to", *PAGED),
        answers={200: views.DeliveryPage},
        problems=(422,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/users/{id}/notification-preferences",
        area="notifications",
        summary="How a colleague is told: their own choice, or what holds for everybody",
        handler=show_preferences,
        answers={200: views.PreferencesView},
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/users/{id}/notification-preferences",
        area="notifications",
        summary="Choose how a colleague is told",
        handler=choose_preferences,
        body=views.PreferencesChoice,
        answers={200: views.PreferencesView},
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/customers/notification-preferences",
        area="notifications",
        summary="How customers are told",
        handler=show_customers_preferences,
        answers={200: views.PreferencesView},
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/customers/notification-preferences",
        area="notifications",
        summary="Choose how customers are told",
        handler=choose_customers_preferences,
        body=views.PreferencesChoice,
        answers={200: views.PreferencesView},
        problems=(409, 422),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/push-devices",
        area="notifications",
        summary="Push to this app from now on; the same token again says that it lives",
        handler=register_device,
        body=views.NewDevice,
        answers={201: views.DeviceView},
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/push-devices",
        area="notifications",
        summary="One's own apps that are pushed to",
        handler=list_devices,
        answers={200: views.DevicePage},
    ),
    Endpoint(
        method="DELETE",
        path="/api/v1/push-devices/{id}",
        area="notifications",
        summary="Push to an app no more, as on logging out",
        handler=forget_device,
        answers={204: None},
        problems=(404, 409),
    ),
)
