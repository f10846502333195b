"""The workers' side: messages are taken by dramatiq's threads and reacted to on the caller's event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import dramatiq
from dramatiq import Broker, Worker

from adapters.dramatiq.broker import ACTOR, QUEUE

LIMIT: Final = 300.0
"""Seconds that a reaction may take; far under RabbitMQ's half hour for an acknowledgement."""
PATIENCE: Final = 20.0
"""Seconds that reactions have to finish at the end; supervisors kill after thirty."""


@contextlib.asynccontextmanager
async def consuming(
    broker: Broker,
    react: Callable[[str, str], Awaitable[None]],
    *,
    threads: int = 8,
    limit: float = LIMIT,
    patience: float = PATIENCE,
) -> AsyncIterator[None]:
    """Let `react(fact id, reaction)` react to the broker's messages, up to `threads` at a time, beside the block.

    `react` runs on the event loop of the caller, where the stores and clients that it uses live; dramatiq's threads only wait for
    it. A message is acknowledged when `react` has returned, or raised, or taken longer than `limit` seconds: those two are logged, and
    the outbox sends again what is not settled. A broker that is away is waited for.

    Leaving the block takes no further message, lets running reactions finish for at most `patience` seconds and gives back what was
    fetched beforehand. A broker serves for one block, and a process for one at a time.
    """
    loop = asyncio.get_running_loop()

    async def within_the_limit(fact_id: str, reaction: str) -> None:
        async with asyncio.timeout(limit):
            await react(fact_id, reaction)

    def hand_over(fact_id: str, reaction: str) -> None:
        asyncio.run_coroutine_threadsafe(within_the_limit(fact_id, reaction), loop).result()

    dramatiq.actor(broker=broker, actor_name=ACTOR, queue_name=QUEUE)(hand_over)
    # The timeout is how long an idle consumer of Redis sleeps at most before it looks again.
    worker = Worker(broker, worker_threads=threads, worker_timeout=100)
    worker.delay_prefetch = 1  # nothing is delayed here
    await asyncio.to_thread(worker.start)
    try:
        yield
    finally:
        await asyncio.to_thread(worker.stop, timeout=int(patience * 1000))
        await asyncio.to_thread(broker.close)
