"""Nothing of the drivers comes out: each complaint of a database in our words."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.sql import SqlStore
from adapters.sql.database import Database
from adapters.sql.errors import Taken, translated
from adapters.sql.migrate import connected
from adapters.sql.tables import outbox, settlements, users
from core.identity import Tenant, User
from core.kernel.errors import Conflict, Invalid, Unavailable
from tests.adapters.sql_bench import sqlite_url, stores
from tests.contracts.samples import ACTOR, MINE, NOW, a_customer
from tests.servers import free_port

ROW = {"fact_id": "f", "reaction": "r", "tenant": MINE, "state": "done", "attempts": 1, "at": NOW}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give an empty database of each kind, without tables."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    given: str = request.getfixturevalue("postgres_url")
    return given


@pytest.fixture
def migrated(url: str) -> str:
    """Give a database of each kind, with tables."""
    from adapters.sql import upgrade

    upgrade(url)
    return url


async def test_a_promise_of_the_schema_names_its_constraint(migrated: str) -> None:
    database = Database(migrated, pool_size=1)
    rows = [
        {"tenant": MINE, "id": id_, "name": "A", "role": "owner", "active": True, "token_hash": "one"}
        for id_ in ("user_1", "user_2")
    ]
    await database.change(sa.insert(users).values(rows[0]), tenant=MINE)
    with pytest.raises(Taken) as of_a_column:
        await database.change(sa.insert(users).values(rows[1]), tenant=MINE)
    with pytest.raises(Taken) as of_the_key:
        await database.change(sa.insert(users).values(rows[0] | {"token_hash": "two"}), tenant=MINE)
    assert (of_a_column.value.constraint, of_the_key.value.constraint) == ("uq_users_token_hash", "pk_users")
    assert isinstance(of_a_column.value, Conflict)
    await database.close()


async def test_a_column_that_must_not_be_empty_is_a_broken_promise_too(migrated: str) -> None:
    database = Database(migrated, pool_size=1)
    with pytest.raises(Taken):
        await database.change(sa.insert(settlements).values(ROW | {"state": None}), tenant=MINE)
    await database.close()


async def test_a_text_that_no_database_can_keep_is_refused(migrated: str) -> None:
    async with stores(migrated) as (store,):
        with pytest.raises(Invalid, match="no place"):
            await store.customers.get(MINE, "\ud800")
        with pytest.raises(Invalid, match="no place"):
            async with store.begin(ACTOR) as tx:
                await tx.customers.save(a_customer("cust_\ud800"))


async def test_a_number_that_no_database_can_keep_is_refused(migrated: str) -> None:
    database = Database(migrated, pool_size=1)
    with pytest.raises(Invalid, match="no place"):
        await database.change(sa.insert(settlements).values(ROW | {"attempts": 2**70}), tenant=MINE)
    await database.close()


async def test_postgresql_refuses_what_sqlite_would_keep(postgres_url: str) -> None:
    from adapters.sql import upgrade

    upgrade(postgres_url)
    async with stores(postgres_url) as (store,):
        with pytest.raises(Invalid, match="no place"):
            async with store.begin(ACTOR) as tx:
                await tx.customers.save(a_customer("cust_\0"))
        with pytest.raises(Invalid, match="no place"):
            await store._database.change(sa.insert(settlements).values(ROW | {"attempts": 2**40}), tenant=MINE)


async def test_an_instant_without_a_zone_is_refused_in_the_core_s_words(migrated: str) -> None:
    database = Database(migrated, pool_size=1)
    with pytest.raises(Invalid):
        naive = datetime(2026, 11, 20)  # noqa: DTZ001 - what is tried
        await database.rows(sa.select(outbox).where(outbox.c.at > naive), tenant=MINE)
    await database.close()


async def test_a_database_without_tables_says_what_it_lacks(url: str) -> None:
    async with stores(url) as (store,):
        with pytest.raises(Unavailable, match="lacks a migration"):
            await store.jobs.get(MINE, "job_1")
        with pytest.raises(Unavailable, match="lacks a migration"):
            async with store.begin(ACTOR) as tx:
                await tx.customers.save(a_customer())


async def test_a_column_that_is_not_there_yet_is_a_lacking_migration(migrated: str) -> None:
    with connected(migrated) as connection:
        connection.execute(sa.text("ALTER TABLE outbox RENAME COLUMN correlation TO thread"))
    async with stores(migrated) as (store,):
        with pytest.raises(Unavailable, match="lacks a migration"):
            await store.outbox.get("fact_1")


async def test_a_statement_that_is_wrong_is_a_defect(migrated: str) -> None:
    database = Database(migrated, pool_size=1)
    with pytest.raises(RuntimeError, match=r"refused|syntax"):
        await database.rows(sa.text("selec 1"), tenant=MINE)
    with pytest.raises(RuntimeError):
        await database.rows(sa.select(sa.bindparam("missing")), tenant=MINE)
    await database.close()


@pytest.mark.parametrize("where", ["nobody@127.0.0.1:{port}/nothing", "postgres@{server}/there_is_no_such_database"])
async def test_a_server_or_database_that_is_not_there_is_unavailable(where: str, postgres_server: str) -> None:
    server = postgres_server.rpartition("@")[2].partition("/")[0]
    async with stores("postgresql+asyncpg://" + where.format(port=free_port(), server=server)) as (store,):
        for ask in (store.ping, lambda: store.outbox.finish(["fact_1"])):
            with pytest.raises(Unavailable, match="does not answer"):
                await ask()
        with pytest.raises(Unavailable, match="does not answer"):
            async with store.begin(ACTOR):
                pass


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    async with stores(f"sqlite+aiosqlite:///{tmp_path}/not/there.db") as (store,):
        with pytest.raises(Unavailable, match="does not answer"):
            await store.ping()
        while any("_connection_worker_thread" in each.name for each in threading.enumerate()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)  # the driver's thread has a last word for this loop


async def test_connections_that_were_cut_are_made_anew(postgres_url: str) -> None:
    from adapters.sql import upgrade

    upgrade(postgres_url)
    async with stores(postgres_url) as (store,):
        await store.ping()
        cut(postgres_url)
        with pytest.raises(Unavailable, match="does not answer"):
            await store.ping()
        await store.ping()


async def test_a_transaction_whose_connection_was_cut_is_unavailable_and_stores_nothing(postgres_url: str) -> None:
    from adapters.sql import upgrade

    upgrade(postgres_url)
    async with stores(postgres_url) as (store,):

        async def interrupted(store: SqlStore) -> None:
            async with store.begin(ACTOR) as tx:
                await tx.customers.save(a_customer())
                cut(postgres_url)

        with pytest.raises(Unavailable):
            await interrupted(store)
        async with store.begin(ACTOR) as tx:
            assert (await tx.customers.save(a_customer())).version == 1


def cut(url: str) -> None:
    """End all other connections to the database."""
    with connected(url) as connection:
        connection.execute(
            sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        )


def test_waiting_too_long_for_a_connection_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="does not answer"), translated():
        raise sa.exc.TimeoutError


def test_what_has_nothing_to_do_with_the_database_passes() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="unheard of"), translated():
        raise sa.exc.InvalidRequestError("unheard of")  # noqa: TRY003 - the library's


async def test_a_token_of_two_people_is_refused_when_they_are_enrolled(migrated: str) -> None:
    def user(id_: str) -> User:
        return User(id=id_, tenant=MINE, name="A", role="owner", token_hash="same")

    async with stores(migrated) as (store,):
        with pytest.raises(Conflict):
            await store.directory.enrol(Tenant(id=MINE, name="Mine"), [user("user_1"), user("user_2")])


async def test_a_file_that_is_read_is_not_a_database(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    (tmp_path / "store.db").write_bytes(b"no database at all" * 1000)
    for name in ("store.db-wal", "store.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    async with stores(url) as (store,):
        with pytest.raises(RuntimeError, match="not a database"):
            await store.ping()
