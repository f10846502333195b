"""`Channel`: a message is taken under a provider's id, refused for ever, or in doubt, and the three are told apart."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from attrs import define, evolve, field

from adapters.memory import MemoryChannel
from adapters.twilio import TwilioAccount, TwilioApi, TwilioTexts
from adapters.whatsapp import register_templates
from core.kernel.errors import Unavailable
from core.notifications import AnswerLost, Delivery, SendRefused
from core.notifications.ports import Channel
from tests.adapters.test_email import ACCOUNT as MAIL
from tests.adapters.test_email import letters_to
from tests.adapters.test_twilio_texts import ACCOUNT as TWILIO
from tests.adapters.test_whatsapp_channel import PAGE, account, open_channel, sent
from tests.adapters.test_whatsapp_channel import delivery as whatsapp_delivery
from tests.contracts.samples import Counter
from tests.entrypoints.sandbox.whatsapp_bench import bench


def delivery(**wanted: str) -> Delivery:
    """Return a message to somebody who can be reached by every channel."""
    made = whatsapp_delivery(**wanted)
    return evolve(made, recipient=evolve(made.recipient, email="ana@example.com"))


@define
class Case:
    """A channel, what is on the phone, and how to make it fail once: `refuse`, `away` or `lost`."""

    channel: Channel
    shown: Callable[[], Awaitable[int]]
    fail: Callable[[str], Awaitable[None]]
    refusal: str = "131026"


@define
class Interruptions:
    """Raises what it was told at the step it was told, once."""

    wanted: dict[str, Exception] = field(factory=dict)

    async def __call__(self, step: str) -> None:
        if step in self.wanted:
            raise self.wanted.pop(step)


@contextlib.asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Case]:
    interruptions = Interruptions()
    channel = MemoryChannel(Counter(), interruptions)

    async def shown() -> int:
        return len(channel.visible)

    async def fail(how: str) -> None:
        failures: dict[str, tuple[str, Exception]] = {
            "refuse": ("before", SendRefused("131026", "not on WhatsApp")),
            "away": ("before", Unavailable("not now")),
            "lost": ("after", AnswerLost("no answer")),
        }
        moment, failure = failures[how]
        interruptions.wanted[f"channel.send:{moment}"] = failure

    yield Case(channel, shown, fail)


@contextlib.asynccontextmanager
async def at_the_sandbox(folder: Path) -> AsyncIterator[Case]:
    async with bench(folder) as sandbox, open_channel(sandbox.url) as channel:
        await register_templates(sandbox.url, account(), public_url=PAGE)

        async def shown() -> int:
            return len(await sent(sandbox))

        async def fail(how: str) -> None:
            order = {"refuse": {"code": 131026}, "away": {"code": 131056}, "lost": {"cut": True}}[how]
            answer = await sandbox.control.post("/faults", json=order)
            assert answer.status_code == 201, answer.text

        yield Case(channel, shown, fail)


@contextlib.asynccontextmanager
async def by_sms(folder: Path) -> AsyncIterator[Case]:
    async def account_of(_: str) -> TwilioAccount:
        return TWILIO

    async with bench(folder) as sandbox, httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        opened = {"auth_token": TWILIO.auth_token, "sender": TWILIO.sender}
        await client.put(f"/twilio/control/accounts/{TWILIO.account_sid}", json=opened)
        api = TwilioApi(sandbox.url, client=httpx2.AsyncClient(timeout=60, trust_env=False))

        async def shown() -> int:
            return len((await client.get("/twilio/control/messages")).json()["items"])

        async def fail(how: str) -> None:
            order = {
                "refuse": {"status": 400, "code": 21610},
                "away": {"status": 429, "code": 20429},
                "lost": {"cut": True},
            }[how]
            answer = await client.post("/twilio/control/refusals", json=order)
            assert answer.status_code == 201, answer.text

        yield Case(TwilioTexts(api, account_of, str, "https://c.example/webhooks/twilio"), shown, fail, "21610")
        await api.close()


@contextlib.asynccontextmanager
async def by_mail(folder: Path) -> AsyncIterator[Case]:
    async with bench(folder) as sandbox, httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        opened = {"password": MAIL.password, "address": "avisos@demo.example"}
        url = (await client.put("/mail/control/accounts/demo", json=opened)).json()["url"]

        async def shown() -> int:
            return len((await client.get("/mail/control/letters")).json()["items"])

        async def fail(how: str) -> None:
            order = {
                "refuse": {"step": "rcpt", "code": 550},
                "away": {"step": "rcpt", "code": 451},
                "lost": {"step": "data", "cut": True},
            }[how]
            answer = await client.post("/mail/control/replies", json=order)
            assert answer.status_code == 201, answer.text

        yield Case(letters_to(url, tenant="tenant_1"), shown, fail, "550")


@pytest.fixture(params=[in_memory, at_the_sandbox, by_sms, by_mail])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    """Give a channel of each kind."""
    async with request.param(tmp_path) as made:
        yield made


async def test_a_message_is_shown_under_the_providers_id(case: Case) -> None:
    ids = {await case.channel.send(delivery(id=f"dlv_{number}"), document=None) for number in (1, 2)}
    assert (len(ids), await case.shown()) == (2, 2)


async def test_a_refusal_for_ever_is_told_with_its_code(case: Case) -> None:
    await case.fail("refuse")
    with pytest.raises(SendRefused) as refused:
        await case.channel.send(delivery(), document=None)
    assert refused.value.error_code == case.refusal
    assert await case.shown() == 0


async def test_what_may_be_taken_later_was_not_taken_now(case: Case) -> None:
    await case.fail("away")
    with pytest.raises(Unavailable) as failure:
        await case.channel.send(delivery(), document=None)
    assert not isinstance(failure.value, AnswerLost)
    assert await case.shown() == 0
    assert await case.channel.send(delivery(), document=None)


async def test_a_lost_answer_is_a_doubt_for_the_message_may_be_there(case: Case) -> None:
    await case.fail("lost")
    with pytest.raises(AnswerLost):
        await case.channel.send(delivery(), document=None)
    assert await case.shown() == 1
