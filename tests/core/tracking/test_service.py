"""Trips: who opens, moves, watches and ends them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from adapters.bridge import DescribedVisits
from core.jobs import Place
from core.kernel.actor import Actor, NotAllowed
from core.kernel.errors import Invalid, StaleVersion, Unavailable
from core.tracking import (
    LinkExpired,
    OtherPhone,
    Point,
    Progress,
    Report,
    SessionNotFound,
    TooManyFixes,
    Tracking,
    TrackingSession,
    Visit,
    haversine,
)
from tests.contracts.samples import MINE, NOW
from tests.core.office import CARLOS, LUCIA, MARTA, PLANNER, STRANGER, Office, elsewhere
from tests.core.tracking.phone import HOME, away

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


def another_process(office: Office) -> Tracking:
    """Return tracking as a second web process has it: the same stores, and a memory of its own."""
    return Tracking(
        office.store.begin,
        office.store.sessions,
        office.positions,
        office.store.history,
        DescribedVisits(office.store.directory, office.store.jobs),
        office.tracking.token_of,
        office.clock,
        office.new_id,
    )


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
    assert (second.session.state, second.outcome.ignored) == ("active", None)


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
    assert (later.outcome.ignored, later.journey, later.eta, later.distance) == ("trip_is_over", None, None, None)
    (fact,) = await office.facts("tracking.arrived")
    assert (fact.job_id, fact.arrived_at) == (trip.job_id, NOW + timedelta(seconds=60))


async def test_a_fix_that_is_ignored_says_why_and_changes_nothing(office: Office, trip: TrackingSession) -> None:
    before = await drive(office, trip, 1000)
    late = await drive(office, trip, 10, recorded_at=office.clock() - timedelta(minutes=1))
    assert (late.outcome.ignored, late.journey) == ("older_than_the_newest", before.journey)
    again = await drive(office, trip, 10, recorded_at=NOW + timedelta(seconds=30))
    assert (again.outcome.ignored, again.journey) == ("older_than_the_newest", before.journey)


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
    down = Unavailable("no redis")
    office.weather.plan("positions.get:before", down)
    office.weather.plan("positions.advance:before", down)
    first = await drive(office, trip, 900)
    assert first.distance == pytest.approx(900, abs=1)
    second = await drive(office, trip, 500)
    assert second.journey is not None
    assert second.journey.mode == "driving", "what this process remembers of the first position still counts"
    third = await drive(office, trip, 400)
    assert third.outcome.ignored is None
    await office.tracking.write_history(limit=10)
    kept, _ = await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10)
    assert [round(haversine(each.fix.point, HOME)) for each in kept] == [400, 500, 900]
    office.weather.plan("positions.get:before", down)
    progress = (await office.tracking.watch(token=office.tracking.token_of(trip.id))).progress
    assert (progress.journey, progress.session.state) == (None, "active")
    assert office.weather.calm


async def test_while_nothing_is_shared_a_trip_that_was_called_off_takes_no_position(
    office: Office, trip: TrackingSession
) -> None:
    await drive(office, trip, 900)
    await elsewhere(another_process(office).close(actor=MARTA, job_id=trip.job_id, state="cancelled"))
    office.weather.plan("positions.advance:before", Unavailable("no redis"))
    progress = await drive(office, trip, 800)
    assert (progress.session.state, progress.outcome.ignored) == ("cancelled", "trip_is_over")


async def test_two_fixes_that_prove_an_arrival_at_once_note_it_once(office: Office, trip: TrackingSession) -> None:
    for metres in (60, 60):
        await drive(office, trip, metres)

    async def another_fix() -> None:
        office.clock.forward(seconds=6)
        await elsewhere(office.tracking.update(actor=MARTA, job_id=trip.job_id, point=away(60), accuracy=10))

    office.weather.plan("sessions.save:before", another_fix)
    progress = await drive(office, trip, 60)
    assert (progress.session.state, progress.session.version) == ("arrived", 2)
    assert len(await office.facts("tracking.arrived")) == 1


async def test_a_trip_that_ended_meanwhile_is_not_arrived_at(office: Office, trip: TrackingSession) -> None:
    for metres in (60, 60):
        await drive(office, trip, metres)
    ended = office.tracking.close(actor=MARTA, job_id=trip.job_id, state="cancelled")
    office.weather.plan("positions.advance:after", lambda: elsewhere(ended))
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


NO_DATABASE: Final = ("begin:before", "sessions.of_job:before", "sessions.by_token:before", "history.newest:before")


async def test_reports_ask_the_database_nothing_from_the_first_to_the_arrival(
    office: Office, trip: TrackingSession
) -> None:
    for step in NO_DATABASE:
        office.weather.plan(step, Unavailable("nobody may ask"))
    for metres in (1500, 1000, 500, 60, 60):
        assert (await drive(office, trip, metres)).session.state == "active"
    office.weather.clear()
    assert (await drive(office, trip, 60)).session.state == "arrived"


async def test_a_second_process_takes_over_in_the_middle_of_a_trip(office: Office, trip: TrackingSession) -> None:
    processes = (office.tracking, another_process(office))
    seen = []
    for number, metres in enumerate((2000, 1500, 1000, 60, 60, 60)):
        office.clock.forward(seconds=30)
        here = processes[number % 2]
        seen.append(await here.update(actor=CARLOS, job_id=trip.job_id, point=away(metres), accuracy=10))
    assert [each.session.state for each in seen] == ["active"] * 5 + ["arrived"]
    assert [each.outcome.ignored for each in seen] == [None] * 6
    await office.tracking.write_history(limit=10)
    assert len((await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10))[0]) == 6


async def test_a_trip_that_was_called_off_elsewhere_takes_no_position_any_more(
    office: Office, trip: TrackingSession
) -> None:
    await drive(office, trip, 900)
    await another_process(office).close(actor=MARTA, job_id=trip.job_id, state="cancelled")
    progress = await drive(office, trip, 800)
    assert (progress.session.state, progress.outcome.ignored, progress.journey) == ("cancelled", "trip_is_over", None)
    await office.tracking.write_history(limit=10)
    assert len((await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10))[0]) == 1


async def test_a_call_that_could_not_tell_the_others_is_made_good(office: Office, trip: TrackingSession) -> None:
    await office.quiet()
    await drive(office, trip, 900)
    office.weather.plan("positions.put:before", Unavailable("no redis"))
    await office.tracking.close(actor=MARTA, job_id=trip.job_id, state="cancelled")
    await office.quiet()
    assert (await drive(office, trip, 800)).session.state == "cancelled"


async def test_a_job_given_to_somebody_else_is_theirs_from_the_next_report_on(
    office: Office, trip: TrackingSession
) -> None:
    await drive(office, trip, 900)
    await office.tracking.close(actor=MARTA, job_id=trip.job_id, state="cancelled")
    office.clock.forward(minutes=1)
    mine = {**TRIP, "technician_id": "user_lucia"}
    await another_process(office).open(actor=MARTA, job_id=trip.job_id, **mine)
    with pytest.raises(SessionNotFound):
        await drive(office, trip, 800)
    progress = await office.tracking.update(actor=LUCIA, job_id=trip.job_id, point=away(700), accuracy=10)
    assert progress.distance == pytest.approx(700, abs=1)


async def test_what_is_measured_within_five_seconds_is_kept_and_changes_nothing(
    office: Office, trip: TrackingSession
) -> None:
    first = await drive(office, trip, 900)
    soon = await drive(office, trip, 880, wait=4.9)
    assert (soon.outcome.ignored, soon.journey) == ("too_soon", first.journey)
    assert (await drive(office, trip, 870, wait=0.1)).outcome.ignored is None
    await office.tracking.write_history(limit=10)
    kept, _ = await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10)
    assert [each.remarks for each in kept] == [(), ("too_soon",), ()]


def offline(office: Office, *metres: float, every: float = 30.0) -> list[Report]:
    """Return what a phone measured without signal, the last just now."""
    last = office.clock()
    return [
        Report(point=away(each), accuracy=10, recorded_at=last - timedelta(seconds=every * (len(metres) - 1 - place)))
        for place, each in enumerate(metres)
    ]


async def test_a_batch_in_any_order_leads_where_the_same_fixes_lead_one_by_one(
    office: Office, trip: TrackingSession
) -> None:
    office.clock.forward(minutes=10)
    batch = offline(office, 4000, 3500, 3000, 2500)
    progress, outcomes = await office.tracking.update_all(actor=CARLOS, job_id=trip.job_id, reports=batch[::-1])
    assert [each.ignored for each in outcomes] == [None] * 4
    assert progress.distance == pytest.approx(2500, abs=2)
    again, outcomes = await office.tracking.update_all(actor=CARLOS, job_id=trip.job_id, reports=batch)
    assert [each.ignored for each in outcomes] == ["older_than_the_newest"] * 4
    assert again.journey == progress.journey
    await office.tracking.write_history(limit=10)
    assert len((await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10))[0]) == 4


async def test_an_arrival_in_a_tunnel_is_dated_by_the_first_fix_at_the_door(
    office: Office, trip: TrackingSession
) -> None:
    office.clock.forward(minutes=10)
    batch = offline(office, 900, 60, 60, 60, 60, 60)
    progress, outcomes = await office.tracking.update_all(actor=CARLOS, job_id=trip.job_id, reports=batch)
    assert (progress.session.state, progress.session.arrived_at) == ("arrived", batch[1].recorded_at)
    assert [each.ignored for each in outcomes] == [None] * 4 + ["trip_is_over"] * 2


async def test_of_a_trip_that_is_over_the_way_there_is_kept_and_nothing_of_afterwards(
    office: Office, trip: TrackingSession
) -> None:
    office.clock.forward(minutes=10)
    batch = offline(office, 900, 500, 100)
    office.clock.forward(seconds=-30)
    await office.tracking.close(actor=MARTA, job_id=trip.job_id, state="completed")
    office.clock.forward(seconds=30)
    progress, outcomes = await office.tracking.update_all(actor=CARLOS, job_id=trip.job_id, reports=batch)
    assert (progress.session.state, progress.journey) == ("completed", None)
    assert [each.ignored for each in outcomes] == ["trip_is_over"] * 3
    await office.tracking.write_history(limit=10)
    kept, _ = await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10)
    assert [each.fix.recorded_at for each in kept] == [batch[1].recorded_at, batch[0].recorded_at]


async def test_more_than_five_hundred_fixes_in_one_call_are_refused(office: Office, trip: TrackingSession) -> None:
    batch = offline(office, *[900.0] * 501, every=0.01)
    with pytest.raises(TooManyFixes) as refused:
        await office.tracking.update_all(actor=CARLOS, job_id=trip.job_id, reports=batch)
    assert refused.value.details() == {"field": "fixes", "limit": 500}
    _, outcomes = await office.tracking.update_all(actor=CARLOS, job_id=trip.job_id, reports=batch[1:])
    assert len(outcomes) == 500


async def test_the_phone_that_came_last_reports_and_the_other_is_told_so(office: Office, trip: TrackingSession) -> None:
    await drive(office, trip, 900, phone="old")
    await drive(office, trip, 800, phone="new")
    with pytest.raises(OtherPhone):
        await drive(office, trip, 700, phone="old")
    assert (await drive(office, trip, 600, phone="new")).distance == pytest.approx(600, abs=1)
    office.clock.forward(minutes=5)
    assert (await drive(office, trip, 500, phone="old")).outcome.ignored is None, "the new one has been silent for long"


async def test_what_a_dispatcher_reports_takes_the_trip_from_no_phone(office: Office, trip: TrackingSession) -> None:
    await drive(office, trip, 900, phone="carlos")
    office.clock.forward(seconds=30)
    await office.tracking.update(actor=MARTA, job_id=trip.job_id, point=away(800), accuracy=10, phone="marta")
    assert (await drive(office, trip, 700, phone="carlos")).outcome.ignored is None


async def test_after_four_hours_a_trip_ends_by_itself(office: Office, trip: TrackingSession) -> None:
    await drive(office, trip, 900)
    office.clock.forward(hours=4)
    late = await drive(office, trip, 800)
    assert (late.outcome.ignored, late.journey, late.eta) == ("trip_is_over", None, None)
    assert (await office.tracking.expire_due(limit=10), await office.tracking.expire_due(limit=10)) == (1, 0)
    assert (await drive(office, trip, 800)).session.state == "expired"
    assert [fact.state for fact in await office.facts("tracking.closed")] == ["expired"]


async def test_who_sets_out_again_after_four_hours_gets_a_new_trip(office: Office, trip: TrackingSession) -> None:
    office.clock.forward(hours=4)
    again = await office.tracking.open(actor=MARTA, job_id=trip.job_id, **TRIP)
    assert again.id != trip.id
    assert [fact.state for fact in await office.facts("tracking.closed")] == ["expired"]
    assert (await drive(office, trip, 800)).session.id == again.id


async def test_a_trip_that_ended_otherwise_meanwhile_does_not_expire(office: Office, trip: TrackingSession) -> None:
    office.clock.forward(hours=4)
    ended = office.tracking.close(actor=MARTA, job_id=trip.job_id, state="completed")
    office.weather.plan("sessions.overdue:after", lambda: elsewhere(ended))
    assert await office.tracking.expire_due(limit=10) == 0
    assert [fact.state for fact in await office.facts("tracking.closed")] == ["completed"]


async def test_it_is_known_when_a_technician_was_seen_last(office: Office, trip: TrackingSession) -> None:
    token = office.tracking.token_of(trip.id)
    assert (await office.tracking.watch(token=token)).progress.seen_at is None
    await drive(office, trip, 900)
    office.clock.forward(minutes=20)
    progress = (await office.tracking.watch(token=token)).progress
    assert (progress.journey, progress.seen_at) == (None, NOW + timedelta(seconds=30))
    await office.tracking.write_history(limit=10)
    office.positions.forget()
    progress = (await office.tracking.watch(token=token)).progress
    assert progress.seen_at == NOW + timedelta(seconds=30), "the history knows it too"


async def test_the_history_gets_each_fix_once_whatever_breaks(office: Office, trip: TrackingSession) -> None:
    for metres in (900, 800, 700):
        await drive(office, trip, metres)
    for step in ("history.add:before", "history.add:after", "positions.written:before"):
        office.weather.plan(step, Unavailable("not now"))
        with pytest.raises(Unavailable):
            await office.tracking.write_history(limit=2)
    assert [await office.tracking.write_history(limit=2) for _ in range(3)] == [2, 1, 0]
    kept, _ = await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10)
    assert [round(haversine(each.fix.point, HOME)) for each in kept] == [700, 800, 900]


async def test_positions_are_kept_for_thirty_days(office: Office, trip: TrackingSession) -> None:
    await drive(office, trip, 900)
    await office.tracking.write_history(limit=10)
    office.clock.forward(days=30)
    assert await office.tracking.prune_history(limit=10) == 0
    office.clock.forward(seconds=1)
    assert await office.tracking.prune_history(limit=10) == 1
    assert await office.tracking.history(actor=MARTA, job_id=trip.job_id, limit=10) == ([], None)


async def test_the_office_reads_where_somebody_was_and_nobody_else_does(office: Office, trip: TrackingSession) -> None:
    for actor in (CARLOS, LUCIA, PLANNER):
        with pytest.raises(NotAllowed):
            await office.tracking.history(actor=actor, job_id=trip.job_id, limit=10)
    with pytest.raises(SessionNotFound):
        await office.tracking.history(actor=STRANGER, job_id=trip.job_id, limit=10)
    await drive(office, trip, 900)
    for actor in (MARTA, CARLOS):
        assert (await office.tracking.show(actor=actor, job_id=trip.job_id)).distance == pytest.approx(900, abs=1)
    for actor in (LUCIA, PLANNER, STRANGER):
        with pytest.raises(SessionNotFound):
            await office.tracking.show(actor=actor, job_id=trip.job_id)


async def test_the_link_of_an_earlier_trip_shows_nothing_of_the_next(office: Office, trip: TrackingSession) -> None:
    await office.tracking.close(actor=MARTA, job_id=trip.job_id, state="cancelled")
    office.clock.forward(minutes=1)
    again = await office.tracking.open(actor=MARTA, job_id=trip.job_id, **TRIP)
    await drive(office, again, 900)
    earlier = (await office.tracking.watch(token=office.tracking.token_of(trip.id))).progress
    assert (earlier.session.id, earlier.session.state, earlier.journey) == (trip.id, "cancelled", None)
