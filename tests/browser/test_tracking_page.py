"""The tracking page in a browser: what a customer sees, hears and can do while a technician comes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import define, evolve, field
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from entrypoints.http.app import http_app
from entrypoints.http.track import Eta, Language, TrackingFacts
from entrypoints.http.track.words import words_of
from entrypoints.serving import serving
from tests.browser.tracking_stage import (
    ARRIVED,
    AT_THE_CORNER,
    CANCELLED,
    LONG_LOST,
    MOVING,
    NEARER,
    STALE,
    WAITING,
    Trip,
    chromium,
    trip_on_stage,
)
from tests.entrypoints.http.web import web

ZONE = ZoneInfo("America/Argentina/Buenos_Aires")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1440, "height": 900}
LOCALES = {"es": "es-AR", "en": "en-US"}
POLL = 5_000
PATIENCE = 60_000
"""Milliseconds for what a busy machine takes its time for."""


@pytest.fixture
async def trip() -> AsyncIterator[Trip]:
    async with trip_on_stage() as trip:
        trip.facts = MOVING
        yield trip


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@define
class Customer:
    """Somebody with the link open; time passes for the page when `later` says so."""

    page: Page
    trip: Trip
    complaints: list[str] = field(factory=list)
    abroad: list[str] = field(factory=list)

    async def later(self, milliseconds: int = POLL) -> None:
        """Let the page's time pass until it has asked once more and drawn the answer."""
        asked = self.trip.asked
        await self.page.clock.run_for(milliseconds)
        for _ in range(100):
            if self.trip.asked > asked:
                break
            await self.page.wait_for_timeout(20)
        await self.page.wait_for_load_state("networkidle")
        await self.page.wait_for_timeout(50)
        await self.page.clock.run_for(4_500)

    async def place_of(self, kind: str) -> tuple[float, float]:
        box = await self.page.locator(f".sign.{kind}").bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture
async def opened(browser: Browser, trip: Trip) -> AsyncIterator[_Open]:
    opening = _Open(browser, trip)
    yield opening
    for customer in opening.customers:
        await customer.page.context.close()
        assert customer.complaints == []
        assert customer.abroad == []


@define
class _Open:
    """Opens the link; every page must neither write an error to the console nor ask another origin for anything."""

    _browser: Browser
    _trip: Trip
    customers: list[Customer] = field(factory=list)

    async def __call__(
        self,
        *,
        language: Language = "es",
        viewport: ViewportSize = PHONE,
        still: bool = False,
        script: bool = True,
        url: str | None = None,
    ) -> Customer:
        context = await self._browser.new_context(
            locale=LOCALES[language],
            viewport=viewport,
            java_script_enabled=script,
            reduced_motion="reduce" if still else "no-preference",
        )
        page = await context.new_page()
        page.set_default_timeout(30_000)
        customer = Customer(page, self._trip)
        url = url or self._trip.url
        origin = url.partition("/track/")[0]
        page.on("console", lambda said: customer.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda failure: customer.complaints.append(str(failure)))
        page.on("request", lambda asked: None if asked.url.startswith(origin) else customer.abroad.append(asked.url))
        if script:
            await page.clock.install()
        await page.goto(url)
        self.customers.append(customer)
        return customer


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1440"])
@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "es",
            (
                "Tu técnico llega en 14-25 min",
                "En vehículo",
                "A 3,5 km",
                "Llamar a Climatización del Sur, +54 11 4321-0987",
            ),
        ),
        (
            "en",
            (
                "Your technician arrives in 14-25 min",
                "Driving",
                "3.5 km away",
                "Call Climatización del Sur, +54 11 4321-0987",
            ),
        ),
    ],
    ids=["es", "en"],
)
async def test_it_says_who_comes_and_when_and_how_to_reach_them(
    opened: _Open, viewport: ViewportSize, language: Language, said: tuple[str, str, str, str]
) -> None:
    headline, mode, distance, call = said
    customer = await opened(language=language, viewport=viewport)
    page = customer.page
    await expect(page.get_by_role("heading", level=1)).to_have_text(headline)
    await expect(page.get_by_text(mode, exact=True)).to_be_visible()
    await expect(page.get_by_text(distance, exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name=call)).to_have_attribute("href", "tel:+541143210987")
    await expect(page.get_by_role("img", name="Martín Suárez")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert await page.title() == f"{headline} · Climatización del Sur"


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1440"])
async def test_both_ends_of_the_trip_lie_where_the_card_is_not(opened: _Open, viewport: ViewportSize) -> None:
    customer = await opened(viewport=viewport, still=True)
    card = await customer.page.locator("#trip").bounding_box()
    assert card is not None
    for facts in (MOVING, NEARER, AT_THE_CORNER):
        customer.trip.facts = facts
        await customer.later()
        for kind in ("technician", "home"):
            x, y = await customer.place_of(kind)
            assert 0 < x < viewport["width"]
            assert 0 < y < viewport["height"]
            assert x > card["x"] + card["width"] or y < card["y"]


async def test_the_marker_glides_and_the_minutes_change_without_a_reload(opened: _Open, trip: Trip) -> None:
    customer = await opened()
    page = customer.page
    await page.evaluate("window.sameDocument = true")

    async def along() -> float:
        """Return how much of the way the strip shows as done, in percent."""
        return float((await page.locator(".strip .here").get_attribute("cx") or "")[:-1])

    before = await along()
    await page.clock.run_for(3 * POLL)
    trip.facts = evolve(MOVING, eta=Eta(low_minutes=12, high_minutes=22, arriving=False), position=NEARER.position)
    await page.clock.run_for(POLL)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tu técnico llega en 12-22 min")
    places = [before]
    for _ in range(4):  # a position that came after 20 s is 20 s away
        await page.clock.run_for(4_000)
        places.append(await along())
    assert all(later > earlier + 1 for earlier, later in pairwise(places)), places
    trip.facts = NEARER
    await customer.later()
    await page.clock.run_for(POLL)
    assert await along() > places[-1]
    await expect(page.get_by_text("A paso lento", exact=True)).to_be_visible()
    assert await page.evaluate("window.sameDocument")


async def test_who_wants_no_motion_gets_a_marker_that_steps(opened: _Open, trip: Trip) -> None:
    customer = await opened(still=True)
    trip.facts = NEARER
    await customer.page.clock.run_for(POLL)
    await expect(customer.page.locator("#distance")).to_have_text("A 1,9 km")


async def test_a_screen_reader_hears_what_changes_but_not_every_minute(opened: _Open, trip: Trip) -> None:
    customer = await opened()
    status = customer.page.get_by_role("status")
    trip.facts = evolve(MOVING, eta=Eta(low_minutes=13, high_minutes=24, arriving=False))
    await customer.later()
    await expect(status).to_have_text("")
    trip.facts = AT_THE_CORNER
    await customer.later()
    await expect(status).to_have_text("Tu técnico está llegando")


@pytest.mark.parametrize("language", ["es", "en"])
async def test_the_page_says_the_same_as_the_server_would(opened: _Open, trip: Trip, language: Language) -> None:
    customer = await opened(language=language, still=True)
    page = customer.page
    far = evolve(MOVING, distance=71_234, eta=Eta(low_minutes=52, high_minutes=125, arriving=False))
    soon = evolve(MOVING, distance=996, eta=Eta(low_minutes=0, high_minutes=3, arriving=False))
    without_eta = evolve(MOVING, destination=None, distance=None, eta=None)
    scenes: tuple[TrackingFacts, ...] = (WAITING, far, soon, without_eta, NEARER, AT_THE_CORNER, STALE, LONG_LOST)
    for facts in (*scenes, MOVING):
        trip.facts = facts
        await customer.later()
        words = words_of(facts, language=language, zone=ZONE)
        for part, text in (
            ("#headline", words.headline),
            ("#detail", words.detail),
            ("#state", words.state),
            ("#mode", words.mode),
            ("#closing", words.distance),
            ("#updated", words.updated),
        ):
            if text is None:
                await expect(page.locator(part)).to_be_hidden()
            else:
                await expect(page.locator(part)).to_contain_text(text)


@pytest.mark.parametrize(
    ("facts", "headline"),
    [
        (ARRIVED, "Tu técnico llegó a las 10:56"),
        (CANCELLED, "Tu técnico ya no está en camino"),
    ],
    ids=["arrived", "cancelled"],
)
async def test_it_stops_asking_when_the_trip_is_over(
    opened: _Open, trip: Trip, facts: TrackingFacts, headline: str
) -> None:
    customer = await opened()
    trip.facts = facts
    await customer.later()
    await expect(customer.page.get_by_role("heading", level=1)).to_have_text(headline)
    await expect(customer.page.locator(".sign.technician")).to_have_count(0)
    asked = trip.asked
    await customer.page.clock.run_for(10 * POLL)
    await customer.page.wait_for_timeout(200)
    assert trip.asked == asked


async def test_a_link_that_expires_while_it_is_open_says_so_in_place(opened: _Open, trip: Trip) -> None:
    customer = await opened()
    page = customer.page
    trip.gone = True
    await page.clock.run_for(POLL)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Este enlace ya venció")
    await expect(page.get_by_text("escribí en el mismo chat")).to_be_visible()
    await expect(page.locator(".sign.technician")).to_have_count(0)
    await expect(page.get_by_role("link", name="Llamar")).to_be_visible()
    asked = trip.asked
    await page.clock.run_for(10 * POLL)
    await page.wait_for_timeout(200)
    assert trip.asked == asked
    assert len(customer.complaints) == 1
    assert "410" in customer.complaints.pop()


@pytest.mark.parametrize(
    ("language", "line"), [("es", "Sin conexión, último dato"), ("en", "No connection, last known")]
)
async def test_without_a_connection_it_says_how_old_its_knowledge_is(
    opened: _Open, trip: Trip, language: Language, line: str
) -> None:
    customer = await opened(language=language)
    page = customer.page
    await page.context.set_offline(True)
    await expect(page.locator("#offline")).to_have_text(f"{line} 10:42")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("14-25 min")
    trip.facts = NEARER
    await page.context.set_offline(False)
    await expect(page.locator("#offline")).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("8-15 min")
    assert all("ERR_INTERNET_DISCONNECTED" in each for each in customer.complaints)
    customer.complaints.clear()


async def test_a_server_that_fails_is_asked_less_and_less(opened: _Open, trip: Trip) -> None:
    customer = await opened()
    trip.broken = True
    await customer.later()
    await expect(customer.page.locator("#offline")).to_be_visible()
    asked = trip.asked
    await customer.page.clock.run_for(POLL - 1_000)  # with what `later` let pass, still within the first wait of 10 s
    await customer.page.wait_for_timeout(200)
    assert trip.asked == asked
    trip.broken = False
    await customer.later(2 * POLL)
    await expect(customer.page.locator("#offline")).to_be_hidden()
    assert all("503" in each for each in customer.complaints)
    customer.complaints.clear()


async def test_who_drags_the_map_keeps_it_until_they_centre_it(opened: _Open, trip: Trip) -> None:
    customer = await opened(still=True)
    page = customer.page
    recentre = page.get_by_role("button", name="Centrar el mapa")
    await expect(recentre).to_be_hidden()
    await page.mouse.move(120, 250)
    await page.mouse.down()
    await page.mouse.move(320, 420, steps=8)
    await page.clock.run_for(500)
    await page.mouse.up()
    await page.clock.run_for(500)
    await expect(recentre).to_be_visible()
    dragged = await customer.place_of("home")
    trip.facts = NEARER
    await customer.later()
    assert await customer.place_of("home") == dragged
    await recentre.click()
    await page.clock.run_for(500)
    await expect(recentre).to_be_hidden()
    assert await customer.place_of("home") != dragged


async def test_everything_is_reached_by_keyboard(opened: _Open) -> None:
    customer = await opened()
    reached = []
    for _ in range(4):
        await customer.page.keyboard.press("Tab")
        reached.append(
            await customer.page.evaluate(
                """() => { const it = document.activeElement;
                return [it.getAttribute("aria-label"), getComputedStyle(it).outlineStyle !== "none"]; }"""
            )
        )
    assert reached == [
        ["Mapa de la visita", True],
        ["Acercar", True],
        ["Alejar", True],
        ["Llamar a Climatización del Sur, +54 11 4321-0987", True],
    ]


async def test_tiles_come_when_they_are_configured_and_never_learn_the_link(opened: _Open, trip: Trip) -> None:
    origin = trip.url.partition("/track/")[0]
    trip.tiles_url = origin + "/tiles/{z}/{x}/{y}"
    customer = await opened()
    await expect(customer.page.locator(".leaflet-tile-loaded").first).to_be_attached()
    assert set(trip.tile_referrers) == {f"{origin}/"}


async def test_the_card_is_complete_without_javascript(opened: _Open) -> None:
    page = (await opened(script=False)).page
    for text in ("Tu técnico llega en 14-25 min", "Entre las 10:56 y las 11:07", "En vehículo", "A 3,5 km"):
        await expect(page.get_by_text(text, exact=True)).to_be_visible()
    for text in ("Martín Suárez", "Av. Corrientes 1234", "Ubicación de las 10:42"):
        await expect(page.get_by_text(text)).to_be_visible()


async def test_hostile_names_stay_text(opened: _Open, trip: Trip) -> None:
    trip.facts = evolve(MOVING, technician='"><script>alert(1)</script>', address="<img src=x onerror=alert(1)>")
    customer = await opened()
    await expect(customer.page.get_by_text('"><script>alert(1)</script>', exact=True)).to_be_visible()
    trip.facts = evolve(trip.facts, at=MOVING.at + timedelta(minutes=1))
    await customer.later()
    assert await customer.page.locator("script:not([src]), img").count() == 0


async def test_a_real_trip_that_loses_its_signal_is_watched_to_the_door(opened: _Open, tmp_path: Path) -> None:
    async with web(tmp_path) as served, serving(http_app(served.app)) as address:
        job = await served.scheduled(await served.a_job())
        await served.move(job, "carlos", to="en_camino")
        await served.settle()
        session = await served.app.store.sessions.of_job("demo", job["id"])
        assert session is not None
        page = (await opened(url=f"{address}/track/{served.app.tracking.token_of(session.id)}")).page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        headline, detail = page.get_by_role("heading", level=1), page.locator("#detail")
        technician = page.get_by_role("img", name="Carlos")
        await seen(headline, "Tu técnico está en camino")
        await seen(detail, "Todavía no recibimos su ubicación")

        def fix(lat: float) -> dict[str, Any]:
            at = f"{served.clock():%Y-%m-%dT%H:%M:%SZ}"
            return {"lat": lat, "lng": -58.4, "accuracy": 8, "speed": 13, "recordedAt": at}

        async def report(**sent: Any) -> None:
            answer = await served.post("/api/v1/tracking/update", {"jobId": job["id"], **sent}, "carlos")
            assert answer.status_code == 200, answer.text

        async def drive(lat: float) -> None:
            served.clock.forward(seconds=60)
            await report(**fix(lat))

        await drive(-34.66)
        await drive(-34.655)
        await seen(headline, r"Tu técnico llega en \d+-\d+ min")
        await expect(technician).to_be_visible()
        far = await page.locator("#distance").text_content()

        served.clock.forward(minutes=3)  # into the tunnel
        await seen(detail, r"No recibimos su ubicación desde las \d\d:\d\d")
        await expect(technician).to_be_visible()
        served.clock.forward(minutes=3)  # and what was known is too old to be shown
        await expect(technician).to_have_count(0, timeout=PATIENCE)
        await seen(headline, "Tu técnico está en camino")
        await seen(detail, r"No recibimos su ubicación desde las \d\d:\d\d")

        served.clock.forward(minutes=-5)
        waited = []
        for lat in (-34.65, -34.645, -34.64, -34.635, -34.63):
            served.clock.forward(seconds=60)
            waited.append(fix(lat))
        await report(fixes=waited)
        await seen(headline, r"Tu técnico llega en \d+-\d+ min")
        await expect(technician).to_be_visible()
        await expect(page.locator("#distance")).not_to_have_text(far or "", timeout=PATIENCE)

        for lat in (-34.625, -34.615, -34.605, -34.602):
            await drive(lat)
        await seen(headline, "Tu técnico está llegando")
        for lat in (-34.6001, -34.60005, -34.60004):
            await drive(lat)
        await seen(headline, r"Tu técnico llegó a las \d\d:\d\d")
        await expect(technician).to_have_count(0)
        assert page.url not in asked, "all of this was told over the stream that was opened with the page"


async def seen(part: Locator, words: str) -> None:
    """Wait until the part of the page says so."""
    await expect(part).to_have_text(re.compile(words), timeout=PATIENCE)
