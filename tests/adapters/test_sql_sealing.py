"""What is encrypted is bound to its place, and comes under another key while the system runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.crypto import Unsealable, Vault, new_id
from adapters.sql import SqlStore, upgrade
from adapters.sql.migrate import connected
from adapters.sql.sealing import SEALED, key_id, place
from adapters.sql.tables import accounts, credentials, metadata, tickets
from core.identity import Account, Origin
from core.kernel.actor import Actor
from tests.contracts.samples import NOW

OLD: Final = "old:" + base64.b64encode(bytes(range(32))).decode()
NEW: Final = "new:" + base64.b64encode(bytes(range(32, 64))).decode()
TENANTS: Final = ("a", "b")
ROWS: Final = 12
"""Of each kind and tenant."""
PROGRAM: Final = """
import asyncio, sys
from tests.adapters.test_sql_sealing import opened

async def go():
    async with opened(sys.argv[1], sys.argv[2]) as store:
        async for turned in store.sealed.rotate(first="new", size=2):
            print(turned.turned, flush=True)

asyncio.run(go())
"""

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@contextlib.asynccontextmanager
async def opened(url: str, keys: str) -> AsyncIterator[SqlStore]:
    vault = Vault.from_setting(keys)
    store = SqlStore(url, clock=lambda: datetime.now(UTC), new_id=new_id, seal=vault.seal, unseal=vault.unseal)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a database of each kind, with tables."""
    made = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    given_url: str = made if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    upgrade(given_url)
    return given_url


async def keep(store: SqlStore, tenant: str, number: int, value: str) -> None:
    actor = Actor(tenant=tenant, id="user_1", role="owner", correlation="c")
    async with store.begin(actor) as tx:
        await tx.credentials.put(tenant, f"whatsapp:{number}", {"token": value}, label="", at=NOW)


async def fill(url: str, keys: str) -> None:
    async with opened(url, keys) as store:
        for tenant in TENANTS:
            for number in range(ROWS):
                await keep(store, tenant, number, f"token-{tenant}-{number}")
                await store.tickets.save(f"{tenant}/{number}", f"ticket-{tenant}-{number}")
            async with store.begin(Actor(tenant=tenant, id="u", role="owner", correlation="c")) as tx:
                for number in range(ROWS):
                    user_id = f"user_{number}"
                    account = Account.registered(
                        user_id=user_id,
                        tenant=tenant,
                        at=NOW,
                        origin=Origin("c"),
                        founded=False,
                        email=f"{user_id}@{tenant}.example",
                    )
                    plain = number % 3 == 0
                    await tx.accounts.save(
                        account if plain else account.enrol_totp(f"totp-{tenant}-{number}", at=NOW, origin=Origin("c"))
                    )


async def everything_is_there(store: SqlStore) -> None:
    for tenant in TENANTS:
        for number in range(ROWS):
            kept = await store.secrets.get(tenant, f"whatsapp:{number}")
            assert kept is not None
            assert kept["token"].startswith(f"token-{tenant}-{number}")
            assert await store.tickets.load(f"{tenant}/{number}") == f"ticket-{tenant}-{number}"
            account = await store.accounts.get(tenant, f"user_{number}")
            assert account is not None
            assert account.totp_secret == (None if number % 3 == 0 else f"totp-{tenant}-{number}")


ALL: Final = len(TENANTS) * (ROWS + ROWS + ROWS * 2 // 3)


def test_every_column_of_sealed_bytes_is_known() -> None:
    named = {column for table in metadata.tables.values() for column in table.columns if "sealed" in column.name}
    assert named == set(SEALED)


@given(st.lists(st.tuples(st.sampled_from(SEALED), names, names), min_size=2, max_size=2, unique=True), st.binary())
def test_no_two_places_are_one_and_what_was_moved_is_refused(
    places: list[tuple[sa.Column[bytes], str, str]], secret: bytes
) -> None:
    vault = Vault.from_setting(OLD)
    (here, *this), (there, *that) = places
    sealed = vault.seal(secret, place(here, *this))
    assert vault.unseal(sealed, place(here, *this)) == secret
    with pytest.raises(Unsealable):
        vault.unseal(sealed, place(there, *that))
    with pytest.raises(Unsealable):
        vault.unseal(sealed, place(here, "".join(this)))


@given(st.binary(max_size=60), st.data())
@settings(max_examples=300)
def test_one_flipped_bit_anywhere_is_refused(secret: bytes, data: st.DataObject) -> None:
    vault, about = Vault.from_setting(f"{OLD},{NEW}"), place(credentials.c.sealed, "a", "afip")
    sealed = bytearray(vault.seal(secret, about))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unsealable):
        vault.unseal(bytes(sealed), about)


async def test_a_value_that_was_moved_between_tables_rows_or_tenants_is_refused(url: str) -> None:
    await fill(url, OLD)
    with connected(url) as connection:
        kept = {
            row.tenant: row.sealed for row in connection.execute(sa.select(credentials)) if row.purpose[-2:] == ":1"
        }
        ticket = connection.execute(sa.select(tickets.c.sealed)).scalars().first()
        connection.execute(
            sa.update(credentials)
            .where(credentials.c.tenant == "b", credentials.c.purpose == "whatsapp:1")
            .values(sealed=kept["a"])
        )
        connection.execute(
            sa.update(credentials)
            .where(credentials.c.tenant == "a", credentials.c.purpose == "whatsapp:2")
            .values(sealed=kept["a"])
        )
        connection.execute(
            sa.update(accounts).where(accounts.c.tenant == "a", accounts.c.id == "user_1").values(totp_sealed=ticket)
        )
    async with opened(url, f"{NEW},{OLD}") as store:
        for tenant, purpose in (("b", "whatsapp:1"), ("a", "whatsapp:2")):
            with pytest.raises(Unsealable):
                await store.secrets.get(tenant, purpose)
        with pytest.raises(Unsealable):
            await store.accounts.get("a", "user_1")
        last = [turned async for turned in store.sealed.rotate(first="new", size=7)][-1]
        assert sorted(last.failed) == ["accounts a/user_1", "credentials a/whatsapp:2", "credentials b/whatsapp:1"]
        assert (last.seen, last.turned) == (ALL, ALL - 3)
        assert await store.sealed.in_use() == {"new": ALL - 3, "old": 3}


async def test_rotation_brings_everything_under_the_first_key_and_again_changes_nothing(url: str) -> None:
    await fill(url, OLD)
    async with opened(url, f"{NEW},{OLD}") as store:
        assert await store.sealed.in_use() == {"old": ALL}
        said = [turned async for turned in store.sealed.rotate(first="new", size=7)]
        assert [turned.seen for turned in said] == sorted(turned.seen for turned in said)
        assert (said[-1].seen, said[-1].total, said[-1].turned, said[-1].failed) == (ALL, ALL, ALL, ())
        assert [turned.turned async for turned in store.sealed.rotate(first="new")][-1] == 0
    async with opened(url, NEW) as store:
        assert await store.sealed.in_use() == {"new": ALL}
        await everything_is_there(store)


async def test_rotation_beside_readers_and_writers_loses_nothing_and_stops_nobody(url: str) -> None:
    """Some of the writers still have the settings of before, as while processes are restarted one by one."""
    await fill(url, OLD)
    done, written = asyncio.Event(), Counter[str]()

    async def write(store: SqlStore, tenant: str, numbers: range) -> None:
        while not done.is_set():
            for number in numbers:
                written[f"{tenant}/{number}"] += 1
                await keep(store, tenant, number, f"token-{tenant}-{number}/{written[f'{tenant}/{number}']}")

    async def read(store: SqlStore) -> None:
        while not done.is_set():
            await everything_is_there(store)

    async with opened(url, f"{NEW},{OLD}") as turning, opened(url, f"{OLD},{NEW}") as before:
        beside = [
            asyncio.create_task(each)
            for each in (write(turning, "a", range(4)), write(before, "b", range(4)), read(turning), read(before))
        ]
        for _ in range(2):
            async for _ in turning.sealed.rotate(first="new", size=5):
                await asyncio.sleep(0)
        done.set()
        await asyncio.gather(*beside)
        failed = [turned.failed async for turned in turning.sealed.rotate(first="new")][-1]
        assert failed == ()
    async with opened(url, NEW) as store:
        assert await store.sealed.in_use() == {"new": ALL}
        await everything_is_there(store)
        for name, times in written.items():
            tenant, _, number = name.partition("/")
            assert await store.secrets.get(tenant, f"whatsapp:{number}") == {
                "token": f"token-{tenant}-{number}/{times}"
            }
    assert len(written) == 8


def rotate_and_die(url: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, url, f"{NEW},{OLD}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(5):
        assert process.stdout.readline()
    process.kill()
    process.communicate()
    assert process.returncode == -9


async def test_rotation_that_was_killed_goes_on_where_it_was(url: str) -> None:
    await fill(url, OLD)
    await asyncio.to_thread(rotate_and_die, url)
    async with opened(url, f"{NEW},{OLD}") as store:
        await everything_is_there(store)
        used = await store.sealed.in_use()
        assert used["new"] >= 10
        assert used["old"] == ALL - used["new"] > 0
        last = [turned async for turned in store.sealed.rotate(first="new")][-1]
        assert (last.turned, last.failed) == (used["old"], ())
        assert await store.sealed.in_use() == {"new": ALL}
        await everything_is_there(store)


def test_sealed_bytes_say_their_key() -> None:
    assert key_id(Vault.from_setting(f"{NEW},{OLD}").seal(b"x", b"y")) == "new"
