"""The wall between tenants inside PostgreSQL: the role that the application acts as, and a policy for each table.

A statement sees and writes rows of the one tenant that its connection is set for, whatever it asks. SQLite has no such wall.

The migration of a new table executes what `walled` returns, and grants `ROLE` the rights that the code uses, with those on its
sequence, on PostgreSQL alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

import sqlalchemy as sa

from adapters.sql.tables import metadata

ROLE: Final = "cuadrilla_app"
"""Owns nothing and cannot log in: whoever connects acts as this role."""
SETTING: Final = "cuadrilla.tenant"


class Whole(Enum):
    """What is not a tenant: no text that comes from outside can mean it."""

    EVERY = "*"


ALL: Final = Whole.EVERY
"""The rows of all tenants, for the few statements that cannot know whose row they look for."""
NOBODY: Final = ""
"""The rows of no tenant."""
Scope: TypeAlias = str | Whole
"""A tenant, `ALL` or `NOBODY`."""

TENANT_COLUMNS: Final[Mapping[str, str]] = {
    table.name: "id" if table.name == "tenants" else "tenant"
    for table in metadata.sorted_tables
    if table.name == "tenants" or "tenant" in table.columns
}
"""Which column of a table says whose row it is; the others hold no tenant's rows."""

EXAMINE: Final = sa.text(
    """
    SELECT me.rolname AS role, me.rolsuper OR me.rolbypassrls AS passes, connected.rolsuper AS superuser,
        ARRAY(
            SELECT relname::text FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relrowsecurity AND relforcerowsecurity
        ) AS walled,
        ARRAY(
            SELECT relname::text FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relowner = me.oid
        ) AS owned
    FROM pg_roles me, pg_roles connected
    WHERE me.rolname = current_user AND connected.rolname = session_user
    """
)
"""Who we are to the database, which tables the wall guards, and which we could take it down from."""


def literal(scope: Scope) -> str:
    """Return what `SETTING` is set to, as SQL that no text can break out of; raise `UnicodeError` for what has no place in SQL."""
    text = scope.value if isinstance(scope, Whole) else scope
    if text == ALL.value and not isinstance(scope, Whole):
        text = NOBODY  # a tenant that calls itself so is nobody, not everybody
    if "\0" in text:
        raise UnicodeEncodeError("utf-8", text, text.index("\0"), text.index("\0") + 1, "NUL")
    text.encode()
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{doubled}'"


def walled(table: str, *, column: str = "tenant") -> tuple[str, ...]:
    """Return the statements with which a migration puts the wall around a table."""
    whose = f"current_setting('{SETTING}', true)"
    allowed = f"{column} = {whose} OR {whose} = '{ALL.value}'"
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING ({allowed}) WITH CHECK ({allowed})",
    )


def unwalled(table: str) -> tuple[str, ...]:
    """Return the statements with which a migration takes it down."""
    return (
        f"DROP POLICY tenant ON {table}",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    )
