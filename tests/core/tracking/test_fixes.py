"""Which fixes count: every outcome has a name, and none is silently used."""

from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tracking import Fix, Journey, Step, estimate, step
from tests.contracts.samples import NOW
from tests.core.tracking.phone import HOME, RULES, away, fix, kept, kmh, steps, through, travelled


def pace(journey: Journey) -> tuple[float, float]:
    """Return the decayed metres and seconds."""
    assert journey.pace is not None
    return journey.pace.moved, journey.pace.elapsed


@pytest.mark.parametrize("seconds", [0, -1, -3600], ids=["the same", "older", "much older"])
def test_a_fix_that_is_not_newer_changes_nothing(seconds: float) -> None:
    before = kept(travelled(fix(0, 2000)))
    late = fix(seconds, 50, received_at=NOW + timedelta(seconds=5))
    assert step(before, late, destination=HOME, rules=RULES) == Step(journey=before, ignored="older_than_the_newest")


@pytest.mark.parametrize(
    ("ahead", "noted"), [(60, ()), (60.001, ("clock_ahead",)), (600, ("clock_ahead",)), (4e7, ("clock_ahead",))]
)
def test_a_clock_that_is_ahead_is_put_right(ahead: float, noted: tuple[str, ...]) -> None:
    taken = travelled(fix(0, 2000, recorded_at=NOW + timedelta(seconds=ahead)))
    assert taken.noted == noted
    assert kept(taken).fix.recorded_at == (NOW if noted else NOW + timedelta(seconds=60))


def skewed(fixes: list[Fix], seconds: float) -> list[Fix]:
    """Return the fixes as a phone measures them whose clock is so far off."""
    return [evolve(each, recorded_at=each.recorded_at + timedelta(seconds=seconds)) for each in fixes]


def test_a_clock_ten_minutes_fast_gives_the_same_trip() -> None:
    true = [fix(30 * number, 5000 - 300 * number) for number in range(12)]
    right, fast = travelled(*true), travelled(*skewed(true, 600))
    assert evolve(kept(fast), ahead=0.0) == kept(right)
    assert (kept(fast).ahead, fast.noted) == (600, ("clock_ahead",))


def test_a_clock_ten_minutes_slow_gives_positions_and_no_estimate_that_looks_fresh() -> None:
    slow = skewed([fix(30 * number, 5000 - 300 * number) for number in range(12)], -600)
    taken = travelled(*slow)
    assert taken.noted == ("old",)
    assert kept(taken).fix.point == slow[-1].point
    assert estimate(kept(taken), destination=HOME, at=slow[-1].received_at, rules=RULES) is None


def test_a_fast_clock_is_known_best_by_the_fix_that_was_least_delayed() -> None:
    delays = (20, 5, 9, 0, 3)
    late = [
        fix(30 * number + 600, 5000 - 300 * number, received_at=NOW + timedelta(seconds=30 * number + delay))
        for number, delay in enumerate(delays)
    ]
    journeys = through(*late)
    assert [each.ahead for each in journeys] == [580, 595, 595, 600, 600]
    assert pace(journeys[-1])[1] == pytest.approx(
        pace(through(*(fix(30 * n, 5000 - 300 * n) for n in range(5)))[-1])[1]
    )


def test_a_queue_from_a_fast_clock_is_a_trip_too() -> None:
    came = NOW + timedelta(seconds=300)
    queue = [fix(30 * number + 600, 5000 - 300 * number, received_at=came) for number in range(11)]
    last = kept(travelled(*queue))
    assert last.fix.point == queue[-1].point
    assert pace(last) == pytest.approx(pace(kept(travelled(*(fix(30 * n, 5000 - 300 * n) for n in range(11))))))


def test_a_clock_that_is_set_right_on_the_way_loses_no_fix() -> None:
    fast = skewed([fix(0, 5000), fix(30, 4700)], 3600)
    taken = steps(*fast, fix(60, 4400), fix(90, 4100))
    assert [each.ignored for each in taken] == [None] * 4
    assert pace(kept(taken[-1])) == pytest.approx(
        pace(kept(travelled(*(fix(30 * n, 5000 - 300 * n) for n in range(4)))))
    )


@pytest.mark.parametrize("accuracy", [100.1, 5000.0])
def test_an_unsure_fix_is_drawn_and_is_no_basis_for_anything_else(accuracy: float) -> None:
    before = kept(travelled(fix(0, 2000, speed=kmh(50)), fix(30, 1500, speed=kmh(50))))
    unsure = fix(60, 20, accuracy=accuracy, speed=0.0)
    after = step(before, unsure, destination=HOME, rules=RULES)
    assert after == Step(journey=evolve(before, fix=unsure), noted=("imprecise",))
    at = unsure.received_at
    assert estimate(after.journey, destination=HOME, at=at, rules=RULES) == estimate(
        before, destination=HOME, at=at, rules=RULES
    )
    assert step(None, unsure, destination=HOME, rules=RULES) == Step(journey=Journey(fix=unsure), noted=("imprecise",))
    again = kept(step(after.journey, fix(90, 900), destination=HOME, rules=RULES))
    assert again == kept(step(before, fix(90, 900), destination=HOME, rules=RULES))


@pytest.mark.parametrize("accuracy", [100.0, None, -1.0, nan, inf])
def test_a_hundred_metres_and_not_knowing_are_sure_enough(accuracy: float | None) -> None:
    assert kept(travelled(fix(0, 20, accuracy=accuracy))).pace is not None


def test_a_suspect_is_held_and_dropped_when_nothing_confirms_it() -> None:
    before = kept(travelled(fix(0, 5000), fix(30, 4700)))
    spoofed, back = fix(60, 50), fix(90, 4100)
    held = step(before, spoofed, destination=HOME, rules=RULES)
    assert held == Step(journey=evolve(before, suspect=spoofed), noted=("suspect",))
    assert step(held.journey, back, destination=HOME, rules=RULES) == step(before, back, destination=HOME, rules=RULES)


def test_a_suspect_that_is_confirmed_is_where_the_trip_goes_on() -> None:
    before = kept(travelled(fix(0, 30_000), fix(30, 29_700)))
    held = step(before, fix(60, 9000), destination=HOME, rules=RULES)
    there = step(held.journey, fix(90, 8900), destination=HOME, rules=RULES)
    assert (there.noted, there.arrived_at) == (("re_anchored",), None)
    after = kept(there)
    assert (after.fix.point, after.suspect, pace(after)) == (away(8900), None, pace(before))
    assert after.mode is None


def test_each_leap_is_a_suspect_of_its_own() -> None:
    before = kept(travelled(fix(0, 50_000)))
    first = step(before, fix(30, 30_000), destination=HOME, rules=RULES)
    second = step(first.journey, fix(60, 10_000), destination=HOME, rules=RULES)
    assert (second.noted, kept(second).suspect) == (("suspect",), fix(60, 10_000))
    assert kept(second).fix == before.fix


@pytest.mark.parametrize(
    ("moved", "seconds", "suspect"), [(49, 0.1, False), (51, 0.9, True), (1501, 30, True), (1499, 30, False)]
)
def test_nobody_goes_faster_than_180(moved: float, seconds: float, suspect: bool) -> None:
    assert (travelled(fix(0, 5000), fix(seconds, 5000 - moved)).noted == ("suspect",)) is suspect


def test_a_ferry_or_a_tunnel_teaches_no_speed() -> None:
    before = kept(travelled(*(fix(30 * number, 60_000 - 300 * number) for number in range(10))))
    ashore = kept(travelled(*(fix(30 * number, 60_000 - 300 * number) for number in range(10)), fix(270 + 3600, 9000)))
    assert pace(before)[0] > 0
    assert pace(ashore) == (0, 0)
    assert ashore.goal is not None
    assert ashore.goal.expected == pytest.approx(280 * 8.9**0.7)
    leapt = steps(fix(0, 90_000), fix(700, 9000), fix(730, 8700))
    assert [each.noted for each in leapt] == [(), ("suspect",), ("re_anchored",)]
    assert pace(kept(leapt[-1])) == (0, 0)


@pytest.mark.parametrize(("gap", "noted"), [(600, ()), (600.5, ("gap",))])
def test_after_ten_minutes_the_pace_is_forgotten(gap: float, noted: tuple[str, ...]) -> None:
    taken = travelled(fix(0, 9000), fix(30, 8700), fix(30 + gap, 5000))
    assert taken.noted == noted
    assert (pace(kept(taken)) == (0, 0)) is bool(noted)
    assert (kept(taken).mode is None) is bool(noted)


@pytest.mark.parametrize(
    ("moved", "accuracy", "counted"),
    [
        (14.9, 5.0, False),
        (15.2, 5.0, True),
        (29.0, 30.0, False),
        (31.0, 30.0, True),
        (14.9, None, False),
        (15.2, None, True),
        (14.9, -1.0, False),
        (14.9, nan, False),
    ],
)
def test_a_move_within_the_error_is_no_move(moved: float, accuracy: float | None, counted: bool) -> None:
    taken = travelled(fix(0, 2000), fix(60, 2000 - moved, accuracy=accuracy))
    assert pace(kept(taken)) == pytest.approx((moved if counted else 0, 60), abs=0.1)
    assert taken.noted == (() if counted else ("jitter",))
    assert kept(taken).fix.point == away(2000 - moved)


def test_the_pace_is_forgotten_with_time() -> None:
    moved, elapsed = pace(kept(travelled(fix(0, 9000), fix(600, 3000), fix(1200, 3000))))
    assert elapsed == pytest.approx(600 * 0.3679 + 600, rel=1e-3)
    assert moved == pytest.approx(6000 * 0.3679, rel=1e-3)


@pytest.mark.parametrize("every", [1, 2, 5, 10, 15, 30])
def test_the_pace_does_not_depend_on_how_often_a_phone_tells(every: int) -> None:
    moved, elapsed = pace(kept(travelled(*(fix(each, 9000 - 1.3 * each) for each in range(0, 601, every)))))
    assert moved / elapsed == pytest.approx(1.3, rel=0.01)
    assert elapsed == pytest.approx(380, rel=0.1)


def test_five_hundred_fixes_in_one_call_are_the_trip_that_they_were() -> None:
    came = NOW + timedelta(seconds=30 * 500)
    queue = [fix(30 * number, 60_000 - 110 * number, received_at=came) for number in range(500)]
    live = [fix(30 * number, 60_000 - 110 * number) for number in range(500)]
    taken = steps(*queue)
    assert pace(kept(taken[-1])) == pace(kept(travelled(*live)))
    assert {each.noted for each in taken} == {("old",), ()}
    eta = estimate(kept(taken[-1]), destination=HOME, at=came, rules=RULES)
    assert eta is not None


def lists(*received: float) -> st.SearchStrategy[list[Fix]]:
    """Give fixes that came at some of these seconds."""
    return st.lists(
        st.builds(
            fix,
            st.integers(-30, 600),
            st.floats(0, 5000, allow_nan=False),
            accuracy=st.sampled_from([None, 5.0, 30.0, 99.0, 150.0, nan, -1.0]),
            speed=st.sampled_from([None, 0.0, 3.0, 15.0, nan, -1.0, inf]),
            received_at=st.sampled_from([NOW + timedelta(seconds=each) for each in received]),
        ),
        min_size=1,
        max_size=20,
    )


fixes = lists(600, -300)


@given(fixes)
@settings(deadline=None, max_examples=200)
def test_every_fix_twice_is_the_same_as_once(many: list[Fix]) -> None:
    twice = [each for one in many for each in (one, one)]
    assert repr(travelled(*twice)) == repr(_as_ignored(travelled(*many)))  # NaN differs from itself


def _as_ignored(taken: Step) -> Step:
    return Step(journey=taken.journey, arrived_at=taken.arrived_at, ignored="older_than_the_newest")


@given(st.one_of(lists(600), lists(-300)))
@settings(deadline=None, max_examples=100)
def test_fixes_in_reverse_order_leave_the_newest_alone(many: list[Fix]) -> None:
    ordered = sorted(many, key=lambda each: each.recorded_at, reverse=True)
    assert repr(kept(travelled(*ordered))) == repr(kept(travelled(ordered[0])))


@given(fixes)
@settings(deadline=None, max_examples=200)
def test_every_outcome_has_its_name(many: list[Fix]) -> None:
    names = {"clock_ahead", "imprecise", "suspect", "re_anchored", "gap", "old", "jitter"}
    journey: Journey | None = None
    for one in many:
        taken = step(journey, one, destination=HOME, rules=RULES)
        after = kept(taken)
        assert set(taken.noted) <= names
        if taken.ignored is not None:
            assert (taken.ignored, taken.noted, after is journey) == ("older_than_the_newest", (), True)
        elif "suspect" in taken.noted:
            assert journey is not None
            assert repr(evolve(after, suspect=None, ahead=0.0)) == repr(evolve(journey, suspect=None, ahead=0.0))
        else:
            assert after.fix.point == one.point
            if "imprecise" in taken.noted:
                assert after.pace is (None if journey is None else journey.pace)
            else:
                assert after.pace is not None
                assert after.pace.fix is after.fix
        journey = after


def test_where_nobody_is_known_to_go_a_trip_is_drawn_and_nothing_more() -> None:
    taken = travelled(fix(0, 2000), fix(30, 1700), destination=None)
    assert kept(taken).goal is None
    assert kept(taken).mode == "walking"
    assert estimate(kept(taken), destination=None, at=NOW, rules=RULES) is None
