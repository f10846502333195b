"""`PushService`: answers come in the order of the notes, and what is gone, may pass or is in doubt is told apart."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from attrs import frozen

from adapters.memory import MemoryPush
from core.notifications import PushAnswer
from core.notifications.ports import PushService
from tests.adapters.test_push import Services, note, open_services
from tests.contracts.samples import Counter


@frozen
class Case:
    """A service, a token of its own by number, and what may happen to one: it is `gone`, or `away` or `lost` come next."""

    service: PushService
    token: Callable[[int], str]
    happens: Callable[[str, str], Awaitable[None]]


@contextlib.asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Case]:
    push = MemoryPush(Counter())
    answers = {
        "gone": PushAnswer(error_code="DeviceNotRegistered", gone=True),
        "away": PushAnswer(error_code="429", again=True),
        "lost": PushAnswer(lost=True),
        "well": None,
    }

    async def happens(what: str, token: str) -> None:
        answer = answers[what]
        if answer is None:
            push.answers.pop(token, None)
        else:
            push.answers[token] = answer

    yield Case(push, "ExponentPushToken[{}]".format, happens)


def over(services: Services, service: PushService, form: str) -> Case:
    async def happens(what: str, token: str) -> None:
        if what == "gone":
            await services.put_token(token, state="gone")
        elif what != "well":
            await services.order(**({"status": 503} if what == "away" else {"cut": True}))

    return Case(service, form.format, happens)


@contextlib.asynccontextmanager
async def by_expo(folder: Path) -> AsyncIterator[Case]:
    async with open_services(folder) as services:
        yield over(services, services.expo, "ExponentPushToken[{}]")


@contextlib.asynccontextmanager
async def by_fcm(folder: Path) -> AsyncIterator[Case]:
    async with open_services(folder) as services:
        yield over(services, services.fcm, "fcm-{}")


@pytest.fixture(params=[in_memory, by_expo, by_fcm])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    """Give a service of each kind."""
    async with request.param(tmp_path) as made:
        yield made


async def test_each_note_gets_its_own_answer_in_order(case: Case) -> None:
    await case.happens("gone", case.token(1))
    answers = await case.service.push("demo", [note(case.token(number)) for number in range(3)])
    assert [(each.ticket is not None, each.gone) for each in answers] == [(True, False), (False, True), (True, False)]
    assert len({each.ticket for each in answers}) == 3
    assert await case.service.push("demo", []) == []


@pytest.mark.parametrize(("what", "again", "lost"), [("away", True, False), ("lost", False, True)])
async def test_what_may_pass_and_what_is_in_doubt_are_told_apart(
    case: Case, what: str, again: bool, lost: bool
) -> None:
    await case.happens(what, case.token(1))
    (answer,) = await case.service.push("demo", [note(case.token(1))])
    assert (answer.ticket, answer.gone, answer.again, answer.lost) == (None, False, again, lost)
    await case.happens("well", case.token(1))
    (answer,) = await case.service.push("demo", [note(case.token(1))])
    assert answer.ticket is not None


async def test_receipts_are_for_tickets_that_are_known(case: Case) -> None:
    (answer,) = await case.service.push("demo", [note(case.token(1))])
    assert answer.ticket is not None
    receipts = await case.service.receipts("demo", [answer.ticket, "unknown"])
    assert receipts == ({answer.ticket: answer} if case.service.gives_receipts else {})
