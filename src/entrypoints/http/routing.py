"""Finds the route of a path without trying one route after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_AREA: Final = 4
"""The part of `/api/v1/jobs/{id}`, split at its slashes, up to which no path has a variable."""


class Table(BaseRoute):
    """Many routes as one; where two fit a path, the one that was given first is taken.

    A path without variables is looked up; others are tried only with the routes that begin alike and have as many parts.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Route] = {}
        self._alike: dict[tuple[int, str], list[Route]] = {}
        for route in routes:
            if "{" in route.path:
                self._alike.setdefault(_shape(route.path), []).append(route)
            else:
                self._exact.setdefault(route.path, route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        path: str = scope["path"]
        exact = self._exact.get(path)
        for route in (exact,) if exact is not None else self._alike.get(_shape(path), ()):
            match, found = route.matches(scope)
            if match is not Match.NONE:
                return match, {**found, "route": route}  # in place of this table
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["route"].handle(scope, receive, send)


def _shape(path: str) -> tuple[int, str]:
    parts = path.split("/", _AREA)
    return path.count("/"), "/".join(parts[:_AREA])
