"""A technician's phone on the way to a door, in metres and seconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from core.tracking import EtaRules, Fix, Journey, Point, Step, step
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


def steps(*fixes: Fix, destination: Point | None = HOME) -> list[Step]:
    """Take the fixes one after the other."""
    journey: Journey | None = None
    taken: list[Step] = []
    for each in fixes:
        taken.append(step(journey, each, destination=destination, rules=RULES))
        journey = taken[-1].journey
    return taken


def travelled(*fixes: Fix, destination: Point | None = HOME) -> Step:
    """Take the fixes one after the other and return the last step."""
    return steps(*fixes, destination=destination)[-1]


def through(*fixes: Fix, destination: Point | None = HOME) -> list[Journey]:
    """Return the journey after each fix."""
    return [kept(each) for each in steps(*fixes, destination=destination)]


def kept(taken: Step) -> Journey:
    assert taken.journey is not None
    return taken.journey


def kmh(speed: float) -> float:
    """Return a speed in m/s."""
    return speed / 3.6
