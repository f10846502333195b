"""What a phone measured, and which of it counts for what."""

from __future__ import annotations

from datetime import datetime
from math import inf

from attrs import frozen

from core.tracking.geo import Point, haversine
from core.tracking.rules import EtaRules


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


def accuracy_of(fix: Fix) -> float | None:
    """Return the radius in metres in which the fix is right, or None where the phone does not know it."""
    accuracy = fix.accuracy
    return accuracy if accuracy is not None and 0 <= accuracy < inf else None


def speed_of(fix: Fix) -> float | None:
    """Return the speed in m/s that the phone told, or None where it does not know it."""
    speed = fix.speed
    return speed if speed is not None and 0 <= speed < inf else None


def impossible(distance: float, seconds: float, rules: EtaRules) -> bool:
    """Tell whether nobody covers the distance in that time: a spoofed fix, a reflection, or a ferry in between."""
    return distance > rules.jump and distance > rules.impossible * seconds


def agree(suspect: Fix, fix: Fix, distance_elsewhere: float, rules: EtaRules) -> bool:
    """Tell whether a later fix confirms the suspect: near enough to it, and nearer than to where everybody was supposed."""
    distance = haversine(suspect.point, fix.point)
    seconds = (fix.recorded_at - suspect.recorded_at).total_seconds()
    return distance < distance_elsewhere and not impossible(distance, seconds, rules)
