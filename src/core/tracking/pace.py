"""How fast a trip goes, of which the newest minutes count most."""

from __future__ import annotations

from math import exp

from core.tracking.fixes import Fix
from core.tracking.geo import Point
from core.tracking.rules import EtaRules, Profile
from core.tracking.values import value


@value
class Pace:
    """What the fixes that count have in common: `fix` is the newest of them, and `moved` metres took `elapsed` seconds.

    Both sums fade with the rules' memory. The step that is being measured began at `mark`, `lag` seconds before `fix`.
    """

    fix: Fix
    mark: Point
    lag: float = 0.0
    moved: float = 0.0
    elapsed: float = 0.0

    def waits(self, fix: Fix, seconds: float) -> Pace:
        """Return the pace while a step is too short to tell anything."""
        return Pace(fix, self.mark, seconds, self.moved, self.elapsed)

    def went(self, fix: Fix, moved: float, seconds: float, rules: EtaRules) -> Pace:
        """Return the pace after a whole step, which ends at the fix."""
        weight = exp(-seconds / rules.memory)
        return Pace(fix, fix.point, 0.0, weight * self.moved + moved, weight * self.elapsed + seconds)

    def again(self, fix: Fix, *, forgetting: bool) -> Pace:
        """Return the pace of somebody who goes on from the fix, no matter how they got there."""
        return Pace(fix, fix.point) if forgetting else Pace(fix, fix.point, 0.0, self.moved, self.elapsed)


def travel_time(distance: float, profile: Profile, rules: EtaRules) -> float:
    """Return the seconds from so far in a straight line, at the pace that the profile supposes."""
    away = distance - rules.radius
    return profile.base * (away / 1000) ** profile.power if away > 0 else 0.0


def slowness(pace: Pace, profile: Profile) -> float:
    """Return how much longer this trip takes than supposed; a short one counts little, standing still is no division by zero."""
    ratio = profile.pace * (pace.elapsed + profile.prior) / (pace.moved + profile.pace * profile.prior)
    if ratio > profile.slowest:
        return profile.slowest
    if ratio < profile.fastest:
        return profile.fastest
    return ratio
