"""Secrets and tickets lie sealed in the table, each for its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.crypto.vault import Unsealable
from adapters.sql import SqlStore
from adapters.sql.migrate import connected
from adapters.sql.tables import credentials, tickets
from core.kernel.actor import Actor
from tests.adapters.sql_bench import sqlite_url, stores
from tests.contracts.samples import NOW

TOKEN = "EAAG-plain-token-of-the-channel"


async def put(store: SqlStore, tenant: str, purpose: str, values: dict[str, str], *, label: str) -> None:
    async with store.begin(Actor(tenant=tenant, id="user_1", role="owner", correlation="corr_1")) as tx:
        await tx.credentials.put(tenant, purpose, values, label=label, at=NOW)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a database of each kind, with tables."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    from adapters.sql import upgrade

    given: str = request.getfixturevalue("postgres_url")
    upgrade(given)
    return given


async def test_the_plain_text_of_a_secret_is_nowhere_in_its_row(url: str) -> None:
    async with stores(url) as (store,):
        await put(store, "demo", "whatsapp:1", {"token": TOKEN}, label="+54 11")
        await store.tickets.save("afip:30712345671", TOKEN)
        assert await store.secrets.get("demo", "whatsapp:1") == {"token": TOKEN}
        assert await store.tickets.load("afip:30712345671") == TOKEN
    with connected(url) as connection:
        stored = [
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for table in (credentials, tickets)
            for row in connection.execute(sa.select(table))
            for value in row
        ]
    assert b"+54 11" in stored
    assert not any(TOKEN.encode() in value for value in stored)


async def test_no_file_of_the_database_holds_the_plain_text(tmp_path: Path) -> None:
    async with stores(sqlite_url(tmp_path)) as (store,):
        await put(store, "demo", "whatsapp:1", {"token": TOKEN}, label="readable")
        written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"readable" in written
    assert TOKEN.encode() not in written


@pytest.mark.parametrize("moved", [{"tenant": "other"}, {"purpose": "whatsapp:2"}])
async def test_a_secret_that_was_moved_in_the_table_is_refused(url: str, moved: dict[str, str]) -> None:
    async with stores(url) as (store,):
        await put(store, "demo", "whatsapp:1", {"token": TOKEN}, label="")
        with connected(url) as connection:
            connection.execute(sa.update(credentials).values(moved))
        place = {"tenant": "demo", "purpose": "whatsapp:1"} | moved
        with pytest.raises(Unsealable) as refused:
            await store.secrets.get(place["tenant"], place["purpose"])
        assert TOKEN not in str(refused.value)
        with pytest.raises(Unsealable):
            await store.secrets.all("whatsapp:")


async def test_a_ticket_that_was_moved_in_the_table_is_refused(url: str) -> None:
    async with stores(url) as (store,):
        await store.tickets.save("one", TOKEN)
        with connected(url) as connection:
            connection.execute(sa.update(tickets).values(key="two"))
        assert await store.tickets.load("one") is None
        with pytest.raises(Unsealable) as refused:
            await store.tickets.load("two")
        assert TOKEN not in str(refused.value)


async def test_a_prefix_is_no_pattern(url: str) -> None:
    async with stores(url) as (store,):
        await put(store, "demo", "whatsapp:1", {"token": "a"}, label="")
        await put(store, "demo", "afip", {"key": "b"}, label="")
        assert await store.secrets.all("%") == []
        assert [purpose for _, purpose, _ in await store.secrets.all("whatsapp:")] == ["whatsapp:1"]


async def test_one_of_two_processes_renews_a_ticket(url: str) -> None:
    async with stores(url, 2) as (one, two):
        async with one.tickets.renewing("k", seconds=60) as first:
            async with two.tickets.renewing("k", seconds=60) as second:
                pass
            async with two.tickets.renewing("k", seconds=60) as still_not:
                pass
        async with two.tickets.renewing("k", seconds=60) as at_last:
            pass
    assert (first, second, still_not, at_last) == (True, False, False, True)
