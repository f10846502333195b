"""`Channel`: a message is taken under a provider's id, refused for ever, or in doubt, and the three are told apart."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from attrs import define, field

from adapters.memory import MemoryChannel
from adapters.whatsapp import register_templates
from core.kernel.errors import Unavailable
from core.notifications import AnswerLost, SendRefused
from core.notifications.ports import Channel
from tests.adapters.test_whatsapp_channel import PAGE, account, delivery, open_channel, sent
from tests.contracts.samples import Counter
from tests.entrypoints.sandbox.whatsapp_bench import bench


@define
class Case:
    """A channel, what is on the phone, and how to make it fail once: `refuse`, `away` or `lost`."""

    channel: Channel
    shown: Callable[[], Awaitable[int]]
    fail: Callable[[str], Awaitable[None]]


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


@pytest.fixture(params=[in_memory, at_the_sandbox])
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
    assert refused.value.error_code == "131026"
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
