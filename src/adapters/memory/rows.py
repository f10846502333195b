"""Versioned rows with unique keys, as committed and as one transaction sees them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import nlargest
from typing import Generic, Protocol, TypeAlias, TypeVar

from attrs import define, field, frozen

from core.kernel.errors import CuadrillaError, Invalid, StaleVersion
from core.kernel.events import Fact
from core.kernel.states import evolved

Key: TypeAlias = tuple[str, str]
"""Tenant and id."""


class Versioned(Protocol):
    """What all aggregates have."""

    @property
    def id(self) -> str: ...

    @property
    def tenant(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def facts(self) -> Sequence[Fact]: ...


class Dated(Protocol):
    """What can be listed, the newest first."""

    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


_A = TypeVar("_A", bound=Versioned)
_D = TypeVar("_D", bound=Dated)


@frozen
class Index(Generic[_A]):
    """A way to find rows. `taken` makes it unique: the error for whoever wants a key that another row has."""

    keys: Callable[[_A], Iterable[Hashable]]
    taken: Callable[[_A], CuadrillaError] | None = None


@define
class Rows(Generic[_A]):
    """The committed rows of one kind."""

    kind: str
    indexes: Mapping[str, Index[_A]]
    _rows: dict[Key, _A] = field(factory=dict)
    _found: dict[tuple[str, str, Hashable], dict[Key, None]] = field(factory=dict)

    def get(self, key: Key) -> _A | None:
        return self._rows.get(key)

    def having(self, index: str, tenant: str, key: Hashable) -> list[_A]:
        """Return the rows with the key, in the order in which they got it."""
        return [self._rows[each] for each in self._found.get((index, tenant, key), ())]

    def of(self, tenant: str) -> Iterator[_A]:
        return (row for row in self._rows.values() if row.tenant == tenant)

    def all(self) -> Iterable[_A]:
        return self._rows.values()

    def put(self, row: _A) -> None:
        key = (row.tenant, row.id)
        before = self._rows.get(key)
        if before is not None:
            for entry in self._entries(before):
                self._found[entry].pop(key)
                if not self._found[entry]:
                    del self._found[entry]
        self._rows[key] = row
        for entry in self._entries(row):
            self._found.setdefault(entry, {})[key] = None

    def _entries(self, row: _A) -> set[tuple[str, str, Hashable]]:
        return {(name, row.tenant, key) for name, index in self.indexes.items() for key in index.keys(row)}


@define
class Staged(Generic[_A]):
    """The rows as one transaction sees them: what is committed by now, and its own writes over it.

    That is PostgreSQL's READ COMMITTED, the weakest isolation that the product runs on. Versions and unique keys are
    checked at each save and once more at the commit, because nobody waits for another transaction here.
    """

    _rows: Rows[_A]
    _remember: Callable[[Sequence[Fact]], None]
    _ours: dict[Key, tuple[int, _A]] = field(factory=dict)

    def get(self, tenant: str, id_: str) -> _A | None:
        ours = self._ours.get((tenant, id_))
        return ours[1] if ours is not None else self._rows.get((tenant, id_))

    def having(self, index: str, tenant: str, key: Hashable) -> list[_A]:
        """Return the rows with the key."""
        theirs = [row for row in self._rows.having(index, tenant, key) if (row.tenant, row.id) not in self._ours]
        keys = self._rows.indexes[index].keys
        return [*theirs, *(row for _, row in self._ours.values() if row.tenant == tenant and key in set(keys(row)))]

    def of(self, tenant: str) -> list[_A]:
        """Return the tenant's rows."""
        ours = {key: row for key, (_, row) in self._ours.items() if row.tenant == tenant}
        return [*(row for row in self._rows.of(tenant) if (row.tenant, row.id) not in ours), *ours.values()]

    def save(self, aggregate: _A) -> _A:
        """Stage the aggregate and its facts and return the next version; raise `StaleVersion` or an index's error."""
        key = (aggregate.tenant, aggregate.id)
        stored = self.get(*key)
        if (stored.version if stored is not None else 0) != aggregate.version:
            raise self._stale(aggregate)
        self._check_unique(aggregate)
        saved = evolved(aggregate, {"version": aggregate.version + 1, "facts": ()})
        first = self._ours[key][0] if key in self._ours else aggregate.version
        self._ours[key] = (first, saved)
        self._remember(aggregate.facts)
        return saved

    def changes(self) -> list[tuple[Key, _A | None, _A]]:
        """Return what this transaction writes: each row as it is committed by now, and as it will be."""
        return [(key, self._rows.get(key), row) for key, (_, row) in self._ours.items()]

    def check(self) -> None:
        """Raise if somebody else committed in between what this transaction may not overwrite."""
        for key, (version, row) in self._ours.items():
            committed = self._rows.get(key)
            if (committed.version if committed is not None else 0) != version:
                raise self._stale(row)
            self._check_unique(row)

    def apply(self) -> None:
        """Make the writes everybody's; cannot fail after `check`."""
        for _, row in self._ours.values():
            self._rows.put(row)

    def _check_unique(self, row: _A) -> None:
        for name, index in self._rows.indexes.items():
            if index.taken is None:
                continue
            for key in index.keys(row):
                if any(other.id != row.id for other in self.having(name, row.tenant, key)):
                    raise index.taken(row)

    def _stale(self, row: _A) -> StaleVersion:
        return StaleVersion(self._rows.kind, row.id, version=row.version)


def page_of(rows: Iterable[_D], *, limit: int, cursor: str | None) -> tuple[list[_D], str | None]:
    """Return up to `limit` rows, the newest first, and the next page's cursor; raise `Invalid` for a foreign one."""
    if cursor is not None:
        start = _place(cursor)
        rows = (row for row in rows if (row.created_at, row.id) < start)
    found = nlargest(limit + 1, rows, key=_newest)
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    place = base64.urlsafe_b64encode(f"{last.created_at.isoformat()}|{last.id}".encode()).decode()
    return found[:limit], place


def _newest(row: Dated) -> tuple[datetime, str]:
    return row.created_at, row.id


def _place(cursor: str) -> tuple[datetime, str]:
    msg = "the cursor is not one that we gave out"
    try:
        at, _, id_ = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        instant = datetime.fromisoformat(at)
    except (ValueError, binascii.Error) as broken:
        raise Invalid(msg, field="cursor") from broken
    if instant.tzinfo is None or not id_:
        raise Invalid(msg, field="cursor")
    return instant, id_
