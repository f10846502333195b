"""`CodeChannel`: a code is on the phone under the provider's name, refused, not taken, or in doubt; and it is written down nowhere."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import httpx2
import pytest
from attrs import frozen

from adapters.memory import MemoryCodeChannel
from adapters.twilio import TwilioAccount, TwilioApi, TwilioSms
from adapters.whatsapp import Graph, WhatsAppAccount, WhatsAppCodes, register_templates
from core.identity.ports import CodeChannel, CodeDoubtful, CodeRefused
from core.kernel.errors import NotFound, Unavailable
from tests.adapters.test_whatsapp_channel import PAGE, account
from tests.entrypoints.sandbox.whatsapp_bench import ANA, bench

PHONE: Final = f"+{ANA}"
CODE: Final = "482913"
TWILIO: Final = TwilioAccount(account_sid="AC" + "a" * 32, auth_token="token-of-twilio", sender="+541150009999")


@frozen
class Case:
    """A channel, what the phone shows, and how to make it fail once: `refuse`, `away` or `lost`."""

    channel: CodeChannel
    shown: Callable[[], Awaitable[list[str]]]
    fail: Callable[[str], Awaitable[None]]


@contextlib.asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Case]:
    channel = MemoryCodeChannel()

    async def shown() -> list[str]:
        return [each.code for each in channel.sent]

    async def fail(how: str) -> None:
        channel.refuses = {
            "refuse": CodeRefused("not to this phone"),
            "away": Unavailable("not now"),
            "lost": CodeDoubtful("no answer"),
        }[how]

    yield Case(channel, shown, fail)


@contextlib.asynccontextmanager
async def by_whatsapp(folder: Path) -> AsyncIterator[Case]:
    async def account_of(tenant: str | None) -> WhatsAppAccount:
        if tenant == "nobody":
            msg = "no channel"
            raise NotFound(msg)
        return account()

    async with bench(folder) as sandbox:
        await register_templates(sandbox.url, account(), public_url=PAGE)
        graph = Graph(sandbox.url, client=httpx2.AsyncClient(timeout=60, trust_env=False))

        async def shown() -> list[str]:
            return [each["buttons"][0]["id"] for each in (await sandbox.chat())["messages"]]

        async def fail(how: str) -> None:
            order = {"refuse": {"code": 131026}, "away": {"code": 131056}, "lost": {"cut": True}}[how]
            answer = await sandbox.control.post("/faults", json=order)
            assert answer.status_code == 201, answer.text

        yield Case(WhatsAppCodes(graph, account_of), shown, fail)
        await graph.close()


@contextlib.asynccontextmanager
async def by_sms(folder: Path) -> AsyncIterator[Case]:
    async def account_of(tenant: str | None) -> TwilioAccount:
        if tenant == "nobody":
            msg = "no channel"
            raise NotFound(msg)
        return TWILIO

    async with bench(folder) as sandbox, httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        opened = {"auth_token": TWILIO.auth_token, "sender": TWILIO.sender}
        await client.put(f"/twilio/control/accounts/{TWILIO.account_sid}", json=opened)
        api = TwilioApi(sandbox.url, client=httpx2.AsyncClient(timeout=60, trust_env=False))

        async def shown() -> list[str]:
            found = (await client.get("/twilio/control/messages", params={"to": PHONE})).json()["items"]
            return [each["body"][:6] for each in found]

        async def fail(how: str) -> None:
            order = {
                "refuse": {"status": 400, "code": 21614},
                "away": {"status": 429, "code": 20429},
                "lost": {"cut": True},
            }[how]
            answer = await client.post("/twilio/control/refusals", json=order)
            assert answer.status_code == 201, answer.text

        yield Case(TwilioSms(api, account_of), shown, fail)
        await api.close()


@pytest.fixture(params=[in_memory, by_whatsapp, by_sms])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    """Give a channel of each kind."""
    async with request.param(tmp_path) as made:
        yield made


@pytest.fixture(params=[by_whatsapp, by_sms])
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    """Give each channel that leaves the process."""
    async with request.param(tmp_path) as made:
        yield made


@pytest.mark.parametrize("tenant", ["tenant_1", None])
async def test_each_code_is_on_the_phone_under_a_name_of_its_own(tenant: str | None, case: Case) -> None:
    names = {await case.channel.send(tenant=tenant, phone=PHONE, code=code) for code in (CODE, "000000")}
    assert len(names) == 2
    assert "" not in names
    assert await case.shown() == [CODE, "000000"]


@pytest.mark.parametrize(("how", "kind"), [("refuse", CodeRefused), ("away", Unavailable), ("lost", CodeDoubtful)])
async def test_refused_not_taken_and_in_doubt_are_told_apart(how: str, kind: type[Exception], case: Case) -> None:
    await case.fail(how)
    with pytest.raises((CodeRefused, Unavailable)) as failure:
        await case.channel.send(tenant=None, phone=PHONE, code=CODE)
    assert type(failure.value) is kind
    said = "".join(traceback.format_exception(failure.value)) + repr(case.channel)
    assert CODE not in said
    assert TWILIO.auth_token not in said


async def test_what_was_not_taken_is_not_on_the_phone_and_what_is_in_doubt_may_be(provider: Case) -> None:
    for how in ("refuse", "away", "lost"):
        await provider.fail(how)
        with pytest.raises((CodeRefused, Unavailable)):
            await provider.channel.send(tenant=None, phone=PHONE, code=CODE)
    assert await provider.shown() == [CODE]


async def test_whoever_has_no_channel_is_refused_one(provider: Case) -> None:
    with pytest.raises(CodeRefused):
        await provider.channel.send(tenant="nobody", phone=PHONE, code=CODE)
    assert await provider.shown() == []
