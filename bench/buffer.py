"""Aggregation through Redis with 50 callers, against redis-benchmark with the same script, and against no script."""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import redis.asyncio as redis_client

from adapters.redis import RedisBuffer, RedisConnection
from adapters.redis.buffer import ADD
from bench.figure import Figure, compare
from core.messaging import AggregationRules, Window
from tests import servers

CALLERS, CALLS, THREADS = 50, 20_000, 5_000
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
RULES = AggregationRules()
HELLO = RULES.read("Hola")


async def figures() -> AsyncIterator[Figure]:
    """Take both figures."""
    with servers.redis() as url:
        numbers = itertools.count()
        connection = RedisConnection(url)
        buffer = RedisBuffer(connection, RULES)

        async def ours() -> float:
            async def add(number: int) -> None:
                thread = f"whatsapp:{number % THREADS}"
                await buffer.add(tenant="demo", thread=thread, message_id=f"msg_{number}", signal=HELLO, at=AT)

            return await _by_callers(add, numbers, url, calls=CALLS)

        yield await compare(
            "aggregation, 50 callers / redis-benchmark, same script", floor=lambda: _benchmark(url), ours=ours, goal=0.6
        )

        pool = redis_client.Redis.from_url(url, max_connections=CALLERS)

        async def without_script() -> float:
            return await _by_callers(lambda number: _add_watched(pool, number), numbers, url, calls=CALLS // 8)

        yield await compare("aggregation, 50 callers / WATCH and MULTI", floor=without_script, ours=ours, goal=4.0)
        await pool.aclose()
        await connection.close()


async def _by_callers(
    add: Callable[[int], Awaitable[object]], numbers: Iterator[int], url: str, *, calls: int
) -> float:
    async with redis_client.Redis.from_url(url) as client:
        await client.flushdb()

    async def caller() -> None:
        for _ in range(calls // CALLERS):
            await add(next(numbers))

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return calls / (time.perf_counter() - began)


async def _benchmark(url: str) -> float:
    """Return what the server's own load generator gets with our script and arguments, one command at a time a connection."""
    program = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if program is None:
        msg = "redis-benchmark is missing: apt install redis-tools"
        raise SystemExit(msg)
    async with redis_client.Redis.from_url(url) as client:
        await client.flushdb()
        await client.script_load(ADD.source)
    at = int(AT.timestamp() * 1_000_000)
    script = ["EVALSHA", ADD.sha, "2", "cuadrilla:window:4:demo:whatsapp:__rand_int__", "cuadrilla:windows"]
    script += [
        "demo",
        "whatsapp:1",
        "msg___rand_int__",
        HELLO.kind,
        HELLO.reason,
        str(at),
        "8000000",
        "1500000",
        "10",
        "3600000",
    ]
    port = str(urlsplit(url).port)
    process = await asyncio.create_subprocess_exec(
        program,
        "-p",
        port,
        "-c",
        str(CALLERS),
        "-n",
        str(CALLS),
        "-r",
        str(THREADS),
        "-q",
        *script,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return float(re.findall(rb"([\d.]+) requests per second", out)[-1])


async def _add_watched(pool: Any, number: int) -> None:
    """Add a fragment as one does without scripts: watch, read, compute, write, and again if somebody was faster."""
    thread = f"whatsapp:{number % THREADS}"
    key = f"window:demo:{thread}"
    async with pool.pipeline(transaction=True) as pipe:
        while True:
            try:
                await pipe.watch(key)
                kept = await pipe.get(key)
                if kept is None:
                    window = RULES.open(tenant="demo", thread=thread, message_id=f"msg_{number}", signal=HELLO, at=AT)
                else:
                    window = msgspec.json.decode(kept, type=Window)
                    window = RULES.add(window, message_id=f"msg_{number}", signal=HELLO, at=AT)
                pipe.multi()
                pipe.set(key, msgspec.json.encode(window), px=3_600_000)
                pipe.zadd("windows", {key: window.closes_at.timestamp()})
                await pipe.execute()
            except redis_client.WatchError:
                continue
            return
