"""Expo and FCM: against the sandbox over real HTTP, which refuses what they refuse, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import define, evolve, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from adapters.push import ExpoPush, FcmPush, ServiceAccount
from core.kernel.errors import Invalid, NotFound, Unavailable
from core.notifications import PushAnswer, PushNote
from core.notifications.ports import PushService
from entrypoints.serving import serving
from tests.entrypoints.sandbox.whatsapp_bench import Clock, bench

PROJECT: Final = "cuadrilla-test"


def note(token: str, **more: Any) -> PushNote:
    known: dict[str, Any] = {
        "device_id": "dev_1",
        "token": token,
        "title": "Trabajo nuevo",
        "body": "Av. Corrientes 1234",
        "data": {"deliveryId": "dlv_1"},
        "urgent": False,
    }
    return PushNote(**{**known, **more})


def expo_token(number: int | str = 1) -> str:
    return f"ExponentPushToken[{number}]"


@define
class Services:
    """The sandbox, and both services over it."""

    url: str
    client: httpx2.AsyncClient
    clock: Clock
    account: ServiceAccount
    access_token: str | None = None
    expo: ExpoPush = field(init=False)
    fcm: FcmPush = field(init=False)

    def __attrs_post_init__(self) -> None:
        async def access_token(_: str) -> str | None:
            return self.access_token

        async def account(tenant: str) -> ServiceAccount:
            if tenant == "nobody":
                msg = "nobody has no Firebase project"
                raise NotFound(msg)
            return self.account

        first, second = (httpx2.AsyncClient(timeout=60, trust_env=False) for _ in range(2))
        self.expo = ExpoPush(self.url, access_token, client=first)
        self.fcm = FcmPush(self.url, f"{self.url}/token", account, self.clock, client=second)

    async def order(self, **fault: Any) -> None:
        answer = await self.client.post("/push/control/faults", json=fault)
        assert answer.status_code == 201, answer.text

    async def put_token(self, token: str, **state: str) -> None:
        answer = await self.client.put("/push/control/tokens", json={"token": token, **state})
        assert answer.status_code == 200, answer.text

    async def taken(self) -> tuple[list[dict[str, Any]], list[int]]:
        """Return the notes that were taken, and how many each request to Expo held."""
        shown = (await self.client.get("/push/control/notes")).json()
        return shown["items"], shown["requests"]


@contextlib.asynccontextmanager
async def open_services(folder: Path) -> AsyncIterator[Services]:
    """Run the sandbox with a service account, and both services over it."""
    async with (
        bench(folder) as sandbox,
        httpx2.AsyncClient(base_url=sandbox.url, trust_env=False, timeout=60) as client,
    ):
        made = await client.post("/push/control/service-accounts", json={"project_id": PROJECT})
        services = Services(sandbox.url, client, sandbox.clock, ServiceAccount.from_json(made.text))
        yield services
        await services.expo.close()
        await services.fcm.close()


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_services(tmp_path) as made:
        yield made


# Both.


@pytest.fixture(params=["expo", "fcm"])
def service(request: pytest.FixtureRequest, services: Services) -> tuple[PushService, str]:
    """Give each service, and a token for it."""
    return (services.expo, expo_token()) if request.param == "expo" else (services.fcm, "fcm-token")


async def test_a_note_is_taken_under_a_ticket(service: tuple[PushService, str], services: Services) -> None:
    push, token = service
    (answer,) = await push.push("demo", [note(token, urgent=True)])
    ((shown,), _) = await services.taken()
    assert (answer.ticket, answer.error_code) == (shown["ticket"], "")
    assert (shown["token"], shown["title"], shown["data"]) == (token, "Trabajo nuevo", {"deliveryId": "dlv_1"})
    page = await services.client.get("/push", headers={"accept-language": "en"})
    assert "Av. Corrientes 1234" in page.text


async def test_answers_come_in_the_order_of_the_notes(service: tuple[PushService, str], services: Services) -> None:
    push, token = service
    tokens = [token.replace("1", str(number)) if "1" in token else f"{token}-{number}" for number in range(25)]
    for gone in tokens[::5]:
        await services.put_token(gone, state="gone")
    answers = await push.push("demo", [note(each) for each in tokens])
    assert [answer.gone for answer in answers] == [number % 5 == 0 for number in range(25)]
    assert [answer.ticket is None for answer in answers] == [number % 5 == 0 for number in range(25)]


async def test_a_long_text_is_cut_to_what_a_note_may_hold(service: tuple[PushService, str]) -> None:
    push, token = service
    (answer,) = await push.push("demo", [note(token, body="ñ" * 5000)])
    assert answer.ticket is not None
    (answer,) = await push.push("demo", [note(token, data={"a": "x" * 5000})])
    assert (answer.error_code, answer.again, answer.gone) in [
        ("MessageTooBig", False, False),
        ("INVALID_ARGUMENT", False, False),
    ]


async def test_trouble_of_the_service_passes(service: tuple[PushService, str], services: Services) -> None:
    push, token = service
    await push.push("demo", [note(token)])  # lets FCM in
    await services.order(status=502)
    assert [each.again for each in await push.push("demo", [note(token)])] == [True]
    await services.order(cut=True)
    assert [each.lost for each in await push.push("demo", [note(token)])] == [True]
    assert [each.ticket is not None for each in await push.push("demo", [note(token)])] == [True]


async def test_a_service_that_answers_can_be_pinged(services: Services, nowhere: str) -> None:
    await services.expo.ping()
    await services.fcm.ping()
    for away in (evolve(services.expo, base_url=nowhere), evolve(services.fcm, base_url=nowhere)):
        with pytest.raises(Unavailable):
            await away.ping()


# Expo.


async def test_expo_gets_a_hundred_notes_in_a_request(services: Services) -> None:
    answers = await services.expo.push("demo", [note(expo_token(number)) for number in range(250)])
    notes, requests = await services.taken()
    assert ([each.ticket for each in answers], requests) == ([each["ticket"] for each in notes], [100, 100, 50])


async def test_a_request_that_fails_does_not_fail_those_beside_it(services: Services) -> None:
    await services.order(status=503, code="SERVICE_UNAVAILABLE", retry_after=7)
    answers = await services.expo.push("demo", [note(expo_token(number)) for number in range(150)])
    assert [(each.again, each.retry_after) for each in answers[:100]] == [(True, 7.0)] * 100
    assert all(each.ticket for each in answers[100:])


async def test_expo_asks_for_the_token_of_the_project(services: Services) -> None:
    await services.client.put("/push/control/access-token", json={"access_token": "secret"})
    (refused,) = await services.expo.push("demo", [note(expo_token())])
    assert (refused.again, refused.error_code) == (True, "UNAUTHORIZED")
    services.access_token = "secret"
    (taken,) = await services.expo.push("demo", [note(expo_token())])
    assert taken.ticket


async def test_apps_of_two_projects_are_written_to_apart(services: Services) -> None:
    await services.put_token(expo_token("old"), project="@cuadrilla/old")
    tokens = [expo_token(1), expo_token("old"), expo_token(2)]
    answers = await services.expo.push("demo", [note(each) for each in tokens])
    notes, requests = await services.taken()
    by_ticket = {each["ticket"]: each["token"] for each in notes}
    assert [by_ticket[str(each.ticket)] for each in answers] == tokens
    assert sorted(requests) == [1, 2]


async def test_receipts_tell_what_became_of_tickets(services: Services) -> None:
    await services.put_token(expo_token("fading"), state="fades")
    sent = await services.expo.push("demo", [note(expo_token()), note(expo_token("fading"))])
    tickets = [str(each.ticket) for each in sent]
    known = await services.expo.receipts("demo", [*tickets, "unknown"])
    assert set(known) == set(tickets)
    assert known[tickets[0]] == PushAnswer(ticket=tickets[0])
    assert (known[tickets[1]].gone, known[tickets[1]].error_code) == (True, "DeviceNotRegistered")


async def test_more_receipts_than_expo_gives_at_once_are_asked_for_in_turn(services: Services) -> None:
    sent = await services.expo.push("demo", [note(expo_token(number)) for number in range(100)])
    tickets = [*(f"unknown-{number}" for number in range(1000)), *(str(each.ticket) for each in sent)]
    assert len(await services.expo.receipts("demo", tickets)) == 100


async def test_receipts_that_cannot_be_had_now_are_had_later(services: Services, nowhere: str) -> None:
    await services.order(status=500)
    assert await services.expo.receipts("demo", ["a"]) == {}
    assert await evolve(services.expo, base_url=nowhere).receipts("demo", ["a"]) == {}


@contextlib.asynccontextmanager
async def saying(answer: Response) -> AsyncIterator[ExpoPush]:
    async def say(_: Request) -> Response:
        return answer

    async def access_token(_: str) -> str | None:
        return None

    async with serving(Starlette(routes=[Route("/{rest:path}", say, methods=["POST"])])) as url:
        push = ExpoPush(url, access_token, client=httpx2.AsyncClient(timeout=60, trust_env=False))
        yield push
        await push.close()


TICKET: Final[Mapping[str, Any]] = {"status": "ok", "id": "t"}
LOST: Final = {"lost": True}


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        (JSONResponse({"data": [TICKET]}), {"ticket": "t"}),
        (JSONResponse({"data": []}), LOST),
        (JSONResponse({"data": ["x"]}), LOST),
        (JSONResponse({"data": {"status": "ok"}}), LOST),
        (HTMLResponse("ok"), LOST),
        (
            JSONResponse({"data": [{"status": "error", "message": "m", "details": {"error": "MessageRateExceeded"}}]}),
            {"again": True, "error_code": "MessageRateExceeded", "error_text": "m"},
        ),
        (
            JSONResponse({"data": [{"status": "error", "details": {"error": "InvalidCredentials"}}]}),
            {"again": True, "error_code": "InvalidCredentials"},
        ),
        (
            JSONResponse({"data": [{"status": "error", "details": {"error": "MismatchSenderId"}}]}),
            {"error_code": "MismatchSenderId"},
        ),
        (JSONResponse({"data": [{"status": "error", "details": "?"}]}), {"error_code": "error"}),
        (
            JSONResponse({"errors": [{"code": "TOO_MANY_REQUESTS", "message": "m"}]}, 429, {"retry-after": "30"}),
            {"again": True, "error_code": "TOO_MANY_REQUESTS", "error_text": "m", "retry_after": 30.0},
        ),
        (JSONResponse({"errors": [{"code": "VALIDATION_ERROR"}]}, 400), {"error_code": "VALIDATION_ERROR"}),
        (
            JSONResponse({"errors": [{"code": "PUSH_TOO_MANY_EXPERIENCE_IDS"}]}, 400),
            {"error_code": "PUSH_TOO_MANY_EXPERIENCE_IDS"},
        ),
        (HTMLResponse("<h1>", 500, {"retry-after": "soon"}), {"again": True, "error_code": "500"}),
    ],
)
async def test_what_expo_says_is_understood(answer: Response, meant: dict[str, Any]) -> None:
    async with saying(answer) as push:
        assert await push.push("demo", [note(expo_token())]) == [PushAnswer(**meant)]


async def test_nobody_at_the_address_took_nothing_and_silence_is_a_doubt(services: Services, nowhere: str) -> None:
    (answer,) = await evolve(services.expo, base_url=nowhere).push("demo", [note(expo_token())])
    assert (answer.again, answer.lost) == (True, False)

    async def silent(request: Request) -> Response:
        while not await request.is_disconnected():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        return Response()

    async with serving(Starlette(routes=[Route("/{rest:path}", silent, methods=["POST"])])) as url:
        for push in (
            evolve(services.expo, base_url=url, patience=0.3),
            evolve(services.fcm, base_url=url, patience=0.3),
        ):
            token = expo_token() if isinstance(push, ExpoPush) else "t"
            if isinstance(push, FcmPush):
                await services.fcm.push("demo", [note(token)])  # has a bearer already
            (answer,) = await push.push("demo", [note(token)])
            assert (answer.lost, answer.again) == (True, False)


# FCM.


async def test_a_service_account_is_let_in_once_for_an_hour(services: Services) -> None:
    for _ in range(2):
        assert (await services.fcm.push("demo", [note("t")]))[0].ticket
    ((bearer, _),) = services.fcm._tokens.values()
    services.clock.offset += timedelta(minutes=58)
    assert (await services.fcm.push("demo", [note("t")]))[0].ticket
    ((fresh, _),) = services.fcm._tokens.values()
    assert fresh != bearer


async def test_a_bearer_that_was_taken_back_is_asked_for_anew_at_the_next_try(services: Services) -> None:
    assert (await services.fcm.push("demo", [note("t")]))[0].ticket
    await services.client.delete("/push/control/bearers")
    (refused,) = await services.fcm.push("demo", [note("t")])
    assert (refused.again, refused.error_code) == (True, "UNAUTHENTICATED")
    assert (await services.fcm.push("demo", [note("t")]))[0].ticket


async def test_a_key_that_is_not_the_account_s_is_not_let_in(services: Services) -> None:
    other = await services.client.post("/push/control/service-accounts", json={"project_id": PROJECT})
    services.account = evolve(services.account, private_key=ServiceAccount.from_json(other.text).private_key)
    (refused,) = await services.fcm.push("demo", [note("t")])
    assert (refused.again, refused.error_code, refused.gone) == (True, "invalid_grant", False)


async def test_a_tenant_without_a_project_has_no_channel(services: Services) -> None:
    (refused,) = await services.fcm.push("nobody", [note("t")])
    assert (refused.error_code, refused.again) == ("no_channel", False)


@pytest.mark.parametrize(
    ("fault", "meant"),
    [
        ({"status": 404, "code": "UNREGISTERED"}, {"gone": True, "again": False}),
        ({"status": 400, "code": "INVALID_ARGUMENT"}, {"gone": False, "again": False}),
        ({"status": 403, "code": "SENDER_ID_MISMATCH"}, {"gone": False, "again": False}),
        ({"status": 429, "code": "QUOTA_EXCEEDED"}, {"again": True, "retry_after": 60.0}),
        ({"status": 429, "code": "QUOTA_EXCEEDED", "retry_after": 300}, {"again": True, "retry_after": 300.0}),
        ({"status": 503, "code": "UNAVAILABLE", "retry_after": 5}, {"again": True, "retry_after": 5.0}),
        ({"status": 500, "code": "INTERNAL"}, {"again": True, "retry_after": 0.0}),
        ({"status": 401, "code": "THIRD_PARTY_AUTH_ERROR"}, {"again": True, "gone": False}),
    ],
)
async def test_what_google_says_is_understood(services: Services, fault: dict[str, Any], meant: dict[str, Any]) -> None:
    await services.order(**fault)
    (answer,) = await services.fcm.push("demo", [note("t")])
    assert (answer.error_code, answer.ticket) == (fault["code"], None)
    assert {name: getattr(answer, name) for name in meant} == meant


async def test_a_token_that_google_calls_malformed_is_gone(services: Services) -> None:
    (answer,) = await services.fcm.push("demo", [note("not a token")])
    assert (answer.error_code, answer.gone) == ("INVALID_ARGUMENT", True)


async def test_google_away_is_no_doubt_before_it_let_us_in(services: Services, nowhere: str) -> None:
    away = evolve(services.fcm, token_url=f"{nowhere}/token", tokens={})
    assert [(each.again, each.lost) for each in await away.push("demo", [note("t")])] == [(True, False)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "not json",
        json.dumps({"project_id": "p", "client_email": "e", "private_key": "no key"}),
        json.dumps({"project_id": 1, "client_email": "e", "private_key": None}),
    ],
)
def test_what_is_no_service_account_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(Invalid) as wrong:
        ServiceAccount.from_json(text)
    assert wrong.value.field == "service_account"
    assert "no key" not in str(wrong.value)
