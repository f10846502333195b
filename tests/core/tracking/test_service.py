"""Trips: who opens, moves, watches and ends them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from core.jobs import Place
from core.kernel.actor import Actor
from core.kernel.errors import Invalid, StaleVersion, Unavailable
from core.tracking import LinkExpired, Point, Progress, SessionNotFound, TrackingSession, Visit
from tests.contracts.samples import MINE, NOW
from tests.core.office import CARLOS, LUCIA, MARTA, PLANNER, STRANGER, Office, elsewhere
from tests.core.tracking.test_eta import HOME, away

TRIP: Final[dict[str, Any]] = {"technician_id": "user_carlos", "customer_id": "cust_1", "destination": HOME}


@pytest.fixture
async def trip(office: Office) -> TrackingSession:
    """Give a trip that has begun, of a job that is on its way."""
    place = Place(address="Av. Corrientes 1234", lat=HOME.lat, lng=HOME.lng)
    job = await office.a_job(status="en_camino", place=place)
    return await office.tracking.open(actor=MARTA, job_id=job.id, **TRIP)


async def drive(office: Office, trip: TrackingSession, metres: float, *, wait: float = 30, **changes: Any) -> Progress:
    """Wait, then report being so far from home."""
    office.clock.forward(seconds=wait)
    wanted: dict[str, Any] = {"accuracy": 10.0, **changes}
    return await office.tracking.update(actor=CARLOS, job_id=trip.job_id, point=away(metres), **wanted)


async def reach(office: Office, trip: TrackingSession) -> Progress:
    """Come near, stay a minute, and return what the last report gave."""
    for metres in (400, 60, 60):
        await drive(office, trip, metres)
    return await drive(office, trip, 60)


async def test_a_trip_opens_with_a_link_that_only_its_token_finds(office: Office, trip: TrackingSession) -> None:
    token = office.tracking.token_of(trip.id)
    assert (trip.state, trip.version, trip.expires_at) == ("active", 1, NOW + timedelta(hours=4))
    assert token not in repr(trip)
    assert trip.token_hash != token
    assert (await office.tracking.watch(token=token)).progress.session == trip
    with pytest.raises(SessionNotFound):
        await office.tracking.watch(token=trip.token_hash)


async def test_a_job_that_is_travelled_to_keeps_its_trip(office: Office, trip: TrackingSession) -> None:
    assert await office.tracking.open(actor=MARTA, job_id=trip.job_id, **TRIP) == trip


async def test_a_job_whose_trip_was_called_off_gets_a_new_one(office: Office, trip: TrackingSession) -> None:
    await office.tracking.close(actor=MARTA, job_id=trip.job_id, state="cancelled")
    office.clock.forward(minutes=1)
    again = await office.tracking.open(actor=MARTA, job_id=trip.job_id, **TRIP)
    assert (again.id != trip.id, again.state) == (True, "active")
    office.clock.forward(minutes=1)
    assert (await drive(office, again, 1000)).session.id == again.id


async def test_a_position_gives_mode_distance_and_eta(office: Office, trip: TrackingSession) -> None:
    first = await drive(office, trip, 1100)
    second = await drive(office, trip, 600)
    assert first.journey is not None
    assert second.journey is not None
    assert (first.journey.mode, second.journey.mode) == (None, "driving")
    assert second.distance == pytest.approx(600, abs=1)
    assert first.eta is not None
    assert second.eta is not None
    assert second.eta.seconds < first.eta.seconds
    assert (second.session.state, second.ignored) == ("active", None)


async def test_without_a_destination_a_trip_is_drawn_and_nothing_more(office: Office) -> None:
    trip = await office.tracking.open(actor=MARTA, job_id="job_9", **{**TRIP, "destination": None})
    for _ in range(4):
        progress = await drive(office, trip, 0, wait=60)
    assert (progress.eta, progress.distance, progress.session.state) == (None, None, "active")
    assert progress.journey is not None


async def test_an_arrival_is_noted_once(office: Office, trip: TrackingSession) -> None:
    arrived = await reach(office, trip)
    assert (arrived.session.state, arrived.session.arrived_at) == ("arrived", NOW + timedelta(seconds=60))
    later = await drive(office, trip, 60)
    assert (later.ignored, later.journey, later.eta, later.distance) == ("trip_is_over", None, None, None)
    (fact,) = await office.facts("tracking.arrived")
    assert (fact.job_id, fact.arrived_at) == (trip.job_id, NOW + timedelta(seconds=60))


async def test_a_fix_that_is_ignored_says_why_and_changes_nothing(office: Office, trip: TrackingSession) -> None:
    before = await drive(office, trip, 1000)
    late = await drive(office, trip, 10, recorded_at=office.clock() - timedelta(minutes=1))
    assert (late.ignored, late.journey) == ("older_than_the_newest", before.journey)
    early = await drive(office, trip, 10, recorded_at=office.clock() + timedelta(hours=1))
    assert (early.ignored, early.journey) == ("from_the_future", before.journey)


async def test_an_instant_names_its_zone(office: Office, trip: TrackingSession) -> None:
    naive = datetime(2026, 11, 20, 12, 0)  # noqa: DTZ001 - what a phone may send
    with pytest.raises(Invalid, match="names no time zone"):
        await drive(office, trip, 10, recorded_at=naive)


@pytest.mark.parametrize("actor", [LUCIA, PLANNER, STRANGER], ids=["another technician", "planner", "another tenant"])
async def test_nobody_else_moves_a_trip_or_learns_of_it(office: Office, trip: TrackingSession, actor: Actor) -> None:
    with pytest.raises(SessionNotFound, match=f"nobody is on the way to job {trip.job_id}"):
        await office.tracking.update(actor=actor, job_id=trip.job_id, point=away(10))
    with pytest.raises(SessionNotFound, match="nobody is on the way to job job_9"):
        await office.tracking.update(actor=actor, job_id="job_9", point=away(10))


async def test_a_dispatcher_may_report_for_a_technician(office: Office, trip: TrackingSession) -> None:
    progress = await office.tracking.update(actor=MARTA, job_id=trip.job_id, point=away(10))
    assert progress.session.id == trip.id


async def test_the_customer_sees_who_comes_from_where_and_how_far(office: Office, trip: TrackingSession) -> None:
    await drive(office, trip, 900)
    watched = await office.tracking.watch(token=office.tracking.token_of(trip.id))
    assert watched.visit == Visit(
        technician="Carlos Gómez",
        business="Climatización Palermo",
        business_phone="+541150000000",
        address="Av. Corrientes 1234",
        zone="America/Argentina/Buenos_Aires",
    )
    assert watched.progress.distance == pytest.approx(900, abs=1)
    assert watched.progress.eta is not None
    assert watched.token == office.tracking.token_of(trip.id)


async def test_a_position_is_forgotten_after_five_minutes(office: Office, trip: TrackingSession) -> None:
    await drive(office, trip, 900)
    office.clock.forward(seconds=299)
    assert (await office.tracking.watch(token=office.tracking.token_of(trip.id))).progress.journey is not None
    office.clock.forward(seconds=1)
    progress = (await office.tracking.watch(token=office.tracking.token_of(trip.id))).progress
    assert (progress.journey, progress.eta, progress.distance, progress.session.state) == (None, None, None, "active")


@pytest.mark.parametrize("state", ["arrived", "completed", "cancelled"])
async def test_a_trip_that_has_ended_gives_its_end_and_no_position(
    office: Office, trip: TrackingSession, state: str
) -> None:
    await reach(office, trip) if state == "arrived" else await drive(office, trip, 900)
    if state != "arrived":
        await office.tracking.close(actor=MARTA, job_id=trip.job_id, state=state)
    progress = (await office.tracking.watch(token=office.tracking.token_of(trip.id))).progress
    assert (progress.session.state, progress.journey, progress.eta) == (state, None, None)


async def test_a_link_lives_four_hours_to_the_second(office: Office, trip: TrackingSession) -> None:
    token = office.tracking.token_of(trip.id)
    office.clock.forward(hours=4, seconds=-1)
    assert (await office.tracking.watch(token=token)).progress.session == trip
    office.clock.forward(seconds=1)
    with pytest.raises(LinkExpired, match="this tracking link has expired"):
        await office.tracking.watch(token=token)


async def test_closing_ends_a_trip_once_and_no_trip_never(office: Office, trip: TrackingSession) -> None:
    for _ in range(2):
        await office.tracking.close(actor=MARTA, job_id=trip.job_id, state="completed")
    await office.tracking.close(actor=MARTA, job_id="job_9", state="completed")
    assert [fact.state for fact in await office.facts("tracking.closed")] == ["completed"]


async def test_a_trip_survives_a_store_of_positions_that_does_not_answer(office: Office, trip: TrackingSession) -> None:
    office.weather.plan("positions.get:before", Unavailable("no redis"), None)
    office.weather.plan("positions.put:before", Unavailable("no redis"), None)
    first = await drive(office, trip, 900)
    assert first.distance == pytest.approx(900, abs=1)
    assert (await drive(office, trip, 800)).journey is not None
    office.weather.plan("positions.get:before", Unavailable("no redis"))
    progress = (await office.tracking.watch(token=office.tracking.token_of(trip.id))).progress
    assert (progress.journey, progress.session.state) == (None, "active")


async def test_two_fixes_that_prove_an_arrival_at_once_note_it_once(office: Office, trip: TrackingSession) -> None:
    for metres in (60, 60):
        await drive(office, trip, metres)

    async def another_fix() -> None:
        office.clock.forward(seconds=1)
        await elsewhere(office.tracking.update(actor=MARTA, job_id=trip.job_id, point=away(60), accuracy=10))

    office.weather.plan("sessions.save:before", another_fix)
    progress = await drive(office, trip, 60)
    assert (progress.session.state, progress.session.version) == ("arrived", 2)
    assert len(await office.facts("tracking.arrived")) == 1


async def test_a_trip_that_ended_meanwhile_is_not_arrived_at(office: Office, trip: TrackingSession) -> None:
    for metres in (60, 60):
        await drive(office, trip, metres)
    ended = office.tracking.close(actor=MARTA, job_id=trip.job_id, state="cancelled")
    office.weather.plan("positions.put:after", lambda: elsewhere(ended))
    progress = await drive(office, trip, 60)
    assert progress.session.state == "cancelled"
    assert await office.facts("tracking.arrived") == []


async def test_two_who_open_a_trip_at_once_open_one(office: Office) -> None:
    first = office.tracking.open(actor=MARTA, job_id="job_9", **TRIP)
    office.weather.plan("sessions.of_job:after", lambda: elsewhere(first))
    with pytest.raises(StaleVersion):
        await office.tracking.open(actor=MARTA, job_id="job_9", **TRIP)
    current = await office.store.sessions.of_job(MINE, "job_9")
    assert await office.tracking.open(actor=MARTA, job_id="job_9", **TRIP) == current


def test_a_position_is_checked_before_anything_is_asked() -> None:
    with pytest.raises(Invalid):
        Point(float("nan"), -58.4)
