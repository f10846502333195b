"""How somebody gets about: the label for people, and the profile for the estimate.

Raw thresholds call a driver at a traffic light stationary and one in a street a walker; both label and profile stick, each in its
own way.
"""

from __future__ import annotations

from typing import Final

from core.tracking.rules import EtaRules
from core.tracking.values import value

DRIVING: Final = "driving"
WALKING: Final = "walking"
STATIONARY: Final = "stationary"


@value
class Manner:
    """What the moves so far say: `foot` and `vehicle` (ever seen) are the profile, the rest is counted until it changes.

    `fast` moves in a row were above a walker's speed, `slow` ones below; `still` and `creeping` are seconds.
    """

    foot: bool = False
    vehicle: bool = False
    fast: int = 0
    slow: int = 0
    still: float = 0.0
    creeping: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether it is known how they travel, not only supposed."""
        return self.foot or self.vehicle

    def again(self) -> Manner:
        """Return what is left of it when nothing is known of the last way."""
        return Manner(self.foot, self.vehicle)


UNKNOWN: Final = Manner()
DRIVER: Final = Manner(vehicle=True, fast=2)


def mode_of(speed: float, rules: EtaRules) -> str:
    """Return the public label of a speed in m/s: exactly 40 km/h and exactly 5 km/h are walking."""
    if speed > rules.driving_above:
        return DRIVING
    return STATIONARY if speed < rules.stationary_below else WALKING


def moved_on(manner: Manner, speed: float, seconds: float, rules: EtaRules) -> Manner:
    """Return the manner after so many seconds at a speed."""
    if speed > rules.vehicle_above:
        if manner.fast or speed > rules.driving_above:  # twice running, for one may be a bad fix
            return DRIVER
        return Manner(manner.foot, manner.vehicle, 1)
    slow = manner.slow + (speed > rules.moving_above)
    needed = rules.on_foot_again_after if manner.vehicle else rules.on_foot_after
    foot = manner.foot or slow >= needed
    if speed < rules.stationary_below:
        return Manner(foot, manner.vehicle, 0, slow, manner.still + seconds, 0.0)
    return Manner(foot, manner.vehicle, 0, slow, 0.0, manner.creeping + seconds)


def label_of(mode: str | None, manner: Manner, speed: float, rules: EtaRules) -> str:
    """Return the public label: who drives goes on driving at traffic lights, until parked or seen walking."""
    if manner.fast > 1:
        return DRIVING
    if mode == DRIVING and manner.still < rules.parked_after and manner.creeping < rules.parked_after:
        return DRIVING
    return mode_of(speed, rules)


def glimpsed(mode: str | None, manner: Manner, speed: float, rules: EtaRules) -> tuple[str, Manner]:
    """Return label and manner at a speed that was seen for too short a time to count it."""
    if speed > rules.driving_above:
        return DRIVING, DRIVER
    return (DRIVING if mode == DRIVING else mode_of(speed, rules)), manner
