"""The database's complaints in our words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError, StatementError

from adapters.sql.tables import metadata
from core.kernel.errors import Conflict, CuadrillaError, Invalid, Unavailable

_PASSING: Final = ("08", "28", "3D", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that another try may not meet: connection, log-in, database, rollback, resources, locks, operator, system."""
_UNMIGRATED: Final = ("42P01", "42703")
_NO_SUCH_ROLE: Final = "22023"
_NO_RIGHT: Final = "42501"
_UNFIT: Final = "22"


class Taken(Conflict):
    """A promise of the schema would be broken; `constraint` is its name. Repositories say it in their context's words."""

    code: ClassVar[str] = "taken"

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(f"something else is already stored in its place ({constraint})")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Let nothing of the drivers out.

    What may pass by itself is `Unavailable`, a broken promise of the schema `Taken`, a value that the database cannot keep
    (NUL in a text, an integer out of range) `Invalid`. Anything else is a defect and a `RuntimeError`.
    """
    try:
        yield
    except SQLAlchemyError as failure:
        raise _ours(failure) from failure
    except (UnicodeError, OverflowError) as unfit:
        raise _unfit() from unfit
    except Exception as failure:
        if isinstance(failure, OSError) or type(failure).__module__.startswith("asyncpg."):  # while it connects
            raise _unconnected(getattr(failure, "sqlstate", None), failure) from failure
        raise


def _unconnected(state: str | None, said: object) -> Unavailable:
    if state == _NO_SUCH_ROLE:
        return _unmigrated()
    if state == _NO_RIGHT:
        return Unavailable(f"the database does not let us in: {said}")
    return _silent()


def _ours(failure: SQLAlchemyError) -> Exception:
    if isinstance(failure, IntegrityError):
        return Taken(_constraint(failure))
    if not isinstance(failure, DBAPIError):
        cause = failure.orig if isinstance(failure, StatementError) else None
        if isinstance(cause, CuadrillaError):
            return cause
        if isinstance(cause, UnicodeError | OverflowError):
            return _unfit()
        return _silent() if isinstance(failure, sa.exc.TimeoutError) else RuntimeError(str(failure))
    state = getattr(failure.orig, "sqlstate", None) or ""
    said = str(failure.orig)
    if failure.statement is None and state in {_NO_SUCH_ROLE, _NO_RIGHT}:  # while it connects
        return _unconnected(state, said)
    if state in _UNMIGRATED or "no such table" in said or "no such column" in said or _not_granted(failure):
        return _unmigrated()
    if state.startswith(_UNFIT):
        return _unfit()
    if failure.connection_invalidated or state.startswith(_PASSING):
        return _silent()
    wrong = getattr(failure.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR  # it is the statement that is wrong
    if not state and not wrong and isinstance(failure, OperationalError | InterfaceError):
        return _silent()
    return RuntimeError(f"the database refused a statement: {said}")


def _not_granted(failure: DBAPIError) -> bool:
    """Say whether a right is missing that a migration grants; a row that is another tenant's is a defect instead."""
    cause = failure.orig.__cause__ if failure.orig is not None else None
    return getattr(cause, "server_source_function", None) == "aclcheck_error"


def _unmigrated() -> Unavailable:
    return Unavailable("the database lacks a migration")


def _silent() -> Unavailable:
    return Unavailable("the database does not answer")


def _unfit() -> Invalid:
    return Invalid("a value has no place in the database")


def _unique_columns() -> dict[str, str]:
    """Return each unique constraint's name by what SQLite says when it is broken."""
    names: dict[str, str] = {}
    for table in metadata.tables.values():
        constraints = [
            each for each in table.constraints if isinstance(each, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
        ]
        for promise in (*constraints, *(index for index in table.indexes if index.unique)):
            said = ", ".join(f"{table.name}.{column.name}" for column in promise.columns)
            names[said] = str(promise.name)
    return names


_BY_COLUMNS: Final = _unique_columns()


def _constraint(failure: IntegrityError) -> str:
    cause: BaseException | None = failure.orig
    while cause is not None:
        if name := getattr(cause, "constraint_name", None):
            return str(name)
        cause = cause.__cause__
    said = str(failure.orig).rpartition("failed: ")[2]
    return _BY_COLUMNS.get(said, said)
