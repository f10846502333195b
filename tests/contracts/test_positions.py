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
from core.kernel.states import evolved
from core.tracking import EtaRules, Fix, Journey, Live, Point, Recorded, TrackingSession, step
from core.tracking.ports import Positions
from tests.contracts.samples import MINE, NOW, OTHER, Hands, a_session
from tests.lines import line_to

LIFE: Final = timedelta(minutes=5)
LONG: Final = timedelta(hours=4)
HOME: Final = Point(-34.6037, -58.3816)


def fix(seconds: float = 0.123457, lat: float = -34.62) -> Fix:
    at = NOW + timedelta(seconds=seconds)
    return Fix(
        point=Point(lat, -58.381592),
        recorded_at=at,
        received_at=at + timedelta(seconds=1),
        accuracy=12.5,
        speed=0.1 + 0.2,
        heading=None,
    )


def a_journey(*fixes: Fix) -> Journey:
    """Return a journey in which as much is remembered as these fixes leave behind."""
    journey = None
    for each in fixes or (fix(), fix(30, -34.618), fix(60, -34.616)):
        journey = step(journey, each, destination=HOME, rules=EtaRules()).journey
    assert journey is not None
    return journey


def recorded(number: int = 1) -> Recorded:
    return Recorded(
        tenant=MINE, session_id="trip_1", job_id="job_1", phone="p", fix=fix(number), remarks=("suspect", "old")
    )


SESSION: Final = evolved(a_session(), {"version": 1, "facts": ()})
JOURNEY: Final = a_journey()


@frozen
class Kept:
    """Positions, how time passes for them and how they lose everything."""

    positions: Positions
    pass_time: Callable[[float], Awaitable[None]]
    forget: Callable[[], Awaitable[None]]

    async def known(self, session: TrackingSession = SESSION) -> Live:
        """Make the session known, and return it as it is known."""
        await self.positions.put(session, life=LONG)
        return await self.live()

    async def live(self, job_id: str = "job_1") -> Live:
        live = await self.positions.get(MINE, job_id)
        assert live is not None
        return live

    async def written(self) -> list[Recorded]:
        """Return what nobody has written, and forget it."""
        parcels = await self.positions.unwritten(limit=100)
        if parcels:
            await self.positions.written([name for name, _ in parcels])
        return [each for _, fixes in parcels for each in fixes]


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


async def test_a_session_comes_back_whole(kept: Kept) -> None:
    assert await kept.known() == Live(session=SESSION)
    bare = evolve(SESSION, job_id="job_2", destination=None, arrived_at=NOW, state="arrived")
    await kept.positions.put(bare, life=LONG, seen_at=NOW + timedelta(microseconds=1))
    assert await kept.live("job_2") == Live(session=bare, seen_at=NOW + timedelta(microseconds=1))


async def test_a_trip_that_is_carried_on_comes_back_whole(kept: Kept) -> None:
    before = await kept.known()
    after = evolve(before, journey=JOURNEY, phones=("one", "two"), seen_at=NOW)
    done, now = await kept.positions.advance(before, after, [], life=LIFE)
    assert (done, now) == (True, after)
    assert await kept.live() == after


async def test_a_journey_of_one_strange_fix_comes_back_as_it_was(kept: Kept) -> None:
    strange = Fix(point=Point(0.0, 180.0), recorded_at=NOW, received_at=NOW, speed=float("inf"))
    before = await kept.known()
    after = evolve(before, journey=Journey(fix=strange))
    assert await kept.positions.advance(before, after, [], life=LIFE) == (True, after)
    assert await kept.live() == after


async def test_who_carries_a_trip_on_can_go_on_from_there(kept: Kept) -> None:
    live: Live | None = await kept.known()
    for number in range(3):
        assert live is not None
        after = evolve(live, journey=a_journey(fix(number)))
        done, live = await kept.positions.advance(live, after, [], life=LIFE)
        assert done
    assert (await kept.live()).journey == a_journey(fix(2))


async def test_the_second_of_two_is_told_what_the_first_made_of_it(kept: Kept) -> None:
    before = await kept.known()
    first = evolve(before, journey=a_journey(fix(1)))
    second = evolve(before, journey=a_journey(fix(2)))
    await kept.positions.advance(before, first, [recorded(1)], life=LIFE)
    assert await kept.positions.advance(before, second, [recorded(2)], life=LIFE) == (False, first)
    assert (await kept.live(), await kept.written()) == (first, [recorded(1)])


async def test_fixes_that_change_nothing_are_taken_beside_any_other(kept: Kept) -> None:
    before = await kept.known()
    await kept.positions.advance(before, evolve(before, journey=JOURNEY), [], life=LIFE)
    assert (await kept.positions.advance(before, before, [recorded(1)], life=LIFE))[0]
    assert (await kept.live()).journey == JOURNEY
    assert await kept.written() == [recorded(1)]


async def test_nothing_is_taken_for_a_session_that_has_changed(kept: Kept) -> None:
    before = await kept.known()
    over = evolve(SESSION, state="cancelled", version=2)
    await kept.positions.put(over, life=LONG)
    for after in (before, evolve(before, journey=JOURNEY)):
        assert await kept.positions.advance(before, after, [recorded()], life=LIFE) == (False, Live(session=over))
    assert await kept.written() == []


async def test_nothing_is_taken_for_a_trip_that_is_not_known(kept: Kept) -> None:
    before = await kept.known()
    await kept.forget()
    for supposed in (before, Live(session=SESSION)):
        assert await kept.positions.advance(supposed, supposed, [recorded()], life=LIFE) == (False, None)
    assert await kept.written() == []


async def test_what_is_supposed_without_having_looked_is_compared_too(kept: Kept) -> None:
    before = await kept.known()
    await kept.positions.advance(before, evolve(before, journey=JOURNEY), [], life=LIFE)
    guess = Live(session=SESSION)
    done, found = await kept.positions.advance(guess, evolve(guess, journey=a_journey(fix(1))), [], life=LIFE)
    assert (done, found and found.journey) == (False, JOURNEY)


async def test_a_session_that_ends_has_no_position(kept: Kept) -> None:
    before = await kept.known()
    await kept.positions.advance(before, evolve(before, journey=JOURNEY, phones=("p",), seen_at=NOW), [], life=LIFE)
    over = evolve(SESSION, state="completed", version=2)
    await kept.positions.put(over, life=LONG)
    assert await kept.live() == Live(session=over, seen_at=NOW)


async def test_an_older_version_or_session_of_a_job_replaces_no_newer_one(kept: Kept) -> None:
    over = evolve(SESSION, state="cancelled", version=2)
    later = evolve(SESSION, id="trip_2", opened_at=NOW + timedelta(minutes=1))
    for newest, older in ((over, SESSION), (later, over), (later, later)):
        await kept.positions.put(newest, life=LONG)
        await kept.positions.put(older, life=LONG)
        assert await kept.live() == Live(session=newest)


async def test_a_new_session_of_a_job_begins_without_a_past(kept: Kept) -> None:
    before = await kept.known()
    await kept.positions.advance(before, evolve(before, journey=JOURNEY, phones=("p",), seen_at=NOW), [], life=LIFE)
    later = evolve(SESSION, id="trip_2", opened_at=NOW + timedelta(minutes=1))
    await kept.positions.put(later, life=LONG)
    assert await kept.live() == Live(session=later)


async def test_a_new_version_keeps_what_is_known_of_an_active_trip(kept: Kept) -> None:
    before = await kept.known()
    await kept.positions.advance(before, evolve(before, journey=JOURNEY, phones=("p",), seen_at=NOW), [], life=LIFE)
    changed = evolve(SESSION, destination=HOME, version=2)
    await kept.positions.put(changed, life=LONG, seen_at=NOW + timedelta(days=1))
    assert await kept.live() == Live(session=changed, journey=JOURNEY, phones=("p",), seen_at=NOW)


async def test_jobs_and_tenants_are_kept_apart(kept: Kept) -> None:
    await kept.positions.put(evolve(SESSION, tenant="a:b", job_id="c"), life=LONG)
    assert await kept.positions.get("a:b", "d") is None
    assert await kept.positions.get("a", "b:c") is None
    assert await kept.positions.get(OTHER, "c") is None


async def test_a_position_is_forgotten_when_its_life_is_over_and_the_trip_is_not(kept: Kept) -> None:
    before = await kept.known()
    short = timedelta(seconds=0.05)
    await kept.positions.advance(before, evolve(before, journey=JOURNEY, phones=("p",), seen_at=NOW), [], life=short)
    await kept.pass_time(0.06)
    there = await kept.live()
    assert there == Live(session=SESSION, seen_at=NOW)
    done, _ = await kept.positions.advance(there, evolve(there, journey=JOURNEY), [], life=LIFE)
    assert (done, (await kept.live()).journey) == (True, JOURNEY)


async def test_a_new_position_begins_a_new_life(kept: Kept) -> None:
    before = await kept.known()
    short = timedelta(seconds=0.05)
    _, once = await kept.positions.advance(before, evolve(before, journey=JOURNEY), [], life=short)
    assert once is not None
    await kept.positions.advance(once, evolve(once, journey=a_journey(fix(90))), [], life=LIFE)
    await kept.pass_time(0.06)
    assert (await kept.live()).journey == a_journey(fix(90))


async def test_a_trip_is_forgotten_when_its_life_is_over(kept: Kept) -> None:
    await kept.positions.put(SESSION, life=timedelta(seconds=0.05))
    await kept.pass_time(0.06)
    assert await kept.positions.get(MINE, "job_1") is None


async def test_fixes_wait_in_order_until_they_are_written(kept: Kept) -> None:
    live = await kept.known()
    for number in range(3):
        await kept.positions.advance(live, live, [recorded(2 * number), recorded(2 * number + 1)], life=LIFE)
    parcels = await kept.positions.unwritten(limit=2)
    assert [each for _, fixes in parcels for each in fixes] == [recorded(number) for number in range(4)]
    await kept.positions.written([name for name, _ in parcels])
    assert await kept.written() == [recorded(4), recorded(5)]
    assert await kept.positions.unwritten(limit=2) == []


async def test_positions_that_do_not_answer_are_unavailable(unavailable: Positions) -> None:
    live = Live(session=SESSION)
    for asked in (
        lambda: unavailable.put(SESSION, life=LIFE),
        lambda: unavailable.get(MINE, "job_1"),
        lambda: unavailable.advance(live, live, [], life=LIFE),
        lambda: unavailable.unwritten(limit=1),
        lambda: unavailable.written(["1-1"]),
    ):
        with pytest.raises(Unavailable):
            await asked()
