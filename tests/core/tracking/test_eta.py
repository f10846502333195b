"""From fixes to a mode, an arrival and an honest ETA."""

from __future__ import annotations

from datetime import timedelta
from math import inf, nan
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tracking import EtaRules, Fix, Journey, Point, Step, estimate, mode_of, step
from tests.contracts.samples import NOW

RULES: Final = EtaRules()
HOME: Final = Point(-34.6037, -58.3816)
METRE: Final = 1 / 111_195.08  # of latitude, in degrees


def away(metres: float) -> Point:
    """Return the point so far north of home."""
    return Point(HOME.lat + metres * METRE, HOME.lng)


def fix(seconds: float, metres: float, **changes: Any) -> Fix:
    """Return what a phone measured so many seconds from now and metres from home."""
    at = NOW + timedelta(seconds=seconds)
    wanted: dict[str, Any] = {"point": away(metres), "recorded_at": at, "received_at": at, "accuracy": 10.0, **changes}
    return Fix(**wanted)


def travelled(*fixes: Fix, destination: Point | None = HOME) -> Step:
    """Take the fixes one after the other and return the last step."""
    journey, last = None, Step(journey=None)
    for each in fixes:
        last = step(journey, each, destination=destination, rules=RULES)
        journey = last.journey
    return last


def kept(taken: Step) -> Journey:
    assert taken.journey is not None
    return taken.journey


def kmh(speed: float) -> float:
    return speed / 3.6


@pytest.mark.parametrize(
    ("speed", "mode"),
    [
        (0.0, "stationary"),
        (4.999, "stationary"),
        (5.0, "walking"),
        (5.001, "walking"),
        (39.999, "walking"),
        (40.0, "walking"),
        (40.001, "driving"),
        (120.0, "driving"),
    ],
)
def test_exactly_five_and_exactly_forty_are_walking(speed: float, mode: str) -> None:
    assert mode_of(kmh(speed), RULES) == mode


@pytest.mark.parametrize(
    ("seconds_ahead", "ignored"), [(60, None), (60.001, "from_the_future"), (3600, "from_the_future")]
)
def test_a_fix_from_the_future_is_ignored(seconds_ahead: float, ignored: str | None) -> None:
    early = fix(0, 1000, recorded_at=NOW + timedelta(seconds=seconds_ahead))
    assert step(None, early, destination=HOME, rules=RULES).ignored == ignored


@pytest.mark.parametrize("seconds", [0, -1, -3600], ids=["the same", "older", "much older"])
def test_a_fix_that_is_not_newer_is_ignored(seconds: float) -> None:
    before = kept(travelled(fix(0, 2000)))
    late = fix(seconds, 50, received_at=NOW + timedelta(seconds=5))
    assert step(before, late, destination=HOME, rules=RULES) == Step(journey=before, ignored="older_than_the_newest")


def test_an_ignored_first_fix_leaves_no_journey() -> None:
    early = fix(0, 1000, recorded_at=NOW + timedelta(hours=1))
    assert step(None, early, destination=HOME, rules=RULES).journey is None


def test_a_first_fix_has_a_mode_only_if_the_phone_tells_the_speed() -> None:
    assert kept(travelled(fix(0, 2000))).mode is None
    assert kept(travelled(fix(0, 2000, speed=kmh(50)))).mode == "driving"
    assert kept(travelled(fix(0, 2000, speed=0.0))).mode == "stationary"


@pytest.mark.parametrize("speed", [None, -1.0, nan, inf, -inf], ids=str)
def test_an_unknown_speed_is_computed_from_the_way(speed: float | None) -> None:
    driving = travelled(fix(0, 2000, speed=speed), fix(30, 1500, speed=speed))
    walking = travelled(fix(0, 2000, speed=speed), fix(30, 1930, speed=speed))
    assert (kept(driving).mode, kept(walking).mode) == ("driving", "walking")


def test_the_phone_s_own_speed_goes_before_the_way() -> None:
    assert kept(travelled(fix(0, 2000), fix(30, 1500, speed=0.0))).mode == "stationary"


@pytest.mark.parametrize(
    ("moved", "accuracy", "counted"),
    [
        (14.9, 5.0, False),
        (15.2, 5.0, True),
        (29.0, 30.0, False),
        (31.0, 30.0, True),
        (29.0, None, False),
        (31.0, None, True),
        (29.0, -1.0, False),
        (29.0, nan, False),
    ],
)
def test_a_move_within_the_error_is_no_move(moved: float, accuracy: float | None, counted: bool) -> None:
    journey = kept(travelled(fix(0, 2000), fix(30, 2000 - moved, accuracy=accuracy)))
    assert journey.moved == pytest.approx(moved if counted else 0, abs=0.1)
    assert journey.elapsed == 30
    assert journey.fix.point == away(2000 - moved)


def test_the_pace_is_forgotten_with_time() -> None:
    journey = kept(travelled(fix(0, 9000), fix(600, 3000), fix(1200, 3000)))
    assert journey.elapsed == pytest.approx(600 * 0.3679 + 600, rel=1e-3)
    assert journey.moved == pytest.approx(6000 * 0.3679, rel=1e-3)


def test_an_unsure_fix_is_drawn_and_is_no_basis_for_anything_else() -> None:
    before = kept(travelled(fix(0, 2000, speed=kmh(50)), fix(30, 1500, speed=kmh(50))))
    unsure = fix(60, 20, accuracy=100.1, speed=0.0)
    after = step(before, unsure, destination=HOME, rules=RULES)
    assert after == Step(journey=evolve(before, fix=unsure))
    assert step(None, unsure, destination=HOME, rules=RULES) == Step(journey=Journey(fix=unsure))


def test_a_hundred_metres_are_still_sure() -> None:
    assert kept(travelled(fix(0, 20, accuracy=100.0))).inside == 1


# Fixes (seconds, metres from home, accuracy) and the second that the arrival is dated by, or None.
ARRIVALS: Final = [
    pytest.param([(0, 50, 10)], None, id="a first fix inside proves nothing"),
    pytest.param([(0, 50, 10), (59, 50, 10)], None, id="nor do 59 seconds"),
    pytest.param([(0, 50, 10), (60, 50, 10)], 0, id="a minute does"),
    pytest.param([(0, 400, 10), (30, 90, 10), (60, 60, 10), (90, 50, 10)], 30, id="dated by the first fix inside"),
    pytest.param([(0, 100.5, 10), (60, 100.5, 10), (120, 100.5, 10)], None, id="the circle's edge is outside"),
    pytest.param([(0, 99.5, 10), (60, 99.5, 10)], 0, id="just within is inside"),
    pytest.param([(0, 90, 10), (30, 120, 10), (60, 90, 10)], 0, id="a step over the edge is no leaving"),
    pytest.param([(0, 90, 10), (30, 160, 10), (60, 90, 10)], None, id="150 metres away is"),
    pytest.param([(0, 90, 10), (30, 160, 10), (60, 90, 60), (120, 90, 60)], 60, id="and who comes back begins anew"),
    pytest.param([(0, 2000, 10), (30, 10, 10), (45, 10, 10)], None, id="a jump onto the door"),
    pytest.param([(0, 2000, 10), (30, 10, 10), (60, 10, 10), (90, 10, 10)], 30, id="that stays there"),
    pytest.param([(0, 90, 10), (30, 45, 10), (60, 45, 10)], None, id="a leap inside begins the minute anew"),
    pytest.param([(0, 90, 10), (30, 55, 10), (60, 50, 10)], 0, id="a step of 35 metres does not"),
    pytest.param([(0, 90, 40), (30, 20, 40), (60, 20, 40)], 0, id="and for an unsure phone one of 70 neither"),
    pytest.param([(0, 50, 10), (30, 50, 500), (60, 50, 10)], 0, id="an unsure fix between does not matter"),
    pytest.param([(0, 50, 500), (60, 50, 500), (120, 50, 500)], None, id="unsure fixes alone prove nothing"),
    pytest.param([(0, 10, 10), (1, 10, 10), (2, 10, 10)], None, id="three fixes in two seconds"),
]


@pytest.mark.parametrize(("fixes", "arrived"), ARRIVALS)
def test_an_arrival_is_two_calm_fixes_a_minute_apart(fixes: list[tuple[float, ...]], arrived: float | None) -> None:
    taken = travelled(*(fix(seconds, metres, accuracy=accuracy) for seconds, metres, accuracy in fixes))
    assert taken.arrived_at == (None if arrived is None else NOW + timedelta(seconds=arrived))
    assert taken.ignored is None


def test_nobody_arrives_at_an_unknown_place() -> None:
    taken = travelled(fix(0, 0), fix(60, 0), fix(120, 0), destination=None)
    assert (taken.arrived_at, kept(taken).inside) == (None, 0)


def seen(metres: float, *, moved: float = 0, elapsed: float = 0, **changes: Any) -> Journey:
    return Journey(fix=fix(0, metres, **changes), moved=moved, elapsed=elapsed)


def test_there_is_no_eta_without_a_fix_or_a_destination() -> None:
    assert estimate(None, destination=HOME, at=NOW, rules=RULES) is None
    assert estimate(seen(1000), destination=None, at=NOW, rules=RULES) is None


@pytest.mark.parametrize(("seconds", "known"), [(299, True), (300, True), (300.001, False), (3600, False)])
def test_there_is_no_eta_from_a_fix_older_than_five_minutes(seconds: float, known: bool) -> None:
    at = NOW + timedelta(seconds=seconds)
    assert (estimate(seen(1000), destination=HOME, at=at, rules=RULES) is not None) is known


@pytest.mark.parametrize(
    ("metres", "seconds", "low", "high", "arriving"),
    [
        (0, 0.0, 0, 1, True),
        (100, 0.0, 0, 1, True),
        (499, 147.2, 1, 5, True),
        (501, 147.8, 1, 5, False),
        (1100, 280.0, 2, 9, False),
        (10_100, 1403.3, 14, 45, False),
    ],
)
def test_an_eta_is_an_interval_in_whole_minutes_rounded_outward(
    metres: float,
    seconds: float,
    low: int,
    high: int,
    arriving: bool,
) -> None:
    eta = estimate(seen(metres), destination=HOME, at=NOW, rules=RULES)
    assert eta is not None
    assert eta.seconds == pytest.approx(seconds, rel=5e-3, abs=1)
    assert (eta.low_minutes, eta.high_minutes, eta.arriving) == (low, high, arriving)


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
    eta = estimate(seen(1100, moved=moved, elapsed=elapsed), destination=HOME, at=NOW, rules=RULES)
    assert eta is not None
    assert eta.seconds == pytest.approx(280 * factor, rel=1e-3)


@pytest.mark.parametrize(
    ("age", "metres", "seconds"),
    [(120, 1100, 280), (180, 1100, 100), (240, 1100, 60), (300, 1100, 60), (180, 100, 0), (180, 10_100, 1223)],
)
def test_a_fix_older_than_two_minutes_counts_down_to_a_minute(age: float, metres: float, seconds: float) -> None:
    eta = estimate(seen(metres), destination=HOME, at=NOW + timedelta(seconds=age), rules=RULES)
    assert eta is not None
    assert eta.seconds == pytest.approx(seconds, rel=5e-3, abs=0.5)


def test_ten_minutes_of_standing_still_keep_the_eta_finite() -> None:
    fixes = [fix(30 * number, 5000, speed=0.0) for number in range(21)]
    taken = travelled(*fixes)
    eta = estimate(kept(taken), destination=HOME, at=fixes[-1].received_at, rules=RULES)
    first = estimate(seen(5000), destination=HOME, at=NOW, rules=RULES)
    assert eta is not None
    assert first is not None
    assert first.seconds < eta.seconds <= 2 * first.seconds


fixes = st.lists(
    st.builds(
        fix,
        st.integers(-30, 600),
        st.floats(0, 5000, allow_nan=False),
        accuracy=st.sampled_from([None, 5.0, 30.0, 99.0, 150.0, nan, -1.0]),
        speed=st.sampled_from([None, 0.0, 3.0, 15.0, nan, -1.0, inf]),
        received_at=st.just(NOW + timedelta(seconds=600)),
    ),
    min_size=1,
    max_size=20,
)


@given(fixes)
@settings(deadline=None, max_examples=150)
def test_every_fix_twice_is_the_same_as_once(many: list[Fix]) -> None:
    twice = [each for one in many for each in (one, one)]
    assert repr(travelled(*twice).journey) == repr(travelled(*many).journey)  # NaN differs from itself


@given(fixes)
@settings(deadline=None, max_examples=150)
def test_whatever_a_phone_sends_the_state_stays_sane(many: list[Fix]) -> None:
    journey = None
    for one in many:
        taken = step(journey, one, destination=HOME, rules=RULES)
        if taken.ignored:
            assert (taken.journey, taken.arrived_at) == (journey, None)
        elif journey is not None:
            assert kept(taken).fix.recorded_at > journey.fix.recorded_at
        if taken.arrived_at is not None:
            assert one.recorded_at - taken.arrived_at >= timedelta(seconds=60)
        journey = taken.journey
        eta = estimate(journey, destination=HOME, at=one.received_at, rules=RULES)
        assert eta is None or (0 <= eta.seconds < inf and eta.low_minutes <= eta.high_minutes)


@given(fixes)
@settings(deadline=None, max_examples=60)
def test_fixes_in_reverse_order_leave_the_newest_alone(many: list[Fix]) -> None:
    ordered = sorted(many, key=lambda each: each.recorded_at, reverse=True)
    assert kept(travelled(*ordered)).fix is ordered[0]
