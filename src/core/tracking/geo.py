"""Distance on the sphere."""

from __future__ import annotations

from math import asin, cos, isfinite, pi, sin, sqrt
from typing import ClassVar, Final

from attrs import frozen

from core.kernel.errors import Invalid

EARTH_RADIUS: Final = 6_371_008.8
"""The Earth's mean radius in metres (IUGG)."""
_DEGREE: Final = pi / 180
_HALF_DEGREE: Final = pi / 360


class NotAPosition(Invalid):
    """The coordinates are no place on Earth, or the mark of a phone without a fix."""

    code: ClassVar[str] = "tracking.not_a_position"


@frozen
class Point:
    """A position in WGS 84 degrees."""

    lat: float
    lng: float

    def __attrs_post_init__(self) -> None:
        if not (isfinite(self.lat) and isfinite(self.lng)):
            msg = "lat and lng must be finite numbers"
            raise NotAPosition(msg, field="lat")
        if not -90 <= self.lat <= 90:  # noqa: PLR2004 - degrees
            msg = "lat must lie between -90 and 90"
            raise NotAPosition(msg, field="lat")
        if not -180 <= self.lng <= 180:  # noqa: PLR2004 - degrees
            msg = "lng must lie between -180 and 180"
            raise NotAPosition(msg, field="lng")
        if self.lat == 0 and self.lng == 0:
            msg = "0, 0 is what a phone without a fix reports"
            raise NotAPosition(msg, field="lat")


def haversine(a: Point, b: Point) -> float:
    """Return the great-circle distance in metres; up to 0.5 % off the spheroid, everywhere, poles and antimeridian included."""
    north = sin((b.lat - a.lat) * _HALF_DEGREE)
    east = sin((b.lng - a.lng) * _HALF_DEGREE)
    h = north * north + cos(a.lat * _DEGREE) * cos(b.lat * _DEGREE) * east * east
    return 2 * EARTH_RADIUS * asin(sqrt(h) if h < 1 else 1.0)  # rounding can carry h past 1 at antipodes
