"""One of several processes that add to the same windows and take them: `window_player.py URL NAME MESSAGES`.

Prints what it took, a line of message ids for each window.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from datetime import UTC, datetime, timedelta

from adapters.redis import RedisBuffer, RedisConnection
from core.messaging import AggregationRules, Window

RULES = AggregationRules(window=timedelta(milliseconds=20), grace=timedelta(milliseconds=5), limit=4)
TEXTS = ("Hola", "necesito", "un técnico", "cuánto cuesta", "vienen hoy?")


async def play(url: str, name: str, messages: int) -> list[Window]:
    """Add so many messages to a few threads that others add to as well, and take what is due meanwhile."""
    connection = RedisConnection(url, within=10.0)  # a busy machine is not what is tried here
    buffer, chance, taken = RedisBuffer(connection, RULES), random.Random(name), list[Window]()

    async def add(callers: int) -> None:
        for number in range(callers, messages, 5):
            await buffer.add(
                tenant="tenant_mine",
                thread=f"thread_{chance.randrange(6)}",
                message_id=f"{name}_{number}",
                signal=RULES.read(chance.choice(TEXTS)),
                at=datetime.now(UTC),
            )

    async def take() -> None:
        while not adding.done():
            taken.extend(await buffer.take_due(at=datetime.now(UTC), limit=3))
            await asyncio.sleep(0)

    adding = asyncio.gather(*(add(caller) for caller in range(5)))
    await asyncio.gather(adding, take())
    await connection.close()
    return taken


if __name__ == "__main__":
    for window in asyncio.run(play(sys.argv[1], sys.argv[2], int(sys.argv[3]))):
        sys.stdout.write(json.dumps(window.message_ids) + "\n")
