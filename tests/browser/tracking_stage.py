"""The tracking page on a real server, over a trip that the test writes scene by scene."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import Factory, define, evolve
from playwright.async_api import Browser, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from entrypoints.http import track
from entrypoints.http.app import STATIC
from entrypoints.http.track import Business, Eta, Place, TrackingFacts
from entrypoints.serving import serving

CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
"""Debian's; where it is missing the browser tests fail and name it."""
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
TOKEN: Final = "a-token-that-nobody-guesses"
START: Final = datetime(2026, 11, 21, 13, 42, tzinfo=UTC)
"""10:42 in Buenos Aires."""
HOME: Final = Place(lat=-34.6038, lng=-58.3837)

WAITING: Final = TrackingFacts(
    state="waiting",
    at=START,
    set_out_at=START - timedelta(minutes=2),
    expires_at=START + timedelta(hours=4),
    technician="Martín Suárez",
    business=Business(name="Climatización del Sur", phone="+541143210987"),
    address="Av. Corrientes 1234, 5.º B, CABA",
    destination=HOME,
)
MOVING: Final = evolve(
    WAITING,
    state="moving",
    position=Place(lat=-34.6262, lng=-58.4105),
    distance=3490,
    eta=Eta(low_minutes=14, high_minutes=25, arriving=False),
    mode="driving",
    updated_at=START,
)
NEARER: Final = evolve(
    MOVING,
    at=START + timedelta(minutes=5),
    position=Place(lat=-34.6150, lng=-58.3992),
    distance=1890,
    eta=Eta(low_minutes=8, high_minutes=15, arriving=False),
    mode="walking",
    updated_at=START + timedelta(minutes=5),
)
AT_THE_CORNER: Final = evolve(
    NEARER,
    at=START + timedelta(minutes=12),
    position=Place(lat=-34.6060, lng=-58.3849),
    distance=268,
    eta=Eta(low_minutes=0, high_minutes=2, arriving=True),
    mode="stationary",
    updated_at=START + timedelta(minutes=12),
)
STALE: Final = evolve(NEARER, state="stale", at=START + timedelta(minutes=9), mode=None)
LONG_LOST: Final = evolve(STALE, at=START + timedelta(minutes=30), position=None, distance=None, eta=None)
ARRIVED: Final = evolve(
    WAITING, state="arrived", at=START + timedelta(minutes=15), arrived_at=START + timedelta(minutes=14)
)
CANCELLED: Final = evolve(WAITING, state="ended", outcome="cancelled")


@define
class Trip:
    """What the server shows now; `asked` counts the questions for JSON."""

    url: str = ""
    facts: TrackingFacts = WAITING
    gone: bool = False
    broken: bool = False
    tiles_url: str | None = None
    asked: int = 0
    tile_referrers: list[str | None] = Factory(list)

    async def watch(self, request: Request) -> Response:
        """Answer as the application's own route does."""
        as_json = "application/json" in request.headers.get("accept", "")
        language = track.language_of(request.headers.get("accept-language"))
        self.asked += as_json
        if self.broken:
            return Response(status_code=503)
        if self.gone or request.path_params["token"] != TOKEN:
            known = request.path_params["token"] == TOKEN
            if as_json:
                return JSONResponse({"code": "tracking.link_expired"}, 410 if known else 404)
            return track.render_gone(language=language, reason="expired" if known else "unknown")
        if as_json:
            return JSONResponse(track.as_json(self.facts))
        return track.render_tracking(facts=self.facts, language=language, tiles_url=self.tiles_url)

    async def events(self, _: Request) -> Response:
        """Have no room for another stream: the page asks instead."""
        return Response(status_code=204)

    async def tile(self, request: Request) -> Response:
        """Give a plain tile."""
        self.tile_referrers.append(request.headers.get("referer"))
        square = '<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256"><path d="M0 0h256v256z"/></svg>'
        return Response(square, media_type="image/svg+xml")


@contextlib.asynccontextmanager
async def trip_on_stage() -> AsyncIterator[Trip]:
    """Serve a trip; its `url` is the customer's link."""
    trip = Trip()
    routes = [
        Route("/track/{token}", trip.watch),
        Route("/track/{token}/events", trip.events),
        Route("/tiles/{z}/{x}/{y}", trip.tile),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    async with serving(Starlette(routes=routes)) as address:
        trip.url = f"{address}/track/{TOKEN}"
        yield trip


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser beside the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()
