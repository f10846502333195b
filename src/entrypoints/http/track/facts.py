"""What a customer may know of a trip at an instant, and how it is written as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from core.tracking import Point, Watched

State: TypeAlias = Literal["waiting", "moving", "stale", "arrived", "ended"]

STALE_AFTER: Final = timedelta(minutes=2)
"""Age of a position from which the page says that it is old; the estimate begins to count down at the same age."""


@frozen(kw_only=True)
class Place:
    """A position in WGS 84 degrees."""

    lat: float
    lng: float


@frozen(kw_only=True)
class Eta:
    """When the technician comes, in whole minutes from `at`; while `arriving` the minutes mean nothing."""

    low_minutes: int
    high_minutes: int
    arriving: bool


@frozen(kw_only=True)
class Business:
    """Who sends the technician."""

    name: str
    phone: str | None


@frozen(kw_only=True)
class TrackingFacts:
    """A trip at the instant `at`.

    `waiting`: under way, not seen so far; `stale`: last seen a while ago, perhaps without a position any more; `ended`: nobody
    comes, `outcome` is `cancelled`. `mode` is `driving`, `walking` or `stationary`, `distance` is in metres in a straight line,
    `updated_at` is when they were seen last.
    """

    state: State
    at: datetime
    set_out_at: datetime
    expires_at: datetime
    technician: str
    business: Business
    address: str | None = None
    outcome: str | None = None
    position: Place | None = None
    destination: Place | None = None
    distance: int | None = None
    eta: Eta | None = None
    mode: str | None = None
    arrived_at: datetime | None = None
    updated_at: datetime | None = None


def facts_of(watched: Watched, *, now: datetime) -> TrackingFacts:
    """Return what the page shows of a trip at an instant."""
    progress, visit = watched.progress, watched.visit
    session, journey, eta = progress.session, progress.journey, progress.eta
    measured = progress.seen_at
    if journey is not None:
        measured = min(journey.fix.recorded_at, journey.fix.received_at)
    state: State = "waiting"
    if session.state == "cancelled":
        state = "ended"
    elif session.state != "active":  # the job goes on, the way there is over
        state = "arrived"
    elif measured is not None:
        state = "stale" if journey is None or now - measured > STALE_AFTER else "moving"
    return TrackingFacts(
        state=state,
        outcome=session.state if state == "ended" else None,
        at=now,
        set_out_at=session.opened_at,
        arrived_at=session.arrived_at,
        updated_at=measured if session.state == "active" else None,
        expires_at=session.expires_at,
        technician=visit.technician,
        business=Business(name=visit.business, phone=visit.business_phone),
        address=visit.address,
        position=None if journey is None else _place(journey.fix.point),
        destination=_place(session.destination),
        distance=None if progress.distance is None else round(progress.distance),
        eta=None
        if eta is None
        else Eta(low_minutes=eta.low_minutes, high_minutes=eta.high_minutes, arriving=eta.arriving),
        mode=None if journey is None or state != "moving" else journey.mode,
    )


def as_json(facts: TrackingFacts) -> dict[str, Any]:
    """Return the facts in the wire's spelling, instants in UTC to the second."""
    eta = facts.eta
    return {
        "state": facts.state,
        "outcome": facts.outcome,
        "position": _pair(facts.position),
        "destination": _pair(facts.destination),
        "distance": facts.distance,
        "eta": None
        if eta is None
        else {"lowMinutes": eta.low_minutes, "highMinutes": eta.high_minutes, "arriving": eta.arriving},
        "mode": facts.mode,
        "technician": facts.technician,
        "business": {"name": facts.business.name, "phone": facts.business.phone},
        "address": facts.address,
        "at": _z(facts.at),
        "setOutAt": _z(facts.set_out_at),
        "arrivedAt": _z(facts.arrived_at),
        "updatedAt": _z(facts.updated_at),
        "expiresAt": _z(facts.expires_at),
    }


def _place(point: Point | None) -> Place | None:
    """Return the point to the metre; the customer needs no more."""
    return None if point is None else Place(lat=round(point.lat, 5), lng=round(point.lng, 5))


def _pair(place: Place | None) -> dict[str, float] | None:
    return None if place is None else {"lat": place.lat, "lng": place.lng}


def _z(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
