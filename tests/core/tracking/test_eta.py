"""From fixes to an honest ETA."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from math import inf, nan
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tracking import Eta, EtaRules, Fix, Journey, Point, estimate, guided, step
from core.tracking.modes import DRIVER, Manner
from core.tracking.pace import Pace
from tests.contracts.samples import NOW
from tests.core.tracking.phone import HOME, RULES, away, fix, kept, through, travelled

WALKER: Final = Manner(foot=True)


def seen(metres: float, *, moved: float = 0, elapsed: float = 0, manner: Manner = DRIVER, **changes: Any) -> Journey:
    """Return a journey whose newest fix is so far from home."""
    newest = fix(0, metres, **changes)
    return Journey(fix=newest, manner=manner, pace=Pace(newest, newest.point, 0.0, moved, elapsed))


def told(journey: Journey | None, *, destination: Point | None = HOME, after: float = 0, **changes: Any) -> Eta:
    """Return the estimate so many seconds from now."""
    eta = estimate(journey, destination=destination, at=NOW + timedelta(seconds=after), rules=RULES, **changes)
    assert eta is not None
    return eta


def test_there_is_no_eta_without_a_fix_that_counts_or_a_destination() -> None:
    unsure = kept(travelled(fix(0, 1000, accuracy=500.0)))
    for journey, destination in ((None, HOME), (seen(1000), None), (unsure, HOME)):
        assert estimate(journey, destination=destination, at=NOW, rules=RULES) is None


@pytest.mark.parametrize(("seconds", "known"), [(299, True), (300, True), (300.001, False), (3600, False)])
def test_there_is_no_eta_from_a_fix_older_than_five_minutes(seconds: float, known: bool) -> None:
    at = NOW + timedelta(seconds=seconds)
    assert (estimate(seen(1000), destination=HOME, at=at, rules=RULES) is not None) is known


def test_a_fix_is_as_old_as_its_measurement_whenever_it_came() -> None:
    late = kept(travelled(fix(-310, 1000, received_at=NOW)))
    assert estimate(late, destination=HOME, at=NOW, rules=RULES) is None
    assert told(kept(travelled(fix(-180, 1100, received_at=NOW)))).seconds == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    ("metres", "manner", "seconds", "minutes", "arriving"),
    [
        (0, DRIVER, 0.0, (0, 1), True),
        (100, DRIVER, 0.0, (0, 1), True),
        (499, DRIVER, 147.2, (1, 5), True),
        (501, DRIVER, 147.8, (1, 5), False),
        (1100, DRIVER, 280.0, (2, 9), False),
        (10_100, DRIVER, 1403.3, (14, 45), False),
        (1100, WALKER, 900.0, (12, 30), False),
        (3100, WALKER, 2700.0, (36, 89), False),
        (1100, Manner(), 280.0, (2, 17), False),
    ],
)
def test_an_eta_is_an_interval_in_whole_minutes_rounded_outward(
    metres: float, manner: Manner, seconds: float, minutes: tuple[int, int], arriving: bool
) -> None:
    eta = told(seen(metres, manner=manner))
    assert eta.seconds == pytest.approx(seconds, rel=5e-3, abs=1)
    assert (eta.low_minutes, eta.high_minutes, eta.arriving) == (*minutes, arriving)


@pytest.mark.parametrize(
    ("moved", "elapsed", "factor"),
    [
        pytest.param(0, 0, 1.0, id="nothing known"),
        pytest.param(33 / 3.6 * 600, 600, 1.0, id="as supposed"),
        pytest.param(0, 600, 1.5, id="ten minutes in a jam"),
        pytest.param(0, 1e9, 2.0, id="for ever: twice at most"),
        pytest.param(1e9, 600, 0.5, id="by rocket: half at least"),
    ],
)
def test_the_trip_s_own_pace_corrects_the_eta(moved: float, elapsed: float, factor: float) -> None:
    journey = seen(1100, moved=moved, elapsed=elapsed)
    assert told(journey).seconds == pytest.approx(280 * factor, rel=1e-3)
    assert told(journey, base=1000.0).seconds == pytest.approx(1000 * factor, rel=1e-3)


@pytest.mark.parametrize("base", [None, nan, inf, -inf, -1.0, 1e300, 604_801.0])
def test_what_a_routing_engine_cannot_mean_is_not_believed(base: float | None) -> None:
    assert told(seen(1100), base=base) == told(seen(1100))


def test_a_routing_engine_s_time_is_taken_whatever_the_distance() -> None:
    (known,) = through(fix(0, 5000))
    eta = told(known, base=600.0)
    assert (eta.seconds, eta.low_minutes, eta.high_minutes) == (600.0, 5, 35)


def test_who_walks_does_not_go_by_a_car_s_time() -> None:
    assert told(seen(3100, manner=WALKER), base=60.0) == told(seen(3100, manner=WALKER))


def test_a_routing_engine_asked_once_guides_the_whole_way() -> None:
    (first,) = through(fix(0, 5000))
    journey = guided(first, 1200.0, rules=RULES)
    assert told(journey).seconds == pytest.approx(1200)
    assert (told(journey).low_minutes, told(journey).high_minutes) == (10, 70)
    plain, led = first, journey
    for number in range(1, 12):
        at = fix(30 * number, 5000 - 300 * number)
        plain = kept(step(plain, at, destination=HOME, rules=RULES))
        led = kept(step(led, at, destination=HOME, rules=RULES))
        factor = told(led, after=30 * number).seconds / told(plain, after=30 * number).seconds
        assert factor == pytest.approx(1200 / (280 * 4.9**0.7))
    elsewhere = kept(step(led, fix(400, 1600), destination=away(9000), rules=RULES))
    assert elsewhere.goal is not None
    assert elsewhere.goal.guide is None


@pytest.mark.parametrize("seconds", [None, nan, inf, -inf, 0.0, -1.0, 1e300, 604_801.0])
def test_an_engine_without_an_answer_has_been_asked_and_changes_nothing(seconds: float | None) -> None:
    (journey,) = through(fix(0, 5000))
    assert journey.goal is not None
    asked = guided(journey, seconds, rules=RULES)
    assert asked == evolve(journey, goal=evolve(journey.goal, guide=1.0))
    assert told(asked) == told(journey)


def test_an_engine_is_not_believed_about_the_last_metres_nor_about_nowhere() -> None:
    (near,) = through(fix(0, 400))
    assert told(guided(near, 3600.0, rules=RULES)) == told(near)
    (nowhere,) = through(fix(0, 400), destination=None)
    assert guided(nowhere, 3600.0, rules=RULES) == nowhere


@pytest.mark.parametrize(
    ("age", "metres", "seconds"),
    [(120, 1100, 280), (180, 1100, 100), (240, 1100, 60), (300, 1100, 60), (180, 100, 0), (180, 10_100, 1223)],
)
def test_a_fix_older_than_two_minutes_counts_down_to_a_minute(age: float, metres: float, seconds: float) -> None:
    assert told(seen(metres), after=age).seconds == pytest.approx(seconds, rel=5e-3, abs=0.5)


def test_ten_minutes_of_standing_still_let_the_eta_grow_slowly() -> None:
    etas = [
        told(journey, after=30 * number).seconds
        for number, journey in enumerate(through(*(fix(30 * number, 5000, speed=0.0) for number in range(21))))
    ]
    assert all(before <= after <= 1.06 * before for before, after in pairwise(etas))
    assert etas[0] < etas[-1] <= 2 * etas[0]


def test_where_they_already_are_the_eta_is_nothing_and_never_less() -> None:
    eta = told(kept(travelled(fix(0, 0), fix(30, 0))), after=30)
    assert (eta.seconds, eta.low_minutes, eta.high_minutes, eta.arriving) == (0.0, 0, 1, True)


def test_another_destination_has_another_eta() -> None:
    journey = kept(travelled(fix(0, 5000), fix(30, 4700)))
    elsewhere = away(9000)
    assert told(journey, destination=elsewhere, after=30).seconds == pytest.approx(
        told(
            kept(travelled(fix(0, 5000), fix(30, 4700), destination=elsewhere)), destination=elsewhere, after=30
        ).seconds
    )
    assert journey.goal is not None
    changed = kept(step(journey, fix(60, 4400), destination=elsewhere, rules=RULES)).goal
    assert changed is not None
    assert changed.destination == elsewhere
    assert changed.shown == changed.expected


@pytest.mark.parametrize(
    ("metres", "seconds", "rests"),
    [
        pytest.param((5100, 4900), 60, True, id="a few seconds are no news"),
        pytest.param((5100, 4100), 110, False, id="two minutes are"),
        pytest.param((40_100, 37_900), 240, True, id="of an hour two minutes are none"),
        pytest.param((40_100, 34_000), 550, False, id="a tenth of it is"),
    ],
)
def test_what_is_shown_rests_until_it_is_wrong_by_a_minute_and_a_tenth(
    metres: tuple[float, float], seconds: float, rests: bool
) -> None:
    before, after = (each.goal for each in through(fix(0, metres[0]), fix(seconds, metres[1])))
    assert before is not None
    assert after is not None
    assert after.expected != before.expected
    assert (after.shown == before.shown) is rests
    assert rests or after.shown == after.expected


def test_what_is_shown_follows_a_whole_trip_closely() -> None:
    shown: list[float] = []
    for journey in through(*(fix(30 * number, 9000 - 240 * number) for number in range(36))):
        assert journey.goal is not None
        assert abs(journey.goal.shown - journey.goal.expected) <= max(60, 0.1 * journey.goal.shown)
        shown.append(journey.goal.shown)
    assert shown == sorted(shown, reverse=True)
    assert 8 < len(set(shown)) < 20


points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180).filter(lambda lng: lng != 0))
anything = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
wild = st.lists(
    st.builds(
        lambda point, second, late, accuracy, speed: Fix(
            point=point,
            recorded_at=NOW + timedelta(seconds=second),
            received_at=NOW + timedelta(seconds=second + late),
            accuracy=accuracy,
            speed=speed,
        ),
        st.one_of(points, st.builds(away, st.floats(-5000, 5000))),
        st.floats(-1e7, 1e7),
        st.floats(-1e6, 1e6),
        anything,
        anything,
    ),
    max_size=12,
)


@given(wild, st.one_of(points, st.just(HOME), st.none()), anything, st.floats(-1000, 1000))
@settings(deadline=None, max_examples=200)
def test_whatever_a_phone_sends_no_eta_is_absurd(
    many: list[Fix], destination: Point | None, base: float | None, later: float
) -> None:
    journey = None
    for one in many:
        taken = step(journey, one, destination=destination, rules=RULES)
        journey = kept(taken)
        at = one.received_at + timedelta(seconds=later)
        eta = estimate(journey, destination=destination, at=at, rules=RULES)
        assert eta is None or (0 <= eta.seconds < 7 * 86_400 and 0 <= eta.low_minutes < eta.high_minutes)
        routed = estimate(journey, destination=destination, at=at, rules=RULES, base=base)
        assert routed is None or 0 <= routed.seconds <= 2 * RULES.longest
        if taken.arrived_at is not None and taken.ignored is None:  # what comes late may be from before
            assert taken.arrived_at <= one.recorded_at


def test_all_numbers_can_be_changed() -> None:
    slower = evolve(RULES, vehicle=evolve(RULES.vehicle, base=560.0))
    eta = estimate(seen(1100), destination=HOME, at=NOW, rules=slower)
    assert eta is not None
    assert eta.seconds == pytest.approx(560, rel=1e-3)
    assert EtaRules() == RULES
