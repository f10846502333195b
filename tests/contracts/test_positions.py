"""The promises of `Positions`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Final

import pytest
from attrs import evolve, frozen

from adapters.memory import MemoryPositions
from adapters.redis import RedisConnection, RedisPositions
from core.kernel.errors import Unavailable
from core.tracking import Fix, Journey, Point
from core.tracking.ports import Positions
from tests.contracts.samples import MINE, NOW, OTHER, Hands
from tests.lines import line_to

LIFE: Final = timedelta(minutes=5)
FIX: Final = Fix(
    point=Point(-34.603722, -58.381592),
    recorded_at=NOW + timedelta(microseconds=123_457),
    received_at=NOW + timedelta(seconds=1),
    accuracy=12.5,
    speed=0.1 + 0.2,
    heading=None,
)
JOURNEY: Final = Journey(fix=FIX, mode="driving", moved=1234.5, elapsed=98.7, inside_since=NOW, inside=2)


@frozen
class Kept:
    """Positions, how time passes for them and how they lose everything."""

    positions: Positions
    pass_time: Callable[[float], Awaitable[None]]
    forget: Callable[[], Awaitable[None]]


@pytest.fixture(params=["memory", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Give empty positions of each kind."""
    if request.param == "memory":
        clock = Hands()
        memory = MemoryPositions(clock)

        async def pass_time(seconds: float) -> None:
            clock.forward(seconds=seconds)

        async def forget() -> None:
            memory.forget()

        yield Kept(memory, pass_time, forget)
    else:
        connection = RedisConnection(request.getfixturevalue("redis_url"), within=30.0)

        async def flush() -> None:
            await connection.run("FLUSHDB")

        yield Kept(RedisPositions(connection), asyncio.sleep, flush)
        await connection.close()


@pytest.fixture(params=["memory", "redis"])
async def unavailable(request: pytest.FixtureRequest) -> AsyncIterator[Positions]:
    """Give positions of each kind that do not answer."""
    if request.param == "memory":

        async def fail(_: str) -> None:
            raise Unavailable

        yield MemoryPositions(Hands(), fail)
    else:
        async with line_to(request.getfixturevalue("redis_url")) as line:
            connection = RedisConnection(line.url)
            await line.cut()
            yield RedisPositions(connection)
            await connection.close()


async def test_a_journey_comes_back_whole(kept: Kept) -> None:
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=LIFE)
    assert await kept.positions.get(MINE, "trip_1") == JOURNEY


async def test_a_first_fix_comes_back_as_it_was(kept: Kept) -> None:
    bare = Journey(fix=Fix(point=Point(0.0, 180.0), recorded_at=NOW, received_at=NOW, speed=float("inf")))
    await kept.positions.put(MINE, "trip_1", bare, life=LIFE)
    assert await kept.positions.get(MINE, "trip_1") == bare


async def test_the_newest_journey_is_the_one_that_counts(kept: Kept) -> None:
    newer = evolve(JOURNEY, moved=1300.0, inside_since=None)
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=LIFE)
    await kept.positions.put(MINE, "trip_1", newer, life=LIFE)
    assert await kept.positions.get(MINE, "trip_1") == newer


async def test_an_unknown_trip_has_none(kept: Kept) -> None:
    await kept.positions.put("a:b", "c", JOURNEY, life=LIFE)
    assert await kept.positions.get("a:b", "d") is None
    assert await kept.positions.get("a", "b:c") is None
    assert await kept.positions.get(OTHER, "c") is None


async def test_a_journey_is_forgotten_when_its_life_is_over(kept: Kept) -> None:
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=timedelta(seconds=0.05))
    await kept.positions.put(MINE, "trip_2", JOURNEY, life=LIFE)
    await kept.pass_time(0.06)
    assert await kept.positions.get(MINE, "trip_1") is None
    assert await kept.positions.get(MINE, "trip_2") == JOURNEY


async def test_a_new_position_begins_a_new_life(kept: Kept) -> None:
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=timedelta(seconds=0.05))
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=LIFE)
    await kept.pass_time(0.06)
    assert await kept.positions.get(MINE, "trip_1") == JOURNEY


async def test_a_life_that_is_over_at_once_keeps_nothing(kept: Kept) -> None:
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=LIFE)
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=timedelta(0))
    assert await kept.positions.get(MINE, "trip_1") is None


async def test_positions_that_forgot_everything_know_no_trip(kept: Kept) -> None:
    await kept.positions.put(MINE, "trip_1", JOURNEY, life=LIFE)
    await kept.forget()
    assert await kept.positions.get(MINE, "trip_1") is None


async def test_positions_that_do_not_answer_are_unavailable(unavailable: Positions) -> None:
    with pytest.raises(Unavailable):
        await unavailable.put(MINE, "trip_1", JOURNEY, life=LIFE)
    with pytest.raises(Unavailable):
        await unavailable.get(MINE, "trip_1")
