"""The promises of `KnownLogIns`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Final

import pytest
from attrs import evolve, frozen

from adapters.memory import MemoryKnownLogIns
from adapters.redis import RedisConnection, RedisKnownLogIns
from core.identity.ports import KnownLogIn, KnownLogIns
from core.kernel.errors import Unavailable
from tests.contracts.samples import MINE, NOW, OTHER, Hands
from tests.lines import line_to

LONG: Final = timedelta(minutes=5)
SHORT: Final = timedelta(seconds=0.05)
CARLOS: Final = KnownLogIn(user_id="carlos", role="technician", until=NOW + timedelta(days=7, microseconds=1))


@frozen
class Kept:
    """Log-ins that are known, and how time passes for them."""

    known: KnownLogIns
    pass_time: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["memory", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Give what knows nobody yet, of each kind."""
    if request.param == "memory":
        clock = Hands()

        async def pass_time(seconds: float) -> None:
            clock.forward(seconds=seconds)

        yield Kept(MemoryKnownLogIns(clock), pass_time)
    else:
        connection = RedisConnection(request.getfixturevalue("redis_url"), within=30.0)
        yield Kept(RedisKnownLogIns(connection), asyncio.sleep)
        await connection.close()


@pytest.fixture(params=["memory", "redis"])
async def unavailable(request: pytest.FixtureRequest) -> AsyncIterator[KnownLogIns]:
    """Give one of each kind that does not answer."""
    if request.param == "memory":

        async def fail(_: str) -> None:
            raise Unavailable

        yield MemoryKnownLogIns(Hands(), fail)
    else:
        async with line_to(request.getfixturevalue("redis_url")) as line:
            connection = RedisConnection(line.url)
            await line.cut()
            yield RedisKnownLogIns(connection)
            await connection.close()


async def test_a_log_in_comes_back_whole_for_as_long_as_it_lives(kept: Kept) -> None:
    assert await kept.known.get(MINE, "s1") is None
    await kept.known.remember(MINE, "s1", CARLOS, life=LONG)
    await kept.known.remember(MINE, "s2", CARLOS, life=SHORT)
    assert await kept.known.get(MINE, "s1") == CARLOS
    await kept.pass_time(0.06)
    assert (await kept.known.get(MINE, "s1"), await kept.known.get(MINE, "s2")) == (CARLOS, None)


async def test_tenants_and_sessions_are_kept_apart(kept: Kept) -> None:
    await kept.known.remember("a:b", "c", CARLOS, life=LONG)
    for tenant, session in (("a", "b:c"), ("a:b", "d"), (OTHER, "c")):
        assert await kept.known.get(tenant, session) is None


async def test_what_was_to_be_forgotten_is_remembered_by_nobody_for_a_while(kept: Kept) -> None:
    await kept.known.remember(MINE, "s1", CARLOS, life=LONG)
    await kept.known.forget(MINE, "s1", life=SHORT)
    assert await kept.known.get(MINE, "s1") is None
    await kept.known.forget(MINE, "s2", life=LONG)
    await kept.known.remember(MINE, "s2", CARLOS, life=LONG)
    assert await kept.known.get(MINE, "s2") is None, "whoever read it before its end comes too late"
    await kept.pass_time(0.06)
    await kept.known.remember(MINE, "s1", CARLOS, life=LONG)
    assert await kept.known.get(MINE, "s1") == CARLOS


async def test_what_is_known_is_not_replaced(kept: Kept) -> None:
    await kept.known.remember(MINE, "s1", CARLOS, life=LONG)
    await kept.known.remember(MINE, "s1", evolve(CARLOS, role="owner"), life=LONG)
    assert await kept.known.get(MINE, "s1") == CARLOS


async def test_who_does_not_answer_is_unavailable(unavailable: KnownLogIns) -> None:
    with pytest.raises(Unavailable):
        await unavailable.get(MINE, "s1")
    with pytest.raises(Unavailable):
        await unavailable.remember(MINE, "s1", CARLOS, life=LONG)
    with pytest.raises(Unavailable):
        await unavailable.forget(MINE, "s1", life=LONG)
