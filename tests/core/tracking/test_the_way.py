"""Asking a routing engine about trips, apart from the reports."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import define, evolve, field

from core.kernel.errors import Unavailable
from core.tracking import Eta, Point, Tracking, TrackingSession
from tests.core.office import CARLOS, MARTA, Office
from tests.core.tracking.phone import HOME, away

TRIP: Final[dict[str, Any]] = {"technician_id": "user_carlos", "customer_id": "cust_1"}


@define
class Streets:
    """An engine with a plan: what it answers next, or how it fails; with none, an hour."""

    office: Office
    plan: list[float | Unavailable | None] = field(factory=list)
    asked: list[tuple[Point, Point]] = field(factory=list)
    reported_meanwhile: float | None = None

    async def travel_time(self, start: Point, destination: Point) -> float | None:
        """Return what was planned."""
        self.asked.append((start, destination))
        if self.reported_meanwhile is not None:
            metres, self.reported_meanwhile = self.reported_meanwhile, None
            await drive(self.office, metres)
        answer = self.plan.pop(0) if self.plan else 3600.0
        if isinstance(answer, Unavailable):
            raise answer
        return answer


@pytest.fixture
def streets(office: Office) -> Streets:
    streets = Streets(office)
    office.tracking = evolve(office.tracking, routes=streets)
    return streets


@pytest.fixture
async def trip(office: Office, streets: Streets) -> TrackingSession:
    """Give a trip that has begun, and nobody has reported."""
    return await a_trip(office, "job_1", HOME)


async def a_trip(office: Office, job_id: str, destination: Point | None) -> TrackingSession:
    return await office.tracking.open(actor=MARTA, job_id=job_id, destination=destination, **TRIP)


async def drive(office: Office, metres: float, *, job_id: str = "job_1", wait: float = 30) -> float:
    """Report being so far from home, and return the estimate."""
    office.clock.forward(seconds=wait)
    progress = await office.tracking.update(actor=CARLOS, job_id=job_id, point=away(metres), accuracy=10.0)
    assert progress.eta is not None
    return progress.eta.seconds


async def shown(office: Office) -> Eta:
    eta = (await office.tracking.show(actor=MARTA, job_id="job_1")).eta
    assert eta is not None
    return eta


async def ask(office: Office) -> int:
    return await office.tracking.ask_the_way(limit=10)


async def test_a_report_waits_for_no_engine(office: Office, trip: TrackingSession, streets: Streets) -> None:
    by_distance = await drive(office, 3000)
    assert not streets.asked
    assert await ask(office) == 1
    assert streets.asked == [(away(3000), HOME)]
    assert (await shown(office)).seconds == pytest.approx(3600)
    assert by_distance < 1000


async def test_an_engine_is_asked_once_and_the_way_shrinks_with_the_distance(
    office: Office, trip: TrackingSession, streets: Streets
) -> None:
    await drive(office, 3000)
    await ask(office)
    near = await drive(office, 2000)
    assert (await ask(office), len(streets.asked)) == (0, 1)
    assert 600 < near < 3000


async def test_an_engine_that_fails_leaves_the_distance_and_is_asked_again_later(
    office: Office, trip: TrackingSession, streets: Streets
) -> None:
    streets.plan = [Unavailable("away"), 3600.0]
    by_distance = await drive(office, 3000)
    assert (await ask(office), (await shown(office)).seconds) == (0, by_distance)
    await drive(office, 3000, wait=10)
    assert (await ask(office), len(streets.asked)) == (0, 1)
    await drive(office, 3000, wait=20)
    assert (await ask(office), (await shown(office)).seconds > 3000) == (1, True)


async def test_where_no_street_leads_the_distance_decides_for_good(
    office: Office, trip: TrackingSession, streets: Streets
) -> None:
    streets.plan = [None]
    by_distance = await drive(office, 3000)
    assert (await ask(office), (await shown(office)).seconds) == (1, by_distance)
    await drive(office, 2500)
    assert (await ask(office), len(streets.asked)) == (0, 1)


async def test_nothing_is_asked_of_who_is_there_or_has_nowhere_to_go(office: Office, streets: Streets) -> None:
    await a_trip(office, "job_2", None)
    await office.tracking.update(actor=CARLOS, job_id="job_2", point=away(3000))
    await a_trip(office, "job_3", HOME)
    await drive(office, 300, job_id="job_3")
    assert (await ask(office), streets.asked) == (0, [])


async def test_an_answer_about_a_trip_that_moved_on_is_dropped_and_the_next_report_asks_anew(
    office: Office, trip: TrackingSession, streets: Streets
) -> None:
    await drive(office, 3000)
    streets.reported_meanwhile = 2700.0
    await ask(office)
    assert (await shown(office)).seconds < 1000
    await ask(office)
    assert streets.asked == [(away(3000), HOME), (away(2700), HOME)]
    assert (await shown(office)).seconds > 3000


async def test_a_trip_that_ended_is_not_asked_about(office: Office, trip: TrackingSession, streets: Streets) -> None:
    await drive(office, 3000)
    await office.tracking.close(actor=MARTA, job_id="job_1", state="cancelled")
    assert (await ask(office), streets.asked) == (0, [])


async def test_an_answer_keeps_no_position_alive(office: Office, trip: TrackingSession, streets: Streets) -> None:
    await drive(office, 3000)
    office.clock.forward(minutes=4)
    await ask(office)
    assert (await office.positions.get(trip.tenant, "job_1")) is not None
    office.clock.forward(seconds=61)
    live = await office.positions.get(trip.tenant, "job_1")
    assert live is not None
    assert live.journey is None


async def test_an_answer_that_comes_too_late_changes_nothing(
    office: Office, trip: TrackingSession, streets: Streets
) -> None:
    await drive(office, 3000)
    office.clock.forward(minutes=5)
    await ask(office)
    live = await office.positions.get(trip.tenant, "job_1")
    assert live is not None
    assert live.journey is None


async def test_another_process_keeps_what_the_engine_said(
    office: Office, trip: TrackingSession, streets: Streets
) -> None:
    await drive(office, 3000)
    await ask(office)
    other: Tracking = evolve(office.tracking, held={}, unguided={})
    office.clock.forward(seconds=30)
    await other.update(actor=CARLOS, job_id="job_1", point=away(2500), accuracy=10.0)
    assert await other.ask_the_way(limit=10) == 0
    assert (await shown(office)).seconds > 2000
