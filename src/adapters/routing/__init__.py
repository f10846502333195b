"""Routing engines: how long the way takes over the streets."""

from __future__ import annotations

from adapters.routing.asking import Engine
from adapters.routing.osrm import OsrmRoutes
from adapters.routing.valhalla import ValhallaRoutes

__all__ = ["Engine", "OsrmRoutes", "ValhallaRoutes", "engine_at"]


def engine_at(address: str) -> OsrmRoutes | ValhallaRoutes:
    """Return the engine of an address such as `osrm+https://routes.example/` or `valhalla+http://127.0.0.1:8002`.

    Raise `ValueError` where it names no engine that we know.
    """
    kind, _, url = address.partition("+")
    if not url.startswith(("http://", "https://")) or kind not in {"osrm", "valhalla"}:
        msg = "begins with osrm+http://, osrm+https://, valhalla+http:// or valhalla+https://"
        raise ValueError(msg)
    return OsrmRoutes(Engine(url)) if kind == "osrm" else ValhallaRoutes(Engine(url))
