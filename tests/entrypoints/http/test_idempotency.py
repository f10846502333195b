"""A request that comes again under its key takes effect once and is answered as the first time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import frozen

from adapters.sql import upgrade
from core.kernel.errors import Unavailable
from core.kernel.ports import Claim, IdempotencyKeys, KeptAnswer
from tests.entrypoints.http.doors import door
from tests.entrypoints.http.test_tenant_probe import ISSUER
from tests.entrypoints.http.web import Web
from tests.entrypoints.http.web import web as serving_web

CUSTOMERS: Final = "/api/v1/customers"
ANA: Final = {"name": "Ana Ruiz"}
PNG: Final = (Path(__file__).parents[3] / "demo" / "photo.png").read_bytes()


async def send(
    web: Web,
    body: object = None,
    *,
    key: str = "k-1",
    path: str = CUSTOMERS,
    who: str = "marta",
    method: str = "POST",
    **more: Any,
) -> httpx2.Response:
    headers = {"idempotency-key": key, **more.pop("headers", {})}
    content = {} if body is None else {"json": body}
    return await web.ask(method, path, who, headers=headers, **content, **more)


async def names(web: Web, who: str = "marta") -> Counter[str]:
    return Counter(each["name"] for each in (await web.get(f"{CUSTOMERS}?limit=200", who)).json()["items"])


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def any_web(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Web]:
    """Give the application over each kind of database."""
    url = "memory:"
    if request.param != "memory":
        made = f"sqlite+aiosqlite:///{tmp_path / 'web.db'}"
        url = made if request.param == "sqlite" else request.getfixturevalue("postgres_url")
        upgrade(url)
    async with serving_web(tmp_path, CUADRILLA_DATABASE_URL=url) as served:
        yield served


async def test_the_same_request_again_is_answered_as_the_first_time(any_web: Web) -> None:
    first, again = await send(any_web, ANA), await send(any_web, ANA)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await names(any_web) == {"Ana Ruiz": 1}


async def test_of_eight_at_once_one_takes_effect_and_all_are_answered_alike(any_web: Web) -> None:
    bodies = {f"key-{n}": {"name": f"Cliente {n}"} for n in range(10)}
    asked = [send(any_web, body, key=key) for key, body in bodies.items() for _ in range(8)]
    answers = await asyncio.gather(*asked)
    while late := [place for place, answer in enumerate(answers) if answer.status_code == 409]:
        for place in late:
            assert answers[place].json()["code"] == "idempotency.running"
            key = list(bodies)[place // 8]
            answers[place] = await send(any_web, bodies[key], key=key)
    for start in range(0, 80, 8):
        assert {(each.status_code, each.content) for each in answers[start : start + 8]} == {
            (201, answers[start].content)
        }
    assert await names(any_web) == {body["name"]: 1 for body in bodies.values()}


async def test_the_key_with_another_request_is_refused(any_web: Web) -> None:
    await send(any_web, ANA)
    for other in (await send(any_web, {"name": "Otra"}), await send(any_web, ANA, path=f"{CUSTOMERS}?a=b")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    assert await names(any_web) == {"Ana Ruiz": 1}


async def test_a_key_belongs_to_tenant_user_thing_and_action(web: Web) -> None:
    job = await web.a_job()
    moves = {"to": "cancelled", "reason": "x"}
    answers = [
        await send(web, {"name": "A"}),
        await send(web, {"name": "B"}, who="owen"),
        await send(web, {"title": "C"}, path=f"/api/v1/jobs/{job['id']}", method="PATCH"),
        await send(web, moves, path=f"/api/v1/jobs/{job['id']}/transitions"),
        await send(web, moves, path=f"/api/v1/jobs/{(await web.a_job())['id']}/transitions"),
    ]
    assert [(each.status_code, "idempotency-replayed" in each.headers) for each in answers] == [
        (201, False),
        (201, False),
        (200, False),
        (200, False),
        (200, False),
    ]


async def test_a_key_is_good_for_a_day(web: Web) -> None:
    await send(web, ANA)
    web.clock.forward(hours=23, minutes=59)
    assert (await send(web, ANA)).headers["idempotency-replayed"] == "true"
    web.clock.forward(minutes=2)
    assert "idempotency-replayed" not in (await send(web, ANA)).headers
    assert await names(web) == {"Ana Ruiz": 2}
    web.clock.forward(hours=24)
    assert await web.app.idempotency.tidy(limit=100) == 1


async def test_a_refusal_frees_the_key(any_web: Web) -> None:
    assert (await send(any_web, {"nam": "Ana"})).status_code == 400
    assert (await send(any_web, {"name": ""})).status_code == 422
    assert (await send(any_web, ANA)).status_code == 201


async def test_a_move_that_was_refused_may_be_asked_again_and_one_that_was_made_is_not_made_twice(web: Web) -> None:
    job = await web.a_job()
    path, depart = f"/api/v1/jobs/{job['id']}/transitions", {"to": "en_camino"}
    assert (await send(web, depart, path=path, who="carlos")).status_code == 404
    await web.scheduled(job)
    answers = [await send(web, depart, path=path, who="carlos") for _ in range(2)]
    assert [(each.status_code, each.json()["status"]) for each in answers] == [(200, "en_camino")] * 2
    assert answers[0].json()["version"] == answers[1].json()["version"]
    another = await send(web, depart, path=path, who="carlos", key="k-2")
    assert another.status_code == 409


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "ñandú", "tab\tbed"])
async def test_a_key_that_is_none_is_refused(web: Web, key: str) -> None:
    answer = await web.ask("POST", CUSTOMERS, json=ANA, headers={"idempotency-key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")
    assert await names(web) == {}


async def test_two_keys_are_none(web: Web) -> None:
    headers = [
        ("authorization", f"Bearer {await web.token('marta')}"),
        ("idempotency-key", "a"),
        ("idempotency-key", "b"),
    ]
    answer = await web.client.post(CUSTOMERS, json=ANA, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")


async def test_reading_takes_no_key(web: Web) -> None:
    assert "idempotency-replayed" not in (await send(web, method="GET")).headers
    await web.post(CUSTOMERS, ANA)
    assert len((await send(web, method="GET")).json()["items"]) == 1


async def test_the_same_form_may_have_another_boundary(web: Web) -> None:
    job = await web.a_job()
    await web.scheduled(job)
    for to in ("en_camino", "working"):
        await web.move(job, "carlos", to=to)
    path = f"/api/v1/jobs/{job['id']}/photos"
    answers = [await send(web, path=path, who="carlos", files={"file": ("a.png", PNG, "image/png")}) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].request.headers["content-type"] != answers[1].request.headers["content-type"]
    assert answers[1].headers["idempotency-replayed"] == "true"
    other = await send(web, path=path, who="carlos", files={"file": ("a.png", PNG + b"\0", "image/png")})
    assert other.json()["code"] == "idempotency.key_reused"
    assert len((await web.get(f"/api/v1/jobs/{job['id']}")).json()["photos"]) == 1


@frozen
class Forgetful:
    """Keys of a process that dies, or whose database does, between an effect and its answer."""

    _keys: IdempotencyKeys

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)

    async def keep(self, claim: Claim, answer: KeptAnswer, *, life: timedelta) -> None:
        raise Unavailable


async def test_after_a_crash_between_effect_and_answer_nothing_is_done_twice(any_web: Web) -> None:
    async with door(any_web, idempotency=Forgetful(any_web.app.idempotency)) as dying:
        assert (await send(dying, ANA)).status_code == 201
    any_web.clock.forward(seconds=60)
    for _ in range(2):
        lost = await send(any_web, ANA)
        assert (lost.status_code, lost.json()["code"]) == (409, "idempotency.answer_lost")
    assert await names(any_web) == {"Ana Ruiz": 1}


async def test_an_invoice_that_was_refused_goes_on_under_the_same_key(web: Web) -> None:
    await web.app.store.issuers.put(ISSUER)
    job = await web.scheduled(await web.a_job())
    for to in ("en_camino", "working"):
        assert (await web.move(job, "carlos", to=to)).status_code == 200
    lines = [{"description": "Gas", "quantity": "1", "unitPrice": "1000.00"}]
    assert (await web.move(job, "carlos", to="completed", lines=lines)).status_code == 200
    for _ in range(2):  # there is no certificate yet; the draft is stored all the same
        asked = await web.ask(
            "POST", "/api/v1/invoices", json={"jobId": job["id"]}, headers={"idempotency-key": "the-invoice"}
        )
        assert (asked.status_code, asked.json()["code"]) == (422, "afip.refused"), asked.text
    assert len((await web.get("/api/v1/invoices")).json()["items"]) == 1


@frozen
class Slow:
    """Customers that take as long as somebody else wants, before their effect or after it."""

    _customers: Any
    _go: asyncio.Event
    _after: bool = False
    _asked: asyncio.Event = asyncio.Event()

    async def register(self, **wanted: Any) -> Any:
        if self._after:
            await self._customers.register(**wanted)
        self._asked.set()
        await self._go.wait()
        return await self._customers.register(**wanted)


async def test_a_duplicate_waits_for_the_first(any_web: Web) -> None:
    go = asyncio.Event()
    async with door(any_web, customers=Slow(any_web.app.customers, go)) as slow:
        first, second = asyncio.create_task(send(slow, ANA)), asyncio.create_task(send(slow, ANA))
        await asyncio.sleep(0.1)
        assert not first.done()
        assert not second.done()
        go.set()
        answers = [await first, await second]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert await names(any_web) == {"Ana Ruiz": 1}


async def test_a_duplicate_that_waited_long_enough_is_told_to_come_back(web: Web) -> None:
    go = asyncio.Event()
    async with door(web, customers=Slow(web.app.customers, go)) as slow:
        first = asyncio.create_task(send(slow, ANA))
        await asyncio.sleep(0)
        early = await send(web, ANA)
        assert (early.status_code, early.json()["code"]) == (409, "idempotency.running")
        assert early.headers["retry-after"] == "1"
        go.set()
        assert (await send(web, ANA)).content == (await first).content


@pytest.mark.parametrize("after", [False, True])
async def test_a_request_that_was_given_up_leaves_its_key_free_unless_it_took_effect(any_web: Web, after: bool) -> None:
    asked = asyncio.Event()
    slow = Slow(any_web.app.customers, asyncio.Event(), after, asked)
    async with door(any_web, customers=slow) as stuck:
        first = asyncio.create_task(send(stuck, ANA))
        await asked.wait()
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
    again = await send(any_web, ANA)
    assert (again.status_code, again.json().get("code")) == ((409, "idempotency.answer_lost") if after else (201, None))
    assert await names(any_web) == {"Ana Ruiz": 1}


async def test_an_answer_too_long_to_keep_is_not_made_twice_either(web: Web) -> None:
    job = await web.a_job()
    notes = "ñ" * 100_000
    path, change = f"/api/v1/jobs/{job['id']}", {"notes": notes}
    first = await send(web, change, path=path, method="PATCH")
    assert (first.status_code, first.json()["notes"]) == (200, notes)
    again = await send(web, change, path=path, method="PATCH")
    assert (again.status_code, again.json()["code"]) == (409, "idempotency.answer_lost")


async def test_keys_that_cannot_be_looked_up_let_nothing_happen(web: Web) -> None:
    @frozen
    class Silent:
        async def claim(self, **_: object) -> None:
            raise Unavailable

    async with door(web, idempotency=Silent()) as silent:
        assert (await send(silent, ANA)).status_code == 503
        assert (await silent.post(CUSTOMERS, {"name": "Sin clave"})).status_code == 201
    assert await names(web) == {"Sin clave": 1}
