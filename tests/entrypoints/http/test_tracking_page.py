"""The tracking page without a browser: its facts, its words, its addresses and what it never says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

from core.tracking import Eta, Fix, Journey, Point, Progress, TrackingSession, Visit, Watched
from entrypoints.http.track import Language, as_json, facts_of, language_of, render_gone, render_tracking
from entrypoints.http.track.texts import TEXTS
from entrypoints.http.track.words import distance_in_words, words_of
from entrypoints.phones import phone_in_words
from tests.entrypoints.http.web import Web

NOW = datetime(2026, 11, 21, 13, 42, tzinfo=UTC)
ZONE = ZoneInfo("America/Argentina/Buenos_Aires")
HOME = Point(-34.6038, -58.3837)
SESSION = TrackingSession.opened(
    id_="trip_1",
    tenant="demo",
    job_id="job_1",
    technician_id="carlos",
    customer_id="ana",
    token_hash="0" * 64,
    destination=HOME,
    at=NOW - timedelta(minutes=10),
)
JOURNEY = Journey(
    fix=Fix(point=Point(-34.62, -58.4), recorded_at=NOW - timedelta(seconds=5), received_at=NOW), mode="driving"
)


def watched(
    session: TrackingSession = SESSION,
    journey: Journey | None = JOURNEY,
    *,
    arriving: bool = False,
    seen_at: datetime | None = None,
    **visit: Any,
) -> Watched:
    moving = journey is not None
    who = {
        "technician": "Martín Suárez",
        "business": "Climatización",
        "business_phone": None,
        "address": None,
        "zone": "America/Argentina/Buenos_Aires",
        **visit,
    }
    return Watched(
        token="token",
        visit=Visit(**who),
        progress=Progress(
            session=session,
            journey=journey,
            seen_at=seen_at,
            eta=Eta(seconds=1300, low_minutes=14, high_minutes=25, arriving=arriving) if moving else None,
            distance=2345.6 if moving else None,
        ),
    )


def seen(age: timedelta, *, received: timedelta | None = None) -> Journey:
    fix = evolve(JOURNEY.fix, recorded_at=NOW - age, received_at=NOW - (age if received is None else received))
    return evolve(JOURNEY, fix=fix)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "es"),
        ("", "es"),
        ("es-AR,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9", "en"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("en;q=0.8,es;q=0.9", "es"),
        ("EN", "en"),
        ("en,es", "es"),
        ("pt-BR,en;q=0.5", "en"),
        ("pt-BR", "es"),
        ("*", "es"),
        ("en;q=0.5,*;q=0.8", "es"),
        ("es;q=0,*", "en"),
        ("en;q=0", "es"),
        ("en;q=NaN", "es"),
        ("en;q=9e99,es;q=0.1", "es"),
        ("en;q=1.000", "en"),
        ("entrañable", "es"),
        (",;,;q=;;,=", "es"),
        ("\x00\xff;q=\x00", "es"),
        ("en;q=0." + "9" * 100_000, "es"),
        ("x," * 100_000 + "en", "es"),
    ],
)
def test_english_is_for_who_prefers_it_over_spanish(header: str | None, language: str) -> None:
    assert language_of(header) == language


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (watched(journey=None), "waiting"),
        (watched(), "moving"),
        (watched(journey=seen(timedelta(minutes=2))), "moving"),
        (watched(journey=seen(timedelta(minutes=2, seconds=1))), "stale"),
        (watched(journey=seen(timedelta(minutes=20), received=timedelta(0))), "stale"),
        (watched(SESSION.arrive(arrived_at=NOW, at=NOW), None), "arrived"),
        (watched(SESSION.close("completed", at=NOW), None), "arrived"),
        (watched(journey=None, seen_at=NOW - timedelta(minutes=6)), "stale"),
        (watched(SESSION.close("cancelled", at=NOW), None), "ended"),
    ],
)
def test_the_state_is_what_a_customer_can_see(given: Watched, state: str) -> None:
    assert facts_of(given, now=NOW).state == state


def test_a_moving_trip_gives_all_that_is_known() -> None:
    facts = facts_of(watched(business_phone="+541143210987", address="Mitre 450"), now=NOW)
    assert as_json(facts) == {
        "state": "moving",
        "outcome": None,
        "position": {"lat": -34.62, "lng": -58.4},
        "destination": {"lat": -34.6038, "lng": -58.3837},
        "distance": 2346,
        "eta": {"lowMinutes": 14, "highMinutes": 25, "arriving": False},
        "mode": "driving",
        "technician": "Martín Suárez",
        "business": {"name": "Climatización", "phone": "+541143210987"},
        "address": "Mitre 450",
        "at": "2026-11-21T13:42:00Z",
        "setOutAt": "2026-11-21T13:32:00Z",
        "arrivedAt": None,
        "updatedAt": "2026-11-21T13:41:55Z",
        "expiresAt": "2026-11-21T17:32:00Z",
    }


def test_a_customer_is_told_places_to_the_metre_and_not_closer() -> None:
    fix = evolve(JOURNEY.fix, point=Point(-34.6037224, -58.3815926))
    facts = as_json(facts_of(watched(evolve(SESSION, destination=fix.point), evolve(JOURNEY, fix=fix)), now=NOW))
    assert facts["position"] == facts["destination"] == {"lat": -34.60372, "lng": -58.38159}


def test_who_has_not_been_seen_for_long_was_seen_last_at_a_time() -> None:
    facts = facts_of(watched(journey=None, seen_at=NOW - timedelta(minutes=30)), now=NOW)
    assert (facts.state, facts.position, facts.updated_at) == ("stale", None, NOW - timedelta(minutes=30))
    assert words_of(facts, language="es", zone=ZONE).detail.startswith("No recibimos su ubicación desde las 10:12")


def test_a_phone_whose_clock_is_ahead_was_not_heard_in_the_future() -> None:
    ahead = seen(timedelta(seconds=-50), received=timedelta(0))
    assert facts_of(watched(journey=ahead), now=NOW).updated_at == NOW


def test_an_old_position_has_no_mode_any_more() -> None:
    facts = facts_of(watched(journey=seen(timedelta(minutes=3))), now=NOW)
    assert (facts.mode, facts.position is None) == (None, False)


def test_an_arrival_and_an_end_have_no_position() -> None:
    arrived = facts_of(watched(SESSION.arrive(arrived_at=NOW, at=NOW), None), now=NOW)
    ended = facts_of(watched(SESSION.close("cancelled", at=NOW), None), now=NOW)
    assert (arrived.arrived_at, arrived.position, arrived.outcome) == (NOW, None, None)
    assert (ended.outcome, ended.position) == ("cancelled", None)


@pytest.mark.parametrize(
    ("metres", "spanish", "english"),
    [
        (0, "0 m", "0 m"),
        (344, "340 m", "340 m"),
        (345, "350 m", "350 m"),
        (994, "990 m", "990 m"),
        (995, "1,0 km", "1.0 km"),
        (1249, "1,2 km", "1.2 km"),
        (12_350, "12,4 km", "12.4 km"),
    ],
)
def test_a_distance_is_written_as_people_do(metres: int, spanish: str, english: str) -> None:
    assert distance_in_words(metres, language="es") == spanish
    assert distance_in_words(metres, language="en") == english


@pytest.mark.parametrize(
    ("phone", "written"),
    [
        ("+5491155550123", "+54 9 11 5555-0123"),
        ("+541143210987", "+54 11 4321-0987"),
        ("+5492214567890", "+54 9 221 456-7890"),
        ("+14155550123", "+14155550123"),
    ],
)
def test_a_phone_is_written_as_people_do(phone: str, written: str) -> None:
    assert phone_in_words(phone) == written


@pytest.mark.parametrize(
    ("low", "high", "headline", "detail"),
    [
        (14, 25, "Tu técnico llega en 14-25 min", "Entre las 10:56 y las 11:07"),
        (0, 3, "Tu técnico llega en menos de 3 min", "Antes de las 10:45"),
        (40, 118, "Tu técnico llega en 40 min a 1 h 58 min", "Entre las 11:22 y las 12:40"),
        (60, 182, "Tu técnico llega en 1 h a 3 h 2 min", "Entre las 11:42 y las 13:44"),
    ],
)
def test_an_interval_is_said_in_minutes_and_in_hours_of_the_day(
    low: int, high: int, headline: str, detail: str
) -> None:
    facts = facts_of(watched(), now=NOW)
    assert facts.eta is not None
    words = words_of(evolve(facts, eta=evolve(facts.eta, low_minutes=low, high_minutes=high)), language="es", zone=ZONE)
    assert (words.headline, words.detail) == (headline, detail)


def test_both_languages_have_every_text_with_the_same_gaps() -> None:
    assert TEXTS["es"].keys() == TEXTS["en"].keys()
    for key, text in TEXTS["es"].items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", TEXTS["en"][key])), key


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(("reason", "status"), [("expired", 410), ("unknown", 404)])
def test_a_link_that_shows_nothing_says_what_happened_and_what_to_do(
    language: Language, reason: Any, status: int
) -> None:
    page = render_gone(language=language, reason=reason)
    body = bytes(page.body).decode()
    assert page.status_code == status
    for part in ("title", "meaning", "next"):
        assert TEXTS[language][f"{reason}_{part}"] in body
    assert f'lang="{"es-AR" if language == "es" else "en"}"' in body


def test_hostile_names_are_text() -> None:
    hostile = "<script>alert('x')</script>\"{0}{technician}"
    given = watched(technician=hostile, business=hostile, business_phone="javascript:alert(1)", address=hostile)
    for session in (SESSION, SESSION.close("completed", at=NOW)):
        facts = facts_of(evolve(given, progress=evolve(given.progress, session=session)), now=NOW)
        body = bytes(render_tracking(facts=facts, language="es", tiles_url=None).body).decode()
        assert "<script>" not in body
        assert 'href="javascript' not in body
        assert 'href="tel:1"' in body


@pytest.mark.parametrize(
    ("tiles_url", "images"),
    [
        (None, "'self' data:"),
        ("/tiles/{z}/{x}/{y}.png", "'self' data:"),
        ("https://tiles.example.com/{z}/{x}/{y}{r}.png?key=1", "'self' data: https://tiles.example.com"),
        ("https://{s}.example.com:8443/{z}/{x}/{y}.png", "'self' data: https://*.example.com:8443"),
        ("https://evil;script-src *//{z}", "'self' data:"),
    ],
)
def test_the_policy_lets_in_the_tiles_and_nothing_else(tiles_url: str | None, images: str) -> None:
    page = render_tracking(facts=facts_of(watched(), now=NOW), language="es", tiles_url=tiles_url)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'self'",
        "img-src": images,
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son\w+=", bytes(page.body).decode())


def test_times_are_those_of_the_zone() -> None:
    facts = facts_of(watched(SESSION.arrive(arrived_at=NOW, at=NOW), None), now=NOW)
    body = bytes(render_tracking(facts=facts, language="en", tiles_url=None, zone="Europe/Madrid").body).decode()
    assert "Your technician arrived at 14:42" in body


async def test_the_link_opens_as_a_page_in_the_readers_language(web: Web) -> None:
    job = await web.scheduled(await web.a_job())
    await web.move(job, "carlos", to="en_camino")
    await web.settle()
    session = await web.app.store.sessions.of_job("demo", job["id"])
    assert session is not None
    link = f"/track/{web.app.tracking.token_of(session.id)}"
    spanish = await web.ask("GET", link, None)
    assert (spanish.status_code, spanish.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Tu técnico está en camino" in spanish.text
    assert "Mitre 450" in spanish.text
    assert "token" not in spanish.text
    assert web.app.tracking.token_of(session.id) not in spanish.text
    assert spanish.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in spanish.headers["x-robots-tag"]
    assert spanish.headers["cache-control"] == "no-store"
    english = await web.ask("GET", link, None, headers={"accept-language": "en-GB"})
    assert "Your technician is on the way" in english.text
    web.clock.forward(hours=4)
    expired = await web.ask("GET", link, None)
    assert (expired.status_code, "Este enlace ya venció" in expired.text) == (410, True)
    unknown = await web.ask("GET", "/track/nobody-knows-this-one", None)
    assert (unknown.status_code, "No encontramos este enlace" in unknown.text) == (404, True)


async def test_what_the_pages_load_is_there(web: Web) -> None:
    page = render_tracking(facts=facts_of(watched(), now=NOW), language="es", tiles_url=None)
    docs = await web.ask("GET", "/docs", None)
    assert docs.status_code == 200
    for path in set(re.findall(r'(?:href|src)="(/static/[^"#]+)', bytes(page.body).decode() + docs.text)):
        asset = await web.ask("GET", path, None)
        assert (asset.status_code, asset.headers["cache-control"]) == (200, "no-cache"), path
    sprite = (await web.ask("GET", "/static/vendor/lucide/icons.svg", None)).text
    script = (await web.ask("GET", "/static/track.js", None)).text
    for name in ("car", "footprints", "circle-pause", "circle-check-big", "circle-x", "wifi-off", "navigation"):
        assert f'id="{name}"' in sprite
        assert f'"{name}"' in script


async def test_the_documentation_names_every_route_once(web: Web) -> None:
    spec = (await web.ask("GET", "/openapi.json", None)).json()
    page = (await web.ask("GET", "/docs", None)).text
    routes = [(method.upper(), path) for path, item in spec["paths"].items() for method in item]
    shown = re.findall(r'<span class="method \w+">(\w+)</span><code>([^<]+)</code>', page)
    assert sorted(shown) == sorted(routes)
    shapes = set(re.findall(r'href="#(shape-\w+)"', page))
    assert shapes <= set(re.findall(r'id="(shape-\w+)"', page))
