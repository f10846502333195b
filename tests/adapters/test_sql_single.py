"""Single statements run on connections that are kept: those may be gone when they are wanted again."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
import sqlalchemy as sa

from adapters.sql import upgrade
from adapters.sql.database import Database
from adapters.sql.row_security import NOBODY, ROLE
from core.kernel.errors import Unavailable

_PID = sa.text("SELECT pg_backend_pid()")


@pytest.fixture
def url(postgres_url: str) -> str:
    """Give a migrated database."""
    upgrade(postgres_url)
    return postgres_url


async def terminate(url: str) -> None:
    plain = url.replace("+asyncpg", "")
    async with await psycopg.AsyncConnection.connect(plain, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_statements_one_after_another_use_one_connection(url: str) -> None:
    database = Database(url, pool_size=4)
    pids = {(await database.first(_PID, tenant=NOBODY))[0] for _ in range(5)}
    assert len(pids) == 1
    await database.close()


async def test_a_read_comes_back_though_every_kept_connection_is_gone(url: str) -> None:
    database = Database(url, pool_size=4)
    before = {row[0] for row in await asyncio.gather(*(database.first(_PID, tenant=NOBODY) for _ in range(2)))}
    await terminate(url)
    after = {(await database.first(_PID, tenant=NOBODY))[0] for _ in range(3)}
    assert before.isdisjoint(after)
    await database.close()


async def test_a_write_is_not_repeated_behind_anybodys_back(url: str) -> None:
    database = Database(url, pool_size=4)
    with psycopg.connect(url.replace("+asyncpg", "")) as administrator:
        administrator.execute(f"CREATE TABLE tried (at timestamptz); GRANT SELECT, INSERT ON tried TO {ROLE}".encode())
    await database.first(_PID, tenant=NOBODY)
    await terminate(url)
    insert = sa.text("INSERT INTO tried VALUES (now())")
    with pytest.raises(Unavailable):
        await database.change(insert, tenant=NOBODY)
    await database.change(insert, tenant=NOBODY)
    assert (await database.first(sa.text("SELECT count(*) FROM tried"), tenant=NOBODY))[0] == 1
    await database.close()


async def test_more_at_once_than_are_kept_still_run(url: str) -> None:
    database = Database(url, pool_size=2)
    found = await asyncio.gather(*(database.first(_PID, tenant=NOBODY) for _ in range(12)))
    assert len(found) == 12
    await database.close()
