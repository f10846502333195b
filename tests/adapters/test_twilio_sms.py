"""Codes by SMS: against the sandbox over real HTTP, and against servers that misbehave; and the sandbox against Twilio's own library."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import evolve, frozen
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from adapters.twilio import TwilioAccount, TwilioApi, TwilioSms
from adapters.twilio.sms import TEXT
from core.identity.ports import CodeDoubtful, CodeRefused
from core.kernel.errors import Unavailable
from entrypoints.sandbox.twilio.routes import _segments
from entrypoints.serving import free_port, serving
from tests.entrypoints.sandbox.whatsapp_bench import bench

ACCOUNT: Final = TwilioAccount(account_sid="AC" + "a" * 32, auth_token="token-of-twilio", sender="+541150009999")
PHONE: Final = "+5491155550123"


@frozen
class Twilio:
    """The sandbox, with an account opened."""

    url: str
    client: httpx2.AsyncClient

    async def texts(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = (await self.client.get("/twilio/control/messages")).json()["items"]
        return found


@pytest.fixture
async def twilio(tmp_path: Path) -> AsyncIterator[Twilio]:
    async with bench(tmp_path) as sandbox, httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        for account in (ACCOUNT, evolve(ACCOUNT, account_sid="AC" + "b" * 32, sender="MG" + "c" * 32)):
            opened = {"auth_token": account.auth_token, "sender": account.sender}
            answer = await client.put(f"/twilio/control/accounts/{account.account_sid}", json=opened)
            assert answer.status_code == 200, answer.text
        yield Twilio(sandbox.url, client)


@contextlib.asynccontextmanager
async def sms_over(url: str, account: TwilioAccount = ACCOUNT, *, patience: float = 10.0) -> AsyncIterator[TwilioSms]:
    async def account_of(_: str | None) -> TwilioAccount:
        return account

    api = TwilioApi(url, client=httpx2.AsyncClient(timeout=60, trust_env=False), patience=patience)
    yield TwilioSms(api, account_of)
    await api.close()


async def ping(url: str) -> None:
    api = TwilioApi(url)
    try:
        await api.ping()
    finally:
        await api.close()


async def test_a_code_is_one_short_message_from_the_account_s_number(twilio: Twilio) -> None:
    async with sms_over(twilio.url) as sms:
        sid = await sms.send(tenant=None, phone=PHONE, code="482913")
    await ping(twilio.url)
    (text,) = await twilio.texts()
    assert text == {"sid": sid, "from": ACCOUNT.sender, "to": PHONE, "body": TEXT.format("482913")}
    assert _segments(text["body"]) == 1
    page = await twilio.client.get("/sms", headers={"accept-language": "en"})
    assert text["body"] in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_a_messaging_service_sends_as_well_as_a_number(twilio: Twilio) -> None:
    service = evolve(ACCOUNT, account_sid="AC" + "b" * 32, sender="MG" + "c" * 32)
    async with sms_over(twilio.url, service) as sms:
        await sms.send(tenant=None, phone=PHONE, code="482913")
    assert [each["from"] for each in await twilio.texts()] == [service.sender]


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"auth_token": "wrong"}, Unavailable, "20003"),
        ({"account_sid": "AC" + "d" * 32}, Unavailable, "20003"),
        ({"sender": "+541150000001"}, CodeRefused, "21606"),
    ],
)
async def test_an_account_that_is_wrong_sends_nothing(
    changed: dict[str, str], kind: type[Exception], said: str, twilio: Twilio
) -> None:
    async with sms_over(twilio.url, evolve(ACCOUNT, **changed)) as sms:
        with pytest.raises(kind, match=said):
            await sms.send(tenant=None, phone=PHONE, code="482913")
    assert await twilio.texts() == []


async def test_a_phone_that_is_none_or_opted_out_is_refused(twilio: Twilio) -> None:
    await twilio.client.put(f"/twilio/control/opted-out/{PHONE}")
    async with sms_over(twilio.url) as sms:
        for phone, code in (("5491155550123", "21211"), (PHONE, "21610")):
            with pytest.raises(CodeRefused, match=code):
                await sms.send(tenant=None, phone=phone, code="482913")
        await twilio.client.delete(f"/twilio/control/opted-out/{PHONE}")
        assert await sms.send(tenant=None, phone=PHONE, code="482913")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (JSONResponse({"code": 20429, "message": "482913"}, 429), Unavailable),
        (JSONResponse({}, 503), Unavailable),
        (HTMLResponse("<h1>482913</h1>", 502), CodeDoubtful),
        (JSONResponse({"code": 20500}, 500), CodeDoubtful),
        (JSONResponse([], 201), CodeDoubtful),
        (JSONResponse({"sid": None}, 201), CodeDoubtful),
        (JSONResponse({"sid": "SM1", "status": "failed", "error_code": 30007}, 201), CodeRefused),
        (JSONResponse({"code": 21408, "message": "482913"}, 400), CodeRefused),
        (HTMLResponse("<h1>482913</h1>", 404), CodeRefused),
    ],
)
async def test_what_an_answer_means_is_decided_by_its_numbers_and_its_words_are_kept_from_us(
    answer: Response, kind: type[Exception]
) -> None:
    async def say(_: Request) -> Response:
        return answer

    async with serving(Starlette(routes=[Route("/{rest:path}", say, methods=["POST"])])) as url, sms_over(url) as sms:
        with pytest.raises((CodeRefused, Unavailable)) as failure:
            await sms.send(tenant=None, phone=PHONE, code="482913")
    assert type(failure.value) is kind
    assert "482913" not in str(failure.value)


async def test_nobody_at_the_address_took_nothing_and_silence_is_a_doubt() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with sms_over(url) as sms:
        with pytest.raises(Unavailable) as failure:
            await sms.send(tenant=None, phone=PHONE, code="482913")
        assert type(failure.value) is Unavailable
        with pytest.raises(Unavailable):
            await ping(url)

    async def silent(request: Request) -> Response:
        while not await request.is_disconnected():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        return Response()

    silence = Starlette(routes=[Route("/{rest:path}", silent, methods=["POST"])])
    async with serving(silence) as url, sms_over(url, patience=0.2) as sms:
        with pytest.raises(CodeDoubtful):
            await sms.send(tenant=None, phone=PHONE, code="482913")


async def test_twilio_s_own_library_talks_to_the_sandbox(twilio: Twilio) -> None:
    from twilio.base.exceptions import TwilioRestException
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    @frozen
    class ToTheSandbox:
        """Twilio's client, whose requests go to the sandbox instead of Twilio."""

        _client: Any = TwilioHttpClient(timeout=5)

        def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
            return self._client.request(method, url.replace("https://api.twilio.com", twilio.url), *args, **more)

    client = Client(ACCOUNT.account_sid, ACCOUNT.auth_token, http_client=ToTheSandbox())
    sent = await asyncio.to_thread(client.messages.create, to=PHONE, from_=ACCOUNT.sender, body="hola")
    assert (sent.status, sent.to, sent.num_segments, sent.error_code) == ("queued", PHONE, "1", None)
    assert sent.date_created is not None
    assert [each["sid"] for each in await twilio.texts()] == [sent.sid]
    stranger = Client(ACCOUNT.account_sid, "wrong", http_client=ToTheSandbox())
    for library, to, expected in ((client, "1234", (400, 21211)), (stranger, PHONE, (401, 20003))):
        with pytest.raises(TwilioRestException) as refused:
            await asyncio.to_thread(library.messages.create, to=to, from_=ACCOUNT.sender, body="hola")
        assert (refused.value.status, refused.value.code) == expected


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/twilio/control/accounts/1", "PUT", {"auth_token": "t", "sender": "+1"}),
        ("/twilio/control/accounts/AC" + "e" * 32, "PUT", {"auth_token": "", "sender": "+1"}),
        ("/twilio/control/refusals", "POST", {"code": 1}),
        ("/twilio/control/refusals", "POST", {"status": 1000}),
        ("/twilio/control/refusals", "POST", {"status": 500, "other": 1}),
    ],
)
async def test_the_control_door_says_what_it_does_not_understand(
    path: str, method: str, body: dict[str, Any], twilio: Twilio
) -> None:
    answer = await twilio.client.request(method, path, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]


async def test_messages_and_accounts_outlive_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        async with bench(tmp_path) as sandbox, httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
            twilio = Twilio(sandbox.url, client)
            if await twilio.texts() == []:
                opened = {"auth_token": ACCOUNT.auth_token, "sender": ACCOUNT.sender}
                await client.put(f"/twilio/control/accounts/{ACCOUNT.account_sid}", json=opened)
            async with sms_over(sandbox.url) as sms:
                await sms.send(tenant=None, phone=PHONE, code="482913")
            count = len(await twilio.texts())
    assert count == 2
