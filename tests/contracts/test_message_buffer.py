"""The promises of `MessageBuffer`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Final

import pytest
from attrs import frozen

from adapters.memory import MemoryBuffer
from adapters.redis import RedisBuffer, RedisConnection
from core.kernel.errors import Unavailable
from core.messaging import AggregationRules, Signal, Window
from core.messaging.ports import MessageBuffer
from tests.contracts.samples import MINE, NOW, OTHER
from tests.lines import line_to

RULES: Final = AggregationRules()
THREAD: Final = "whatsapp:5491155550001"


@frozen
class Kept:
    """A buffer and how it loses everything."""

    buffer: MessageBuffer
    forget: Callable[[], Awaitable[None]]

    async def add(
        self, id_: str, *, thread: str = THREAD, tenant: str = MINE, text: str = "Hola", at: float = 0
    ) -> Window:
        """Add a fragment at so many seconds from now."""
        return await self.buffer.add(
            tenant=tenant, thread=thread, message_id=id_, signal=RULES.read(text), at=NOW + timedelta(seconds=at)
        )

    async def take(self, at: float, limit: int = 100) -> list[Window]:
        """Take what is due at so many seconds from now."""
        return list(await self.buffer.take_due(at=NOW + timedelta(seconds=at), limit=limit))


@pytest.fixture(params=["memory", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Give an empty buffer of each kind."""
    if request.param == "memory":
        memory = MemoryBuffer(RULES)

        async def forget() -> None:
            memory.forget()

        yield Kept(memory, forget)
    else:
        connection = RedisConnection(request.getfixturevalue("redis_url"), within=30.0)

        async def flush() -> None:
            await connection.run("FLUSHDB")

        yield Kept(RedisBuffer(connection, RULES), flush)
        await connection.close()


@pytest.fixture(params=["memory", "redis"])
async def unavailable(request: pytest.FixtureRequest) -> AsyncIterator[MessageBuffer]:
    """Give a buffer of each kind that does not answer."""
    if request.param == "memory":

        async def fail(_: str) -> None:
            raise Unavailable

        yield MemoryBuffer(RULES, fail)
    else:
        async with line_to(request.getfixturevalue("redis_url")) as line:
            connection = RedisConnection(line.url)
            await line.cut()
            yield RedisBuffer(connection, RULES)
            await connection.close()


async def test_a_first_fragment_opens_a_window(kept: Kept) -> None:
    assert await kept.add("msg_1", at=1.000001) == Window(
        tenant=MINE,
        thread=THREAD,
        message_ids=("msg_1",),
        opened_at=NOW + timedelta(seconds=1, microseconds=1),
        closes_at=NOW + timedelta(seconds=9, microseconds=1),
    )


async def test_a_further_fragment_goes_into_the_open_window(kept: Kept) -> None:
    await kept.add("msg_1")
    window = await kept.add("msg_2", text="necesito un técnico", at=2)
    assert (window.message_ids, window.opened_at) == (("msg_1", "msg_2"), NOW)
    assert (window.closes_at, window.requested, window.reason) == (NOW + timedelta(seconds=3.5), True, "request_verb")


async def test_a_request_word_at_the_end_waits_for_its_object(kept: Kept) -> None:
    await kept.add("msg_1")
    assert (await kept.add("msg_2", text="necesito", at=1)).closes_at == NOW + timedelta(seconds=8)
    assert (await kept.add("msg_3", text="un técnico", at=3)).closes_at == NOW + timedelta(seconds=4.5)


async def test_a_question_ends_its_window_at_once(kept: Kept) -> None:
    await kept.add("msg_1")
    window = await kept.add("msg_2", text="vienen mañana?", at=2)
    assert (window.closes_at, window.reason) == (NOW + timedelta(seconds=2), "question")


async def test_the_tenth_fragment_ends_its_window_at_once(kept: Kept) -> None:
    windows = [await kept.add(f"msg_{number}", at=number / 10) for number in range(10)]
    assert [window.closes_at - NOW for window in windows[8:]] == [timedelta(seconds=8), timedelta(seconds=0.9)]
    assert windows[-1].reason == "max_buffer"


async def test_a_fragment_that_the_window_has_changes_nothing(kept: Kept) -> None:
    await kept.add("msg_1")
    before = await kept.add("msg_2", at=1)
    assert await kept.add("msg_1", text="necesito un técnico urgente", at=2) == before
    assert await kept.take(7.999) == []
    assert await kept.take(8) == [before]


async def test_threads_and_tenants_have_windows_of_their_own(kept: Kept) -> None:
    await kept.add("msg_1", tenant="a:b", thread="c")
    await kept.add("msg_2", tenant="a", thread="b:c")
    await kept.add("msg_3", tenant=OTHER)
    await kept.add("msg_4", tenant=MINE)
    await kept.add("msg_5", tenant=MINE, thread="whatsapp:ñandú 👍\n")
    taken = {(each.tenant, each.thread): each.message_ids for each in await kept.take(8)}
    assert taken == {
        ("a:b", "c"): ("msg_1",),
        ("a", "b:c"): ("msg_2",),
        (OTHER, THREAD): ("msg_3",),
        (MINE, THREAD): ("msg_4",),
        (MINE, "whatsapp:ñandú 👍\n"): ("msg_5",),
    }


async def test_a_window_is_taken_when_it_closes_and_not_before(kept: Kept) -> None:
    window = await kept.add("msg_1", at=0.123457)
    assert await kept.take(8.123456) == []
    assert await kept.take(8.123457) == [window]


async def test_a_window_that_was_taken_is_gone(kept: Kept) -> None:
    await kept.add("msg_1")
    await kept.take(8)
    assert await kept.take(9) == []
    assert (await kept.add("msg_2", at=9)).message_ids == ("msg_2",)


async def test_no_more_than_the_limit_are_taken_at_once_and_the_first_to_close_first(kept: Kept) -> None:
    for number in (2, 0, 3, 1):
        await kept.add(f"msg_{number}", thread=f"thread_{number}", at=number)
    taken = [await kept.take(60, limit=3), await kept.take(60, limit=3), await kept.take(60, limit=3)]
    assert [[each.message_ids for each in batch] for batch in taken] == [
        [("msg_0",), ("msg_1",), ("msg_2",)],
        [("msg_3",)],
        [],
    ]


async def test_fragments_added_at_the_same_time_are_all_in_the_window(kept: Kept) -> None:
    windows = await asyncio.gather(*(kept.add(f"msg_{number}") for number in range(9)))
    assert sorted(len(window.message_ids) for window in windows) == list(range(1, 10))
    (taken,) = await kept.take(8)
    assert sorted(taken.message_ids) == [f"msg_{number}" for number in range(9)]


async def test_a_window_goes_to_one_of_those_who_take_at_the_same_time(kept: Kept) -> None:
    for number in range(20):
        await kept.add(f"msg_{number}", thread=f"thread_{number}")
    batches = await asyncio.gather(*(kept.take(8, limit=3) for _ in range(10)))
    taken = [window.thread for batch in batches for window in batch]
    assert sorted(taken) == sorted(f"thread_{number}" for number in range(20))


async def test_a_buffer_that_forgot_everything_begins_anew(kept: Kept) -> None:
    await kept.add("msg_1")
    await kept.forget()
    assert await kept.take(8) == []
    assert (await kept.add("msg_2", at=3)).message_ids == ("msg_2",)


async def test_a_buffer_that_does_not_answer_is_unavailable(unavailable: MessageBuffer) -> None:
    with pytest.raises(Unavailable):
        await unavailable.add(
            tenant=MINE, thread=THREAD, message_id="msg_1", signal=Signal(kind="none", reason="timeout"), at=NOW
        )
    with pytest.raises(Unavailable):
        await unavailable.take_due(at=NOW, limit=1)
