"""The promises of `OtpStore`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory import MemoryOtpStore
from adapters.redis import RedisConnection, RedisOtpStore
from core.identity import OtpRules
from core.identity.model import Attempt
from core.identity.ports import OtpStore
from core.kernel.errors import Unavailable
from tests.contracts.samples import NOW
from tests.lines import line_to

KEY: Final = "+5491155550001"
OTHER_KEY: Final = "+5491155550002"
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
Step: TypeAlias = tuple[str, int, str]


@frozen
class Kept:
    """A store, and how it loses everything."""

    codes: OtpStore
    forget: Callable[[], Awaitable[None]]


@pytest.fixture(params=["memory", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Give an empty store of each kind."""
    if request.param == "memory":
        memory = MemoryOtpStore()

        async def forget() -> None:
            memory.forget()

        yield Kept(memory, forget)
    else:
        connection = RedisConnection(request.getfixturevalue("redis_url"), within=30.0)

        async def flush() -> None:
            await connection.run("FLUSHDB")

        yield Kept(RedisOtpStore(connection), flush)
        await connection.close()


@pytest.fixture
def codes(kept: Kept) -> OtpStore:
    """Give an empty store of each kind."""
    return kept.codes


async def guess(codes: OtpStore, times: int, at: datetime = NOW) -> list[Attempt]:
    return [await codes.attempt(KEY, at=at) for _ in range(times)]


async def test_a_code_is_handed_out_three_times_and_then_there_is_a_cool_down(codes: OtpStore) -> None:
    assert await codes.put(KEY, digest="d1", at=NOW) is None
    assert await guess(codes, 4) == [Attempt("d1"), Attempt("d1"), Attempt("d1"), Attempt(wait=MINUTE)]
    assert await guess(codes, 1, NOW + MINUTE - SECOND) == [Attempt(wait=SECOND)]
    assert await guess(codes, 1, NOW + MINUTE) == [Attempt()]


async def test_where_there_is_no_code_nothing_is_counted(codes: OtpStore) -> None:
    assert await guess(codes, 5) == [Attempt()] * 5
    assert await codes.put(KEY, digest="d1", at=NOW) is None
    assert await guess(codes, 1) == [Attempt("d1")]


async def test_a_code_is_over_after_its_life_and_not_before(codes: OtpStore) -> None:
    life = timedelta(minutes=5)
    await codes.put(KEY, digest="d1", at=NOW)
    microsecond = timedelta(microseconds=1)
    assert await guess(codes, 1, NOW + life - microsecond) == [Attempt("d1")]
    assert await codes.waits(KEY, digest="d1", at=NOW + life - microsecond) is True
    assert await guess(codes, 1, NOW + life) == [Attempt()]
    assert await codes.waits(KEY, digest="d1", at=NOW + life) is False
    assert await codes.take(KEY, digest="d1", at=NOW + life) is False


async def test_a_new_code_counts_instead_and_the_guesses_at_the_old_one_go_on_counting(codes: OtpStore) -> None:
    await codes.put(KEY, digest="d1", at=NOW)
    await guess(codes, 2)
    await codes.put(KEY, digest="d2", at=NOW)
    assert await codes.waits(KEY, digest="d1", at=NOW) is False
    assert await codes.take(KEY, digest="d1", at=NOW) is False
    assert await guess(codes, 2) == [Attempt("d2"), Attempt(wait=MINUTE)]


async def test_the_guesses_at_a_code_that_is_over_are_forgotten(codes: OtpStore) -> None:
    await codes.put(KEY, digest="d1", at=NOW)
    await guess(codes, 2)
    later = NOW + OtpRules().life
    await codes.put(KEY, digest="d2", at=later)
    assert await guess(codes, 3, later) == [Attempt("d2")] * 3


async def test_within_a_cool_down_no_code_is_put(codes: OtpStore) -> None:
    await codes.put(KEY, digest="d1", at=NOW)
    await guess(codes, 3)
    assert await codes.put(KEY, digest="d2", at=NOW + SECOND) == MINUTE - SECOND
    assert await codes.waits(KEY, digest="d2", at=NOW + SECOND) is False
    assert await codes.put(KEY, digest="d2", at=NOW + MINUTE) is None


async def test_cool_downs_grow_up_to_a_day_and_are_forgiven_after_another(codes: OtpStore) -> None:
    at, waits = NOW, []
    for _ in range(12):
        await codes.put(KEY, digest="d", at=at)
        wait = (await guess(codes, 4, at))[3].wait
        assert wait is not None
        waits.append(wait // MINUTE)
        at += wait
    assert waits == [1, 5, 15, 30, 60, 120, 240, 480, 960, 1440, 1440, 1440]
    at += timedelta(days=1)
    await codes.put(KEY, digest="d", at=at)
    assert (await guess(codes, 4, at))[3].wait == MINUTE


async def test_what_is_taken_is_gone_with_its_cool_downs_and_only_once(codes: OtpStore) -> None:
    await codes.put(KEY, digest="d1", at=NOW)
    await guess(codes, 3)
    assert await codes.waits(KEY, digest="d1", at=NOW) is False
    assert await codes.take(KEY, digest="d2", at=NOW) is False
    assert [await codes.take(KEY, digest="d1", at=NOW) for _ in range(3)] == [True, False, False]
    assert await guess(codes, 1) == [Attempt()]
    assert await codes.take(KEY, digest="", at=NOW) is False
    await codes.put(KEY, digest="d1", at=NOW)
    assert (await guess(codes, 4))[3].wait == MINUTE


async def test_one_phone_s_code_is_not_another_s(codes: OtpStore) -> None:
    await codes.put(KEY, digest="d1", at=NOW)
    await guess(codes, 3)
    assert await codes.attempt(OTHER_KEY, at=NOW) == Attempt()
    assert await codes.take(OTHER_KEY, digest="d1", at=NOW) is False
    assert await codes.put(OTHER_KEY, digest="d2", at=NOW) is None


async def test_of_all_who_guess_and_take_at_once_three_may_compare_and_one_takes(codes: OtpStore) -> None:
    await codes.put(KEY, digest="d1", at=NOW)

    async def rush() -> tuple[bool, bool]:
        attempt = await codes.attempt(KEY, at=NOW)
        return attempt.digest is not None, attempt.digest is not None and await codes.take(KEY, digest="d1", at=NOW)

    said = await asyncio.gather(*(rush() for _ in range(1000)))
    assert 1 <= sum(compared for compared, _ in said) <= 3
    assert sum(taken for _, taken in said) == 1


async def test_what_was_lost_lets_nobody_in(kept: Kept) -> None:
    await kept.codes.put(KEY, digest="d1", at=NOW)
    await kept.forget()
    assert await kept.codes.attempt(KEY, at=NOW) == Attempt()
    assert await kept.codes.take(KEY, digest="d1", at=NOW) is False


async def test_redis_that_does_not_answer_is_unavailable(redis_url: str) -> None:
    async with line_to(redis_url) as line:
        connection = RedisConnection(line.url)
        await line.cut()
        store = RedisOtpStore(connection)
        for asked in (
            store.put(KEY, digest="d1", at=NOW),
            store.attempt(KEY, at=NOW),
            store.take(KEY, digest="d1", at=NOW),
            store.waits(KEY, digest="d1", at=NOW),
        ):
            with pytest.raises(Unavailable):
                await asked
        await connection.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "attempt", "attempt", "attempt", "take", "waits"]),
        st.sampled_from([0, 1, 59, 60, 61, 299, 300, 900, 3600, 86_400, 90_000]),
        st.sampled_from(["d1", "d2"]),
    ),
    max_size=40,
)


@given(steps=STEPS, tries=st.integers(1, 4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_redis_and_memory_say_the_same_of_any_conversation(redis_url: str, steps: list[Step], tries: int) -> None:
    rules = OtpRules(tries=tries)

    async def talk(store: OtpStore) -> list[object]:
        at, said = NOW, list[object]()
        for name, seconds, digest in steps:
            at += timedelta(seconds=seconds)
            if name == "put":
                said.append(await store.put(KEY, digest=digest, at=at))
            elif name == "attempt":
                said.append(await store.attempt(KEY, at=at))
            elif name == "take":
                said.append(await store.take(KEY, digest=digest, at=at))
            else:
                said.append(await store.waits(KEY, digest=digest, at=at))
        return said

    async def both() -> tuple[list[object], list[object]]:
        connection = RedisConnection(redis_url, within=30.0)
        try:
            await connection.run("FLUSHDB")
            return await talk(RedisOtpStore(connection, rules)), await talk(MemoryOtpStore(rules))
        finally:
            await connection.close()

    redis, memory = asyncio.run(both())
    assert redis == memory
