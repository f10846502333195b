"""The promises of `RateLimiter`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from attrs import define, frozen

from adapters.memory import MemoryLimiter
from adapters.redis import RedisConnection, RedisLimiter
from core.kernel.errors import Unavailable
from core.kernel.ports import Allowance, RateLimiter, RateRule
from tests.lines import line_to

LONG = RateRule(name="long", limit=20, seconds=60.0)
BRIEF = RateRule(name="brief", limit=3, seconds=0.4)


@define
class Watch:
    """Seconds that pass when a test says so."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@frozen
class Kept:
    """Limiters that share their counts, and how time passes for them."""

    limiters: tuple[RateLimiter, ...]
    pass_time: Callable[[float], Awaitable[None]]

    async def take(self, *asked: tuple[str, RateRule]) -> Allowance:
        return await self.limiters[0].take(asked)


@pytest.fixture(params=["memory", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Give limiters of each kind; of those in Redis, as many as there might be processes."""
    if request.param == "memory":
        watch = Watch()

        async def pass_time(seconds: float) -> None:
            watch.seconds += seconds

        yield Kept((MemoryLimiter(watch),), pass_time)
    else:
        url = request.getfixturevalue("redis_url")
        connections = [RedisConnection(url, within=30.0) for _ in range(4)]
        yield Kept(tuple(RedisLimiter(each, Never()) for each in connections), asyncio.sleep)
        for each in connections:
            await each.close()


@frozen
class Never:
    """Nobody should ask."""

    async def take(self, asked: object) -> Allowance:
        raise AssertionError(asked)


async def test_so_many_pass_and_no_more(kept: Kept) -> None:
    answers = [await kept.take(("a", LONG)) for _ in range(22)]
    assert [each.allowed for each in answers] == [True] * 20 + [False] * 2
    assert [each.remaining for each in answers] == [*range(19, -1, -1), 0, 0]
    assert {each.rule for each in answers} == {LONG}
    assert all(0 < each.wait <= 63.0 for each in answers)


async def test_among_many_at_once_exactly_so_many_pass(kept: Kept) -> None:
    asked = [kept.limiters[n % len(kept.limiters)].take([("a", LONG)]) for n in range(200)]
    answers = await asyncio.gather(*asked)
    assert Counter(each.allowed for each in answers) == {True: 20, False: 180}
    assert sorted(each.remaining for each in answers if each.allowed) == list(range(20))


async def test_each_key_has_a_window_of_its_own(kept: Kept) -> None:
    for _ in range(20):
        await kept.take(("a", LONG))
    assert not (await kept.take(("a", LONG))).allowed
    assert (await kept.take(("b", LONG))).remaining == 19


async def test_who_waits_as_long_as_told_may_ask_again(kept: Kept) -> None:
    for _ in range(3):
        assert (await kept.take(("a", BRIEF))).allowed
    refused = await kept.take(("a", BRIEF))
    assert (refused.allowed, refused.remaining) == (False, 0)
    await kept.pass_time(refused.wait + 0.002)
    assert (await kept.take(("a", BRIEF))).allowed


async def test_what_was_refused_does_not_prolong_the_wait(kept: Kept) -> None:
    for _ in range(3):
        await kept.take(("a", BRIEF))
    waits = [(await kept.take(("a", BRIEF))).wait for _ in range(50)]
    await kept.pass_time(waits[0] + 0.002)
    assert (await kept.take(("a", BRIEF))).allowed


async def test_the_window_slides(kept: Kept) -> None:
    rule = RateRule(name="sliding", limit=3, seconds=1.2)
    await kept.take(("a", rule))
    await kept.pass_time(0.7)
    await kept.take(("a", rule))
    last = await kept.take(("a", rule))
    assert (last.allowed, last.remaining) == (True, 0)
    await kept.pass_time(last.wait + 0.002)  # the first has left, the other two have not
    again = await kept.take(("a", rule))
    assert (again.allowed, again.remaining) == (True, 0)
    assert not (await kept.take(("a", rule))).allowed


async def test_the_strictest_of_several_rules_wins_and_a_refusal_counts_for_none(kept: Kept) -> None:
    narrow = RateRule(name="narrow", limit=2, seconds=60.0)
    asked = (("user", LONG), ("upload", narrow))
    assert [(each.rule.name, each.remaining) for each in [await kept.take(*asked) for _ in range(2)]] == [
        ("narrow", 1),
        ("narrow", 0),
    ]
    refused = await kept.take(*asked)
    assert (refused.allowed, refused.rule) == (False, narrow)
    assert (await kept.take(("user", LONG))).remaining == 17


async def test_of_two_exhausted_rules_the_longer_wait_is_told(kept: Kept) -> None:
    slow = RateRule(name="slow", limit=1, seconds=60.0)
    quick = RateRule(name="quick", limit=1, seconds=1.0)
    for asked in ((("a", quick), ("b", slow)), (("b", slow), ("a", quick))):
        answer = [await kept.take(*asked) for _ in range(2)][-1]
        assert (answer.allowed, answer.rule) == (False, slow)


async def test_a_limiter_that_lost_its_redis_counts_by_itself(redis_url: str) -> None:
    async with line_to(redis_url) as line:
        connection = RedisConnection(line.url)
        limiter = RedisLimiter(connection, MemoryLimiter())
        assert (await limiter.take([("a", LONG)])).remaining == 19
        await line.cut()
        answers = [await limiter.take([("a", LONG)]) for _ in range(21)]
        assert [each.allowed for each in answers] == [True] * 20 + [False]
        await connection.close()


async def test_what_redis_keeps_of_a_window_goes_with_it(redis_url: str) -> None:
    connection = RedisConnection(redis_url, within=30.0)
    await RedisLimiter(connection, Never()).take([("ratelimit:demo:marta:user", BRIEF)])
    life = await connection.run("PTTL", "ratelimit:demo:marta:user")
    assert 0 < life <= 420
    await connection.close()


async def test_memory_forgets_windows_that_are_over_and_then_the_oldest() -> None:
    watch = Watch()
    limiter = MemoryLimiter(watch, at_most=10)
    for n in range(10):
        await limiter.take([(f"old{n}", LONG)])
    watch.seconds += 200
    for n in range(10):
        await limiter.take([(f"new{n}", LONG)])
    assert (await limiter.take([("new0", LONG)])).remaining == 18
    assert set(limiter._windows) == {f"new{n}" for n in range(10)}
    await limiter.take([("newest", LONG)])
    assert set(limiter._windows) == {*(f"new{n}" for n in range(1, 10)), "newest"}


async def test_a_limiter_in_memory_may_be_made_to_fail() -> None:
    async def fail(_: str) -> None:
        raise Unavailable

    with pytest.raises(Unavailable):
        await MemoryLimiter(pause=fail).take([("a", LONG)])
