"""OSRM, the Open Source Routing Machine: its route service, version 1."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from adapters.routing.asking import Engine, refused, seconds
from core.tracking import Point

_NO_WAY: Final = frozenset({"NoRoute", "NoSegment"})


@frozen
class OsrmRoutes:
    """`core.tracking.ports.Routes`; the data that the server was started with decide by which means one travels."""

    _engine: Engine

    async def travel_time(self, start: Point, destination: Point) -> float | None:
        """Return the seconds of the fastest route, or None where no street leads there."""
        places = ";".join(f"{place.lng:.6f},{place.lat:.6f}" for place in (start, destination))
        options = {"overview": "false", "steps": "false", "alternatives": "false"}
        _, answer = await self._engine.ask("GET", f"/route/v1/driving/{places}", params=options)
        code = answer.get("code")
        if code in _NO_WAY:
            return None
        if code != "Ok":
            raise refused(code)
        return seconds(_first(answer.get("routes")).get("duration"))

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.close()


def _first(routes: object) -> dict[str, Any]:
    first = routes[0] if isinstance(routes, list) and routes else None
    return first if isinstance(first, dict) else {}
