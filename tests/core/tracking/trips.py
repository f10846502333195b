"""Trips to score the estimate on: invented ones over a street grid, or recorded ones.

    python -m tests.core.tracking.trips               scores invented trips
    python -m tests.core.tracking.trips FOLDER        scores recorded ones

A recorded trip is a file `drive-*.csv` or `walk-*.csv` with the columns seconds, lat, lng and, where known, accuracy and speed (m/s);
its last position is the door. The numbers of `EtaRules` are fitted to recorded trips: the invented ones guard them, and are no
reason to change one.
"""

from __future__ import annotations

import csv
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import cos, hypot, inf, pi, radians, sin
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Final

from attrs import frozen

from core.tracking import EtaRules, Fix, Journey, Point, estimate, haversine, step
from tests.contracts.samples import NOW

BLOCK: Final = 110.0
CENTRE: Final = Point(-34.6037, -58.3816)
LONGEST: Final = 4 * 3600.0
"""What the literal rule says of somebody who stands still."""
_Place = tuple[float, float]
_Spot = tuple[float, _Place]
"""Seconds since the start, and where: metres east and north of the centre."""


@frozen(kw_only=True)
class Trip:
    """What a phone measured on the way to a door, and for some minutes there."""

    fixes: Sequence[Fix]
    door: Point
    arrives_at: datetime
    """When they came within the radius and did not leave again."""


@frozen(kw_only=True)
class Score:
    """How trips went: the mean error of ours and of the literal rule in seconds, and which share of arrivals the interval held."""

    estimates: int
    error: float
    literal: float
    covered: float
    covered_in_minutes: float
    missed: int
    passed: int
    false: int

    @property
    def ratio(self) -> float:
        return self.error / self.literal

    def __str__(self) -> str:
        return (
            f"{self.estimates} estimates: error {self.error / 60:.1f} min, {self.ratio:.2f} of the literal rule's; "
            f"interval holds {self.covered:.0%} ({self.covered_in_minutes:.0%} in whole minutes); "
            f"{self.missed} arrivals missed; {self.false} false ones at {self.passed} places passed"
            f" ({self.false / max(1, self.passed):.1%})"
        )


def driven(seed: int) -> Trip:
    """Invent a drive of 1 to 16 km: lights, traffic, faster roads on longer ways, the search for a place to park."""
    chance = Random(seed)
    kilometres = chance.uniform(1, 4) ** 2
    door = _door(chance, 1000 * kilometres)
    usual = (20 + 6.5 * kilometres**0.5) / 3.6 * chance.lognormvariate(0, 0.35)
    jam = 0
    spots: list[_Spot] = [(0.0, (0.0, 0.0))]
    for corner in _streets(chance, door, detours=0.13):
        jam = jam - 1 if jam else chance.choice((3, 6, 12)) * (chance.random() < 0.006)
        red = chance.uniform(5, 60) if chance.random() < 0.25 else 0.0
        _go(spots, corner, 2.0 if jam else min(30.0, usual * chance.uniform(0.7, 1.5)), then=red)
    for _ in range(chance.choice((0, 0, 1, 3))):  # round the block for a place to park
        side = (spots[-1][1][0] + chance.choice((-80, 80)), spots[-1][1][1])
        _go(spots, side, 4.0)
        _go(spots, door, 4.0)
    _go(spots, (door[0] + chance.uniform(-25, 25), door[1] + chance.uniform(-25, 25)), 1.2, then=600)
    return _measured(chance, spots, door)


def walked(seed: int) -> Trip:
    """Invent a walk of 0.4 to 2.5 km."""
    chance = Random(seed)
    door = _door(chance, chance.uniform(400, 2500))
    usual = chance.gauss(1.25, 0.2)
    spots: list[_Spot] = [(0.0, (0.0, 0.0))]
    for corner in _streets(chance, door, detours=0.08):
        stop = chance.choice((*[0] * 12, 20, 60, 150))
        _go(spots, corner, usual * chance.uniform(0.8, 1.1), then=stop)
    _go(spots, door, usual, then=600)
    return _measured(chance, spots, door)


def recorded(folder: Path, kind: str, *, every: float = 30.0) -> Iterator[Trip]:
    """Read recorded trips of a kind, of which a fix is taken every so many seconds; a stay is added at the door."""
    for file in sorted(folder.glob(f"{kind}-*.csv")):
        fixes: list[Fix] = []
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                at = NOW + timedelta(seconds=float(row["seconds"]))
                if fixes and (at - fixes[-1].recorded_at).total_seconds() < every - 1:
                    continue
                accuracy, speed = (float(row[each]) if row.get(each) else None for each in ("accuracy", "speed"))
                point = Point(float(row["lat"]), float(row["lng"]))
                fixes.append(Fix(point=point, recorded_at=at, received_at=at, accuracy=accuracy, speed=speed))
        last = fixes[-1]
        for _ in range(10):
            at = fixes[-1].recorded_at + timedelta(seconds=30)
            fixes.append(Fix(point=last.point, recorded_at=at, received_at=at, accuracy=last.accuracy))
        ways = ((fix.recorded_at, haversine(fix.point, last.point)) for fix in fixes)
        yield Trip(fixes=fixes, door=last.point, arrives_at=_arrival(ways))


def scored(trips: Sequence[Trip], *, rules: EtaRules = EtaRules()) -> Score:
    """Score the estimate at every fix on the way, and the arrivals at the doors and at places merely passed."""
    errors: list[float] = []
    literals: list[float] = []
    covered = in_minutes = missed = passed = false = 0
    for trip in trips:
        missed += not _arrives(trip.fixes, trip.door, rules)
        for place in _passed(trip):
            passed += 1
            false += _arrives(trip.fixes, place, rules)
        journey: Journey | None = None
        for number, fix in enumerate(trip.fixes):
            if fix.recorded_at >= trip.arrives_at:
                break
            journey = step(journey, fix, destination=trip.door, rules=rules).journey
            eta = estimate(journey, destination=trip.door, at=fix.received_at, rules=rules)
            if number == 0 or eta is None or journey is None:
                continue
            true = (trip.arrives_at - fix.recorded_at).total_seconds()
            errors.append(abs(eta.seconds - true))
            literals.append(abs(_literal(trip, number) - true))
            profile = rules.on_foot if journey.manner.foot else rules.vehicle
            proven = journey.manner.proven
            low, high = (profile.low, profile.high) if proven else (rules.unproven_low, rules.unproven_high)
            covered += low * eta.seconds <= true <= high * eta.seconds
            in_minutes += 60 * eta.low_minutes <= true <= 60 * eta.high_minutes
    return Score(
        estimates=len(errors),
        error=fmean(errors),
        literal=fmean(literals),
        covered=covered / len(errors),
        covered_in_minutes=in_minutes / len(errors),
        missed=missed,
        passed=passed,
        false=false,
    )


def _arrival(distances: Iterable[tuple[datetime, float]]) -> datetime:
    """Return the first instant within the radius after which nobody left again."""
    found: datetime | None = None
    for at, distance in distances:
        if distance < 100:
            found = found or at
        elif distance > 150:
            found = None
    assert found is not None
    return found


def _literal(trip: Trip, number: int) -> float:
    """Return the straight way over the speed of the last 30 seconds."""
    fix = trip.fixes[number]
    first = number - 1
    while first and (fix.recorded_at - trip.fixes[first].recorded_at).total_seconds() < 29:
        first -= 1
    before = trip.fixes[first]
    moved = haversine(before.point, fix.point)
    seconds = (fix.recorded_at - before.recorded_at).total_seconds()
    return min(LONGEST, haversine(fix.point, trip.door) * seconds / moved) if moved else LONGEST


def _arrives(fixes: Sequence[Fix], door: Point, rules: EtaRules) -> bool:
    journey: Journey | None = None
    for fix in fixes:
        taken = step(journey, fix, destination=door, rules=rules)
        if taken.arrived_at is not None:
            return True
        journey = taken.journey
    return False


def _passed(trip: Trip) -> Iterator[Point]:
    """Give a place beside the way every 500 metres, away from where they set out and stay."""
    chance = Random(len(trip.fixes))
    gone = 0.0
    for before, fix in pairwise(trip.fixes):
        gone += haversine(before.point, fix.point)
        if gone < 500:
            continue
        gone = 0.0
        aside = Point(
            fix.point.lat + chance.uniform(-40, 40) / 111_195, fix.point.lng + chance.uniform(-40, 40) / 91_500
        )
        if min(haversine(aside, trip.fixes[0].point), haversine(aside, trip.door)) > 300:
            yield aside


def _door(chance: Random, distance: float) -> _Place:
    angle = chance.uniform(0, 2 * pi)
    return distance * cos(angle), distance * sin(angle)


def _streets(chance: Random, door: _Place, *, detours: float) -> Iterator[_Place]:
    """Give the corners of a way along the streets, some of which lead away from the door."""
    here = [0.0, 0.0]
    while max(abs(door[0] - here[0]), abs(door[1] - here[1])) > BLOCK:
        ways = [each for each in (0, 1) if abs(door[each] - here[each]) > BLOCK]
        axis = chance.choices(ways, [abs(door[each] - here[each]) for each in ways])[0]
        forward = BLOCK if door[axis] > here[axis] else -BLOCK
        if chance.random() < detours:
            axis, forward = 1 - axis, chance.choice((-BLOCK, BLOCK))
        here[axis] += forward
        yield here[0], here[1]
    yield door[0], here[1]
    yield door


def _go(spots: list[_Spot], to: _Place, speed: float, *, then: float = 0.0) -> None:
    """Go straight to a place at a speed in m/s, and wait there."""
    at, here = spots[-1]
    at += hypot(to[0] - here[0], to[1] - here[1]) / speed
    spots.append((at, to))
    if then:
        spots.append((at + then, to))


def _measured(chance: Random, spots: Sequence[_Spot], door: _Place) -> Trip:
    """Return what a phone tells of the way: errors that last, fixes that fail, a tunnel."""
    usual = chance.choice((None, 5.0, 8.0, 15.0, 25.0))
    tunnel = chance.uniform(60, 1500) if chance.random() < 0.1 else inf
    fixes: list[Fix] = []
    error = [0.0, 0.0]
    at = 0.0
    while at < spots[-1][0]:
        east, north = _where(spots, at)
        bad = chance.random() < 0.04
        accuracy = (usual or 10.0) * (8 if bad else chance.uniform(0.8, 1.5))
        error = [0.6 * each + 0.8 * chance.gauss(0, (usual or 10.0) / 1.5) for each in error]
        noise = [chance.gauss(0, accuracy / 1.5) for _ in error] if bad else error
        when = NOW + timedelta(seconds=at)
        if chance.random() > 0.03 and not tunnel <= at <= tunnel + 240:
            fixes.append(
                Fix(
                    point=_point(east + noise[0], north + noise[1]),
                    recorded_at=when,
                    received_at=when + timedelta(seconds=chance.uniform(0.1, 2)),
                    accuracy=None if usual is None else accuracy,
                )
            )
        at += chance.uniform(28, 32)
    truth = (
        (NOW + timedelta(seconds=second), hypot(east - door[0], north - door[1]))
        for second in range(0, int(spots[-1][0]), 5)
        for east, north in [_where(spots, second)]
    )
    return Trip(fixes=fixes, door=_point(*door), arrives_at=_arrival(truth))


def _where(spots: Sequence[_Spot], at: float) -> _Place:
    leg = bisect_right(spots, at, key=lambda spot: spot[0])
    (began, a), (ends, b) = spots[leg - 1], spots[leg]
    part = (at - began) / (ends - began)
    return a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])


def _point(east: float, north: float) -> Point:
    lat = CENTRE.lat + north / 111_195
    return Point(lat, CENTRE.lng + east / 111_195 / cos(radians(CENTRE.lat)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print("driving:", scored(list(recorded(Path(sys.argv[1]), "drive"))))
        print("walking:", scored(list(recorded(Path(sys.argv[1]), "walk"))))
    else:
        print("driving:", scored([driven(seed) for seed in range(400)]))
        print("walking:", scored([walked(seed) for seed in range(400)]))
