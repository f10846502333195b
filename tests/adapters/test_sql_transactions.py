"""Transactions among several processes, and what ends one."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.sql import SqlStore, upgrade
from core.customers import CustomerNotFound
from core.kernel.errors import Conflict, Unavailable
from tests.adapters.sql_bench import sqlite_url, stores
from tests.contracts.samples import ACTOR, MINE, a_customer, a_job, a_message

THREAD = "whatsapp:5491155550001"
WRITER = """
import asyncio, sys
from tests.adapters.sql_bench import stores
from tests.contracts.samples import ACTOR, a_job

async def write(url, name):
    async with stores(url) as (store,):
        for number in range(40):
            async with store.begin(ACTOR) as tx:
                await tx.jobs.save(a_job(f"job_{name}_{number}"))

asyncio.run(write(*sys.argv[1:]))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a database of each kind, with tables."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    given: str = request.getfixturevalue("postgres_url")
    upgrade(given)
    return given


async def test_a_transaction_whose_statement_failed_cannot_be_saved_by_going_on(url: str) -> None:
    async with stores(url) as (store,):
        async with store.begin(ACTOR) as tx:
            await tx.customers.save(a_customer())

        async def go_on() -> None:
            async with store.begin(ACTOR) as tx:
                await tx.customers.save(a_customer("cust_2"))
                with contextlib.suppress(Conflict):
                    await tx.customers.save(a_customer())

        with pytest.raises(RuntimeError, match="nothing of it is stored"):
            await go_on()
        with pytest.raises(CustomerNotFound):
            await store.customers.get(MINE, "cust_2")


async def test_a_transaction_may_be_open_in_two_stores_but_never_twice_in_one(url: str) -> None:
    async with stores(url) as (store,), store.begin(ACTOR):
        with pytest.raises(RuntimeError, match="nest"):
            async with store.begin(ACTOR):
                pass


async def test_a_task_of_its_own_may_open_a_transaction_of_its_own(url: str) -> None:
    async with stores(url) as (store,):

        async def save(id_: str) -> None:
            async with store.begin(ACTOR) as tx:
                await tx.jobs.save(a_job(id_))

        await asyncio.gather(*(save(f"job_{number}") for number in range(20)))
        for number in range(20):
            assert (await store.jobs.get(MINE, f"job_{number}")).version == 1


async def test_processes_that_write_at_once_wait_and_none_fails(url: str) -> None:
    root = Path(__file__).parent.parent.parent
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, url, name, cwd=root, stderr=asyncio.subprocess.PIPE
        )
        for name in ("one", "two")
    ]
    ends = [((await process.communicate())[1], process.returncode) for process in processes]
    assert ends == [(b"", 0)] * 2
    async with stores(url) as (store,):
        rows = await store._database.rows(sa.text("select count(*) from jobs"), tenant=MINE)
    assert [tuple(row) for row in rows] == [(80,)]


async def test_a_writer_waits_while_another_program_holds_sqlite_s_lock(tmp_path: Path) -> None:
    async with stores(sqlite_url(tmp_path)) as (store,):
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
        other.execute("begin immediate")

        async def save() -> None:
            async with store.begin(ACTOR) as tx:
                await tx.customers.save(a_customer())

        saving = asyncio.create_task(save())
        assert not (await asyncio.wait([saving], timeout=0.3))[0]
        other.execute("commit")
        await saving
        other.close()
        assert (await store.customers.get(MINE, "cust_1")).version == 1


async def test_a_lock_that_is_held_too_long_is_unavailable_and_nothing_is_stored(tmp_path: Path) -> None:
    async with stores(sqlite_url(tmp_path)) as (store,):
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        other.execute("begin immediate")
        with pytest.raises(Unavailable):
            async with store.begin(ACTOR) as tx:
                await tx.customers.save(a_customer())
        other.execute("rollback")
        other.close()
        with pytest.raises(CustomerNotFound):
            await store.customers.get(MINE, "cust_1")


async def gathered(store: SqlStore, batch: str, up_to: str) -> list[str]:
    async with store.begin(ACTOR) as tx:
        found = await tx.messages.gather(MINE, THREAD, batch_id=batch, up_to=up_to, limit=100)
        await asyncio.sleep(0)
        return [message.id for message in found]


async def test_two_that_gather_a_thread_at_once_never_share_a_message_and_never_deadlock(url: str) -> None:
    async with stores(url, 2) as (one, two):
        for begin in range(0, 120, 12):
            await one.inbox.receive([a_message(number) for number in range(begin, begin + 12)])
            parts = await asyncio.gather(
                gathered(one, f"batch_{begin}_one", f"msg_{begin + 11}"),
                gathered(two, f"batch_{begin}_two", f"msg_{begin + 11 if begin % 24 else begin + 5}"),
            )
            taken = [id_ for part in parts for id_ in part]
            assert sorted(taken) == sorted(f"msg_{number}" for number in range(begin, begin + 12))


async def test_who_gathers_second_gets_what_the_first_left(postgres_url: str) -> None:
    upgrade(postgres_url)
    async with stores(postgres_url, 2) as (one, two):
        await one.inbox.receive([a_message(number) for number in range(6)])
        async with one.begin(ACTOR) as tx:
            first = await tx.messages.gather(MINE, THREAD, batch_id="first", up_to="msg_2", limit=10)
            second = asyncio.create_task(gathered(two, "second", "msg_5"))
            assert not (await asyncio.wait([second], timeout=0.2))[0]
        assert [message.id for message in first] == ["msg_0", "msg_1", "msg_2"]
        assert await second == ["msg_3", "msg_4", "msg_5"]
