"""Migrations, run by Alembic over a synchronous connection of their own.

The scripts lie in `migrations/versions`; the newest one makes exactly what `tables` says. Alembic is loaded when something is
asked of it: it takes a quarter of a second, and most processes never migrate.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import event

from adapters.sql.database import begin_immediate, prepare_sqlite
from adapters.sql.errors import translated
from adapters.sql.row_security import ALL, SETTING

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = sa.select(sa.func.pg_advisory_xact_lock(sa.literal(7_120_613_040, sa.BigInteger)))
"""Any number will do, as long as all processes that migrate take the same."""
_EVERYBODYS: Final = sa.select(sa.func.set_config(SETTING, ALL.value, True))  # noqa: FBT003 - for this transaction
"""A migration sees all rows, though it runs as the tables' owner, who has to keep to the wall too."""


def upgrade(url: str, *, revision: str = "head") -> None:
    """Bring the database that an SQLAlchemy URL names to a revision, all or nothing; a missing SQLite file is made.

    Several processes may try at once: the first one does it, the others wait and find it done. Raise `Unavailable`.
    """
    from alembic import command  # noqa: PLC0415 - see above

    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, *, revision: str = "base") -> None:
    """Take the database back to a revision, with everything that was stored since; raise `Unavailable`."""
    from alembic import command  # noqa: PLC0415 - see above

    _run(url, lambda config: command.downgrade(config, revision))


def current(url: str) -> str | None:
    """Return the database's revision, or None if it has none; raise `Unavailable`."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see above

    with connected(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def pending(url: str) -> list[str]:
    """Return the revisions that the database lacks, the oldest first; raise `Unavailable`."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    done = current(url)
    scripts = ScriptDirectory(str(SCRIPTS))
    return [each.revision for each in scripts.iterate_revisions("head", done or "base")][::-1]


@contextlib.contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """Open a transaction over a synchronous driver; leaving well commits, raising rolls back."""
    made = sa.make_url(url)
    sqlite = made.get_backend_name() == "sqlite"
    if sqlite and made.database:
        Path(made.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        made.set(drivername="sqlite+pysqlite" if sqlite else "postgresql+psycopg"), poolclass=sa.NullPool
    )
    if sqlite:
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", begin_immediate)
    with translated(), engine.begin() as connection:
        yield connection


def _run(url: str, step: Callable[[Config], None]) -> None:
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    with connected(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(_LOCK)
            connection.execute(_EVERYBODYS)
        config.attributes["connection"] = connection
        step(config)
