"""From fixes to a movement mode, an arrival and an honest ETA.

`step` takes one fix into account, `estimate` says when the technician comes. Both are pure and everything inside is in metres,
seconds and metres per second; all numbers are in `EtaRules`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil, floor, inf
from typing import Final

from attrs import evolve, frozen

from core.tracking.arrival import Stay, stayed
from core.tracking.fixes import Fix, accuracy_of, agree, impossible, speed_of
from core.tracking.geo import Point, haversine
from core.tracking.modes import UNKNOWN, Manner, glimpsed, label_of, moved_on
from core.tracking.pace import Pace, slowness, travel_time
from core.tracking.rules import EtaRules
from core.tracking.values import value

LATE: Final = "older_than_the_newest"
"""A duplicate, or out of order: nothing changed."""
AHEAD: Final = "clock_ahead"
"""The phone's clock runs ahead of ours: it was corrected."""
IMPRECISE: Final = "imprecise"
"""Drawn on the map, and no basis for anything else."""
SUSPECT: Final = "suspect"
"""Nobody goes so far so fast: held until the next fix confirms it."""
RE_ANCHORED: Final = "re_anchored"
"""A suspect was confirmed: the trip goes on from here, and no speed was learned from the leap."""
GAP: Final = "gap"
"""So long after the fix before that the pace was forgotten."""
OLD: Final = "old"
"""Measured long before we received it: the estimate from it is no fresh one."""
JITTER: Final = "jitter"
"""Within the error of measuring: it counts as standing still."""
_MINUTE: Final = 60.0


@value
class Goal:
    """Where they go, and what is true only of going there.

    `distance` is in a straight line, `expected` the newest estimate in seconds, `shown` the one that people were told last: it
    rests until it is wrong by a minute and a tenth. `guide` is how much longer the streets take than supposed for the distance,
    or None while no routing engine was asked.
    """

    destination: Point
    distance: float
    expected: float
    shown: float
    stay: Stay | None = None
    guide: float | None = None


@frozen(kw_only=True, slots=False)
class Journey:
    """What is remembered of a trip between fixes.

    `fix` is the newest to draw, `suspect` one that waits for the next to confirm it; `ahead` is how many seconds the phone's clock
    is ahead of ours. `pace` is unknown until a fix counts.
    """

    fix: Fix
    mode: str | None = None
    suspect: Fix | None = None
    ahead: float = 0.0
    manner: Manner = UNKNOWN
    pace: Pace | None = None
    goal: Goal | None = None

    @property
    def arrived_at(self) -> datetime | None:
        """The first fix inside the radius, once it is proven that they stay."""
        stay = self.goal.stay if self.goal is not None else None
        return stay.since if stay is not None and stay.proven else None


@value(kw_only=True)
class Step:
    """What a fix changed: the journey afterwards, and the instant of arrival once the fixes prove one.

    `ignored` says why nothing changed, `noted` what was remarkable about a fix that was taken.
    """

    journey: Journey | None
    arrived_at: datetime | None = None
    ignored: str | None = None
    noted: tuple[str, ...] = ()


@value(kw_only=True)
class Eta:
    """A time to arrival in seconds with an 80 % interval in whole minutes, rounded outward; below `arriving` minutes mean nothing.

    `seconds` is the newest estimate; the minutes are those to show, which rest until they are wrong by a minute and a tenth.
    """

    seconds: float
    low_minutes: int
    high_minutes: int
    arriving: bool


def step(journey: Journey | None, fix: Fix, *, destination: Point | None, rules: EtaRules) -> Step:
    """Take one fix into account; the first rule that applies decides."""
    noted: tuple[str, ...] = ()
    ahead = shift = elapsed = way = 0.0
    age = (fix.received_at - fix.recorded_at).total_seconds()
    if age < -rules.ahead:
        # The least delayed fix tells best how far. What was taken before it is as much earlier as that is more than we thought.
        known = journey.ahead if journey is not None else 0.0
        ahead = max(known, -age)
        shift = ahead - known if known else 0.0
        fix = evolve(fix, recorded_at=fix.recorded_at - timedelta(seconds=ahead))
        noted = (AHEAD,)
    elif age > rules.old:
        noted = (OLD,)
    if journey is not None:
        newest = journey.suspect or journey.fix
        elapsed = (fix.recorded_at - newest.recorded_at).total_seconds() + shift
        if elapsed <= 0:
            return Step(journey=journey, arrived_at=journey.arrived_at, ignored=LATE)
    accuracy = accuracy_of(fix)
    if accuracy is not None and accuracy > rules.unsure:
        after = Journey(fix=fix, ahead=ahead) if journey is None else evolve(journey, fix=fix, ahead=ahead)
        return Step(journey=after, arrived_at=after.arrived_at, noted=(*noted, IMPRECISE))
    if journey is None or journey.pace is None:
        mode, manner, pace = _at_first(fix, UNKNOWN, Pace(fix, fix.point), rules)
    else:
        before = journey.pace.fix
        if newest is not before:
            elapsed = (fix.recorded_at - before.recorded_at).total_seconds() + shift
        onward = _onward(journey, journey.pace, fix, elapsed, accuracy, rules=rules)
        if onward is None:
            after = evolve(journey, suspect=fix, ahead=ahead)
            return Step(journey=after, arrived_at=after.arrived_at, noted=(*noted, SUSPECT))
        mode, manner, pace, way, note = onward
        if note is not None:
            noted = (*noted, note)
    goal = None
    if destination is not None:
        goal = _headed(
            None if journey is None else journey.goal,
            destination,
            manner,
            pace,
            elapsed=elapsed,
            way=way,
            accuracy=rules.accuracy if accuracy is None else accuracy,
            rules=rules,
        )
    after = Journey(fix=fix, mode=mode, ahead=ahead, manner=manner, pace=pace, goal=goal)
    arrived_at = None if goal is None or goal.stay is None else after.arrived_at
    return Step(journey=after, arrived_at=arrived_at, noted=noted)


def unguided(journey: Journey | None, *, rules: EtaRules) -> tuple[Point, Point] | None:
    """Return from where to where a routing engine has to be asked, or None where it was, or could tell nothing."""
    if journey is None or journey.pace is None or journey.goal is None:
        return None
    goal = journey.goal
    if goal.guide is not None or goal.distance < rules.arriving_within:
        return None
    return journey.pace.fix.point, goal.destination


def guided(journey: Journey, seconds: float | None, *, rules: EtaRules) -> Journey:
    """Return the journey whose estimates go by what a routing engine takes by car from its newest position that counts.

    On the way they shrink in proportion to the distance. None (no street leads there) and what no trip takes leave them as they were.
    """
    goal = journey.goal
    if goal is None or journey.pace is None:
        return journey
    supposed = travel_time(goal.distance, rules.vehicle, rules)
    known = seconds is not None and 0 < seconds <= rules.longest and goal.distance >= rules.arriving_within
    goal = evolve(goal, guide=seconds / supposed if known and seconds is not None else 1.0)
    expected = _expected(goal.distance, goal.guide, journey.manner, journey.pace, rules)
    return evolve(journey, goal=evolve(goal, expected=expected, shown=_steady(goal.shown, expected, rules)))


def estimate(
    journey: Journey | None, *, destination: Point | None, at: datetime, rules: EtaRules, base: float | None = None
) -> Eta | None:
    """Return the time to arrival at the instant, or None when nothing honest can be said: no destination, no fresh fix.

    `base` is what a routing engine takes by car from the newest position that counts, in seconds; the trip's own pace corrects it as
    well, and who walks is estimated by the distance all the same.
    """
    if journey is None or journey.pace is None or destination is None:
        return None
    pace, goal, manner = journey.pace, journey.goal, journey.manner
    age = (at - pace.fix.recorded_at).total_seconds()
    if age > rules.stale_after:
        return None
    profile = rules.on_foot if manner.foot else rules.vehicle
    if goal is None or (goal.destination is not destination and goal.destination != destination):
        distance = haversine(pace.fix.point, destination)
        seconds = shown = _expected(distance, None, manner, pace, rules)
    else:
        distance, seconds, shown = goal.distance, goal.expected, goal.shown
    if base is not None and 0 <= base <= rules.longest and not manner.foot:
        seconds = shown = base * slowness(pace, rules.vehicle)
    if age > rules.ageing_after:
        seconds = max(seconds - age, min(seconds, rules.soonest))
        shown = max(shown - age, min(shown, rules.soonest))
    if manner.proven:
        profile = rules.on_foot if manner.foot else rules.vehicle
        low, high = profile.low, profile.high
    else:
        low, high = rules.unproven_low, rules.unproven_high
    return Eta(
        seconds=seconds,
        low_minutes=floor(low * shown / _MINUTE),
        high_minutes=ceil(high * shown / _MINUTE) or 1,
        arriving=distance < rules.arriving_within,
    )


def _at_first(fix: Fix, manner: Manner, pace: Pace, rules: EtaRules) -> tuple[str | None, Manner, Pace]:
    """Begin, or begin again: of the way to here nothing is known but what the phone tells."""
    told = speed_of(fix)
    mode: str | None = None
    manner = manner.again()
    if told is not None:
        mode, manner = glimpsed(None, manner, told, rules)
    return mode, manner, pace


def _onward(
    journey: Journey, pace: Pace, fix: Fix, elapsed: float, accuracy: float | None, *, rules: EtaRules
) -> tuple[str | None, Manner, Pace, float, str | None] | None:
    """Return label, manner and pace after a fix that counts, the metres that it moved and what is remarkable; None for a suspect.

    After a leap that was confirmed the metres are infinite.
    """
    way = haversine(pace.fix.point, fix.point)
    if way > rules.jump:
        if journey.suspect is not None and agree(journey.suspect, fix, way, rules):
            pace = pace.again(fix, forgetting=elapsed > rules.gap)
            return *_at_first(fix, journey.manner, pace, rules), inf, RE_ANCHORED
        if impossible(way, elapsed, rules):
            return None
    if elapsed > rules.gap:
        return *_at_first(fix, journey.manner, pace.again(fix, forgetting=True), rules), way, GAP
    if pace.lag:
        way = haversine(pace.mark, fix.point)
    moved = way if way >= rules.jitter and (accuracy is None or way >= accuracy) else 0.0
    seconds = pace.lag + elapsed
    told = speed_of(fix)
    note = None if moved else JITTER
    if seconds >= (rules.stride if moved or told is not None else rules.patience):
        speed = moved / seconds if told is None else told
        manner = moved_on(journey.manner, speed, seconds, rules)
        mode = label_of(journey.mode, manner, speed, rules)
        return mode, manner, pace.went(fix, moved, seconds, rules), way, note
    pace = pace.waits(fix, seconds)
    if told is None and seconds < (rules.instant if moved else rules.stride):
        return journey.mode, journey.manner, pace, way, note
    speed = moved / seconds if told is None else told
    mode, manner = glimpsed(journey.mode, journey.manner, speed, rules)
    return mode, manner, pace, way, note


def _headed(
    goal: Goal | None,
    destination: Point,
    manner: Manner,
    pace: Pace,
    *,
    elapsed: float,
    way: float,
    accuracy: float,
    rules: EtaRules,
) -> Goal:
    if goal is not None and goal.destination is not destination and goal.destination != destination:
        goal = None
    distance = haversine(pace.fix.point, destination)
    stay, guide = (goal.stay, goal.guide) if goal is not None else (None, None)
    expected = shown = _expected(distance, guide, manner, pace, rules)
    if goal is not None:
        shown = _steady(goal.shown, expected, rules)
    if stay is not None or distance < rules.radius:
        at = pace.fix.recorded_at
        stay = stayed(stay, at, distance=distance, seconds=elapsed, way=way, accuracy=accuracy, rules=rules)
    return Goal(destination, distance, expected, shown, stay, guide)


def _expected(distance: float, guide: float | None, manner: Manner, pace: Pace, rules: EtaRules) -> float:
    profile = rules.on_foot if manner.foot else rules.vehicle
    seconds = travel_time(distance, profile, rules) * slowness(pace, profile)
    return seconds if guide is None or manner.foot else seconds * guide


def _steady(shown: float, expected: float, rules: EtaRules) -> float:
    """Return what to show where something is shown already."""
    change = abs(expected - shown)
    return shown if change < _MINUTE or change < rules.restless * shown else expected
