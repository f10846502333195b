"""Migrations run both ways, and once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from adapters.sql import current, downgrade, pending, upgrade
from adapters.sql.migrate import connected
from adapters.sql.tables import metadata
from core.kernel.errors import Unavailable
from tests.servers import free_port

UPGRADE = "import sys; from adapters.sql import upgrade; upgrade(sys.argv[1])"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give an empty database of each kind; the SQLite file and its folder are still to be made."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'er' / 'store.db'}"
    given: str = request.getfixturevalue("postgres_url")
    return given


def tables(url: str) -> set[str]:
    with connected(url) as connection:
        return set(sa.inspect(connection).get_table_names())


def test_the_newest_migration_makes_exactly_what_the_tables_say(url: str) -> None:
    upgrade(url)
    with connected(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_way_back_leaves_nothing(url: str) -> None:
    upgrade(url)
    assert tables(url) == {"alembic_version", *metadata.tables}
    downgrade(url)
    assert tables(url) == {"alembic_version"}
    assert current(url) is None
    with connected(url) as connection:
        if connection.dialect.name == "postgresql":
            left = "select proname from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname = 'public'"
            assert list(connection.execute(sa.text(left))) == []
            assert list(connection.execute(sa.text("select tgname from pg_trigger where not tgisinternal"))) == []


def test_what_was_taken_back_can_be_made_again(url: str) -> None:
    upgrade(url)
    downgrade(url)
    upgrade(url)
    assert pending(url) == []


def test_what_a_database_lacks_is_known_before_and_after(url: str) -> None:
    assert (current(url), pending(url)[:1]) == (None, ["0001"])
    upgrade(url)
    assert (current(url), pending(url)) == (pending_of_nothing()[-1], [])
    upgrade(url)
    assert pending(url) == []


def pending_of_nothing() -> list[str]:
    return pending("sqlite://")


def test_of_processes_that_migrate_at_once_one_does_it_and_the_others_find_it_done(url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, url], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert ends == [("", 0)] * 3
    assert pending(url) == []


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        upgrade(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/nothing")


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        upgrade(f"sqlite:///{tmp_path}")


def test_a_migration_that_fails_leaves_the_database_as_it_was(url: str) -> None:
    with connected(url) as connection:
        connection.execute(sa.text("CREATE TABLE users (mine TEXT)"))  # stands in the way of the last table made
    with pytest.raises(RuntimeError):
        upgrade(url)
    assert tables(url) == {"users"}
