"""Log-ins in a real Redis: what only that shows."""

from __future__ import annotations

from datetime import timedelta

from adapters.redis import RedisConnection, RedisKnownLogIns
from core.identity.ports import KnownLogIn
from tests.contracts.samples import MINE, NOW


async def test_a_value_that_another_release_wrote_is_unknown(redis_url: str) -> None:
    connection = RedisConnection(redis_url, within=30.0)
    known = RedisKnownLogIns(connection)
    log_in = KnownLogIn(user_id="carlos", role="technician", until=NOW)
    await known.remember(MINE, "s1", log_in, life=timedelta(minutes=5))
    (key,) = await connection.run("KEYS", "*")
    await connection.run("SET", key, b"\x80")
    assert await known.get(MINE, "s1") is None
    await connection.close()
