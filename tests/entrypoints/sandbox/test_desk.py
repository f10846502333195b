"""The desk: what a newcomer sees and presses, over a real running system."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from attrs import frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from entrypoints.demo_tenant import log_ins
from entrypoints.sandbox.desk import Api, Refusal
from entrypoints.sandbox.desk.drive import Drives, Place, _way
from entrypoints.sandbox.desk.routes import _item, moment, pesos
from entrypoints.sandbox.desk.texts import TEXTS
from entrypoints.serving import free_port, serving
from entrypoints.settings import read_settings
from entrypoints.staging import running

PATIENCE = 90.0


@frozen
class Desk:
    """A person at the desk, and the product behind it."""

    client: httpx2.AsyncClient
    sandbox: str
    api: str
    tokens: dict[str, str]

    async def page(self, language: str = "es", query: str = "") -> str:
        answer = await self.client.get(f"{self.sandbox}/desk{query}", headers={"accept-language": language})
        assert answer.status_code == 200
        return answer.text

    async def press(self, job_id: str, to: str, *, language: str = "es", **more: str) -> httpx2.Response:
        headers = {"accept-language": language, "sec-fetch-site": more.pop("site", "same-origin")}
        return await self.client.post(f"{self.sandbox}/desk/jobs/{job_id}", data={"to": to, **more}, headers=headers)

    async def job(self, job_id: str) -> dict[str, Any]:
        return await self.ask("GET", f"/api/v1/jobs/{job_id}")

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        bearer = {"authorization": f"Bearer {self.tokens['user_marta']}"}
        answer = await self.client.request(method, self.api + path, json=body, headers=bearer)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def new_job(self, title: str = "Aire", **more: Any) -> str:
        customer = await self.ask("POST", "/api/v1/customers", {"name": "Ana Ruiz", "phone": "+5491155550123"})
        job = await self.ask("POST", "/api/v1/jobs", {"customerId": customer["id"], "title": title, **more})
        return str(job["id"])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a desk with a whole running system on SQLite behind it."""
    ports = {"CUADRILLA_PORT": str(free_port()), "CUADRILLA_SANDBOX_PORT": str(free_port())}
    environ = {"CUADRILLA_ENV": "development", "CUADRILLA_VAR": str(tmp_path), **ports}
    settings = read_settings(environ, directory=tmp_path)
    async with running(settings) as system, httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        assert system.sandbox is not None
        yield Desk(client, system.sandbox, system.api, {each.user_id: each.token for each in log_ins(settings)})


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("language", ["es", "en"])
async def test_a_newcomer_is_told_where_to_begin(language: str, desk: Desk) -> None:
    page = unescape(await desk.page(language))
    assert TEXTS[language]["empty_title"] in page
    assert TEXTS[language]["empty_help"] in page
    assert f'lang="{language}' in page
    assert await desk.page("fr") in {await desk.page("es"), await desk.page("en")}


async def test_the_buttons_take_a_job_from_request_to_invoice(desk: Desk) -> None:
    job_id = await desk.new_job(request="no enfría", wantedDay="2026-12-01")
    page = unescape(await desk.page())
    assert (TEXTS["es"]["schedule"] in page, "no enfría" in page, "2026-12-01" in page) == (True, True, True)
    visit = {"technician": "user_carlos", "day": "2099-12-01", "address": "Mitre 450"}
    answer = await desk.press(job_id, "scheduled", **visit)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/desk#{job_id}")
    job = await desk.job(job_id)
    assert (job["status"], job["technicianId"], job["startsAt"]) == ("scheduled", "user_carlos", "2099-12-01T12:00:00Z")
    assert (job["location"]["address"], job["location"]["lat"]) == ("Mitre 450", -34.603851)
    page = unescape(await desk.page())
    assert ("01/12 09:00" in page, "Carlos Gómez" in page, TEXTS["es"]["depart"] in page) == (True, True, True)

    assert (await desk.press(job_id, "en_camino")).status_code == 303
    assert (await desk.job(job_id))["status"] == "en_camino"
    assert TEXTS["es"]["on_the_way"] in unescape(await desk.page())

    async def van_seen() -> bool:
        session = await desk.ask("GET", f"/api/v1/jobs/{job_id}/timeline")
        return any(each["kind"] == "tracking.opened" for each in session["items"])

    await until(van_seen)
    assert (await desk.press(job_id, "working")).status_code == 303
    assert TEXTS["es"]["complete"] in unescape(await desk.page())
    assert (await desk.press(job_id, "completed", item="Carga de gas", price="24.580,00")).status_code == 303
    job = await desk.job(job_id)
    assert (job["status"], Decimal(job["totals"]["total"])) == ("completed", Decimal("29741.80"))
    assert "$ 29.741,80" in unescape(await desk.page())
    assert (await desk.press(job_id, "invoiced")).status_code == 303

    async def invoiced() -> bool:
        return bool((await desk.job(job_id))["status"] == "invoiced")

    await until(invoiced)
    page = unescape(await desk.page())
    link = re.search(r'href="(/desk/invoices/[^"]+/pdf)"', page)
    assert link is not None
    assert re.search(r"\b\d{14}\b", page)
    pdf = await desk.client.get(desk.sandbox + link.group(1))
    assert pdf.content.startswith(b"%PDF")
    assert pdf.headers["content-disposition"].startswith('attachment; filename="factura-')


async def test_what_the_product_refuses_is_shown_on_the_page(desk: Desk) -> None:
    job_id = await desk.new_job()
    answer = await desk.press(job_id, "en_camino", language="en")
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text
    assert (await desk.job(job_id))["status"] == "pending"
    assert "there is no such button" in (await desk.press(job_id, "dance")).text
    assert 'role="alert"' in (await desk.press("job_nobody_has", "working")).text
    assert (await desk.client.get(f"{desk.sandbox}/desk/invoices/none/pdf")).status_code == 502


@pytest.mark.parametrize("language", ["es", "en"])
async def test_a_day_or_a_price_that_is_none_is_asked_for_again(language: str, desk: Desk) -> None:
    job_id = await desk.new_job()
    shown = await desk.press(job_id, "scheduled", language=language, technician="user_carlos", day="soon", address="x")
    assert TEXTS[language]["bad_day"] in unescape(shown.text)
    shown = await desk.press(job_id, "completed", language=language, item="x", price="gratis")
    assert TEXTS[language]["bad_price"] in unescape(shown.text)


async def test_a_visit_keeps_the_position_that_the_customer_sent(desk: Desk) -> None:
    job_id = await desk.new_job(location={"address": "Mitre 450", "lat": -34.61, "lng": -58.4})
    assert 'value="-34.61"' in await desk.page()
    where = {"address": "Mitre 450", "lat": "-34.61", "lng": "-58.4"}
    await desk.press(job_id, "scheduled", technician="user_carlos", day="2099-12-01", **where)
    location = (await desk.job(job_id))["location"]
    assert (location["lat"], location["lng"]) == (-34.61, -58.4)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_cannot_press_the_buttons(site: str, desk: Desk) -> None:
    job_id = await desk.new_job()
    visit = {"technician": "user_carlos", "day": "2099-12-01", "address": "x"}
    assert (await desk.press(job_id, "scheduled", site=site, **visit)).status_code == 403
    assert (await desk.job(job_id))["status"] == "pending"


async def test_what_people_write_is_never_markup(desk: Desk) -> None:
    hostile = '<script>alert(1)</script>"onload="x'
    await desk.new_job(hostile, request=hostile, location={"address": hostile})
    page = await desk.page(query="?problem=%3Cimg+src=x%3E")
    assert "<script>alert" not in page
    assert '"onload="' not in page
    assert "<img" not in page
    assert unescape(page).count(hostile) >= 3
    assert "&lt;img src=x&gt;" in page


@pytest.mark.parametrize("language", ["es", "en"])
async def test_a_product_that_does_not_answer_is_said_to(language: str, desk: Desk) -> None:
    introduction = {
        "url": f"http://127.0.0.1:{free_port()}",
        "dispatcher": "d",
        "technician": "t",
        "technician_id": "t",
    }
    assert (await desk.client.put(f"{desk.sandbox}/desk/control/api", json=introduction)).status_code == 200
    page = unescape(await desk.page(language))
    assert TEXTS[language]["offline"] in page
    assert introduction["url"] in page
    assert TEXTS[language]["empty_title"] not in page


async def test_the_page_lets_nobody_frame_it_or_run_scripts_of_others(desk: Desk) -> None:
    answer = await desk.client.get(f"{desk.sandbox}/desk")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    for file in ("desk.css", "desk.js"):
        assert (await desk.client.get(f"{desk.sandbox}/desk/static/{file}")).status_code == 200


async def test_nobody_is_asked_before_a_product_has_introduced_itself() -> None:
    with pytest.raises(Refusal, match="no product has introduced itself"):
        await Api().get("/api/v1/jobs")


async def test_an_answer_that_is_no_problem_document_is_still_a_refusal() -> None:
    async def odd(_: Request) -> Response:
        return PlainTextResponse("not found", 404)

    async def bare(_: Request) -> Response:
        return Response(b'["not a problem"]', 500)

    async with serving(Starlette(routes=[Route("/odd", odd), Route("/bare", bare)])) as url:
        for path, status in (("/odd", 404), ("/bare", 500)):
            with pytest.raises(Refusal, match=rf"answered {status}"):
                await Api(url=url, dispatcher="d").get(path)


@pytest.mark.parametrize(
    ("written", "price"),
    [("24.580,00", "24580.00"), ("24580", "24580"), (" 1.234.567,8 ", "1234567.8"), ("0,5", "0.5")],
)
def test_a_price_is_read_as_people_here_write_it(written: str, price: str) -> None:
    assert _item({"price": written, "item": " Gas "}, TEXTS["es"]) == {
        "description": "Gas",
        "quantity": "1",
        "unitPrice": price,
    }


def test_amounts_and_instants_are_written_as_people_here_do() -> None:
    assert (pesos("24580"), pesos("1234567.8"), pesos("0.5")) == ("$ 24.580,00", "$ 1.234.567,80", "$ 0,50")
    assert moment("2026-11-21T17:30:00Z") == "21/11 14:30"


def test_both_languages_have_the_same_words() -> None:
    assert TEXTS["es"].keys() == TEXTS["en"].keys()


def test_the_van_comes_nearer_and_stays_at_the_door() -> None:
    way = _way()
    far = [abs(east) + abs(north) for east, north, _ in way]
    assert far == sorted(far, reverse=True)
    assert way[-1] == (0.0, 0.0, 0.0)
    assert {speed for _, _, speed in way} == {13.0, 1.4, 0.0}


async def test_a_van_that_has_arrived_stops_and_one_under_way_is_not_started_twice() -> None:
    reports: list[str] = []

    async def update(request: Request) -> Response:
        reports.append((await request.json())["jobId"])
        return Response(b'{"state": "arrived"}', 200)

    async with serving(Starlette(routes=[Route("/api/v1/tracking/update", update, methods=["POST"])])) as url:
        drives = Drives(Api(url=url, technician="t"))
        drives.start("job_1", Place(-34.6, -58.4))
        drives.start("job_1", Place(-34.6, -58.4))
        async with asyncio.timeout(PATIENCE):
            while drives._running:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert reports == ["job_1"]
        drives.start("job_2", Place(-34.6, -58.4))
        await drives.stop()
        assert drives._running == {}
