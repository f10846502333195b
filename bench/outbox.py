"""The outbox: what it costs a command, how fast the relay is, how soon a commit is published."""

from __future__ import annotations

import asyncio
import base64
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import psycopg
from attrs import define

from adapters.crypto import Vault, new_id
from adapters.dramatiq import DramatiqQueue, broker_for
from adapters.sql import SqlStore, upgrade
from bench.figure import Figure, compare
from core.jobs import Job, Place, Wish
from core.kernel.actor import Actor
from core.kernel.states import evolved
from core.reactions import Publish, Relay
from tests import servers

CALLERS, COMMANDS, FACTS = 8, 1_600, 4_000
ACTOR = Actor(tenant="demo", id="user_marta", role="dispatcher", correlation="corr_1")


@define
class Ids:
    """New ids, and the last one that a fact got."""

    last: str = ""

    def __call__(self, kind: str) -> str:
        made = new_id(kind)
        if kind == "fact":
            self.last = made
        return made


def now() -> datetime:
    return datetime.now(UTC)


async def figures() -> AsyncIterator[Figure]:
    """Take the three figures."""
    with servers.postgres() as postgres, servers.redis() as redis, servers.fresh_database(postgres) as url:
        await asyncio.to_thread(upgrade, url)
        vault = Vault.from_setting("bench:" + base64.b64encode(bytes(32)).decode())
        ids = Ids()
        store = SqlStore(url, clock=now, new_id=ids, seal=vault.seal, unseal=vault.unseal)
        try:
            yield await _command(store)
            yield await _relay(store, redis)
            await asyncio.to_thread(_analyse, url)
            yield await _soon(store, ids)
        finally:
            await store.close()


def _a_job() -> Job:
    return Job.opened(
        id_=new_id("job"),
        tenant="demo",
        customer_id="cust_1",
        title="Aire acondicionado",
        wish=Wish(text="no enfría"),
        place=Place(address="Av. Corrientes 1234", lat=-34.6, lng=-58.4),
        source=None,
        actor="user_marta",
        at=now(),
    )


async def _command(store: SqlStore) -> Figure:
    """A dispatcher's command: read the job, move it, store it, in one transaction."""
    jobs = []
    for _ in range(CALLERS):
        async with store.begin(ACTOR) as tx:
            jobs.append((await tx.jobs.save(_a_job())).id)

    def commands(*, with_facts: bool) -> Callable[[], Awaitable[float]]:
        async def one(job_id: str) -> None:
            async with store.begin(ACTOR) as tx:
                job = await tx.jobs.get("demo", job_id)
                if job.status == "pending":
                    moved = job.schedule(
                        technician_id="user_carlos",
                        starts_at=now(),
                        ends_at=now() + timedelta(hours=2),
                        place=None,
                        actor="user_marta",
                        at=now(),
                    )
                else:
                    moved = job.unschedule(reason=None, actor="user_marta", at=now())
                await tx.jobs.save(moved if with_facts else evolved(moved, {"facts": ()}))

        async def caller(job_id: str) -> None:
            for _ in range(COMMANDS // CALLERS):
                await one(job_id)

        async def measure() -> float:
            began = time.perf_counter()
            await asyncio.gather(*map(caller, jobs))
            return COMMANDS / (time.perf_counter() - began)

        return measure

    return await compare(
        "a command with its outbox rows / without",
        floor=commands(with_facts=False),
        ours=commands(with_facts=True),
        goal=0.75,
    )


async def _relay(store: SqlStore, redis: str) -> Figure:
    """Facts from the database to the broker, in batches, against the same relay that calls `send()` for each message."""
    broker = broker_for(redis)
    declare: Any = dramatiq.actor(broker=broker, actor_name="alone", queue_name="alone")
    alone = declare(_nothing)
    queue = DramatiqQueue(redis)

    async def one_by_one(messages: Sequence[tuple[str, str]]) -> None:
        for message in messages:
            alone.send(*message)

    def relaying(publish: Publish) -> Callable[[], Awaitable[float]]:
        relay = Relay(store.outbox, publish, {"job.opened": {"bench": _nobody}}, now)

        async def measure() -> float:
            for _ in range(FACTS // 100):
                async with store.begin(ACTOR) as tx:
                    await tx.facts.add(*(fact for _ in range(100) for fact in _a_job().facts))
            began, sent = time.perf_counter(), 0
            while count := await relay.send(limit=500):
                sent += count
            return sent / (time.perf_counter() - began)

        return measure

    try:
        return await compare(
            "relay, database to broker / with a loop of send()",
            floor=relaying(one_by_one),
            ours=relaying(queue.publish),
            goal=4.0,
        )
    finally:
        await queue.close()
        broker.close()


async def _soon(store: SqlStore, ids: Ids) -> Figure:
    """The 95th percentile of commit to published, at 200 commits a second."""

    def measure(wait: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[float]]:
        async def run() -> float:
            committed: dict[str, float] = {}
            published: dict[str, float] = {}

            async def publish(messages: Sequence[tuple[str, str]]) -> None:
                arrived = time.perf_counter()
                published.update((fact_id, arrived) for fact_id, _ in messages)

            relay = Relay(store.outbox, publish, {"job.opened": {"bench": _nobody}}, now)

            async def relaying() -> None:
                while True:
                    if not await relay.send(limit=100):
                        await wait()

            task = asyncio.create_task(relaying())
            began = time.perf_counter()
            for number in range(600):
                await asyncio.sleep(max(0.0, began + number / 200 - time.perf_counter()))
                async with store.begin(ACTOR) as tx:
                    await tx.jobs.save(_a_job())
                committed[ids.last] = time.perf_counter()
            await asyncio.sleep(0.3)
            task.cancel()
            await asyncio.wait({task})
            # The relay may hear of a commit before its author does: that took no time.
            return statistics.quantiles((max(0.0, published[id_] - at) for id_, at in committed.items()), n=20)[-1]

        return run

    return await compare(
        "commit to published at 200/s, p95 / a 50 ms poll",
        floor=measure(lambda: asyncio.sleep(0.05)),
        ours=measure(lambda: store.outbox.wait(timeout=0.5)),
        goal=0.1,
        unit=" s",
        at_most=True,
    )


def _analyse(url: str) -> None:
    """Do at once what autovacuum does within a minute: PostgreSQL goes on with the plans that it made for empty tables."""
    with psycopg.connect(url.replace("+asyncpg", ""), autocommit=True) as connection:
        connection.execute("ANALYZE")


def _nothing(_: str, __: str) -> None:
    return None


async def _nobody(_: object, __: object) -> None:
    return None
