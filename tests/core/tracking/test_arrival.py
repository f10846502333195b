"""An arrival is a stay, dated by its first fix."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tracking import Fix, Point, haversine, step
from tests.contracts.samples import NOW
from tests.core.tracking.phone import HOME, RULES, away, fix, kept, steps, travelled

# Fixes (seconds, metres from home, accuracy) and the second that the arrival is dated by, or None.
ARRIVALS: Final = [
    pytest.param([(0, 50, 10)], None, id="a first fix inside proves nothing"),
    pytest.param([(0, 50, 10), (59, 50, 10)], None, id="nor do 59 seconds"),
    pytest.param([(0, 50, 10), (60, 50, 10)], 0, id="a minute does"),
    pytest.param([(0, 400, 10), (30, 90, 10), (60, 60, 10), (90, 50, 10)], 30, id="dated by the first fix inside"),
    pytest.param([(0, 100.5, 10), (60, 100.5, 10), (130, 100.5, 10)], None, id="the circle's edge is outside"),
    pytest.param([(0, 99.5, 10), (60, 99.5, 10)], 0, id="just within is inside"),
    pytest.param([(0, 90, 10), (30, 120, 10), (60, 90, 10)], 0, id="a step over the edge is no leaving"),
    pytest.param([(0, 90, 10), (30, 160, 10), (60, 90, 10)], None, id="150 metres away is"),
    pytest.param([(0, 90, 10), (30, 160, 10), (60, 90, 60), (120, 90, 60)], 60, id="and who comes back begins anew"),
    pytest.param([(0, 2000, 10), (60, 10, 10), (75, 10, 10)], None, id="a leap onto the door"),
    pytest.param([(0, 2000, 10), (60, 10, 10), (90, 10, 10), (120, 10, 10)], 60, id="that stays there"),
    pytest.param([(0, 90, 10), (30, 45, 10), (60, 45, 10)], None, id="a leap inside begins the minute anew"),
    pytest.param([(0, 90, 10), (30, 45, 10), (60, 45, 10), (90, 45, 10)], 0, id="and not the stay"),
    pytest.param(
        [(0, 90, 10), (30, 45, 10), (60, 90, 10), (90, 45, 10), (119, 90, 10)], None, id="pacing up and down is no stay"
    ),
    pytest.param(
        [(0, 90, 10), (30, 45, 10), (60, 90, 10), (90, 45, 10), (120, 90, 10)], 0, id="but for two minutes it is"
    ),
    pytest.param([(0, 90, 10), (30, 55, 10), (60, 50, 10)], 0, id="a step of 35 metres is calm"),
    pytest.param([(0, 90, 40), (30, 20, 40), (60, 20, 40)], 0, id="and for an unsure phone one of 70"),
    pytest.param([(0, 90, None), (30, 35, None), (60, 35, None)], 0, id="and for one that does not know one of 55"),
    pytest.param([(0, 50, 10), (30, 50, 500), (60, 50, 10)], 0, id="an unsure fix between does not matter"),
    pytest.param([(0, 50, 500), (60, 50, 500), (120, 50, 500)], None, id="unsure fixes alone prove nothing"),
    pytest.param([(0, 10, 10), (1, 10, 10), (2, 10, 10)], None, id="three fixes in two seconds"),
    pytest.param([(0, 3000, 10), (30, 5, 10), (60, 2700, 10)], None, id="one jump onto the door and back"),
    pytest.param([(0, 3000, 10), (30, 5, 10), (31, 5, 10), (32, 5, 10)], None, id="and three within two seconds"),
    pytest.param(
        [(0, 3000, 10), (30, 5, 10), (60, 5, 10), (110, 5, 10)], None, id="a jump confirmed counts from there"
    ),
    pytest.param([(0, 3000, 10), (30, 5, 10), (60, 5, 10), (120, 5, 10)], 60, id="and arrives a minute later"),
    pytest.param([(0, 50, 10), (1800, 50, 10)], 0, id="a phone that slept in the meantime"),
]


@pytest.mark.parametrize(("fixes", "arrived"), ARRIVALS)
def test_an_arrival_is_a_stay(fixes: list[tuple[float, float, float | None]], arrived: float | None) -> None:
    taken = travelled(*(fix(seconds, metres, accuracy=accuracy) for seconds, metres, accuracy in fixes))
    assert taken.arrived_at == (None if arrived is None else NOW + timedelta(seconds=arrived))
    assert taken.ignored is None


def test_nobody_arrives_at_an_unknown_place() -> None:
    taken = travelled(fix(0, 0), fix(60, 0), fix(120, 0), destination=None)
    assert (taken.arrived_at, kept(taken).goal) == (None, None)


def test_who_starts_at_the_door_has_arrived_after_a_minute() -> None:
    assert [each.arrived_at for each in steps(fix(0, 0), fix(30, 3), fix(60, 0))] == [None, None, NOW]


def test_nothing_undoes_an_arrival() -> None:
    taken = steps(fix(0, 50), fix(60, 50), fix(90, 400), fix(120, 4000), fix(150, 4000, accuracy=900.0), fix(150, 0))
    assert {each.arrived_at for each in taken[1:]} == {NOW}


def test_a_queue_from_a_phone_without_signal_dates_the_arrival_by_its_measurements() -> None:
    came = NOW + timedelta(minutes=40)
    metres = [3000 - 300 * number for number in range(10)] + [20.0] * 5
    taken = steps(*(fix(30 * number, each, received_at=came) for number, each in enumerate(metres)))
    assert taken[-1].arrived_at == NOW + timedelta(seconds=300)
    assert taken[-1].noted == ("old", "jitter")


def test_another_destination_is_to_be_arrived_at_anew() -> None:
    journey = kept(travelled(fix(0, 50), fix(59, 50)))
    moved = step(journey, fix(61, 50), destination=away(80), rules=RULES)
    assert moved.arrived_at is None
    later = step(moved.journey, fix(120, 50), destination=away(80), rules=RULES)
    assert later.arrived_at is None
    there = step(later.journey, fix(121, 50), destination=away(80), rules=RULES)
    assert there.arrived_at == NOW + timedelta(seconds=61)
    assert step(there.journey, fix(150, 50), destination=away(5000), rules=RULES).arrived_at is None


ways = st.lists(
    st.tuples(st.integers(1, 90), st.floats(0, 300), st.sampled_from([None, 5.0, 60.0, 150.0])), max_size=25
)


@given(ways)
@settings(deadline=None, max_examples=200)
def test_an_arrival_is_dated_by_a_fix_inside_after_which_nobody_left(
    way: list[tuple[int, float, float | None]],
) -> None:
    told: list[Fix] = []
    seconds = 0
    for wait, metres, accuracy in way:
        seconds += wait
        told.append(fix(seconds, metres, accuracy=accuracy))
    taken = list(zip(told, steps(*told), strict=True))
    proofs = [(one.recorded_at, each.arrived_at) for one, each in taken if each.arrived_at is not None]
    if proofs:
        at, began = proofs[0]
        assert {each for _, each in proofs} == {began}
        assert began is not None
        assert at - began >= timedelta(seconds=60)
        counted = [
            haversine(one.point, HOME)
            for one, each in taken
            if began <= one.recorded_at <= at and not {"suspect", "imprecise"} & {*each.noted}
        ]
        assert counted[0] < 100
        assert max(counted) <= 150


def test_an_arrival_over_the_antimeridian_is_one() -> None:
    door, here = Point(-16.8, 179.9999), Point(-16.8, -179.9999)
    taken = travelled(fix(0, 0, point=here), fix(60, 0, point=here), destination=door)
    assert taken.arrived_at == NOW
