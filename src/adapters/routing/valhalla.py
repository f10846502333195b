"""Valhalla's turn-by-turn routes."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from adapters.routing.asking import Engine, refused, seconds
from core.tracking import Point

_NO_WAY: Final = frozenset({154, 170, 171, 442})
"""Too far for the server, in regions without a connection, no street near a place, no path."""


@frozen
class ValhallaRoutes:
    """`core.tracking.ports.Routes` by car."""

    _engine: Engine

    async def travel_time(self, start: Point, destination: Point) -> float | None:
        """Return the seconds of the best route, or None where no street leads there."""
        question = {
            "locations": [{"lat": round(place.lat, 6), "lon": round(place.lng, 6)} for place in (start, destination)],
            "costing": "auto",
            "directions_type": "none",
        }
        status, answer = await self._engine.ask("POST", "/route", json=question)
        if answer.get("error_code") in _NO_WAY:
            return None
        trip = _part(answer, "trip")
        if status != 200 or trip.get("status") != 0:  # noqa: PLR2004 - HTTP's word for good
            raise refused(answer.get("error_code", status))
        return seconds(_part(trip, "summary").get("time"))

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.close()


def _part(data: Any, name: str) -> dict[str, Any]:
    part = data.get(name)
    return part if isinstance(part, dict) else {}
