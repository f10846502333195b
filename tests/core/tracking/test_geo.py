"""Distance on the sphere, and what is no place on it."""

from __future__ import annotations

from math import inf, nan, pi

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel.errors import Invalid
from core.tracking import NotAPosition, Point, haversine
from core.tracking.geo import EARTH_RADIUS

HALF_ROUND = pi * EARTH_RADIUS


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        pytest.param((-34.6037, -58.3816), (-34.6083, -58.3712), 1080.56, id="Obelisco to Plaza de Mayo"),
        pytest.param((90, 0.0), (-90, 0.0), 20_015_114, id="pole to pole"),
        pytest.param((0, 179.999), (0, -179.999), 222.4, id="over the antimeridian"),
        pytest.param((90, 10.0), (90, -170.0), 0, id="a pole has one place and every longitude"),
        pytest.param((0.0, 10.0), (0.0, -170.0), HALF_ROUND, id="antipodes on the equator"),
        pytest.param((34.6037, 58.3816), (-34.6037, -121.6184), HALF_ROUND, id="antipodes off it"),
        pytest.param((0.0, 1.0), (1.0, 1.0), 111_195.08, id="a degree of latitude"),
        pytest.param((60.0, 0.0), (60.0, 1.0), 55_596.9, id="a degree of longitude at 60 north"),
        pytest.param((-34.6037, -58.3816), (-34.6037, -58.3816), 0, id="nowhere to go"),
    ],
)
def test_known_distances(a: tuple[float, float], b: tuple[float, float], metres: float) -> None:
    assert haversine(Point(*a), Point(*b)) == pytest.approx(metres, rel=1e-4, abs=1e-6)


points = st.builds(
    Point, st.floats(-90, 90, allow_nan=False), st.floats(-180, 180, allow_nan=False).filter(lambda lng: lng % 180 != 0)
)


@given(points, points, points)
@settings(deadline=None, max_examples=150)
def test_it_is_a_distance(a: Point, b: Point, c: Point) -> None:
    assert 0 <= haversine(a, b) <= HALF_ROUND * (1 + 1e-12)
    assert haversine(a, b) == pytest.approx(haversine(b, a), abs=1e-6)
    assert haversine(a, c) <= haversine(a, b) + haversine(b, c) + 1e-1  # near antipodes asin loses centimetres


@given(points)
@settings(deadline=None, max_examples=100)
def test_the_other_side_of_the_earth_is_half_round(point: Point) -> None:
    other = Point(-point.lat, point.lng - 180 if point.lng > 0 else point.lng + 180)
    assert haversine(point, other) == pytest.approx(HALF_ROUND, rel=1e-7)


@pytest.mark.parametrize(
    ("lat", "lng", "field"),
    [
        (nan, 0.0, "lat"),
        (0.0, nan, "lat"),
        (inf, 0.0, "lat"),
        (0.0, -inf, "lat"),
        (90.000001, 1.0, "lat"),
        (-91.0, 1.0, "lat"),
        (1.0, 180.000001, "lng"),
        (1.0, -181.0, "lng"),
        (0.0, 0.0, "lat"),
        (-0.0, 0.0, "lat"),
    ],
)
def test_what_is_no_place_is_refused(lat: float, lng: float, field: str) -> None:
    with pytest.raises(NotAPosition) as refusal:
        Point(lat, lng)
    assert refusal.value.field == field
    assert isinstance(refusal.value, Invalid)
    assert refusal.value.code == "tracking.not_a_position"


@pytest.mark.parametrize(("lat", "lng"), [(90.0, 180.0), (-90.0, -180.0), (0.0, -58.4), (-34.6, 0.0), (0.0, 1e-9)])
def test_edges_and_single_zeros_are_places(lat: float, lng: float) -> None:
    assert (Point(lat, lng).lat, Point(lat, lng).lng) == (lat, lng)
