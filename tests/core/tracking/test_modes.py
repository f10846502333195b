"""The label that people read, and the profile that the estimate goes by."""

from __future__ import annotations

from math import inf, nan
from typing import Final

import pytest

from core.tracking import mode_of
from tests.core.tracking.phone import RULES, fix, kept, kmh, through, travelled


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
    assert kept(travelled(fix(0, 2000, speed=kmh(speed)))).mode == mode


def test_a_first_fix_has_a_mode_only_if_the_phone_tells_the_speed() -> None:
    assert kept(travelled(fix(0, 2000))).mode is None


@pytest.mark.parametrize("speed", [None, -1.0, nan, inf, -inf], ids=str)
def test_an_unknown_speed_is_computed_from_the_way(speed: float | None) -> None:
    driving = travelled(fix(0, 2000, speed=speed), fix(30, 1500, speed=speed))
    walking = travelled(fix(0, 2000, speed=speed), fix(30, 1930, speed=speed))
    still = travelled(fix(0, 2000, speed=speed), fix(30, 1995, speed=speed))
    assert [kept(each).mode for each in (driving, walking, still)] == ["driving", "walking", "stationary"]


def test_the_phone_s_own_speed_goes_before_the_way() -> None:
    assert kept(travelled(fix(0, 2000), fix(30, 1500, speed=0.0))).mode == "stationary"


def test_a_speed_over_less_than_five_seconds_is_no_speed() -> None:
    assert [each.mode for each in through(fix(0, 2000), fix(4, 1960), fix(6, 1920))] == [None, None, "driving"]


# What the phone tells every 30 seconds, in km/h, and the label after it.
LABELS: Final = [
    pytest.param([50, 0, 0, 0, 0, 0], "driving", id="who drives stands at a light"),
    pytest.param([50, 0, 0, 0, 0, 0, 0], "stationary", id="and after three minutes is parked"),
    pytest.param([50, 6, 6, 6, 6, 6], "driving", id="or creeps in a jam"),
    pytest.param([50, 6, 6, 6, 6, 6, 6], "walking", id="and after three minutes without a stop walks"),
    pytest.param([50, 6, 0, 6, 0, 6, 0, 6, 0, 6, 0, 6], "driving", id="stop and go is a jam"),
    pytest.param([50, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0], "driving", id="every start counts anew"),
    pytest.param([20], "walking", id="once 20 may be a bad fix"),
    pytest.param([20, 20], "driving", id="twice are not"),
    pytest.param([20, 3, 20], "stationary-then-walking", id="if they are running"),
    pytest.param([12, 12, 12], "walking", id="12 is no vehicle"),
    pytest.param([4, 4], "stationary", id="a slow walker stands, by the label"),
]


@pytest.mark.parametrize(("speeds", "mode"), LABELS)
def test_the_label_sticks_to_a_driver(speeds: list[float], mode: str) -> None:
    # The first fix is no move yet: nobody knows for how long it was so fast.
    told = [fix(30 * number, 9000, speed=kmh(each)) for number, each in enumerate([speeds[0], *speeds], 0)]
    assert kept(travelled(*told)).mode == mode.rpartition("-")[2]


# Moves of 30 seconds in metres, and whether they go by foot after them, and what is proven.
PROFILES: Final = [
    pytest.param([], False, False, id="a vehicle is supposed"),
    pytest.param([40, 40], False, False, id="two moves prove nothing"),
    pytest.param([40, 40, 40], True, True, id="three walk"),
    pytest.param([40, 5, 40, 5, 40], True, True, id="with stops between"),
    pytest.param([5, 5, 5, 5], False, False, id="standing is no move"),
    pytest.param([40, 40, 105, 40, 40], False, False, id="unless one was too fast to walk"),
    pytest.param([105, 105], False, True, id="two fast ones are a vehicle"),
    pytest.param([350], False, True, id="or a very fast one"),
    pytest.param([350, *[40] * 19], False, True, id="which parks for long"),
    pytest.param([350, *[40] * 20], True, True, id="until they surely walk"),
    pytest.param([40, 40, 40, 105, 105], False, True, id="and get on again"),
]


@pytest.mark.parametrize(("moves", "foot", "proven"), PROFILES)
def test_the_profile_follows_the_moves(moves: list[float], foot: bool, proven: bool) -> None:
    metres = [9000.0]
    for move in moves:
        metres.append(metres[-1] - move)
    manner = kept(travelled(*(fix(30 * number, each) for number, each in enumerate(metres)))).manner
    assert (manner.foot, manner.proven) == (foot, proven)


def test_the_manner_is_the_same_for_a_phone_that_tells_more_often() -> None:
    for every in (1, 5, 10, 15, 30):
        walker = through(*(fix(each, 9000 - 1.3 * each, accuracy=8.0) for each in range(0, 301, every)))
        assert walker[-1].manner.foot
        assert walker[-1].mode == "stationary"  # 4.7 km/h, by the label's threshold
        driver = through(*(fix(each, 9000 - 8 * each) for each in range(0, 301, every)))
        assert (driver[-1].manner.vehicle, driver[-1].mode) == (True, "driving")
