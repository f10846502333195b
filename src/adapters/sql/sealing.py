"""What is encrypted in the tables: where it lies, and how all of it comes under another key."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from attrs import frozen

from adapters.sql import tables
from adapters.sql.database import Database
from adapters.sql.row_security import ALL
from core.kernel.errors import CuadrillaError, Unavailable

SEALED: Final[tuple[sa.Column[Any], ...]] = (
    tables.credentials.c.sealed,
    tables.tickets.c.sealed,
    tables.accounts.c.totp_sealed,
)
"""Every column that holds sealed bytes."""
_HEAD: Final = 256
"""Bytes in which the name of the key ends."""


def place(column: sa.Column[Any], *key: str) -> bytes:
    """Return what binds sealed bytes to one field of one row: table, field and the row's key, which begins with its tenant."""
    return msgspec.json.encode([str(column.table.name), str(column.name), *key])


@frozen
class Sealing:
    """Encrypts and decrypts bytes (first) that belong to one place (second)."""

    seal: Callable[[bytes, bytes], bytes]
    unseal: Callable[[bytes, bytes], bytes]


@frozen(kw_only=True)
class Turned:
    """How far a rotation has come: rows looked at of all that there are, rows brought under the first key, and what failed.

    `failed` names rows by table and key: they are under a key that we do not have, or were changed.
    """

    seen: int
    total: int
    turned: int
    failed: tuple[str, ...] = ()


class SqlSealed:
    """All that is sealed, of all tenants."""

    def __init__(self, database: Database, sealing: Sealing) -> None:
        self._database, self._sealing = database, sealing

    async def in_use(self) -> Mapping[str, int]:
        """Return how many values are under each key, by the key's name."""
        found: Counter[str] = Counter()
        for column in SEALED:
            async for rows in self._pages(column, sa.func.substr(column, 1, _HEAD).label("bytes"), size=1000):
                found.update(key_id(row.bytes) for row in rows)
        return dict(found)

    async def rotate(self, *, first: str, size: int = 100) -> AsyncIterator[Turned]:
        """Bring everything under the key called `first`, and say after each batch how far it is.

        Each value is replaced only if it is still what was read: whoever writes meanwhile wins, and nothing is lost. It can be
        ended at any point and begun again.
        """
        total, seen, turned, failed = sum((await self.in_use()).values()), 0, 0, list[str]()
        for column in SEALED:
            async for rows in self._pages(column, column.label("bytes"), size=size):
                seen += len(rows)
                for row in rows:
                    if key_id(row.bytes) == first:
                        continue
                    try:
                        turned += await self._turn(column, row)
                    except Unavailable:
                        raise
                    except CuadrillaError:
                        failed.append(f"{column.table.name} {'/'.join(_key(column, row))}")
                yield Turned(seen=seen, total=max(total, seen), turned=turned, failed=tuple(failed))

    async def _turn(self, column: sa.Column[Any], row: Any) -> int:
        about = place(column, *_key(column, row))
        fresh = self._sealing.seal(self._sealing.unseal(row.bytes, about), about)
        same = [own == row[at] for at, own in enumerate(column.table.primary_key)]
        update = sa.update(column.table).where(*same, column == row.bytes).values({column: fresh})
        return len(await self._database.change(update.returning(*column.table.primary_key), tenant=ALL))

    async def _pages(self, column: sa.Column[Any], shown: sa.Label[Any], *, size: int) -> AsyncIterator[Sequence[Any]]:
        """Give the rows that hold a value, by key: the row's key, and `shown`."""
        key = list(column.table.primary_key)
        query = sa.select(*key, shown).where(column.is_not(None)).order_by(*key).limit(size)
        rows = await self._database.rows(query, tenant=ALL)
        while rows:
            yield rows
            last = [sa.literal(each) for each in rows[-1][: len(key)]]
            rows = await self._database.rows(query.where(sa.tuple_(*key) > sa.tuple_(*last)), tenant=ALL)


def key_id(sealed: bytes) -> str:
    """Return the name of the key that sealed bytes are under."""
    return bytes(sealed).partition(b":")[0].decode(errors="replace")


def _key(column: sa.Column[Any], row: Any) -> list[str]:
    return [str(each) for each in row[: len(column.table.primary_key)]]
