"""Values as JSON, rows by the dozen, and pages of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.tables import Instant
from core.kernel.errors import Invalid
from core.kernel.time import utc

_T = TypeVar("_T")


def from_json(data: Any, wanted: type[_T]) -> _T:
    """Return the value that a JSON column holds; fields that we no longer know are let pass."""
    return msgspec.convert(data, wanted)


def either(build: Callable[[Any], sa.Executable]) -> Callable[[bool], sa.Executable]:
    """Build a statement for both databases at once, with each one's own `insert`; pick by `sqlite`."""
    both = {True: build(sqlite.insert), False: build(postgresql.insert)}
    return both.__getitem__


def replacing(table: sa.Table) -> Callable[[bool], sa.Executable]:
    """Return the statement that inserts a row, or replaces what has the same key; pick by `sqlite`."""
    key = [column.name for column in table.primary_key]

    def build(insert: Any) -> sa.Executable:
        statement = insert(table).values({column.name: sa.bindparam(column.name) for column in table.columns})
        fresh = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
        replaced: sa.Executable = statement.on_conflict_do_update(index_elements=key, set_=fresh)
        return replaced

    return either(build)


def among(column: sa.Column[Any], values: Sequence[Any], *, sqlite: bool) -> sa.ColumnElement[bool]:
    """Return whether the column's value is one of these; on PostgreSQL the statement is the same for any number of them."""
    if sqlite:
        return column.in_(list(values))
    array = sa.literal(list(values), postgresql.ARRAY(column.type))
    return column == sa.any_(array)


def records(table: sa.Table, columns: Sequence[str], *, parameter: str) -> Any:
    """Return PostgreSQL's rows of one JSON array: the statement is the same, and compiled once, for any number of rows.

    `place` is each row's place in the array.
    """
    typed = [sa.column(name, table.c[name].type) for name in columns]
    rows = sa.func.jsonb_to_recordset(sa.bindparam(parameter, type_=postgresql.JSONB))
    return rows.table_valued(*typed, sa.column("place", sa.Integer)).render_derived(with_types=True)


def page_of(
    table: sa.Table, tenant: str, *, where: Sequence[sa.ColumnElement[bool]], limit: int, cursor: str | None
) -> sa.Select[Any]:
    """Return the query of one page, the newest first; one row more than the page tells whether another follows."""
    query = sa.select(table).where(table.c.tenant == tenant, *where)
    if cursor is not None:
        at, id_ = _place(cursor)
        query = query.where(
            sa.tuple_(table.c.created_at, table.c.id) < sa.tuple_(sa.literal(at, Instant), sa.literal(id_))
        )
    return query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit + 1)


def cut(rows: list[Any], limit: int, made: Callable[[Any], _T]) -> tuple[list[_T], str | None]:
    """Return the page's things and the cursor of the next page."""
    shown = rows[:limit]
    if len(rows) <= limit:
        return [made(row) for row in shown], None
    last = shown[-1]
    place = base64.urlsafe_b64encode(f"{last.created_at.isoformat()}|{last.id}".encode()).decode()
    return [made(row) for row in shown], place


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        at, _, id_ = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode().partition("|")
        return utc(datetime.fromisoformat(at)), id_
    except (ValueError, OverflowError, binascii.Error, Invalid) as broken:
        msg = "the cursor is not one that we gave out"
        raise Invalid(msg, field="cursor") from broken
