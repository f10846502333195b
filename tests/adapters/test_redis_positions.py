"""Positions in a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from adapters.redis import RedisConnection, RedisPositions
from core.tracking import Fix, Journey, Point
from tests.contracts.samples import MINE, NOW

JOURNEY = Journey(fix=Fix(point=Point(-34.6, -58.4), recorded_at=NOW, received_at=NOW))


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[RedisConnection]:
    """Give a connection to an empty database."""
    connection = RedisConnection(redis_url, within=30.0)
    yield connection
    await connection.close()


async def test_a_position_takes_one_key_that_expires_with_its_life(connection: RedisConnection) -> None:
    await RedisPositions(connection).put(MINE, "trip_1", JOURNEY, life=timedelta(minutes=5))
    (key,) = await connection.run("KEYS", "*")
    assert 290_000 < await connection.run("PTTL", key) <= 300_000


@pytest.mark.parametrize("value", [b"", b"\x81\xa3fix\xc0", b"{}", b"\xff"])
async def test_a_value_that_another_release_wrote_is_unknown(connection: RedisConnection, value: bytes) -> None:
    positions = RedisPositions(connection)
    await positions.put(MINE, "trip_1", JOURNEY, life=timedelta(minutes=5))
    (key,) = await connection.run("KEYS", "*")
    await connection.run("SET", key, value)
    assert await positions.get(MINE, "trip_1") is None
