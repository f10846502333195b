"""Positions in a real Redis: what only that shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest
from attrs import evolve

from adapters.redis import RedisConnection, RedisPositions
from core.kernel.states import evolved
from core.tracking import Fix, Journey, Live, Point, Recorded
from tests.contracts.samples import MINE, NOW, a_session

FIX: Final = Fix(point=Point(-34.6, -58.4), recorded_at=NOW, received_at=NOW)
SESSION: Final = evolved(a_session(), {"version": 1, "facts": ()})
LIFE: Final = timedelta(minutes=5)


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[RedisConnection]:
    """Give a connection to an empty database."""
    connection = RedisConnection(redis_url, within=30.0)
    yield connection
    await connection.close()


async def under_way(positions: RedisPositions) -> Live:
    """Return a trip with one position and one fix that the history lacks."""
    await positions.put(SESSION, life=timedelta(hours=4))
    live = await positions.get(MINE, "job_1")
    assert live is not None
    fix = Recorded(tenant=MINE, session_id="trip_1", job_id="job_1", phone="p", fix=FIX)
    _, after = await positions.advance(live, evolve(live, journey=Journey(fix=FIX)), [fix], life=LIFE)
    assert after is not None
    return after


async def test_a_position_and_a_trip_expire_by_themselves(connection: RedisConnection) -> None:
    await under_way(RedisPositions(connection))
    keys = [key for key in await connection.run("KEYS", "*") if key != b"cuadrilla:fixes"]
    lives = {key.split(b":")[1]: await connection.run("PTTL", key) for key in keys}
    assert 290_000 < lives[b"position"] <= 300_000
    assert 14_000_000 < lives[b"trip"] <= 14_400_000


@pytest.mark.parametrize("value", [b"", b"\x81\xa3fix\xc0", b"{}", b"\xff"])
async def test_a_value_that_another_release_wrote_is_unknown(connection: RedisConnection, value: bytes) -> None:
    positions = RedisPositions(connection)
    before = await under_way(positions)
    (key,) = await connection.run("KEYS", "cuadrilla:position:*")
    await connection.run("SET", key, value)
    there = await positions.get(MINE, "job_1")
    assert there is not None
    assert (there.session, there.journey) == (SESSION, None)
    done, _ = await positions.advance(there, evolve(there, journey=before.journey), [], life=LIFE)
    assert done, "and it does not stand in the way of the next"
    (key,) = await connection.run("KEYS", "cuadrilla:trip:*")
    await connection.run("HSET", key, "session", value)
    assert await positions.get(MINE, "job_1") is None
    await positions.put(evolve(SESSION, version=2), life=LIFE)
    assert await positions.get(MINE, "job_1") is not None


async def test_fixes_that_another_release_wrote_hold_nothing_up(connection: RedisConnection) -> None:
    positions = RedisPositions(connection)
    await connection.run("XADD", "cuadrilla:fixes", "*", "fixes", b"\xff")
    await under_way(positions)
    (strange, none), (ours, one) = await positions.unwritten(limit=10)
    assert (none, len(one)) == ((), 1)
    await positions.written([strange, ours])
    assert await connection.run("XLEN", "cuadrilla:fixes") == 0


async def test_while_one_process_writes_no_other_does_the_same_work(connection: RedisConnection) -> None:
    positions = RedisPositions(connection)
    await under_way(positions)
    both = await asyncio.gather(positions.unwritten(limit=10), positions.unwritten(limit=10))
    assert sorted(map(len, both)) == [0, 1]
    (ours,) = [name for parcels in both for name, _ in parcels]
    await connection.run("DEL", "cuadrilla:fixes:writing")  # as when the first dies, and its time is over
    ((again, _),) = await positions.unwritten(limit=10)
    assert again == ours
