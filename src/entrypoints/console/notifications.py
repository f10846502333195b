"""How people want to be told, and what they were told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from core.kernel.errors import Invalid
from core.notifications import (
    CHANNELS,
    CUSTOMERS,
    EVENTS,
    Delivery,
    DeviceNotFound,
    QuietHours,
    Wanted,
    title,
    wall_time,
)
from entrypoints.console.pages import form_again, page, say
from entrypoints.console.turn import Given, Turn

OWN: Final = "/app/settings/notifications"
OF_CUSTOMERS: Final = f"{OWN}/customers"
LOG: Final = "/app/settings/deliveries"
FOR_TEAM: Final = frozenset({"job_assigned", "job_completed", "job_cancelled"})
"""What colleagues are told; all the rest is for customers."""
ZONES: Final = (
    "America/Argentina/Buenos_Aires",
    "America/Argentina/Cordoba",
    "America/Argentina/Mendoza",
    "America/Argentina/Salta",
    "America/Argentina/Ushuaia",
    "America/Montevideo",
    "America/Asuncion",
    "America/Santiago",
    "America/La_Paz",
    "America/Lima",
    "America/Bogota",
    "America/Mexico_City",
    "America/New_York",
    "Europe/Madrid",
    "UTC",
)
"""What is offered; any other that somebody has is offered to them as well."""
STATES: Final[Mapping[str, str]] = {
    "queued": "hourglass",
    "sending": "hourglass",
    "sent": "check",
    "delivered": "circle-check-big",
    "read": "circle-check-big",
    "failed": "circle-x",
    "gathered": "scroll-text",
}
"""The states that can be asked for, and their icons."""
_DAYS: Final = {"today": 0, "week": 6, "month": 29}
_PAGE: Final = 40
_WHO: Final = 80


async def show(turn: Turn) -> Response:
    """Show how somebody wants to be told."""
    return await page(turn, "notifications.html", said=_said(turn), **await _choice(turn, turn.actor.id))


async def choose(turn: Turn) -> Response:
    """Keep how somebody wants to be told."""
    return await _choose(turn, turn.actor.id, OWN)


async def show_customers(turn: Turn) -> Response:
    """Show how customers are told."""
    return await page(turn, "notifications.html", said=_said(turn), **await _choice(turn, CUSTOMERS))


async def choose_customers(turn: Turn) -> Response:
    """Keep how customers are told."""
    return await _choose(turn, CUSTOMERS, OF_CUSTOMERS)


async def forget_device(turn: Turn) -> Response:
    """Push to an app no more; one that is gone already is what was wanted."""
    try:
        await turn.app.choices.forget(actor=turn.actor, device_id=turn.request.path_params["id"])
    except DeviceNotFound:
        return turn.go(OWN)
    return turn.go(f"{OWN}?said=forgotten")


async def log(turn: Turn) -> Response:
    """Show what people were told, the newest first."""
    query = turn.request.query_params
    asked = {
        "who": query.get("who", "").strip()[:_WHO],
        "state": query.get("state") if query.get("state") in STATES else "",
        "channel": query.get("channel") if query.get("channel") in CHANNELS else "",
        "days": query.get("days") if query.get("days") in _DAYS else "",
    }
    wanted = Wanted(
        recipient=asked["who"] or None,
        state=asked["state"] or None,
        channel=asked["channel"] or None,
        since=await _since(turn, asked["days"] or ""),
    )
    deliveries, cursor = await turn.app.notifications.log(
        actor=turn.actor, wanted=wanted, limit=_PAGE, cursor=query.get("cursor") or None
    )
    return await page(
        turn,
        "deliveries.html",
        deliveries=[_told(turn, each) for each in deliveries],
        cursor=cursor,
        paged="cursor" in query,
        asked=asked,
        filtered=any(asked.values()),
        states=STATES,
        channels=CHANNELS,
        periods=tuple(_DAYS),
    )


def _said(turn: Turn) -> str | None:
    said = turn.request.query_params.get("said", "")
    return say(turn.language, f"notices.{said}") if said in {"kept", "forgotten"} else None


async def _choose(turn: Turn, who: str, where: str) -> Response:
    given = _given(turn)
    try:
        await turn.app.choices.choose(
            actor=turn.actor,
            recipient_id=who,
            version=int(given["version"]) if given["version"].isdigit() and len(given["version"]) < 10 else None,  # noqa: PLR2004 - no version is as long
            channels=frozenset(given["channels"]),
            muted=frozenset(each for each in _events(who) if each not in given["events"]),
            quiet=given["quiet"],
            **_hours(given),
            zone=given["zone"] or None,
            language=given["language"],
            digest=given["digest"],
        )
    except Invalid as error:
        return await form_again(turn, "notifications.html", error, **await _choice(turn, who, given))
    return turn.go(f"{where}?said=kept")


def _given(turn: Turn) -> dict[str, Any]:
    return {
        "version": turn.text("version"),
        "channels": turn.form.getlist("channels"),
        "events": turn.form.getlist("events"),
        "quiet": turn.text("quiet") == "yes",
        "start": turn.text("start"),
        "end": turn.text("end"),
        "zone": turn.text("zone"),
        "language": turn.text("language"),
        "digest": turn.text("digest") == "yes",
    }


def _hours(given: Mapping[str, Any]) -> Given:
    """Return the hours as given; while there is no quiet, what stands in the fields does not matter."""
    try:
        return {"hours": QuietHours(wall_time(given["start"]), wall_time(given["end"]))}
    except Invalid:
        if given["quiet"]:
            raise
        return {}


async def _choice(turn: Turn, who: str, given: Mapping[str, Any] | None = None) -> Given:
    """Return what the form shows: what was given, or else what is kept."""
    kept = await turn.app.choices.show(actor=turn.actor, recipient_id=who)
    of_customers = who == CUSTOMERS
    events = _events(who)
    shown = given or {
        "version": str(kept.version),
        "channels": kept.channels,
        "events": [each for each in events if each not in kept.muted],
        "quiet": kept.quiet,
        "start": f"{kept.hours.start:%H:%M}",
        "end": f"{kept.hours.end:%H:%M}",
        "zone": kept.zone or "",
        "language": kept.language,
        "digest": kept.digest,
    }
    devices = () if of_customers else await turn.app.choices.devices(actor=turn.actor, user_id=who)
    tenants = (await turn.app.identity.tenant(actor=turn.actor)).zone
    zones = list(ZONES) if shown["zone"] in {"", *ZONES} else [shown["zone"], *ZONES]
    return {
        "given": shown,
        "of_customers": of_customers,
        "manages_customers": turn.actor.may("customers.write"),
        "channels": [each for each in CHANNELS if each != ("push" if of_customers else "email")],
        "events": [(each, title(each, turn.language)) for each in events],
        "devices": devices,
        "zones": zones,
        "tenants_zone": tenants,
    }


def _events(who: str) -> Sequence[str]:
    """Return what somebody can turn off."""
    theirs = [each for each in EVENTS if each in FOR_TEAM]
    return [each for each in EVENTS if each != "job_assigned"] if who == CUSTOMERS else theirs


async def _since(turn: Turn, days: str) -> datetime | None:
    """Return the beginning of the period, midnight where the business is."""
    if days not in _DAYS:
        return None
    zone = ZoneInfo((await turn.app.identity.tenant(actor=turn.actor)).zone)
    today = turn.app.clock().astimezone(zone).date()
    return datetime.combine(today - timedelta(days=_DAYS[days]), time(), zone)


def _told(turn: Turn, delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as the page shows it, with why it failed in words if we have some."""
    code = delivery.error_code or ""
    known = {"no_channel", "no_device", "no_address", "gave_up", "131026", "DeviceNotRegistered", "UNREGISTERED"}
    return {
        "it": delivery,
        "icon": STATES[delivery.state],
        "title": title(delivery.event, turn.language),
        "why": f"notices.why.{code}" if code in known else "",
        "waits": delivery.due_at if delivery.waiting and delivery.state == "queued" else None,
        "tries_again": delivery.due_at if delivery.state == "queued" and delivery.attempts else None,
    }
