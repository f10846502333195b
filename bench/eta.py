"""Fixes through filter and estimate, and how far the estimate is off, against the literal rule on the same trips.

The literal rule is the straight way over the speed of the last 30 seconds: no filter, no label, no arrival, nothing remembered.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise

from bench.figure import Figure, compare
from core.tracking import EtaRules, Journey, estimate, haversine, step
from tests.core.tracking.trips import Trip, driven, scored, walked

TRIPS = 120
RULES = EtaRules()


async def figures() -> AsyncIterator[Figure]:
    """Take the figures."""
    drives, walks = [driven(seed) for seed in range(TRIPS)], [walked(seed) for seed in range(TRIPS)]
    trips = [*drives, *walks]

    async def literal() -> float:
        return _rate(_literal, trips)

    async def ours() -> float:
        return _rate(_ours, trips)

    async def wanted() -> float:
        return 100_000.0

    yield await compare("fixes through filter and ETA on a core / 100,000", floor=wanted, ours=ours, goal=1.0)
    yield await compare("fixes through filter and ETA / the literal rule", floor=literal, ours=ours, goal=0.1)
    for name, kind, goal in (("driving", drives, 0.35), ("walking", walks, 0.65)):
        score = scored(kind)
        yield Figure(
            name=f"mean error of the ETA, {name} / the literal rule",
            unit=" s",
            floor=score.literal,
            ours=score.error,
            ratios=(score.ratio,),
            goal=goal,
            at_most=True,
        )


def _rate(over: Callable[[Trip], None], trips: Sequence[Trip]) -> float:
    """Return fixes per second of this process: what others do on the machine meanwhile is not counted."""
    began = time.process_time()
    for trip in trips:
        over(trip)
    return sum(len(trip.fixes) for trip in trips) / (time.process_time() - began)


def _literal(trip: Trip) -> None:
    for before, fix in pairwise(trip.fixes):
        moved = haversine(before.point, fix.point)
        if moved:
            _ = haversine(fix.point, trip.door) * (fix.recorded_at - before.recorded_at).total_seconds() / moved


def _ours(trip: Trip) -> None:
    journey: Journey | None = None
    for fix in trip.fixes:
        journey = step(journey, fix, destination=trip.door, rules=RULES).journey
        estimate(journey, destination=trip.door, at=fix.received_at, rules=RULES)
