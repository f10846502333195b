"""Writes aggregates and their facts, and what an acting reaction settles, inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, Protocol, cast

import msgspec
import sqlalchemy as sa

from adapters.sql.database import Connection
from adapters.sql.errors import Taken
from adapters.sql.rows import either, records
from adapters.sql.tables import outbox, settlements
from core.kernel.actor import Actor
from core.kernel.errors import AlreadySettled, StaleVersion
from core.kernel.events import Fact
from core.kernel.ports import NewId
from core.kernel.time import Clock

_COLUMNS: Final = ("id", "tenant", "event_type", "at", "actor", "correlation", "causation", "job_id", "payload")
_ADD: Final = sa.insert(outbox).values({name: sa.bindparam(name) for name in _COLUMNS})


class Aggregate(Protocol):
    """What can be saved."""

    @property
    def id(self) -> str: ...

    @property
    def tenant(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def facts(self) -> Sequence[Fact]: ...


class Writer:
    """`core.kernel.ports.Facts`, and what all repositories save through."""

    def __init__(self, connection: Connection, actor: Actor, *, clock: Clock, new_id: NewId) -> None:
        self._connection = connection
        self._actor, self._clock, self._new_id = actor, clock, new_id
        self.run, self.first = connection.run, connection.first
        self.sqlite = connection.sqlite
        self.told = False
        """Whether there are facts for the relay."""

    async def settle(self) -> None:
        """Note the actor's reaction as applied, in this transaction; raise `AlreadySettled` if it was over before."""
        if self._actor.reaction is None:
            return
        values = settlement(self._actor, state="done", error=None, at=self._clock())
        if await self.first(SETTLE(self.sqlite), values) is None:
            msg = f"{self._actor.reaction} has reacted to {self._actor.causation}"
            raise AlreadySettled(msg)

    async def add(self, *facts: Fact) -> None:
        """Store facts that belong to no saved aggregate."""
        if facts:
            await self.run(_ADD, [self._row(fact) for fact in facts])
            self.told = True

    async def save(
        self, table: sa.Table, kind: str, aggregate: Aggregate, row: dict[str, Any], *, stale: Sequence[str] = ()
    ) -> int:
        """Insert (version 0) or update the aggregate's row, with its facts, and return the new version.

        Raise `StaleVersion` if another version is stored or one of the constraints `stale` would be broken, and `Taken` for
        any other. On PostgreSQL it is one statement, and facts are stored only if the row was.
        """
        version, facts = aggregate.version, aggregate.facts
        values: dict[str, Any] = {**row, "version": version + 1}
        if "changed_by" in table.c:
            values |= {"changed_by": self._actor.id, "changed_at": self._clock()}
        key = {"tenant": aggregate.tenant, "id": aggregate.id}
        values |= {f"old_{name}": value for name, value in (key | {"version": version}).items()} if version else key
        together = bool(facts) and not self.sqlite
        if together:
            values["facts"] = [{**self._row(fact), "place": place} for place, fact in enumerate(facts)]
        try:
            stored = await self.first(_saving(table, new=not version, together=together), values)
        except Taken as taken:
            if taken.constraint in {table.primary_key.name, *stale}:
                raise StaleVersion(kind, aggregate.id, version=version) from taken
            raise
        if stored is None:
            raise StaleVersion(kind, aggregate.id, version=version)
        if together:
            self.told = True
        else:
            await self.add(*facts)
        return version + 1

    def _row(self, fact: Fact) -> dict[str, Any]:
        return {
            "id": self._new_id("fact"),
            "tenant": fact.tenant,
            "event_type": fact.name,
            "at": fact.at,
            "actor": self._actor.id,
            "correlation": self._actor.correlation,
            "causation": self._actor.causation,
            "job_id": fact.job_id,
            "payload": _payload(fact),
        }


def _payload(fact: Fact) -> dict[str, Any]:
    """Return a fact's own fields; those that every fact has are columns."""
    data: dict[str, Any] = msgspec.to_builtins(fact)
    for name in ("tenant", "at", "job_id"):
        del data[name]
    return data


@cache
def _saving(table: sa.Table, *, new: bool, together: bool) -> sa.Executable:
    """Return the statement that saves a row, built once, so that SQLAlchemy compiles it once."""
    columns: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in table.columns}
    saving: Any
    if new:
        saving = sa.insert(table).values(columns)
    else:
        del columns["tenant"], columns["id"]
        key = (table.c[name] == sa.bindparam(f"old_{name}") for name in ("tenant", "id", "version"))
        saving = sa.update(table).where(*key).values(columns)
    saving = saving.returning(table.c.version)
    if not together:
        return cast("sa.Executable", saving)
    saved = saving.cte("saved")
    told = records(outbox, _COLUMNS, parameter="facts")
    fresh = sa.select(*(told.c[name] for name in _COLUMNS)).select_from(told.join(saved, sa.true()))
    telling = sa.insert(outbox).from_select(_COLUMNS, fresh.order_by(told.c.place))
    return sa.select(saved.c.version).add_cte(telling.cte("told"))


def settlement(actor: Actor, *, state: str, error: str | None, at: datetime) -> dict[str, Any]:
    """Return what `SETTLE` and `FIRST_FAILURE` need to know."""
    return {
        "fact_id": actor.causation,
        "reaction": actor.reaction,
        "tenant": actor.tenant,
        "state": state,
        "error": error,
        "at": at,
    }


_KEY: Final = ("fact_id", "reaction")
_GIVEN: Final[dict[str, Any]] = {name: sa.bindparam(name) for name in (*_KEY, "tenant", "state", "error", "at")}


def _settle(insert: Any) -> sa.Executable:
    statement = insert(settlements).values(_GIVEN | {"attempts": 1})
    fresh = statement.excluded
    settled: sa.Executable = statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "state": fresh.state,
            "attempts": settlements.c.attempts + 1,
            "due_at": None,
            "error": fresh.error,
            "at": fresh.at,
        },
        where=settlements.c.state == "retrying",
    ).returning(settlements.c.fact_id)
    return settled


def _first_failure(insert: Any) -> sa.Executable:
    counted: sa.Executable = (
        insert(settlements).values(_GIVEN | {"attempts": 0}).on_conflict_do_nothing(index_elements=_KEY)
    )
    return counted


SETTLE: Final[Callable[[bool], sa.Executable]] = either(_settle)
"""Settles a reaction that is not over, and returns nothing if it is."""
FIRST_FAILURE: Final[Callable[[bool], sa.Executable]] = either(_first_failure)
"""Makes room to count failures in, unless there is."""
