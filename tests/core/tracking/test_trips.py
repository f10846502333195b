"""Whole trips: the estimate against the literal rule, and arrivals at doors against doors that are merely passed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from core.tracking import EtaRules, haversine
from tests.core.tracking.trips import Score, driven, recorded, scored, walked


@pytest.fixture(scope="module")
def driving() -> Score:
    """Score a hundred drives."""
    return scored([driven(seed) for seed in range(100)])


@pytest.fixture(scope="module")
def walking() -> Score:
    """Score a hundred walks."""
    return scored([walked(seed) for seed in range(100)])


def test_a_driver_s_estimate_errs_a_third_of_the_literal_rule(driving: Score) -> None:
    assert driving.estimates > 4000
    assert driving.ratio <= 0.35


def test_a_walker_s_estimate_errs_less_than_the_literal_rule(walking: Score) -> None:
    # Invented walkers keep their pace, which flatters the literal rule: on recorded walks the ratio is 0.5.
    assert walking.estimates > 4000
    assert walking.ratio <= 0.65


def test_the_interval_holds_eight_of_ten_arrivals(driving: Score, walking: Score) -> None:
    for score in (driving, walking):
        assert 0.70 <= score.covered <= 0.88
        assert score.covered <= score.covered_in_minutes <= 0.93


def test_every_arrival_is_seen_and_few_places_that_are_passed_are_arrived_at(driving: Score, walking: Score) -> None:
    assert (driving.missed, walking.missed) == (0, 0)
    assert driving.passed > 1000
    assert driving.false <= 0.12 * driving.passed


def test_a_longer_dwell_is_for_those_who_mind_false_arrivals_more_than_waiting(driving: Score) -> None:
    patient = scored([driven(seed) for seed in range(100)], rules=EtaRules(dwell=120.0))
    assert patient.missed == 0
    assert patient.false < driving.false


def test_invented_streets_are_like_real_ones() -> None:
    trips = [driven(seed) for seed in range(100)]
    straight = sum(haversine(trip.fixes[0].point, trip.door) for trip in trips)
    gone = sum(
        haversine(before.point, after.point)
        for trip in trips
        for before, after in pairwise(trip.fixes)
        if after.recorded_at <= trip.arrives_at
    )
    assert 1.2 < gone / straight < 1.45  # over steps of half a minute, which cut corners


def test_recorded_trips_are_read_as_they_were_measured(tmp_path: Path) -> None:
    lines = [f"{10 * number},{-34.60 - number / 5000},-58.38,8,{'' if number % 2 else 2.5}" for number in range(60)]
    (tmp_path / "drive-1.csv").write_text("\n".join(["seconds,lat,lng,accuracy,speed", *lines]))
    (trip,) = recorded(tmp_path, "drive")
    assert [fix.speed for fix in trip.fixes[:3]] == [2.5, None, 2.5]
    assert len(trip.fixes) == 20 + 10
    assert scored([trip]).missed == 0
    assert str(scored([trip])).startswith("17 estimates: error ")
    assert not list(recorded(tmp_path, "walk"))
