"""A tracking session's states, and its link."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from core.kernel.states import IllegalMove
from core.tracking import MOVES, TrackingSession
from core.tracking.events import ArrivalDetected, TrackingClosed, TrackingOpened
from tests.contracts.samples import MINE, NOW, a_session

STATES: Final = ("active", "arrived", "completed", "expired", "cancelled")
LEADS: Final = {
    "active": {"arrived", "completed", "expired", "cancelled"},
    "arrived": {"completed", "expired", "cancelled"},
    "completed": set(),
    "expired": set(),
    "cancelled": set(),
}
LATER: Final = NOW + timedelta(minutes=20)
ABOUT: Final[dict[str, Any]] = {
    "tenant": MINE,
    "job_id": "job_1",
    "session_id": "trip_1",
    "technician_id": "user_carlos",
    "customer_id": "cust_1",
}


def move(session: TrackingSession, target: str) -> TrackingSession:
    return session.arrive(arrived_at=NOW, at=LATER) if target == "arrived" else session.close(target, at=LATER)


def a_session_that_is(state: str) -> TrackingSession:
    return a_session() if state == "active" else move(a_session(), state)


def test_the_states_are_these_five() -> None:
    assert tuple(MOVES) == STATES


@pytest.mark.parametrize("target", STATES)
@pytest.mark.parametrize("state", STATES)
def test_a_session_goes_where_the_table_says_or_is_refused(state: str, target: str) -> None:
    session = a_session_that_is(state)
    if target in LEADS[state]:
        assert move(session, target).state == target
        return
    with pytest.raises(IllegalMove) as refusal:
        move(session, target)
    assert refusal.value.details()["state"] == state
    assert refusal.value.details()["allowed"] == sorted(LEADS[state])


@pytest.mark.parametrize(
    ("state", "over"),
    [("active", False), ("arrived", False), ("completed", True), ("expired", True), ("cancelled", True)],
)
def test_a_session_is_over_when_it_has_ended(state: str, over: bool) -> None:
    assert a_session_that_is(state).over is over


def test_opening_tells_how_long_the_link_lives() -> None:
    session = a_session()
    assert session.expires_at == NOW + timedelta(hours=4)
    assert session.facts == (TrackingOpened(at=NOW, expires_at=NOW + timedelta(hours=4), **ABOUT),)


def test_an_arrival_is_dated_by_the_first_fix_inside() -> None:
    session = a_session().arrive(arrived_at=NOW + timedelta(minutes=19), at=LATER)
    assert session.arrived_at == NOW + timedelta(minutes=19)
    assert session.facts[-1] == ArrivalDetected(at=LATER, arrived_at=NOW + timedelta(minutes=19), **ABOUT)


def test_who_completes_a_trip_has_arrived_at_the_latest_then() -> None:
    at_the_door = a_session().arrive(arrived_at=NOW, at=LATER)
    assert a_session().close("completed", at=LATER).arrived_at == LATER
    assert at_the_door.close("completed", at=LATER + timedelta(hours=1)).arrived_at == NOW
    assert a_session().close("expired", at=LATER).arrived_at is None


def test_the_end_says_which_end() -> None:
    assert a_session().close("cancelled", at=LATER).facts[-1] == TrackingClosed(at=LATER, state="cancelled", **ABOUT)


def test_the_token_s_hash_is_not_printed() -> None:
    assert "aa11" not in repr(a_session())
