"""Migrations run both ways, and once."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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


def test_what_an_older_release_stored_goes_with_it_both_ways(url: str) -> None:
    upgrade(url, revision="0006")
    now = datetime.now(UTC)
    with connected(url) as connection:
        old = sa.MetaData()
        old.reflect(connection, only=KEPT)
        for tenant in ("mine", "theirs"):
            put(connection, old.tables["customers"], tenant=tenant, id="c1", name="Nandú")
            put(connection, old.tables["jobs"], tenant=tenant, id="j1", customer_id="c1", technician_id="carlos")
            put(connection, old.tables["jobs"], tenant=tenant, id="j2", customer_id="c1", technician_id=None)
            for state, age in (("sent", 0), ("queued", 0), ("sending", 0), ("sending", 3)):
                put(
                    connection,
                    old.tables["deliveries"],
                    tenant=tenant,
                    id=f"{state}{age}",
                    key=f"{state}{age}",
                    state=state,
                    recipient={"id": "c1", "kind": "customer", "name": "María Ñandú", "address": "+54"},
                    updated_at=now - timedelta(days=age),
                )
            put(connection, old.tables["invoices"], tenant=tenant, id="i1", state="draft")
            put(connection, old.tables["tracking_sessions"], tenant=tenant, id="s1", token_hash=tenant)
    before = rows(url)
    upgrade(url)
    with connected(url) as connection:
        fed = "SELECT audience, kind, record_id FROM offline_changes WHERE tenant = 'mine' AND seq > 0 ORDER BY 1, 2, 3"
        assert [tuple(row) for row in connection.execute(sa.text(fed))] == [
            ("", "customers", "c1"),
            ("", "jobs", "j1"),
            ("", "jobs", "j2"),
            ("carlos", "customers", "c1"),
            ("carlos", "jobs", "j1"),
        ]
        due = "SELECT id, recipient_search FROM deliveries WHERE tenant = 'mine' AND due_at IS NOT NULL ORDER BY id"
        found = [tuple(row) for row in connection.execute(sa.text(due))]
        assert found == [("queued0", "maria nandu +54"), ("sending0", "maria nandu +54")]
    downgrade(url, revision="0006")
    assert rows(url) == before


def test_the_release_before_goes_on_inserting_deliveries_after_0009(url: str) -> None:
    upgrade(url, revision="0008")
    with connected(url) as connection:
        before = sa.MetaData()
        before.reflect(connection, only=["deliveries"])
    upgrade(url)
    with connected(url) as connection:
        put(connection, before.tables["deliveries"], tenant="mine", id="d1", state="queued")
        stored = connection.execute(sa.select(metadata.tables["deliveries"])).one()
    assert (stored.remaining, stored.tickets, stored.history) == ([], [], [])
    assert (stored.language, stored.urgent, stored.waiting, stored.recipient_id) == ("es", False, False, "")


KEPT = ("customers", "jobs", "deliveries", "invoices", "tracking_sessions")


def put(connection: sa.Connection, table: sa.Table, **given: Any) -> None:
    """Store a row in a table as it was; what is not given and has to be there is made up by its type."""
    now = datetime.now(UTC)
    made_up: dict[type[sa.types.TypeEngine[Any]], Any] = {
        sa.Text: "x",
        sa.Boolean: False,
        sa.Integer: 1,
        sa.Numeric: 1,
        sa.Date: now.date(),
        sa.DateTime: now,
        sa.JSON: [],
    }
    for column in table.columns:
        if column.name not in given and not column.nullable and column.server_default is None:
            given[column.name] = next(made_up[kind] for kind in made_up if isinstance(column.type, kind))
    connection.execute(table.insert(), given)


def rows(url: str) -> dict[str, list[str]]:
    with connected(url) as connection:
        read = sa.MetaData()
        read.reflect(connection, only=KEPT)
        return {
            name: sorted(str(dict(row)) for row in connection.execute(sa.select(table)).mappings())
            for name, table in read.tables.items()
            if name in KEPT
        }


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
