"""The adapters that each contract is held against."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest
import sqlalchemy as sa

from adapters.crypto import Vault
from adapters.memory import MemoryStore
from adapters.sql import SqlStore, upgrade
from adapters.sql.migrate import connected
from adapters.sql.tables import metadata
from tests import servers
from tests.contracts.samples import Counter, Hands

Store: TypeAlias = MemoryStore | SqlStore
VAULT: Final = Vault.from_setting("test:" + base64.b64encode(bytes(32)).decode())
TABLES: Final = ", ".join(table.name for table in metadata.sorted_tables)


@pytest.fixture
def clock() -> Hands:
    """Give a clock that a test moves by hand."""
    return Hands()


@pytest.fixture
def new_id() -> Counter:
    """Give ids that count."""
    return Counter()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, clock: Hands, new_id: Counter, tmp_path: Path) -> AsyncIterator[Store]:
    """Give an empty store of each kind."""
    made: Store
    if request.param == "memory":
        made = MemoryStore(clock=clock, new_id=new_id)
    elif request.param == "sqlite":
        file = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("sqlite_file"), file)
        made = SqlStore(f"sqlite+aiosqlite:///{file}", clock=clock, new_id=new_id, seal=VAULT.seal, unseal=VAULT.unseal)
    else:
        url = request.getfixturevalue("postgres_tables")
        _empty(url)
        made = SqlStore(url, clock=clock, new_id=new_id, seal=VAULT.seal, unseal=VAULT.unseal)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with the schema, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "empty.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: str) -> Iterator[str]:
    """Give a PostgreSQL database with the schema, one for each test process."""
    with servers.fresh_database(postgres_server) as url:
        upgrade(url)
        yield url


def _empty(url: str) -> None:
    with connected(url) as connection:
        connection.execute(sa.text(f"TRUNCATE {TABLES} RESTART IDENTITY"))
