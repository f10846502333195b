"""Arriving is staying: one fix near the door proves nothing, because most doors are merely driven past."""

from __future__ import annotations

from datetime import datetime
from math import inf

from core.tracking.rules import EtaRules
from core.tracking.values import value


@value
class Stay:
    """A stay within the radius so far.

    `since` is the first fix inside, `inside` the seconds from it to the newest one inside; `calm` the seconds in which no step was
    wider than a person makes on a parking lot, `edge` those just outside, which count if they come back in. `proven` once it is an
    arrival, which nothing undoes.
    """

    since: datetime
    inside: float = 0.0
    calm: float = 0.0
    edge: float = 0.0
    proven: bool = False


def stayed(
    stay: Stay | None, at: datetime, *, distance: float, seconds: float, way: float, accuracy: float, rules: EtaRules
) -> Stay | None:
    """Return the stay after a fix so far from the door, or None outside.

    `seconds` and `way` (metres) are those of the step before it; an infinite way is a leap, after which the stay begins anew.
    """
    if stay is not None and stay.proven:
        return stay
    if distance >= rules.radius:
        if stay is None or distance > rules.leave_radius:
            return None
        return Stay(stay.since, stay.inside, stay.calm, stay.edge + seconds)
    if stay is None or way == inf:
        return Stay(at)
    seconds += stay.edge
    inside = stay.inside + seconds
    calm = 0.0 if way >= max(rules.calm_step, 2 * accuracy) else stay.calm + seconds
    return Stay(stay.since, inside, calm, 0.0, calm >= rules.dwell or inside >= rules.stay)
