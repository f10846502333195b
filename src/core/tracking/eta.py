"""From fixes to a movement mode, an arrival and an honest ETA.

Everything inside is in metres, seconds and metres per second; kilometres per hour stand only in the mode thresholds that people
read. `step` and `estimate` are pure; all numbers are in `EtaRules`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil, exp, floor, isfinite
from typing import TypeGuard

from attrs import evolve, frozen

from core.tracking.geo import Point, haversine


@frozen(kw_only=True)
class Fix:
    """A position that a phone measured.

    `accuracy` is a radius in metres (68 %), `speed` in m/s and `heading` in degrees as phones report them; absent, negative or
    not finite means unknown, never zero.
    """

    point: Point
    recorded_at: datetime
    received_at: datetime
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None


@frozen(kw_only=True)
class EtaRules:
    """The numbers behind mode, arrival and ETA.

    `base` and `power` give the time for a straight distance d in km as base * d ** power, which covers detours and the rise of speed
    with distance; the trip's own pace over the last `memory` then corrects it within `slowest` and `fastest`.
    """

    driving_above: float = 40.0  # km/h
    stationary_below: float = 5.0  # km/h
    base: float = 280.0  # s for the first km
    power: float = 0.70
    pace: float = 33 / 3.6  # m/s, what `base` supposes
    memory: float = 600.0  # s
    prior: float = 1200.0  # s of supposed pace
    slowest: float = 2.0
    fastest: float = 0.5
    low: float = 0.63
    high: float = 1.91
    arriving_within: float = 500.0  # m
    radius: float = 100.0  # m
    leave_radius: float = 150.0  # m
    dwell: float = 60.0  # s
    unsure: float = 100.0  # m of accuracy above which a fix is only drawn
    accuracy: float = 30.0  # m, supposed where unknown
    jitter: float = 15.0  # m
    ahead: timedelta = timedelta(seconds=60)
    stale_after: timedelta = timedelta(minutes=5)


@frozen(kw_only=True)
class Journey:
    """What is remembered of a trip between fixes: the newest fix, the pace so far and how long it is inside the radius."""

    fix: Fix
    mode: str | None = None
    moved: float = 0.0
    elapsed: float = 0.0
    inside_since: datetime | None = None
    inside: int = 0


@frozen(kw_only=True)
class Step:
    """What a fix changed: the journey afterwards, the instant of arrival if this fix proves one, or why it was ignored."""

    journey: Journey | None
    arrived_at: datetime | None = None
    ignored: str | None = None


@frozen(kw_only=True)
class Eta:
    """A time to arrival in seconds with an 80 % interval in whole minutes, rounded outward; below `arriving` minutes mean nothing."""

    seconds: float
    low_minutes: int
    high_minutes: int
    arriving: bool


def mode_of(speed: float, rules: EtaRules) -> str:
    """Return the public label of a speed in m/s: exactly 40 km/h and exactly 5 km/h are walking."""
    kmh = speed * 3.6
    if kmh > rules.driving_above:
        return "driving"
    return "stationary" if kmh < rules.stationary_below else "walking"


def step(journey: Journey | None, fix: Fix, *, destination: Point | None, rules: EtaRules) -> Step:
    """Take one fix into account; the first rule that applies decides."""
    if fix.recorded_at > fix.received_at + rules.ahead:
        return Step(journey=journey, ignored="from_the_future")
    if journey is not None and fix.recorded_at <= journey.fix.recorded_at:
        return Step(journey=journey, ignored="older_than_the_newest")
    accuracy = fix.accuracy if _known(fix.accuracy) else rules.accuracy
    if accuracy > rules.unsure:  # drawn on the map, no basis for anything else
        return Step(journey=evolve(journey, fix=fix) if journey else Journey(fix=fix))
    if journey is None:
        after = Journey(fix=fix, mode=mode_of(fix.speed, rules) if _known(fix.speed) else None)
        return _arrival(after, None, accuracy, destination, rules)
    elapsed = (fix.recorded_at - journey.fix.recorded_at).total_seconds()
    leap = haversine(journey.fix.point, fix.point)
    distance = 0.0 if leap < max(rules.jitter, accuracy) else leap
    weight = exp(-elapsed / rules.memory)
    after = evolve(
        journey,
        fix=fix,
        mode=mode_of(fix.speed if _known(fix.speed) else distance / elapsed, rules),
        moved=weight * journey.moved + distance,
        elapsed=weight * journey.elapsed + elapsed,
    )
    return _arrival(after, leap, accuracy, destination, rules)


def estimate(journey: Journey | None, *, destination: Point | None, at: datetime, rules: EtaRules) -> Eta | None:
    """Return the time to arrival at the instant, or None when nothing honest can be said: no destination, no fresh fix."""
    if journey is None or destination is None:
        return None
    age = at - journey.fix.received_at
    if age > rules.stale_after:
        return None
    straight = haversine(journey.fix.point, destination)
    kilometres = max(0.0, straight - rules.radius) / 1000
    ratio = rules.pace * (journey.elapsed + rules.prior) / (journey.moved + rules.prior * rules.pace)
    seconds = rules.base * kilometres**rules.power * min(rules.slowest, max(rules.fastest, ratio))
    if age > timedelta(minutes=2):
        seconds = max(min(seconds, 60.0), seconds - age.total_seconds())
    return Eta(
        seconds=seconds,
        low_minutes=floor(rules.low * seconds / 60),
        high_minutes=max(1, ceil(rules.high * seconds / 60)),
        arriving=straight < rules.arriving_within,
    )


def _arrival(after: Journey, leap: float | None, accuracy: float, destination: Point | None, rules: EtaRules) -> Step:
    """Arrived: two fixes or more inside the radius, a minute apart, none a jump; a first fix inside proves nothing.

    The first-fix rule fires at two thirds of the places that are merely driven past.
    """
    if destination is None:
        return Step(journey=after)
    distance = haversine(after.fix.point, destination)
    if distance >= rules.radius:
        left = distance > rules.leave_radius
        return Step(journey=evolve(after, inside_since=None, inside=0) if left else after)
    jumped = leap is not None and leap >= max(40.0, 2 * accuracy)
    if after.inside_since is None or jumped:
        return Step(journey=evolve(after, inside_since=after.fix.recorded_at, inside=1))
    after = evolve(after, inside=after.inside + 1)
    stayed = (after.fix.recorded_at - (after.inside_since or after.fix.recorded_at)).total_seconds()
    return Step(journey=after, arrived_at=after.inside_since if stayed >= rules.dwell else None)


def _known(number: float | None) -> TypeGuard[float]:
    return number is not None and isfinite(number) and number >= 0
