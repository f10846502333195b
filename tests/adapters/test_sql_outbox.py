"""Facts between processes on PostgreSQL: shared work, and word of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.sql import SqlStore, upgrade
from adapters.sql.migrate import connected
from core.messaging.events import DeliveryReported
from tests.adapters.sql_bench import sqlite_url, stores
from tests.contracts.samples import ACTOR, MINE, NOW
from tests.servers import free_port

REPORTED = DeliveryReported(tenant=MINE, at=NOW, provider_id="wamid.1", status="read")
LONG = 300.0
"""Seconds that nobody waits in a test that passes."""
PATIENCE = 90.0


@pytest.fixture
def url(postgres_url: str) -> str:
    """Give a PostgreSQL database with tables."""
    upgrade(postgres_url)
    return postgres_url


async def tell(store: SqlStore, count: int = 1) -> None:
    async with store.begin(ACTOR) as tx:
        await tx.facts.add(*[REPORTED] * count)


async def take(store: SqlStore, *, limit: int) -> list[str]:
    async with store.outbox.unsent(limit=limit) as envelopes:
        return [each.id for each in envelopes]


async def test_relays_at_once_share_the_work_and_none_waits_for_another(url: str) -> None:
    async with stores(url, 3) as (one, two, three):
        await tell(one, 30)
        async with (
            one.outbox.unsent(limit=10) as first,
            asyncio.timeout(PATIENCE),
            two.outbox.unsent(limit=10) as second,
        ):
            third = await take(three, limit=100)
        held = [[each.id for each in part] for part in (first, second)] + [third]
    assert [len(part) for part in held] == [10, 10, 10]
    assert len({id_ for part in held for id_ in part}) == 30


async def test_a_relay_that_fails_leaves_its_facts_to_the_others(url: str) -> None:
    async with stores(url, 2) as (one, two):
        await tell(one, 5)
        with pytest.raises(ZeroDivisionError):
            async with one.outbox.unsent(limit=5):
                raise ZeroDivisionError
        assert len(await take(two, limit=10)) == 5
        assert await take(one, limit=10) == []


async def test_many_relays_send_each_fact_once(url: str) -> None:
    async with stores(url, 4) as many:
        await tell(many[0], 200)

        async def relay(store: SqlStore) -> list[str]:
            sent: list[str] = []
            while found := await take(store, limit=7):
                sent += found
            return sent

        parts = await asyncio.gather(*(relay(store) for store in many))
    sent = [id_ for part in parts for id_ in part]
    assert (len(sent), len(set(sent))) == (200, 200)


async def listening(store: SqlStore) -> None:
    """Have the store listen: its first wait returns at once, since nobody told it of what came before."""
    async with asyncio.timeout(PATIENCE):
        await store.outbox.wait(timeout=LONG)


async def test_a_fact_stored_by_one_process_wakes_another_that_waits(url: str) -> None:
    async with stores(url, 2) as (one, two):
        await listening(two)
        waiting = asyncio.create_task(two.outbox.wait(timeout=LONG))
        assert not (await asyncio.wait([waiting], timeout=0.2))[0]
        await tell(one)
        async with asyncio.timeout(PATIENCE):
            await waiting
        assert len(await take(two, limit=10)) == 1


async def test_a_transaction_without_facts_wakes_nobody(url: str) -> None:
    async with stores(url, 2) as (one, two):
        await listening(two)
        async with one.begin(ACTOR):
            pass
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(two.outbox.wait(timeout=LONG), 0.3)


async def test_listening_goes_on_after_its_connection_was_cut(url: str) -> None:
    async with stores(url, 2) as (one, two):
        await listening(two)
        waiting = asyncio.create_task(two.outbox.wait(timeout=LONG))
        await asyncio.wait([waiting], timeout=0.1)
        with connected(url) as connection:
            cut = sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and query like 'LISTEN%'"
            )
            assert list(connection.execute(cut)) == [(True,)]
        async with asyncio.timeout(PATIENCE):
            await waiting
            await listening(two)
        again = asyncio.create_task(two.outbox.wait(timeout=LONG))
        assert not (await asyncio.wait([again], timeout=0.2))[0]
        await tell(one)
        async with asyncio.timeout(PATIENCE):
            await again


async def test_while_the_database_does_not_answer_the_time_out_has_to_do() -> None:
    async with stores(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/nothing") as (store,):
        async with asyncio.timeout(PATIENCE):
            await store.outbox.wait(timeout=0.01)


async def test_a_store_that_closes_listens_no_more(url: str) -> None:
    async with stores(url) as (store,):
        await listening(store)
    with connected(url) as connection:
        others = sa.text(
            "select count(*) from pg_stat_activity where datname = current_database() and query like 'LISTEN%'"
        )
        assert connection.execute(others).scalar() == 0


async def test_a_connection_that_was_cut_may_be_closed(url: str) -> None:
    async with stores(url) as (store,):
        await listening(store)
        stop = await store._database.listen("other", heard=lambda: None, ended=lambda: None)
        await stop()
        await stop()


async def test_on_sqlite_a_fact_wakes_whoever_waits_in_this_process(tmp_path: Path) -> None:
    async with stores(sqlite_url(tmp_path)) as (store,):
        waiting = asyncio.create_task(store.outbox.wait(timeout=LONG))
        assert not (await asyncio.wait([waiting], timeout=0.1))[0]
        await tell(store)
        async with asyncio.timeout(PATIENCE):
            await waiting


@pytest.mark.parametrize("ticks", range(5))
async def test_who_is_cancelled_as_the_wait_ends_is_cancelled(tmp_path: Path, ticks: int) -> None:
    async with stores(sqlite_url(tmp_path), 1) as (one,):
        waiting = asyncio.create_task(one.outbox.wait(timeout=LONG))
        await asyncio.sleep(0.01)
        one.outbox.changed()
        for _ in range(ticks):
            await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
